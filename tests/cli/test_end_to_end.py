"""Whole commands on a tiny model and three small pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Ttd

Pairs = list[tuple[Path, str]]


def listing(tmp_path: Path, pairs: Pairs) -> Path:
    rows = [json.dumps({"image": str(path), "text": caption}) for path, caption in pairs]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_tags_of_a_stream_come_in_order_as_jsonl(ttd: Ttd, tmp_path: Path, pairs: Pairs, weights: Path) -> None:
    data = listing(tmp_path, pairs).read_bytes()
    answer = ttd("tags", "--input", "-", "--weights", weights, "--format", "jsonl", stdin=data)
    rows = [json.loads(line) for line in answer.out.splitlines()]
    assert answer.code == 0 and [row["image"] for row in rows] == [str(path) for path, _ in pairs]
    assert all({"tag", "score", "selected"} <= set(candidate) for row in rows for candidate in row["candidates"])


def test_a_broken_picture_does_not_stop_the_others(ttd: Ttd, tmp_path: Path, pairs: Pairs, weights: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    path = listing(tmp_path, [pairs[0], (bad, "a dog"), pairs[1]])
    answer = ttd("tags", "--input", path, "--weights", weights, "--format", "jsonl")
    assert answer.code == 3 and ["error" in json.loads(line) for line in answer.out.splitlines()] == [
        False,
        True,
        False,
    ]
    assert "bad.png" in answer.err and "2 done, 1 skipped" in answer.err


def test_masks_leave_their_files_and_say_where(ttd: Ttd, tmp_path: Path, pairs: Pairs, weights: Path) -> None:
    picture, caption = pairs[0]
    answer = ttd("masks", "--image", picture, "--text", caption, "--weights", weights, "--format", "json")
    row = json.loads(answer.out)
    assert answer.code == 0 and row["files"]
    for name in row["files"].values():
        assert (tmp_path / row["folder"] / name).is_file()
    assert row["folder"] in answer.err


def test_demo_draws_a_sheet(ttd: Ttd, tmp_path: Path, pairs: Pairs, weights: Path) -> None:
    picture, _ = pairs[0]
    answer = ttd("demo", "--image", picture, "--tags", "sky,dog", "--weights", weights, "--out", "d")
    assert answer.code == 0
    (sheet,) = (tmp_path / "d" / "sheets").iterdir()
    with Image.open(sheet) as image:
        assert image.size[0] > image.size[1]


@pytest.mark.parametrize("command", ["masks", "demo"])
def test_the_same_call_again_is_recognised(ttd: Ttd, pairs: Pairs, weights: Path, command: str) -> None:
    call = [command, "--image", pairs[0][0], "--tags", "sky", "--weights", weights]
    first, second = ttd(*call), ttd(*call)
    assert (first.code, second.code) == (0, 0) and first.out == second.out and "already done" in second.err


def test_candidates_and_limit_reach_the_bundled_pictures(ttd: Ttd, weights: Path) -> None:
    answer = ttd("demo", "--tags", "sky,dog", "--limit", "2", "--weights", weights, "--format", "jsonl")
    rows = [json.loads(line) for line in answer.out.splitlines()]
    assert answer.code == 0 and len(rows) == 2
    assert [[candidate["tag"] for candidate in row["candidates"]] for row in rows] == [["sky", "dog"]] * 2
