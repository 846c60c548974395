"""Vocabularies and ready-made tag lists in their documented forms; anything else is one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttd_core.data.tag_lists import read_tag_list, read_tag_lists
from ttd_core.errors import DataError, TtdError


def saved(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "# animals\ngoat\n\nblack  sheep\r\nGoat\n"),
        ("a.txt", "\ufeffgoat, black sheep ,goat"),
        ("classes", "goat\nblack sheep"),
        ("a.json", '["goat", "black sheep"]'),
        ("a.json", '{"name": "farm", "classes": ["goat", "black sheep"]}'),
        ("a.yaml", "# farm\n- goat\n- black sheep\n"),
        ("a.yml", "names:\n- goat\n- black sheep\n"),
        ("a.yaml", "names:\n  0: goat\n  1: black sheep\n"),
    ],
)
def test_vocabulary_in_every_form(name: str, text: str, tmp_path: Path) -> None:
    assert read_tag_list(saved(tmp_path, name, text)) == ("goat", "black sheep")


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.txt", "", "no tags in"),
        ("a.txt", "# nothing\n", "no tags in"),
        ("a.txt", "goat\ntench, Tinca\n", "a.txt:2: has a comma"),
        ("a.txt", b"goat\ncaf\xe9\n", "a.txt:2: byte 0xe9"),
        ("a.txt", "goat\n".encode("utf-16"), "UTF-16"),
        ("a.json", "[1, 2]", "list of texts"),
        ("a.json", '{"labels": []}', "found labels"),
        ("a.json", "[", "a.json:1: is not JSON"),
        ("a.json", "[" * 200_000, "nested too deeply"),
        ("a.yaml", "a: 1", "found a"),
    ],
)
def test_malformed_vocabulary_is_named(name: str, text: str | bytes, word: str, tmp_path: Path) -> None:
    with pytest.raises(TtdError, match=word) as caught:
        read_tag_list(saved(tmp_path, name, text))
    assert name in caught.value.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", '{"text": " A goat ", "tags": ["1. Goat.", "- red kite"]}\n{"caption": "Rain", "tags": []}\n'),
        ("a.jsonl", '{"text": "A goat", "tags": "goat, \\"red kite\\""}\n{"text": "rain", "tags": []}\n'),
        ("a.tsv", "caption\ttags\timage\nA goat\tgoat, red kite\thttp://x/y.jpg\nrain\t\tz\n"),
        ("a.txt", "A goat\t* goat, red kite\nrain\t\n"),
    ],
)
def test_ready_made_tags_in_every_form(name: str, text: str, tmp_path: Path) -> None:
    assert read_tag_lists(saved(tmp_path, name, text)) == {
        "a goat": frozenset({"goat", "red kite", "red", "kite"}),
        "rain": frozenset(),
    }


def test_rows_about_the_same_caption_are_joined(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.txt", "a goat\tgoat\nA GOAT\tgrass\n")
    assert read_tag_lists(path) == {"a goat": frozenset({"goat", "grass"})}


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.jsonl", '{"text": "a"}\n', "a.jsonl:1: has no tags"),
        ("a.jsonl", '{"tags": ["a"]}\n', "a.jsonl:1: has no text"),
        ("a.jsonl", '{"text": "a", "tags": ["b"]}\n{"te', "a.jsonl:2: is not JSON"),
        ("a.tsv", "x\ty\n1\t2\n", "columns found: x, y"),
        ("a.txt", "goat, kite\n", "a.txt:1: has no tab"),
        ("a.txt", "", "no rows in"),
    ],
)
def test_malformed_ready_made_tags_are_named(name: str, text: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=word):
        read_tag_lists(saved(tmp_path, name, text))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none.txt: no such file"):
        read_tag_list(tmp_path / "none.txt")
    with pytest.raises(DataError, match="no such file"):
        read_tag_lists(tmp_path / "none.jsonl")
