"""What stands on standard output, per format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ttd_cli.render import Renderer

TAGS = {
    "key": "a.png", "image": "a.png", "text": "a red dog", "scorer": "pixel", "tags": ["dog"],
    "candidates": [
        {"tag": "red", "score": 0.25, "selected": False, "x": 1, "y": 2, "runner_up": "dog"},
        {"tag": "dog", "score": 0.75, "selected": True, "x": 3, "y": 4, "runner_up": "red"},
        {"tag": "blarg", "score": None, "selected": False, "note": "unknown word"},
    ],
}  # fmt: skip
MASKS = TAGS | {"masks": [{"tag": "dog", "label": 1, "area": 0.125, "box": [1, 2, 30, 40], "score": 0.75}]}


def render(command: str, style: str, many: bool, *rows: dict[str, Any]) -> str:
    renderer = Renderer(command, style, many)
    lines = [line for row in rows for line in renderer.lines(row)] + list(renderer.closing())
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("command", "style", "many", "row", "expected"),
    [
        (
            "tags", "text", False, TAGS,
            "  tag  score            at x, y  runner-up\n"
            "  dog  0.750  ████████  3, 4     red\n"
            "  dropped: red 0.250, blarg (unknown word)",
        ),
        ("tags", "text", False, TAGS | {"candidates": [{"tag": "dog", "score": None, "selected": True}]}, "dog"),
        (
            "tags", "text", True, TAGS | {"candidates": [{"tag": "dog", "score": None, "selected": True}]},
            "a.png\tdog",
        ),
        (
            "tags", "text", False, TAGS | {"tags": [], "candidates": TAGS["candidates"][:1]},
            "  no tag kept\n  dropped: red 0.250",
        ),
        (
            "masks", "text", True, MASKS | {"folder": "runs/x", "files": {"overlay": "overlay/a.png"}},
            "a.png: a red dog\n"
            "  tag  score  area      box x, y\n"
            "  dog  0.750  12.5%  █  1, 2 to 30, 40\n"
            "  dropped: red 0.250, blarg (unknown word)\n"
            "  overlay: runs/x/overlay/a.png\n",
        ),
        (
            "tags", "tsv", False, TAGS,
            "key\timage\ttag\tscore\tselected\tx\ty\trunner_up\tnote\n"
            "a.png\ta.png\tred\t0.25\tfalse\t1\t2\tdog\t\n"
            "a.png\ta.png\tdog\t0.75\ttrue\t3\t4\tred\t\n"
            "a.png\ta.png\tblarg\t\tfalse\t\t\t\tunknown word",
        ),
        (
            "masks", "tsv", False, MASKS,
            "key\timage\ttag\tscore\tlabel\tarea\tx0\ty0\tx1\ty1\na.png\ta.png\tdog\t0.75\t1\t0.125\t1\t2\t30\t40",
        ),
    ],
)  # fmt: skip
def test_lines(command: str, style: str, many: bool, row: dict[str, Any], expected: str) -> None:
    assert render(command, style, many, row) == expected


def test_json_lines_hold_the_whole_row() -> None:
    assert [json.loads(line) for line in render("tags", "jsonl", True, TAGS, MASKS).splitlines()] == [TAGS, MASKS]


def test_json_is_one_document() -> None:
    assert json.loads(render("tags", "json", False, TAGS)) == TAGS
    assert json.loads(render("tags", "json", True, TAGS, MASKS)) == [TAGS, MASKS]
    assert json.loads(render("tags", "json", True)) == []


def test_a_table_without_rows_still_has_its_header() -> None:
    assert render("tags", "tsv", True).startswith("key\timage")


def test_a_box_of_an_empty_mask_is_left_blank() -> None:
    row = MASKS | {"masks": [{"tag": "dog", "label": 1, "area": 0.0, "box": None, "score": None}]}
    assert render("masks", "tsv", False, row).splitlines()[1] == "a.png\ta.png\tdog\t\t1\t0.0\t\t\t\t"


@pytest.mark.parametrize(
    "hostile", ["a\tb", "a\nb", "a\x1b[31mb", "a\u2028b", "a\x85b", "\udc80", "[/x]", "\u202eab", "a\rb"]
)
@pytest.mark.parametrize("style", ["text", "tsv", "jsonl"])
def test_every_answer_stays_on_its_line(style: str, hostile: str) -> None:
    row = TAGS | {"key": hostile, "tags": [hostile], "candidates": [{"tag": hostile, "score": 0.5, "selected": True}]}
    lines = [*Renderer("tags", style, True).lines(row)]
    assert len(lines) == {"text": 4, "tsv": 2, "jsonl": 1}[style]
    for line in lines:
        assert len(line.splitlines()) <= 1 and "\x1b" not in line
        line.encode("utf-8")
    if style == "tsv":
        assert len(lines[-1].split("\t")) == 9
    if style == "jsonl":
        assert json.loads(lines[0])["key"] == hostile
