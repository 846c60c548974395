"""Class lists in files: names, synonyms, what is one class and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_sets import write_text
from ttd_core.data.class_files import read_class_file
from ttd_core.errors import DataError


def test_a_class_may_have_several_texts(tmp_path: Path) -> None:
    found = read_class_file(
        write_text(tmp_path / "c.txt", "# animals\ndog: dog, puppy\n\ncat\nred car: car, red car\n")
    )
    assert found.names == ("dog", "cat", "red car")
    assert found.texts == (("dog", "puppy"), ("cat",), ("car", "red car"))
    assert found.texts_of()["red car"] == ("car", "red car")


def test_classes_that_differ_in_case_alone_are_one_with_the_texts_of_both(tmp_path: Path) -> None:
    found = read_class_file(write_text(tmp_path / "c.txt", "dog: dog, puppy\nDOG: hound, Puppy\ncat\n"))
    assert found.names == ("dog", "cat") and found.texts == (("dog", "puppy", "hound"), ("cat",))
    plain = read_class_file(write_text(tmp_path / "plain.txt", "dog\nDog\ncat\n"))
    assert plain.names == ("dog", "cat") and plain.texts == (("dog",), ("cat",))


def test_lists_without_synonyms_have_every_form_of_a_tag_list(tmp_path: Path) -> None:
    assert read_class_file(write_text(tmp_path / "c.txt", "dog, cat\n")).names == ("dog", "cat")
    assert read_class_file(write_text(tmp_path / "c.json", '{"names": ["dog", "cat"]}')).names == ("dog", "cat")
    assert read_class_file(write_text(tmp_path / "c.yaml", "names:\n  0: dog\n  1: cat\n")).names == ("dog", "cat")


@pytest.mark.parametrize("line", ["dog:", ": puppy", "dog, cat", "dog: ,"])
def test_what_is_no_class_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = write_text(tmp_path / "c.txt", f"cat: cat, kitten\n{line}\n")
    with pytest.raises(DataError, match="c.txt:2: is no class") as caught:
        read_class_file(path)
    assert "dog: dog, puppy" in (caught.value.hint or "")


def test_a_file_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no tags in"):
        read_class_file(write_text(tmp_path / "c.txt", "# nothing\n"))
    (tmp_path / "latin.txt").write_bytes("vélo: vélo\n".encode("latin-1"))
    with pytest.raises(DataError, match="latin.txt:1"):
        read_class_file(tmp_path / "latin.txt")
