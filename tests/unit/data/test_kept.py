"""What training reads of a pruning: keys by shard, and refusals of what is not whole."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ttd_core.data.kept import open_kept, write_kept
from ttd_core.errors import DataError


def kept_run(folder: Path, **changes: Any) -> Path:
    """A manifest with a shard of two keys and one of none."""
    batch = pa.record_batch({"key": ["b", "a"], "score": pa.array([0.5, 0.25], pa.float32())})
    write_kept(folder / "kept" / "s-0.parquet", [batch])
    write_kept(folder / "kept" / "s-1.parquet", [])
    shards = [{"shard": "s-0", "kept": 2}, {"shard": "s-1", "kept": 0}]
    manifest = {"schema": "ttd-manifest", "version": 1, "data": "cc3m", "root": "/data", "shards": shards}
    (folder / "prune.json").write_text(json.dumps(manifest | changes))
    return folder


def test_keys_come_shard_by_shard(tmp_path: Path) -> None:
    kept = open_kept(kept_run(tmp_path))
    assert (kept.data, kept.root, kept.count) == ("cc3m", "/data", 2)
    assert kept.keys("s-0") == frozenset(("a", "b"))
    assert kept.keys("s-1") == frozenset() and kept.keys("s-2") is None
    assert pickle.loads(pickle.dumps(kept)) == kept


def test_the_digest_tells_two_choices_apart(tmp_path: Path) -> None:
    digests = {
        open_kept(kept_run(tmp_path / name, threshold=cut)).sha256 for name, cut in (("a", 1), ("b", 1), ("c", 2))
    }
    assert len(digests) == 2


def test_equal_keys_give_equal_bytes(tmp_path: Path) -> None:
    one, two = (kept_run(tmp_path / name) / "kept" / "s-0.parquet" for name in "ab")
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "other"}, "not written by ttd prune"),
        ({"version": 2}, "ttd-manifest version 2, expected 1"),
        ({"data": None}, "damaged"),
        ({"root": 3}, "damaged"),
        ({"shards": {}}, "damaged"),
        ({"shards": [{"shard": "../../etc/x", "kept": 1}]}, "damaged"),
        ({"shards": [{"shard": "s-0", "kept": -1}]}, "damaged"),
        ({"shards": ["s-0"]}, "damaged"),
    ],
)
def test_other_manifests_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_kept(kept_run(tmp_path, **changes))


def test_a_run_of_scores_is_refused_with_what_comes_next(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("command: preprocess\n")
    (tmp_path / "preprocess.jsonl").write_text("")
    with pytest.raises(DataError, match="is a run of ttd preprocess") as caught:
        open_kept(tmp_path)
    assert caught.value.hint is not None and f"ttd prune --scores {tmp_path}" in caught.value.hint


def test_a_run_that_has_not_ended_is_refused_with_the_way_on(tmp_path: Path) -> None:
    (kept_run(tmp_path) / "prune.json").unlink()
    with pytest.raises(DataError, match="holds no run of ttd prune"):
        open_kept(tmp_path)
    (tmp_path / "run.yaml").write_text("command: prune\n")
    with pytest.raises(DataError, match="has not ended") as caught:
        open_kept(tmp_path)
    assert caught.value.hint == f"ttd prune --config {tmp_path / 'run.yaml'}"
    with pytest.raises(DataError, match="no such folder"):
        open_kept(tmp_path / "nowhere")


def test_files_that_are_gone_damaged_or_of_another_run_are_refused(tmp_path: Path) -> None:
    kept = open_kept(kept_run(tmp_path, shards=[{"shard": name, "kept": 1} for name in ("s-0", "gone", "cut")]))
    (tmp_path / "kept" / "cut.parquet").write_bytes((tmp_path / "kept" / "s-0.parquet").read_bytes()[:-8])
    for name, message in (("s-0", "holds 2 keys, expected the 1"), ("gone", "no such file"), ("cut", "damaged")):
        with pytest.raises(DataError, match=message):
            kept.keys(name)
