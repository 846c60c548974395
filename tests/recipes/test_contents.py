"""What says that the inputs of a run are still the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ttd_core.recipes.contents import file_digest, inputs_digest
from ttd_core.recipes.options import CommonOptions, MaskOptions, TagOptions


def digest(options: CommonOptions) -> str | None:
    return inputs_digest(options, file_digest(options))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "sub/b.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"12")
    (tmp_path / "in" / "a.txt").write_text("a dog")
    return tmp_path / "in"


def touch(folder: Path) -> None:
    os.utime(folder / "a.png", ns=(1, 1))


def grow(folder: Path) -> None:
    stat = (folder / "a.png").stat()
    (folder / "a.png").write_bytes(b"123")
    os.utime(folder / "a.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (touch, True),
        (grow, True),
        (lambda folder: (folder / "a.txt").write_text("a cat"), True),
        (lambda folder: (folder / "c.png").touch(), True),
        (lambda folder: (folder / "a.png").rename(folder / "z.png"), True),
        (lambda folder: (folder / "sub" / "b.png").unlink(), True),
        (lambda folder: (folder / "notes.md").touch(), False),
        (lambda folder: (folder / ".hidden").mkdir(), False),
    ],
)
def test_a_folder_counts_with_its_pictures_and_captions(
    folder: Path, change: Callable[[Path], object], noticed: bool
) -> None:
    options = MaskOptions(input=str(folder), tags=("dog",))
    before = digest(options)
    assert before is not None and digest(replace(options, input=f"{folder}/../in/")) == before
    change(folder)
    assert (digest(options) != before) == noticed


def test_a_list_counts_with_the_pictures_it_names_as_far_as_they_are_read(folder: Path) -> None:
    (folder / "list.jsonl").write_text('{"image": "sub/b.png"}\n{"image": "gone.png"}\n{"image": "a.png"}\n')
    whole = MaskOptions(input=str(folder / "list.jsonl"), tags=("dog",))
    first = replace(whole, limit=2)
    before = digest(whole), digest(first)
    touch(folder)
    assert digest(whole) != before[0] and digest(first) == before[1]


def test_pictures_of_a_list_do_not_count_for_scorers_that_never_look(folder: Path) -> None:
    (folder / "list.jsonl").write_text('{"image": "a.png", "text": "a dog"}\n')
    options = [TagOptions(input=str(folder / "list.jsonl"), scorer=scorer) for scorer in ("nouns", "text", "pixel")]
    before = [digest(one) for one in options]
    touch(folder)
    assert [digest(one) == old for one, old in zip(options, before, strict=True)] == [True, True, False]


def test_a_single_picture_counts_by_content(folder: Path) -> None:
    for options in (
        MaskOptions(image=str(folder / "a.png"), tags=("dog",)),
        MaskOptions(input=str(folder / "a.png"), tags=("dog",)),
    ):
        (folder / "a.png").write_bytes(b"12")
        before = digest(options)
        touch(folder)
        assert digest(options) == before
        (folder / "a.png").write_bytes(b"34")
        assert digest(options) != before


def test_standard_input_and_plain_text_have_no_digest() -> None:
    assert digest(TagOptions(input="-")) is None and digest(TagOptions(text="a dog")) is None
