"""Score files: what is written comes back, equal rows give equal bytes, and what is no score file is refused."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.tiny_scores import METADATA, numbered, scored
from ttd_core.data.scores import ScoreRow, caption_digest, open_scores, write_scores
from ttd_core.errors import DataError, RunError


def rows_of(path: Path) -> list[dict[str, object]]:
    columns = ("key", "caption", "caption_sha256", "score", "width", "height", "status")
    return [row for batch in open_scores(path).batches(columns) for row in batch.to_pylist()]


def test_rows_come_back_in_reading_order_with_the_run_they_belong_to(tmp_path: Path) -> None:
    path = tmp_path / "scores" / "00000.parquet"
    rows = [ScoreRow("b", "a  red\tcar ", 0.25, 8, 6), ScoreRow("a", "x", None, status="no picture")]
    assert write_scores(path, iter(rows), METADATA) == {"ok": 1, "no picture": 1}
    file = open_scores(path)
    assert (file.shard, file.rows, file.metadata) == ("00000", 2, METADATA)
    first, second = rows_of(path)
    assert first == {
        "key": "b", "caption": "a  red\tcar ", "caption_sha256": hashlib.sha256(b"a red car").hexdigest(),
        "score": 0.25, "width": 8, "height": 6, "status": "ok",
    }  # fmt: skip
    assert (second["score"], second["width"], second["height"], second["status"]) == (None, None, None, "no picture")


def test_types_are_the_documented_ones(tmp_path: Path) -> None:
    write_scores(tmp_path / "a.parquet", numbered("a", [0.5]), METADATA)
    schema = pq.read_schema(tmp_path / "a.parquet")
    kinds = {field.name: field.type for field in schema}
    assert kinds["score"] == pa.float32() and kinds["width"] == kinds["height"] == pa.int32()
    assert all(kinds[name] == pa.string() for name in ("key", "caption", "caption_sha256", "status"))


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_scores(tmp_path / f"{name}.parquet", numbered("s", [0.1, None, 0.3]), METADATA)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize("score", [math.nan, math.inf, None])
def test_an_ok_row_without_a_finite_score_says_so(tmp_path: Path, score: float | None) -> None:
    counts = write_scores(tmp_path / "a.parquet", [scored("x", score)], METADATA)
    assert counts == {"score is not finite": 1} and rows_of(tmp_path / "a.parquet")[0]["score"] is None


def test_a_reason_outweighs_a_score(tmp_path: Path) -> None:
    write_scores(tmp_path / "a.parquet", [scored("x", 0.5, status="too small")], METADATA)
    assert rows_of(tmp_path / "a.parquet")[0]["score"] is None


def test_half_characters_are_escaped(tmp_path: Path) -> None:
    write_scores(tmp_path / "a.parquet", [scored("k\udcff", 0.5, "cat \ud83d")], METADATA)
    (row,) = rows_of(tmp_path / "a.parquet")
    assert (row["key"], row["caption"]) == ("k\\udcff", "cat \\ud83d")


def test_equal_captions_meet_whatever_their_blanks() -> None:
    assert caption_digest(" a  cat\n") == caption_digest("a cat") != caption_digest("A cat")


def test_an_empty_shard_is_a_score_file(tmp_path: Path) -> None:
    assert write_scores(tmp_path / "a.parquet", [], METADATA) == {}
    assert open_scores(tmp_path / "a.parquet").rows == 0 and rows_of(tmp_path / "a.parquet") == []


def test_rows_are_taken_in_batches(tmp_path: Path) -> None:
    rows = [scored(str(number), number / 20_000) for number in range(20_000)]
    write_scores(tmp_path / "a.parquet", iter(rows), METADATA)
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups > 1
    batches = list(open_scores(tmp_path / "a.parquet").batches(("key",), size=1000))
    assert max(map(len, batches)) <= 1000
    assert [key for batch in batches for key in batch.column(0).to_pylist()] == [row.key for row in rows]


def test_a_failure_among_the_rows_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Iterator[ScoreRow]:
        yield scored("x", 0.5)
        raise DataError("the shard ends here")

    with pytest.raises(DataError, match="ends here"):
        write_scores(tmp_path / "a.parquet", failing(), METADATA)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("")
    with pytest.raises(RunError, match="scores"):
        write_scores(tmp_path / "scores" / "a.parquet", [], METADATA)


def other(path: Path, entry: bytes | None, columns: dict[str, pa.Array] | None = None) -> Path:
    """A parquet file with some metadata and columns."""
    write_scores(path, numbered("a", [0.5]), METADATA)
    table = pq.read_table(path)
    for name, column in (columns or {}).items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    metadata = dict(table.schema.metadata)
    if entry is not None:
        metadata[b"ttd"] = entry
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (b"{}", "no score file of ttd preprocess"),
        (b"no json", "no score file of ttd preprocess"),
        (b'{"schema": "ttd-scores", "version": 2}', "ttd-scores version 2, expected 1"),
        (b'{"schema": "ttd-scores", "version": 1}', "its metadata holds no model"),
    ],
)
def test_other_schemas_and_versions_are_refused(tmp_path: Path, entry: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_scores(other(tmp_path / "a.parquet", entry))


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    path = other(tmp_path / "a.parquet", None, {"score": pa.array([0.5], pa.float64())})
    with pytest.raises(DataError, match="column score holds double, expected float"):
        open_scores(path)


def test_what_is_no_parquet_or_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("key,score\n")
    write_scores(tmp_path / "b.parquet", numbered("b", [0.5] * 100), METADATA)
    (tmp_path / "b.parquet").write_bytes((tmp_path / "b.parquet").read_bytes()[:-20])
    for name in "ab":
        with pytest.raises(DataError, match=rf"{name}\.parquet: damaged or no parquet file"):
            open_scores(tmp_path / f"{name}.parquet")
    with pytest.raises(DataError, match="no such file"):
        open_scores(tmp_path / "c.parquet")
