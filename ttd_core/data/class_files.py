"""Class lists in files: a class a line, with the texts that stand for it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ttd_core.data.files import open_regular, show
from ttd_core.data.lines import read_lines, undecodable
from ttd_core.data.tag_lists import listed_texts, without_repetitions
from ttd_core.errors import DataError
from ttd_core.text.candidates import split_tags
from ttd_core.text.clean import clean_tag
from ttd_core.text.tokens import fold

_EXPECTED = "write one class per line, with synonyms as `dog: dog, puppy`"


@dataclass(frozen=True)
class ClassFile:
    """Classes in the order of their file.

    Args:
        names: what they are called in answers, each once.
        texts: what a model is asked about, one or more for each.
        repeated: names that came again, in whatever case, as they were spelled then.
    """

    names: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    repeated: tuple[str, ...] = ()

    def texts_of(self) -> dict[str, tuple[str, ...]]:
        """Folded name -> its texts."""
        return {fold(name): texts for name, texts in zip(self.names, self.texts, strict=True)}


def read_class_file(path: str | os.PathLike[str]) -> ClassFile:
    """Read a class list.

    A line is a class, `dog`, or a class and the texts that stand for it, `dog: dog, puppy`; `#` begins a comment line.
    A file without any synonyms may have every form of `read_tag_list`. Classes that differ only in case are one, with
    the texts of both.

    Args:
        path: the file, in UTF-8.

    Raises:
        DataError: when the file is missing, malformed, or holds no class.
        UsageError: when it is malformed YAML.
    """
    lines = [] if Path(path).suffix.lower() in (".json", ".yaml", ".yml") else _lines(path)
    if not any(":" in line for _, line in lines):
        listed = listed_texts(path)
        names = without_repetitions(listed, path)
        return ClassFile(names, tuple((name,) for name in names), _repeated(listed))
    found: dict[str, tuple[str, dict[str, str]]] = {}
    heads: list[str] = []
    for number, line in lines:
        head, colon, rest = line.partition(":")
        name, texts = clean_tag(head), split_tags(rest) if colon else [clean_tag(head)]
        if not name or not texts or ("," in head):
            raise DataError(f"{show(path)}:{number}: is no class", _EXPECTED)
        heads.append(name)
        _, known = found.setdefault(fold(name), (name, {}))
        for text in texts:
            known.setdefault(fold(text), text)
    return ClassFile(
        tuple(name for name, _ in found.values()),
        tuple(tuple(texts.values()) for _, texts in found.values()),
        _repeated(heads),
    )


def _repeated(names: Iterable[str]) -> tuple[str, ...]:
    seen: set[str] = set()
    found = []
    for name in map(clean_tag, names):
        if name and fold(name) in seen:
            found.append(name)
        seen.add(fold(name))
    return tuple(found)


def _lines(path: str | os.PathLike[str]) -> list[tuple[int, str]]:
    name = show(path)
    found = []
    with open_regular(path) as stream:
        for line in read_lines(stream, name):
            if line.data is None:
                raise DataError(f"{name}:{line.number}: is too long for a line")
            try:
                text = line.data.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise DataError(f"{name}:{line.number}: {undecodable(error)}", "save the list as UTF-8") from error
            if text and not text.startswith("#"):
                found.append((line.number, text))
    return found
