"""Awkward lists: every good row is read, every bad one named by its line, and a hopeless list is one clear error."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tests.support.make_bad_lists import ListCase, list_cases
from ttd_core.data.inputs import BadRow, read_samples
from ttd_core.errors import DataError
from ttd_core.types import Sample

CASES = [case for seed in (0, 3) for case in list_cases(seed)]


def read(path: Path) -> tuple[list[Sample], list[BadRow]]:
    rows = list(read_samples(path))
    return [row for row in rows if isinstance(row, Sample)], [row for row in rows if isinstance(row, BadRow)]


def saved(case: ListCase, folder: Path) -> Path:
    path = folder / case.name
    path.write_bytes(case.data)
    return path


@pytest.mark.parametrize("case", [case for case in CASES if not case.error], ids=lambda case: case.name)
def test_good_rows_are_read_and_bad_ones_named(case: ListCase, tmp_path: Path) -> None:
    path = saved(case, tmp_path)
    good, bad = read(path)
    if case.name == "nul.csv" and bad:  # csv refuses NUL before Python 3.11
        assert len(good) == case.good - 1
        return
    assert len(good) == case.good
    assert [row.origin for row in bad] == [f"{path}:{line}" for line in case.bad]
    for row, word in zip(bad, case.says, strict=True):
        assert word in row.message
        assert "\n" not in row.message
    assert len({sample.key for sample in good}) == len(good)
    if case.captions is not None:
        assert [sample.caption for sample in good] == case.captions
    if not path.name.endswith((".txt", "absolute.jsonl")):
        assert all(sample.image is not None and sample.image.parent in (tmp_path, tmp_path / "pics") for sample in good)
    for sample in good:
        assert "\0" not in (sample.caption or "")
        (sample.caption or "").encode("utf-8")


@pytest.mark.parametrize("case", [case for case in CASES if case.error], ids=lambda case: case.name)
def test_hopeless_list_is_one_error_that_names_it(case: ListCase, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        list(read_samples(saved(case, tmp_path)))
    assert case.name in caught.value.message
    assert "\n" not in caught.value.message
    for word in case.says:
        assert word in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("case", [case for case in CASES if not case.name.endswith(".txt")], ids=lambda case: case.name)
def test_standard_input_gives_the_same_rows(case: ListCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # relative pictures start from the list's folder, or the working folder
    path = saved(case, tmp_path)
    kind = path.suffix.removeprefix(".").replace("json", "jsonl").replace("jsonll", "jsonl")

    def rows(source: str, stdin: io.BytesIO | None) -> list[object]:
        try:
            return [
                (row.key, row.image, row.caption, row.tags) if isinstance(row, Sample) else row.message
                for row in read_samples(source, stdin=stdin, kind=kind)
            ]
        except DataError as error:
            return [error.message.replace(case.name, "standard input")]

    assert rows("-", io.BytesIO(case.data)) == rows(case.name, None)


@pytest.mark.skipif(os.name == "nt", reason="no pipes with names on Windows")
def test_a_list_that_is_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(DataError, match="pipe"):
        read_samples(tmp_path / "rows.jsonl")
