from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.tiny_coco import HEIGHT, WIDTH, write_png, write_tree
from ttd_core.data.benchmarks.catalogue import open_benchmark
from ttd_core.errors import DataError, UsageError

ROWS: tuple[dict[str, Any], ...] = (
    {"image": "a.jpg", "caption": "a dog on grass", "truth": ["Dog", "grass"], "mask": "m/a.png"},
    {"image": "b.jpg", "caption": "a grey afternoon", "truth": [], "mask": "m/b.png"},
)


def write_list(folder: Path, rows: Any = ROWS, name: str = "list.jsonl") -> Path:
    write_tree(folder, None, ".", ["a.jpg", "b.jpg"])
    for stem in "ab":
        write_png(folder / "m" / f"{stem}.png", np.eye(HEIGHT, WIDTH) * 255)
    path = folder / name
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        mark = {".csv": ";", ".tsv": "\t"}[path.suffix]
        cells = [
            {key: ", ".join(each) if isinstance(each, list) else each for key, each in row.items()} for row in rows
        ]
        lines = [mark.join(rows[0]), *(mark.join(row.values()) for row in cells)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def opened(path: Path, truth: Path | None = None) -> Any:
    return open_benchmark(str(path), None, truth)


@pytest.mark.parametrize("name", ["list.jsonl", "list.csv", "list.tsv", "list.parquet"])
def test_tags_and_masks_come_from_their_columns(tmp_path: Path, name: str) -> None:
    benchmark = opened(write_list(tmp_path, name=name))
    assert benchmark.tasks == ("tags", "text", "bias")
    assert [(sample.key, sample.caption) for sample in benchmark.samples] == [
        ("a.jpg", "a dog on grass"),
        ("b.jpg", "a grey afternoon"),
    ]
    truth = benchmark.truth(benchmark.samples[0], (HEIGHT, WIDTH))
    assert (truth.tags, truth.candidates) == (("dog", "grass"), None)
    np.testing.assert_array_equal(truth.caption_mask, np.eye(HEIGHT, WIDTH, dtype=bool))


@pytest.mark.parametrize(
    ("columns", "tasks"),
    [((), ("bias",)), (("truth",), ("tags", "bias")), (("mask",), ("text", "bias"))],
)
@pytest.mark.parametrize("name", ["list.jsonl", "list.csv", "list.parquet"])
def test_the_columns_decide_what_a_list_is_good_for(tmp_path: Path, columns: Any, tasks: Any, name: str) -> None:
    rows = [{key: row[key] for key in ("image", "caption", *columns)} for row in ROWS]
    assert opened(write_list(tmp_path, rows, name)).tasks == tasks


def test_a_row_may_lack_truth_or_mask(tmp_path: Path) -> None:
    rows = [ROWS[0], {"image": "b.jpg", "caption": "a grey afternoon"}]
    benchmark = opened(write_list(tmp_path, rows))
    truth = benchmark.truth(benchmark.samples[1])
    assert (len(benchmark.samples), truth.tags, truth.caption_mask) == (2, None, None)


def test_rows_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    rows = [
        *ROWS,
        {"image": "gone.jpg", "caption": "nothing"},
        {"image": "../a.jpg", "caption": "outside"},
        {"image": "a.jpg", "id": "x", "caption": "lost mask", "mask": "m/gone.png"},
        {"image": "a.jpg", "id": "y", "caption": "mask outside", "mask": "../m.png"},
        {"image": "a.jpg", "id": "z", "tags": ["dog"]},
    ]
    benchmark = opened(write_list(tmp_path, rows))
    reasons = dict(benchmark.absent)
    assert len(benchmark.samples) == 2 and len(reasons) == 5
    assert reasons["gone.jpg"].startswith("no picture")
    assert "leads out of" in next(text for key, text in reasons.items() if key.endswith("list.jsonl:4"))
    assert reasons["x"].startswith("no mask") and "leads out of" in reasons["y"]
    assert "has no text" in next(text for key, text in reasons.items() if key.endswith("list.jsonl:7"))


def test_a_list_without_a_usable_row_is_an_error(tmp_path: Path) -> None:
    path = write_list(tmp_path, [{"image": "gone.jpg", "caption": "nothing"}])
    with pytest.raises(DataError, match="none of its 1 rows can be used; gone.jpg: no picture"):
        opened(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="no rows in"):
        opened(path)


def test_a_mask_of_another_size_is_an_error(tmp_path: Path) -> None:
    benchmark = opened(write_list(tmp_path))
    with pytest.raises(DataError, match="mask is 32×24 pixels but its picture is 9×9"):
        benchmark.truth(benchmark.samples[0], (9, 9))


def test_true_tags_from_a_file_come_before_the_column(tmp_path: Path) -> None:
    path = write_list(tmp_path)
    tags = tmp_path / "truth.jsonl"
    judged = [{"tag": "Dog", "score": None, "selected": False}, {"tag": "on", "score": None, "selected": True}]
    tags.write_text(json.dumps({"key": "a", "tags": ["on"], "candidates": judged}) + "\n", encoding="utf-8")
    benchmark = opened(path, tags)
    truth = benchmark.truth(benchmark.samples[0])
    assert (truth.tags, truth.candidates) == (("on",), ("dog", "on"))
    assert benchmark.absent == (("b.jpg", "the file of true tags does not have it"),)


def test_lists_have_no_splits(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        opened(Path(f"{write_list(tmp_path)}:val"))
