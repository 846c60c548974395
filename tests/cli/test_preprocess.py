"""`ttd preprocess` as a person types it."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_pairs import picture_bytes, sample_members, write_folder, write_tar
from ttd_cli.commands.preprocess import preprocess
from ttd_cli.resolve import parse_scales
from ttd_core.recipes.options import ModelOptions
from ttd_core.recipes.preprocess.options import PreprocessOptions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures of which one has no caption."""
    made = write_folder(tmp_path / "pics", 3)
    for number in range(3):
        (made / f"{number:04d}.txt").write_text("a red ball near a yellow tree")
    (made / "alone.png").write_bytes(picture_bytes(9))
    return made


def test_defaults_shown_are_those_of_the_recipe() -> None:
    parameters = inspect.signature(preprocess).parameters.values()
    shown = {p.name: p.default for p in parameters if p.name not in ("context", "config", "quiet", "verbose")}
    shown["scales"] = parse_scales(shown["scales"])
    expected = {f.name: f.default for f in dataclasses.fields(PreprocessOptions) if f.name != "model"}
    assert shown == expected | {f.name: f.default for f in dataclasses.fields(ModelOptions)}


def test_skipped_pairs_end_with_3_and_are_told_again(ttd: Ttd, folder: Path, weights: Path) -> None:
    call = ("preprocess", "--data", "pics", "--weights", weights, "--device", "cpu", "--workers", 1)
    first = ttd(*call)
    assert first.code == 3
    assert "warning: skipped pics/alone.png: has no caption: no pics/alone.txt" in first.err
    assert "3 pairs scored, 1 skipped: runs/preprocess/" in first.err
    table = [line.split() for line in first.out.splitlines()]
    assert table[0] == ["pics,", "scored", "by", "scenes"]
    assert ["pairs", "4"] in table and ["ok", "3"] in table and ["no", "caption", "1"] in table
    assert any(line[:2] == ["score", "mean"] for line in table)
    again = ttd(*call, "--keep-going")
    assert again.code == 0 and again.out == first.out and "already done: runs/preprocess/" in again.err


def test_formats_are_clean(ttd: Ttd, folder: Path, weights: Path) -> None:
    call = ("preprocess", "--data", "pics", "--weights", weights, "--device", "cpu", "--workers", 1, "--out", "run")
    whole = json.loads(ttd(*call, "--format", "json").out)
    assert (whole["pairs"], whole["ok"], whole["bad"], whole["run"]) == (4, 3, {"no caption": 1}, "run")
    assert set(whole["score"]) >= {"mean", "min", "q50", "max"} and whole["shards"] == {"done": 1, "unread": 0}
    assert json.loads(ttd(*call, "--format", "jsonl").out) == whole
    lines = [line.split("\t") for line in ttd(*call, "--format", "tsv").out.splitlines()]
    assert lines[0] == ["what", "value"] and all(len(line) == 2 for line in lines)
    assert dict(lines)["ok"] == "3" and float(dict(lines)["score mean"]) == whole["score"]["mean"]
    assert (Path("run/scores").exists(), Path("run/run.yaml").exists()) == (True, True)


def test_a_configuration_repeats_a_run(ttd: Ttd, folder: Path, weights: Path) -> None:
    ttd("preprocess", "--data", "pics", "--weights", weights, "--hflip", "--device", "cpu", "--out", "run")
    answer = ttd("preprocess", "--config", "run/run.yaml", "--keep-going")
    assert answer.code == 0 and "already done: run" in answer.err


def test_an_interrupted_run_says_that_it_goes_on(ttd: Ttd, tmp_path: Path, weights: Path) -> None:
    write_tar(tmp_path / "0.tar", [("a.png", picture_bytes(1)), ("a.txt", b"a red ball")])
    call = (
        "preprocess",
        "--data",
        "{0..1}.tar",
        "--weights",
        weights,
        "--device",
        "cpu",
        "--workers",
        1,
        "--out",
        "run",
    )
    first = ttd(*call)
    assert first.code == 3 and "skipped shard 1: 1.tar: no such file" in first.err
    write_tar(tmp_path / "1.tar", [("b.png", picture_bytes(2)), ("b.txt", b"a yellow tree")])
    second = ttd(*call)
    assert second.code == 0 and "going on with run: 1 of 2 shards done before" in second.err


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["--data", "cc3m"], 2, ["--data cc3m needs --root", "hint: "]),
        (["--data", "coco"], 2, ["--data coco is unknown"]),
        (["--data", "scenes:tain"], 2, ["tain"]),
        (["--data", "absent/{00..03}.tar"], 3, ["no such archive"]),
        (["--data", "absent.csv"], 3, ["absent.csv: no such file"]),
        (["--data", "a.tar", "--limit", "5", "--workers", "2"], 2, ["--limit and --workers"]),
        (["--data", "a.tar", "--workers", "0"], 2, ["--workers 0"]),
        (["--data", "a.tar", "--devices", "cuda:0,tpu"], 2, ["tpu"]),
        (["--data", "a.tar", "--engine", "spark"], 2, ["spark"]),
        (["--data", "a.tar", "--model", "ViT-B-61"], 2, ["ViT-B-61"]),
        (["--data", "."], 3, ["no pictures in ."]),
    ],
)
def test_mistakes_end_in_one_line(ttd: Ttd, arguments: list[str], code: int, parts: list[str]) -> None:
    if "ViT-B-61" in arguments:
        write_tar(Path("a.tar"), sample_members([1]))
    answer = ttd("preprocess", *arguments)
    assert answer.code == code and answer.out == ""
    assert [part for part in parts if part not in answer.err] == []
    assert "Traceback" not in answer.err and answer.err.count("error: ") == 1
