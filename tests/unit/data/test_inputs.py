"""Inputs of every kind become the same stream of samples: lazy, in a fixed order, with unique keys."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ttd_core.data.inputs import BadRow, Columns, read_samples
from ttd_core.data.keys import UniqueKeys
from ttd_core.data.lines import read_lines
from ttd_core.errors import DataError, UsageError
from ttd_core.types import Sample


def rows(text: str, kind: str = "jsonl", **options: Any) -> list[Sample | BadRow]:
    return list(read_samples("-", stdin=io.BytesIO(text.encode()), kind=kind, **options))


def samples(text: str, kind: str = "jsonl", **options: Any) -> list[Sample]:
    return [row for row in rows(text, kind, **options) if isinstance(row, Sample)]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


# Folders.


def test_folder_is_read_in_order_of_names_with_paths_as_keys(tmp_path: Path) -> None:
    touch(tmp_path, "b.PNG", "a/z.jpg", "a/b/c.webp", "c.tiff", "notes.md", "no_extension", "a/._z.jpg", ".git/x.png")
    touch(tmp_path, ".hidden.jpg")
    found = list(read_samples(tmp_path))
    assert [row.key for row in found if isinstance(row, Sample)] == [
        ".hidden.jpg",
        "a/b/c.webp",
        "a/z.jpg",
        "b.PNG",
        "c.tiff",
    ]
    assert len(found) == 5
    assert found[2].image == tmp_path / "a" / "z.jpg"  # type: ignore[union-attr]


def test_caption_beside_a_picture_is_taken_as_one_text(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfa goat\nand a kite\n")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    first, second, third = read_samples(tmp_path)
    assert isinstance(first, Sample) and first.caption == "a goat\nand a kite"
    assert isinstance(second, BadRow) and "b.txt" in second.message and "0xe9" in second.message
    assert isinstance(third, Sample) and third.caption is None


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_folder_links_are_named_instead_of_walked_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "a/p.jpg")
    (tmp_path / "a" / "again").symlink_to(".")
    (tmp_path / "x.jpg").mkdir()
    (tmp_path / "album.png").mkdir()
    touch(tmp_path, "album.png/q.jpg")
    found = list(read_samples(tmp_path))
    assert [row.key for row in found if isinstance(row, Sample)] == ["a/p.jpg", "album.png/q.jpg"]
    assert [(Path(row.origin).name, row.message) for row in found if isinstance(row, BadRow)] == [
        ("again", "is a link to a folder, which is not followed"),
        ("x.jpg", "is a folder, expected a picture"),
    ]


def test_deep_folders_are_no_problem(tmp_path: Path) -> None:
    deep = "/".join(f"d{i:02d}" for i in range(60))
    touch(tmp_path, f"{deep}/p.jpg")
    assert samples_of(read_samples(tmp_path))[0].key == f"{deep}/p.jpg"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a/p.jpg", "q.jpg")
    (tmp_path / "a").chmod(0)
    bad, good = read_samples(tmp_path)
    (tmp_path / "a").chmod(0o700)
    assert isinstance(bad, BadRow) and "permission" in bad.message
    assert isinstance(good, Sample)


def test_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "notes.md")
    with pytest.raises(DataError, match="no pictures in"):
        list(read_samples(tmp_path))


# What a source is.


def samples_of(stream: Iterator[Sample | BadRow]) -> list[Sample]:
    return [row for row in stream if isinstance(row, Sample)]


def test_a_file_without_a_lists_extension_is_one_picture(tmp_path: Path) -> None:
    touch(tmp_path, "p.jpg", "--help")
    assert samples_of(read_samples(tmp_path / "p.jpg")) == [
        Sample("p.jpg", tmp_path / "p.jpg", origin=str(tmp_path / "p.jpg"))
    ]
    assert samples_of(read_samples(tmp_path / "--help"))[0].key == "--help"


def test_wrong_sources_are_refused_at_once(tmp_path: Path) -> None:
    touch(tmp_path, "p.jpg")
    with pytest.raises(DataError, match="no such file"):
        read_samples(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="is a folder"):
        read_samples(tmp_path, kind="csv")
    with pytest.raises(DataError, match="expected a folder"):
        read_samples(tmp_path / "p.jpg", kind="folder")
    with pytest.raises(UsageError, match="jsonl, csv, tsv, txt"):
        read_samples("-", kind="parquet", stdin=io.BytesIO())
    with pytest.raises(UsageError, match="unknown kind of input 'xml'"):
        read_samples("-", kind="xml", stdin=io.BytesIO())


# Streaming.


def test_each_line_is_answered_before_the_next_arrives() -> None:
    receiving, sending = os.pipe()
    with os.fdopen(receiving, "rb") as stdin, os.fdopen(sending, "wb", buffering=0) as writer:
        found = read_samples("-", stdin=stdin)
        for i in range(3):
            writer.write(b'{"text": "goat %d"}\n' % i)
            answer: list[Sample | BadRow] = []
            reader = threading.Thread(target=lambda into=answer: into.append(next(found)), daemon=True)
            reader.start()
            reader.join(10)
            assert [row.caption for row in answer if isinstance(row, Sample)] == [f"goat {i}"]


def test_a_line_without_end_is_passed_over_without_being_held() -> None:
    class Endless(io.RawIOBase):
        """Gives out two long lines in pieces and remembers the largest piece that was asked for."""

        def __init__(self) -> None:
            self.left = [b"a\n", b"x" * 1000, b"x" * 1000 + b"\n", b"b"]
            self.largest = 0

        def readline(self, limit: int | None = -1) -> bytes:  # type: ignore[override]
            self.largest = max(self.largest, limit or -1)
            head = self.left[0] if self.left else b""
            piece, rest = head[:limit], head[limit:]
            self.left[:1] = [rest] if rest else []
            return piece

    stream = Endless()
    assert [(line.number, line.data) for line in read_lines(stream, "x", limit=10)] == [(1, b"a"), (2, None), (3, b"b")]  # type: ignore[arg-type]
    assert stream.largest == 11


def test_text_streams_are_read_too() -> None:
    assert samples_of(read_samples("-", stdin=io.StringIO('{"text": "café"}\n')))[0].caption == "café"
    wrapped = io.TextIOWrapper(io.BytesIO(b'{"text": "goat"}\n'))
    assert samples_of(read_samples("-", stdin=wrapped))[0].caption == "goat"


# Rows.


def test_all_columns_are_understood_in_any_case() -> None:
    text = 'ID,Image Path,Caption,Tags\n7,a.png,"a goat, a kite","goat, big kite"\n'
    assert samples(text, "csv") == [
        Sample("7", Path("a.png"), "a goat, a kite", ("goat", "big kite"), "standard input:2")
    ]


def test_columns_with_other_names_can_be_named() -> None:
    columns = Columns(image="filepath", text="alt", id="no")
    found = samples("no,filepath,alt,caption\n1,a.png,a goat,x\n", "csv", columns=columns)
    assert (found[0].key, found[0].image, found[0].caption) == ("1", Path("a.png"), "a goat")
    with pytest.raises(DataError, match="no column filepath"):
        rows("no,image\n1,a\n", "csv", columns=columns)


def test_captions_alone_are_enough_unless_pictures_are_needed() -> None:
    assert [sample.key for sample in samples("text\na goat\na kite\n", "tsv")] == ["2", "3"]
    with pytest.raises(DataError, match="has no image column"):
        rows("text\na goat\n", "tsv", need_image=True)
    assert isinstance(rows('{"text": "a goat"}\n', need_image=True)[0], BadRow)


def test_a_column_that_seems_to_hold_pictures_is_not_dropped_in_silence() -> None:
    with pytest.raises(DataError, match="columns found: path, text"):
        rows("path,text\na.png,a goat\n", "csv")
    assert len(samples("path,text\na.png,a goat\n", "csv", need_image=False)) == 1


def test_the_first_row_decides_what_the_others_must_have() -> None:
    mixed = '{"text": "a"}\n{"image": "p", "text": "b"}\n{"text": "c"}\n{"image": "q", "text": "d"}\n'
    assert [row.message.split(";")[0] for row in rows(mixed) if isinstance(row, BadRow)] == ["has no image"]
    only_pictures = '{"image": "p"}\n{"image": "q", "text": "b"}\n'
    assert [sample.caption for sample in samples(only_pictures)] == [None, "b"]
    assert [type(row) for row in rows(only_pictures, need_text=True)] == [BadRow, Sample]


def test_an_empty_caption_is_a_caption() -> None:
    assert samples('{"text": ""}\n')[0].caption == ""
    assert samples("image,text\na,\n", "csv")[0].caption == ""


def test_pictures_start_from_the_lists_folder_or_the_given_root(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"image": "p/1.png"}\n{"image": "/abs/2.png"}\n')
    first, second = samples_of(read_samples(tmp_path / "a.jsonl"))
    assert (first.image, first.key) == (tmp_path / "p" / "1.png", "p/1.png")
    assert (second.image, second.key) == (Path("/abs/2.png"), "abs/2.png")
    assert samples_of(read_samples(tmp_path / "a.jsonl", root="/pictures"))[0].image == Path("/pictures/p/1.png")


def test_an_empty_tags_cell_means_the_captions_own_words() -> None:
    found = samples('text,tags\na goat,\nb,"x,y"\n', "csv")
    assert [sample.tags for sample in found] == [None, ("x", "y")]
    assert samples('{"text": "a", "tags": []}\n')[0].tags == ()


# Keys.


def test_repeated_keys_are_numbered_in_order_of_appearance() -> None:
    found = samples('{"image": "./p.png", "text": "a"}\n' * 12)
    keys = [sample.key for sample in found]
    assert keys[:3] == ["p.png", "p.png#2", "p.png#3"]
    assert keys[8:] == ["p.png#9", "p.png#L10", "p.png#L11", "p.png#L12"]


def test_keys_stay_unique_when_one_looks_like_a_numbered_one() -> None:
    keys = UniqueKeys()
    wanted = ["a", "a#2", "a", "a", "a#2", "b"]
    given = [keys.claim(key, line) for line, key in enumerate(wanted)]
    assert len(set(given)) == len(wanted)
    assert given[0] == "a"


def test_many_keys_are_kept_in_little_memory() -> None:
    keys = UniqueKeys()
    given = {keys.claim(f"picture_{i % 30_000}.png", i) for i in range(40_000)}
    assert len(given) == 40_000
    assert len(keys._table) * 8 < 30 * 40_000
