"""Writing: whole files or none, and the operating system's refusals in words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ttd_core.atomic import atomic_path, make_folder, write_bytes, write_text
from ttd_core.errors import RunError
from ttd_core.runs.index import Index


def test_a_file_appears_whole_with_its_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "ä\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "ä\n".encode()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(ValueError, match="encoder"), atomic_path(target) as temporary:
        temporary.write_bytes(b"ne")
        raise ValueError("encoder")
    assert target.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_the_temporary_name_keeps_the_suffix_and_is_short(tmp_path: Path) -> None:
    with atomic_path(tmp_path / ("x" * 240 + ".png")) as temporary:
        assert temporary.suffix == ".png" and len(temporary.name.encode()) < 255
        temporary.write_bytes(b"")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_the_operating_systems_no_becomes_one_line_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(RunError) as caught:
        write_bytes(tmp_path / "a.bin", b"x")
    assert "a.bin" in caught.value.message and os.strerror(code).lower() in caught.value.message
    assert caught.value.hint and "\n" not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_an_index_in_words_and_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    index = Index(tmp_path / "tags.jsonl")
    index.append({"key": "a"})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="no space left"):
        index.sync()
    index.close()
    assert [row["key"] for row in index.rows()] == ["a"]


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="runs"):
        make_folder(tmp_path / "runs" / "tags")
