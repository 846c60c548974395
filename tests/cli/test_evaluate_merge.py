"""Only all shards of one evaluation, finished and about what lies on disk now, are put together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Ttd
from tests.support.tiny_evaluation import draw_answers, draw_voc, outcome, voc_keys
from tests.support.tiny_sets import write_mask
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.evaluation.evaluate import run_evaluation
from ttd_core.recipes.evaluation.options import EvaluateOptions


class Shards:
    """Two shards of an evaluation of five pictures."""

    def __init__(self, ttd: Ttd, folder: Path) -> None:
        self.ttd = ttd
        self.folder = folder
        self.root, self.answers = draw_voc(folder / "data", 5), draw_answers(folder / "answers", 5)
        self.first, self.second = (self.part(f"{i}/2", f"part{i}") for i in (1, 2))

    def part(self, shard: str, name: str, *more: object) -> Path:
        answer = self.ttd(
            "evaluate", "--task", "masks", "--data", "voc2012", "--root", self.root, "--pred", self.answers,
            "--workers", 0, "--no-report", "--out", self.folder / name, *(("--shard", shard) if shard else ()), *more,
        )  # fmt: skip
        assert answer.code == 0, answer.err
        return self.folder / name

    def merge(self, *parts: Path, out: str = "merged") -> Any:
        return self.ttd(
            "evaluate", *(word for part in parts for word in ("--merge", part)), "--no-report", "--format", "json",
            "--out", self.folder / out,
        )  # fmt: skip


@pytest.fixture
def made(ttd: Ttd, tmp_path: Path) -> Shards:
    return Shards(ttd, tmp_path)


def test_two_halves_are_the_whole(made: Shards) -> None:
    merged = made.merge(made.second, made.first)
    assert merged.code == 0 and json.loads(merged.out)["counts"]["scored"] == 5
    assert outcome(made.folder / "merged") == outcome(made.part("", "whole"))
    assert "already done" in made.merge(made.first, made.second).err


def test_a_shard_is_missing_or_comes_twice(made: Shards) -> None:
    missing, twice = made.merge(made.second), made.merge(made.first, made.second, made.first)
    assert (missing.code, twice.code) == (2, 2)
    assert "lacks shard 1 of 2" in missing.err and "names shard 1/2 twice" in twice.err
    assert not missing.out + twice.out and not (made.folder / "merged").exists()


def test_shards_of_other_settings_or_numbers(made: Shards) -> None:
    other = made.merge(made.first, made.part("2/2", "other", "--averaging", "zero"))
    third = made.merge(made.first, made.part("2/3", "third"))
    assert (other.code, third.code) == (2, 2)
    assert "averaging" in other.err and "number of shards" in third.err


def test_what_is_no_shard(made: Shards) -> None:
    for folder, said in ((made.part("", "whole"), "is no shard"), (made.answers, "no run of ttd evaluate"),
                         (made.folder / "nowhere", "no run of ttd evaluate")):  # fmt: skip
        answer = made.merge(made.first, folder)
        assert answer.code == 3 and said in answer.err and str(folder) in answer.err


class Stopped(SilentReporter):
    def track(self, items: Iterable[Any], total: int | None, description: str) -> Iterator[Any]:
        yield from list(items)[:1]
        raise KeyboardInterrupt


def test_an_interrupted_shard_is_not_finished(made: Shards) -> None:
    options = EvaluateOptions(
        task="masks", data="voc2012", root=str(made.root), pred=str(made.answers), shard="1/2", workers=0, report=False,
        out=str(made.folder / "stopped"), batch_size=1,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        run_evaluation(options, Stopped())
    answer = made.merge(made.folder / "stopped", made.second)
    assert answer.code == 3 and "shard 1/2 is not finished" in answer.err and not answer.out


def test_what_was_skipped_in_a_shard_is_skipped_in_the_whole(ttd: Ttd, tmp_path: Path) -> None:
    root, answers = draw_voc(tmp_path / "data", 4), draw_answers(tmp_path / "answers", 4)
    write_mask(answers / f"{voc_keys(2)[1]}.png", np.zeros((3, 3), np.uint8))
    call = ("evaluate", "--task", "masks", "--data", "voc2012", "--root", root, "--pred", answers, "--no-report",
            "--workers", 0)  # fmt: skip
    codes = [ttd(*call, "--shard", f"{i}/2", "--out", tmp_path / f"part{i}").code for i in (1, 2)]
    whole = ttd(*call, "--out", tmp_path / "whole")
    merged = ttd("evaluate", "--merge", "part1", "--merge", "part2", "--no-report", "--out", tmp_path / "merged")
    assert codes == [0, 3] and whole.code == merged.code == 3
    assert outcome(tmp_path / "merged") == outcome(tmp_path / "whole")
    assert outcome(tmp_path / "merged")["complete"] is False


@pytest.mark.parametrize(("what", "named"), [("answers", "--pred"), ("data", "the data set")])
def test_what_changed_since_is_not_described_as_seen(made: Shards, what: str, named: str) -> None:
    folder = made.answers if what == "answers" else made.root / "VOCdevkit/VOC2012/SegmentationClass"
    write_mask(folder / f"{voc_keys(1)[0]}.png", np.ones((16, 24), np.uint8))
    answer = made.merge(made.first, made.second)
    assert answer.code == 3 and named in answer.err and "changed" in answer.err and not answer.out


def test_the_whole_does_not_take_the_place_of_a_shard(made: Shards) -> None:
    for more in ((), ("--overwrite",)):
        answer = made.ttd("evaluate", "--merge", made.first, "--merge", made.second, "--out", made.first, *more)
        assert answer.code == 2 and "--out" in answer.err
    assert made.merge(made.first, made.second).code == 0


@pytest.mark.parametrize("shard", ["0/3", "2/1", "1", "a/b", "-1/2", "1/0", ""])
def test_no_part_of_a_whole(ttd: Ttd, shard: str) -> None:
    answer = ttd("evaluate", "--data", "scenes:test", "--limit", 2, "--shard", shard)
    assert answer.code == 2 and "--shard" in answer.err and not answer.out


def test_a_shard_beyond_the_samples(ttd: Ttd, tmp_path: Path) -> None:
    answer = ttd("evaluate", "--data", "scenes:test", "--limit", 2, "--shard", "3/3")
    assert answer.code == 3 and "--shard 3/3 is empty: there are 2 samples" in answer.err
    assert not (tmp_path / "runs").exists()
