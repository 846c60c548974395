"""A whole pruning: from score files to a manifest that training reads, the same every time."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import ttd_core.recipes.prune.prune
from tests.support.tiny_scores import METADATA, numbered, scored, scores_run
from ttd_core.data.kept import open_kept
from ttd_core.data.scores import write_scores
from ttd_core.errors import DataError, RunError, TtdError, UsageError
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.prune.options import PruneOptions
from ttd_core.recipes.prune.prune import Pruned, run_prune


class Heard(SilentReporter):
    """Remembers what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, message: str) -> None:
        self.said.append(message)

    def warning(self, message: str, hint: str | None = None) -> None:
        self.said.append(message)


def prune(scores: Path, out: Path, report: SilentReporter | None = None, **options: Any) -> Pruned:
    settings = PruneOptions(scores=str(scores), out=str(out), **options)
    return run_prune(settings, "ttd prune", report or SilentReporter())


def kept_keys(pruned: Pruned) -> set[str]:
    kept = open_kept(pruned.folder)
    return {key for shard in kept.shards for key in kept.keys(shard) or ()}


@pytest.fixture
def two_shards(tmp_path: Path) -> Path:
    shards = {"s-1": numbered("b", [0.1, 0.5, None, 0.3]), "s-0": numbered("a", [0.3, 0.2, 0.4])}
    return scores_run(tmp_path / "scored", shards)


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        ({"keep": 0.5}, {"b-1", "a-2", "a-0"}),  # of 0.3 twice, the shard s-0 comes first
        ({"min_score": 0.3}, {"b-1", "a-2", "a-0", "b-3"}),
        ({"top_k": 2}, {"b-1", "a-2"}),
        ({"keep": 1.0}, {"b-1", "a-2", "a-0", "b-3", "a-1", "b-0"}),
    ],
)
def test_each_rule_keeps_the_best(two_shards: Path, tmp_path: Path, rule: dict[str, Any], keys: set[str]) -> None:
    pruned = prune(two_shards, tmp_path / "kept", **rule)
    assert kept_keys(pruned) == keys
    counts = pruned.found["counts"]
    assert counts["kept"] == len(keys) and counts["kept"] + sum(counts["dropped"].values()) == counts["samples"] == 7
    assert counts["dropped"]["no picture"] == 1


def test_ties_follow_keys_and_not_the_order_of_reading(tmp_path: Path) -> None:
    rows = [scored(key, 0.5) for key in ("c", "a", "b")]
    pruned = prune(scores_run(tmp_path / "scored", {"s": rows}), tmp_path / "kept", top_k=2)
    assert kept_keys(pruned) == {"a", "b"}
    assert (pruned.found["threshold"], pruned.found["counts"]["dropped_at_threshold"]) == (0.5, 1)
    # the file itself is in reading order
    assert pq.read_table(pruned.folder / "kept" / "s.parquet").to_pydict() == {"key": ["a", "b"], "score": [0.5, 0.5]}


def test_kept_files_are_in_reading_order_with_their_scores(two_shards: Path, tmp_path: Path) -> None:
    pruned = prune(two_shards, tmp_path / "kept", min_score=0.25)
    table = pq.read_table(pruned.folder / "kept" / "s-1.parquet").to_pydict()
    assert table["key"] == ["b-1", "b-3"] and np.allclose(table["score"], [0.5, 0.3])


def test_the_best_picture_of_a_caption_may_stand_alone(tmp_path: Path) -> None:
    shards = {
        "s-0": [scored("a", 0.4, "a  cat"), scored("b", 0.2, "a dog")],
        "s-1": [scored("c", 0.5, "a cat"), scored("d", None, "a bird", "no picture")],
    }
    folder = scores_run(tmp_path / "scored", shards)
    every = prune(folder, tmp_path / "all", keep=1.0)
    best = prune(folder, tmp_path / "best", keep=1.0, per_caption="best")
    assert kept_keys(every) == {"a", "b", "c"} and kept_keys(best) == {"b", "c"}
    counts = best.found["counts"]
    assert (counts["captions"], counts["repeated_captions"], counts["ranked"], counts["kept_captions"]) == (2, 1, 2, 2)
    assert counts["dropped"]["the caption has a better picture"] == 1
    assert kept_keys(prune(folder, tmp_path / "one", top_k=1, per_caption="best")) == {"c"}


def test_equal_scores_and_options_give_equal_bytes_and_one_name(two_shards: Path, tmp_path: Path) -> None:
    folders = []
    for number in range(2):
        settings = PruneOptions(scores=str(two_shards), keep=0.5, run_root=str(tmp_path / f"runs{number}"))
        folders.append(run_prune(settings, "", SilentReporter()).folder)
    first, second = folders
    assert first.name == second.name
    names = ["prune.json", "histogram.png", "cut.png", "kept/s-0.parquet", "kept/s-1.parquet"]
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []
    other = run_prune(dataclasses.replace(settings, keep=0.6), "", SilentReporter()).folder
    assert other.name != first.name


def test_a_finished_run_is_only_read(two_shards: Path, tmp_path: Path) -> None:
    first = prune(two_shards, tmp_path / "kept", keep=0.5)
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.p*")}
    again = prune(two_shards, tmp_path / "kept", keep=0.5)
    assert again.repeated and again.found == first.found
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.p*")} == before
    with pytest.raises(RunError, match="keep: 0.5 there, 0.6 now"):
        prune(two_shards, tmp_path / "kept", keep=0.6)


def test_other_scores_are_another_run(two_shards: Path, tmp_path: Path) -> None:
    prune(two_shards, tmp_path / "kept", keep=0.5)
    write_scores(two_shards / "scores" / "s-0.parquet", numbered("a", [0.9]), METADATA)
    with pytest.raises(RunError, match="inputs"):
        prune(two_shards, tmp_path / "kept", keep=0.5)
    assert kept_keys(prune(two_shards, tmp_path / "kept", keep=0.5, overwrite=True)) == {"a-0", "b-1"}


def test_an_interrupted_run_goes_on_and_is_no_manifest_before(
    two_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prune(two_shards, tmp_path / "whole", keep=0.5)
    written: list[str] = []
    write = ttd_core.recipes.prune.prune.write_kept

    def stopping(path: Path, tables: Any) -> None:
        if written and stopping.armed:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, tables)

    stopping.armed = True  # type: ignore[attr-defined]
    monkeypatch.setattr(ttd_core.recipes.prune.prune, "write_kept", stopping)
    with pytest.raises(KeyboardInterrupt):
        prune(two_shards, tmp_path / "kept", keep=0.5)
    with pytest.raises(DataError, match="has not ended"):
        open_kept(tmp_path / "kept")
    stopping.armed = False  # type: ignore[attr-defined]
    prune(two_shards, tmp_path / "kept", keep=0.5)
    assert written == ["s-0.parquet", "s-1.parquet"]
    for name in ("prune.json", "kept/s-0.parquet", "kept/s-1.parquet", "cut.png"):
        assert (tmp_path / "kept" / name).read_bytes() == (whole.folder / name).read_bytes()


def test_the_manifest_says_where_the_data_is(tmp_path: Path) -> None:
    metadata = dataclasses.replace(METADATA, data="cc3m", root="/data")
    folder = scores_run(tmp_path / "scored", {"s": numbered("s", [0.5])}, metadata)
    kept = open_kept(prune(folder, tmp_path / "one", keep=1.0).folder)
    assert (kept.data, kept.root, kept.count) == ("cc3m", "/data", 1)
    moved = open_kept(prune(folder, tmp_path / "two", keep=1.0, root="/elsewhere").folder)
    assert moved.root == "/elsewhere" and moved.sha256 != kept.sha256


def test_nothing_but_the_run_is_written(two_shards: Path, tmp_path: Path) -> None:
    before = sorted(two_shards.rglob("*"))
    prune(two_shards, tmp_path / "kept", keep=0.5)
    assert sorted(two_shards.rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "scored"]


def test_the_folder_of_the_score_files_will_do(two_shards: Path, tmp_path: Path) -> None:
    assert prune(two_shards / "scores", tmp_path / "kept", keep=0.5).found["counts"]["samples"] == 7


def test_bad_rows_may_share_a_key_and_samples_may_not(tmp_path: Path) -> None:
    rows = [scored("a", 0.5), scored("a", None, status="twice"), scored("b", 0.4)]
    assert kept_keys(prune(scores_run(tmp_path / "one", {"s": rows}), tmp_path / "kept", keep=1.0)) == {"a", "b"}
    twice = scores_run(tmp_path / "two", {"s": [*rows, scored("b", 0.3)]})
    with pytest.raises(DataError, match=r"s\.parquet: the key b occurs twice"):
        prune(twice, tmp_path / "other", keep=1.0)


def test_a_shard_without_samples_keeps_none(tmp_path: Path) -> None:
    shards = {"s-0": [], "s-1": numbered("b", [0.5]), "s-2": numbered("c", [None])}
    kept = open_kept(prune(scores_run(tmp_path / "scored", shards), tmp_path / "kept", keep=1.0).folder)
    assert kept.shards == {"s-0": 0, "s-1": 1, "s-2": 0} and kept.keys("s-0") == frozenset()


def unfinished(tmp_path: Path) -> Path:
    return scores_run(tmp_path / "scored", {"s": numbered("s", [0.5, 0.4])}, done=False)


def test_an_unfinished_run_is_refused_unless_it_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has not ended well here \(status running\)") as caught:
        prune(unfinished(tmp_path), tmp_path / "kept", keep=0.5)
    assert "--allow-incomplete" in str(caught.value.hint)
    heard = Heard()
    pruned = prune(tmp_path / "scored", tmp_path / "kept", heard, keep=0.5, allow_incomplete=True)
    assert pruned.found["complete"] is False and "only the 1 shards scored so far" in heard.said[0]


def several_models(tmp_path: Path) -> Path:
    other = dataclasses.replace(METADATA, model="other", model_sha256="cd" * 32)
    shards = {"s-0": numbered("a", [0.5]), "s-1": numbered("b", [0.5])}
    return scores_run(tmp_path / "scored", shards, {"s-0": METADATA, "s-1": other})


def of_another_command(tmp_path: Path) -> Path:
    folder = scores_run(tmp_path / "scored", {"s": numbered("s", [0.5])})
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"command": "tags"}))
    return folder


def with_a_file_gone(tmp_path: Path) -> Path:
    folder = scores_run(tmp_path / "scored", {"s-0": numbered("a", [0.5]), "s-1": numbered("b", [0.5])})
    (folder / "scores" / "s-1.parquet").unlink()
    return folder


def with_no_digest(tmp_path: Path) -> Path:
    import pyarrow as pa

    folder = scores_run(tmp_path / "scored", {"s": numbered("s", [0.5])})
    path = folder / "scores" / "s.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("caption_sha256")
    pq.write_table(table.set_column(place, table.schema.field(place), pa.array(["x" * 64])), path)
    return folder


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (several_models, DataError, r"s-1\.parquet: scored with model other, not tiny; weights cdcdcdcdcdcd, not abab"),
        (of_another_command, UsageError, "holds a run of `ttd tags`"),
        (with_a_file_gone, DataError, r"1 of the files that the run wrote are gone, the first is s-1\.parquet"),
        (with_no_digest, DataError, "a caption_sha256 is not 64 hexadecimal digits"),
        (lambda path: scores_run(path / "scored", {}), DataError, "no score files"),
        (lambda path: scores_run(path / "scored", {"s": []}), DataError, "the score files hold no samples"),
        (
            lambda path: scores_run(path / "scored", {"s": numbered("s", [None, None])}),
            DataError,
            r"none of the 2 samples has a score \(2 no picture\)",
        ),
        (lambda path: path / "nowhere", DataError, "no such folder"),
        (lambda path: path, DataError, "holds no run of ttd preprocess"),
    ],
)
def test_scores_that_cannot_be_ranked_are_refused(tmp_path: Path, make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        prune(make(tmp_path), tmp_path / "kept", keep=0.5)
    assert not (tmp_path / "kept").exists()


def test_scores_of_an_unknown_version_are_refused(tmp_path: Path) -> None:
    folder = scores_run(tmp_path / "scored", {"s": numbered("s", [0.5])})
    path = folder / "scores" / "s.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"ttd": b'{"schema": "ttd-scores", "version": 9}'}), path)
    with pytest.raises(DataError, match="version 9, expected 1"):
        prune(folder, tmp_path / "kept", keep=0.5)


def test_a_lowest_score_above_all_is_refused_with_the_highest(two_shards: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--min-score 0\.6 keeps none of the 6 samples: the highest score is 0\.5000"):
        prune(two_shards, tmp_path / "kept", min_score=0.6)


def test_more_than_there_are_is_noticed_every_time(two_shards: Path, tmp_path: Path) -> None:
    notice = "--top-k 100 is more than the 6 samples that are ranked: all of them are kept"
    assert prune(two_shards, tmp_path / "kept", top_k=100).found["notices"] == [notice]
    assert prune(two_shards, tmp_path / "kept", top_k=100).found["notices"] == [notice]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no rule says what to keep"),
        ({"keep": 0.5, "top_k": 3}, "--keep and --top-k contradict each other"),
        ({"keep": 0.0}, "--keep 0 is out of range"),
        ({"keep": 1.01}, "--keep 1.01 is out of range"),
        ({"keep": float("nan")}, "--keep nan is not a finite number"),
        ({"min_score": float("inf")}, "--min-score inf is not a finite number"),
        ({"top_k": 0}, "--top-k 0 is out of range, expected 1 or more"),
        ({"keep": 0.5, "scores": " "}, "--scores is missing"),
        ({"keep": 0.5, "root": ""}, "--root is empty"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TtdError, match=message):
        PruneOptions(**{"scores": "run", **options})
