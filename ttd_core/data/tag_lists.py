"""Lists of tags in files: a vocabulary for all inputs, and the tags that somebody chose for each caption."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ttd_core.data.files import open_regular, show
from ttd_core.data.lines import read_lines, undecodable
from ttd_core.data.lists import read_jsonl, read_tsv
from ttd_core.data.rows import BadRow, Columns, RowReader
from ttd_core.errors import DataError
from ttd_core.text.candidates import given_tags, split_tags
from ttd_core.text.clean import printable
from ttd_core.text.tokens import fold, split_words
from ttd_core.yaml_files import parse_yaml

MAX_BYTES = 64 << 20
"""Largest vocabulary file."""

_NAMES = ("tags", "names", "classes")
# What language models put around a tag: `1. dog`, `- dog`, `* "dog".`
_DECORATION = re.compile(r"^\s*(?:[-*•]+|\d+[.)])\s+|^[\s\"'`]+|[\s\"'`.;]+$")


def read_tag_list(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read a vocabulary: the candidate tags of every input.

    - `.json`: an array of texts, or an object with one under `tags`, `names` or `classes`;
    - `.yaml`, `.yml`: the same, and `names` as in detection data sets (`0: person`);
    - any other file: one tag a line, `#` begins a comment line; a single line may hold all tags between commas.

    Args:
        path: the file, in UTF-8.

    Returns:
        Tags in their order, spelled as in the file; repetitions in other cases are dropped.

    Raises:
        DataError: when the file is missing, malformed, or holds no tag.
        UsageError: when it is malformed YAML.
    """
    return without_repetitions(listed_texts(path), path)


def without_repetitions(tags: Iterable[str], path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The tags of a file, each once; see `read_tag_list`.

    Raises:
        DataError: when there is none.
    """
    found = tuple(candidate.tag for candidate in given_tags(tags))
    if not found:
        raise DataError(f"no tags in {show(path)}", "write one tag per line")
    return found


def listed_texts(path: str | os.PathLike[str]) -> list[str]:
    """Everything that a file of `read_tag_list` lists, repetitions included; raises as it does."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix == ".json":
        tags = _texts_of(_parse_json(_read_text(path), show(path)), show(path))
    elif suffix in (".yaml", ".yml"):
        text = _read_text(path)
        first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        is_sequence = first.startswith("- ")
        tags = _texts_of(parse_yaml(f"tags:\n{text}" if is_sequence else text, show(path))[0], show(path))
    else:
        tags = list(_text_lines(path))
    return tags


def read_tag_lists(path: str | os.PathLike[str]) -> dict[str, frozenset[str]]:
    """Read the tags that a language model, another program or a person chose for each caption.

    - `.jsonl`, `.ndjson`: `{"text": "a dog on grass", "tags": ["dog", "grass"]}` a line; `caption` for `text` and tags
      between commas are understood, other keys are ignored;
    - `.tsv`: a header that names `text` (or `caption`) and `tags`, tags between commas;
    - any other file: `caption<TAB>dog, grass` a line, without a header.

    Numbering, bullets, quotes and a final full stop around a tag are taken off. A caption that comes twice has the tags
    of both rows, one with an empty list has none.

    Args:
        path: the file, in UTF-8.

    Returns:
        The caption, stripped and case-folded -> folded tags. A tag of several words also stands for each of its words,
        since the candidates of a caption are words.

    Raises:
        DataError: for the first row that cannot be read, since a baseline with holes would look like a poor one.
    """
    lists: dict[str, frozenset[str]] = {}
    for caption, tags in _rows_of(path):
        key = caption.strip().casefold()
        lists[key] = lists.get(key, frozenset()) | frozenset(_folded(tags))
    if not lists:
        raise DataError(f"no rows in {show(path)}", _EXPECTED)
    return lists


_EXPECTED = 'expected lines like {"text": "a dog on grass", "tags": ["dog", "grass"]}, or caption<TAB>dog, grass'


def _rows_of(path: str | os.PathLike[str]) -> Iterator[tuple[str, Iterable[str]]]:
    name = show(path)
    suffix = os.path.splitext(name)[1].lower()
    reader = {".jsonl": read_jsonl, ".ndjson": read_jsonl, ".tsv": read_tsv}.get(suffix)
    with open_regular(path) as stream:
        if reader is None:
            for number, text in _decoded(stream, name):
                caption, tab, tags = text.partition("\t")
                if not tab:
                    raise DataError(f"{name}:{number}: has no tab between caption and tags", _EXPECTED)
                yield caption, split_tags(tags)
            return
        for row in reader(stream, name, RowReader(Path(), Columns(), need_image=False)):
            if isinstance(row, BadRow):
                raise DataError(f"{row.origin}: {row.message}", _EXPECTED)
            if row.caption is None or (row.tags is None and reader is read_jsonl):
                raise DataError(f"{row.origin}: has no {'text' if row.caption is None else 'tags'}", _EXPECTED)
            yield row.caption, row.tags or ()


def _folded(tags: Iterable[str]) -> Iterator[str]:
    for candidate in given_tags(_DECORATION.sub("", _DECORATION.sub("", tag)) for tag in tags):
        yield candidate.key
        yield from (fold(token.text) for token in split_words(candidate.tag))


def _text_lines(path: str | os.PathLike[str]) -> list[str]:
    name = show(path)
    with open_regular(path) as stream:
        lines = [(number, text.strip()) for number, text in _decoded(stream, name) if not text.startswith("#")]
    if len(lines) == 1:
        return split_tags(lines[0][1])
    for number, text in lines:
        if "," in text:
            raise DataError(
                f"{name}:{number}: has a comma, expected one tag",
                "write one tag per line, or all on one line; synonyms as `dog: dog, puppy` go by --classes",
            )
        if "\t" in text:
            expected = "tags picture by picture go by JSON Lines, `ttd tags --format jsonl`"
            raise DataError(f"{name}:{number}: has a tab, expected one tag", expected)
    return [text for _, text in lines]


def _decoded(stream: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; blank ones are passed over, any that is no text is an error."""
    for line in read_lines(stream, name):
        if line.data is None:
            raise DataError(f"{name}:{line.number}: is too long for a line")
        try:
            text = line.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}:{line.number}: {undecodable(error)}", "save the list as UTF-8") from error
        if text.strip():
            yield line.number, text


def _read_text(path: str | os.PathLike[str]) -> str:
    with open_regular(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(f"{show(path)}: is larger than {MAX_BYTES >> 20} MiB, expected a list of tags")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{show(path)}: {undecodable(error)}", "save the list as UTF-8") from error


def _parse_json(text: str, name: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        expected = 'expected ["dog", "grass"]; tags picture by picture go by JSON Lines, `ttd tags --format jsonl`'
        raise DataError(f"{name}:{error.lineno}: is not JSON: {error.msg}", expected) from error
    except (RecursionError, ValueError) as error:
        raise DataError(
            f"{name}: is nested too deeply or holds too long a number", 'expected ["dog", "grass"]'
        ) from error


def _texts_of(value: object, name: str) -> list[str]:
    """The tags in a JSON or YAML value."""
    if isinstance(value, dict):
        key = next((key for key in _NAMES if key in value), None)
        if key is None:
            found = ", ".join(printable(str(key)) for key in list(value)[:12])
            raise DataError(f"{name}: has none of the keys {', '.join(_NAMES)}; found {found or 'nothing'}")
        value = list(value[key].values()) if isinstance(value[key], dict) else value[key]
    if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
        return value
    raise DataError(f"{name}: expected a list of texts", "quote tags that look like numbers")
