"""`ttd evaluate --list`: everything there is, what is missing and where it goes, with nothing heavy loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import draw_voc
from ttd_core.data.benchmarks.entries import ENTRIES
from ttd_core.recipes.evaluation.published import published_names, published_row

COLUMNS = ["name", "task", "data", "here", "published"]


def test_the_table_names_every_data_set_and_every_row(ttd: Ttd) -> None:
    answer = ttd("evaluate", "--list")
    assert answer.code == 0 and not answer.err
    first = [line.split()[0] for line in answer.out.splitlines() if line.startswith("  ")]
    assert {"scenes", *(entry.name for entry in ENTRIES), *published_names()} <= set(first)
    assert "ttd evaluate --list --recipe NAME" in answer.out


def test_every_format_lists_the_same_rows(ttd: Ttd) -> None:
    shown = {style: ttd("evaluate", "--list", "--format", style) for style in ("tsv", "json", "jsonl")}
    assert [(answer.code, answer.err) for answer in shown.values()] == [(0, "")] * 3
    rows: list[dict[str, Any]] = json.loads(shown["json"].out)
    assert [json.loads(line) for line in shown["jsonl"].out.splitlines()] == rows
    table = [line.split("\t") for line in shown["tsv"].out.splitlines()]
    assert table[0] == COLUMNS and table[1:] == [[str(row[column]) for column in COLUMNS] for row in rows]
    assert [row["name"] for row in rows] == list(published_names())
    for row in rows:
        assert row["source"] and row["command"].startswith(f"ttd evaluate --recipe {row['name']}")
        assert (row["here"] == "ready") == (not row["missing"]), row["name"]


@pytest.mark.parametrize("name", published_names())
def test_a_row_that_cannot_be_computed_says_what_to_put_where(ttd: Ttd, name: str) -> None:
    answer = ttd("evaluate", "--list", "--recipe", name)
    row = published_row(name)
    assert answer.code == 0 and row.source in answer.out and name in answer.out
    if "ready:" in answer.out:
        assert name.startswith("scenes/")
    elif row.arrives is None:
        assert (
            "--root" in answer.out or "--truth" in answer.out
        ) and f"then: ttd evaluate --recipe {name} " in answer.out


def test_what_is_there_is_not_asked_for(ttd: Ttd, tmp_path: Path) -> None:
    before = ttd("evaluate", "--list", "--recipe", "ttd/voc2012").out
    assert "VOCdevkit/VOC2012/JPEGImages" in before and "tcl.pth" in before and "--lora" in before
    root = draw_voc(tmp_path / "data", 2)
    (tmp_path / "own.pth").write_bytes(b"x")
    answer = ttd(
        "evaluate", "--list", "--recipe", "ttd/voc2012", "--root", root, "--weights", "own.pth", "--format", "json"
    )
    (row,) = json.loads(answer.out)
    assert row["here"] == "needs weights" and f"--root {root}" in row["command"] and "own.pth" in row["command"]
    assert len(row["missing"]) == 2 and "--lora" in row["missing"][0] and row["missing"][1].startswith("then: ")


def test_an_unknown_row(ttd: Ttd) -> None:
    answer = ttd("evaluate", "--list", "--recipe", "ttd/voc2021")
    assert answer.code == 2 and "ttd/voc2012" in answer.err and not answer.out


def test_a_row_of_a_later_release_says_so_and_scores_finished_answers(ttd: Ttd, tmp_path: Path) -> None:
    name = next(name for name in published_names() if published_row(name).arrives is not None)
    answer = ttd("evaluate", "--recipe", name, "--root", tmp_path)
    assert answer.code == 2 and f"--recipe {name}" in answer.err and "--pred" in answer.err and not answer.out


def test_a_published_row_scores_finished_answers(ttd: Ttd, tmp_path: Path) -> None:
    root = draw_voc(tmp_path / "data", 2)
    masks = root / "VOCdevkit/VOC2012/SegmentationClass"
    answer = ttd("evaluate", "--recipe", "ttd/voc2012", "--root", root, "--pred", masks, "--no-report", "--expect")
    assert answer.code == 5 and "miou: 100, outside (61.1 ± 0.3)" in answer.err and "61.1 ± 0.3" in answer.out


def test_listing_loads_nothing_heavy(process: Any) -> None:
    code = (
        "import sys; from ttd_cli.app import main; code = main(sys.argv[1:]);"
        "print('LOADED', sorted({'torch', 'open_clip', 'peft', 'numba', 'nltk', 'transformers', 'matplotlib', 'jinja2'}"
        " & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = process("evaluate", "--list", code=code)
    assert done.returncode == 0 and "ttd/voc2012" in done.stdout
    assert "LOADED []" in done.stderr
