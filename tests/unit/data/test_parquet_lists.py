"""Parquet lists: rows in batches, types checked before anything is decoded, damage named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.make_bad_lists import good_rows
from ttd_core.data.inputs import BadRow, read_samples
from ttd_core.errors import DataError
from ttd_core.types import Sample

parquet = pytest.importorskip("pyarrow.parquet", reason="parquet is an optional extra")


def read(path: Path) -> tuple[list[Sample], list[BadRow]]:
    rows = list(read_samples(path))
    return [row for row in rows if isinstance(row, Sample)], [row for row in rows if isinstance(row, BadRow)]


def table(path: Path, **columns: object) -> Path:
    import pyarrow

    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_parquet_rows_are_read_batch_by_batch(tmp_path: Path) -> None:
    rows = good_rows(0) * 100
    path = table(tmp_path / "a.parquet", **{name: [row[name] for row in rows] for name in ("id", "image", "caption")})
    good, bad = read(path)
    assert [sample.caption for sample in good] == [row["caption"] for row in rows]
    assert bad == []
    assert good[0].image == tmp_path / "pics" / "0.png"
    assert len({sample.key for sample in good}) == 600


def test_parquet_row_without_caption_is_named_by_its_number(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", image=["a", "b", "c"], caption=["x", None, "z"])
    good, bad = read(path)
    assert [sample.caption for sample in good] == ["x", "z"]
    assert bad[0].origin == f"{path}:1"
    assert "row 1 (from 0) has no text" in bad[0].message


def test_parquet_takes_whole_numbers_as_ids_and_lists_as_tags(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", id=[7, 8], image=["a", "b"], tags=[["goat", "kite"], []])
    good, _ = read(path)
    assert [(sample.key, sample.tags) for sample in good] == [("7", ("goat", "kite")), ("8", ())]


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"URL": ["a"], "TEXT": ["b"], "similarity": [0.3]}, "columns found: URL, TEXT, similarity"),
        ({"image": ["a"], "caption": [["b", "c"]]}, "column caption holds list"),
        ({"image": ["a"], "caption": [b"b\xff"]}, "column caption holds binary"),
        ({"image": ["a"], "Image": ["a"]}, "twice"),
    ],
)
def test_parquet_with_other_columns_or_types_shows_them(tmp_path: Path, columns: dict[str, object], word: str) -> None:
    with pytest.raises(DataError, match=word):
        list(read_samples(table(tmp_path / "a.parquet", **columns)))


def test_parquet_without_rows_or_footer_is_an_error(tmp_path: Path) -> None:
    import pyarrow

    with pytest.raises(DataError, match="no rows in"):
        list(read_samples(table(tmp_path / "empty.parquet", image=pyarrow.array([], pyarrow.string()))))
    whole = table(tmp_path / "whole.parquet", image=["a"] * 99).read_bytes()
    for name, data in (("cut.parquet", whole[: len(whole) // 2]), ("table.parquet", b"id,image\n1,a\n"), ("0.pq", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name):
            list(read_samples(tmp_path / name))
