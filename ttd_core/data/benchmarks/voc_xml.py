"""Annotations in VOC's XML, by whatever tool they were written.

Only the objects' names and their `difficult` marks are read, so that float coordinates, empty elements and any order
of elements are no matter. A document type is refused before any entity could be expanded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from ttd_core.data.files import open_regular, show
from ttd_core.errors import DataError

MAX_BYTES = 4 << 20
"""Longest annotation; VOC's largest has some 20 KiB."""

_NAME = ("annotation", "object", "name")
_DIFFICULT = ("annotation", "object", "difficult")


@dataclass(frozen=True)
class VocObject:
    """One object of an annotation.

    Args:
        name: its class, blanks at the ends taken off.
        difficult: whether it is marked so; an empty or missing mark says no.
    """

    name: str
    difficult: bool


def read_voc_xml(path: Path) -> tuple[VocObject, ...]:
    """The objects of an annotation in the order of the file.

    Args:
        path: an XML file with `annotation/object/name`.

    Raises:
        DataError: it is missing, too long, no XML, no VOC annotation, declares a document type, or an object has no
            name.
    """
    name = show(path)
    with open_regular(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(f"{name}: is longer than {MAX_BYTES >> 20} MiB, expected one picture's annotation")
    reader = _Reader(name)
    try:
        reader.parser.Parse(data, True)
    # Unknown or broken encodings come as LookupError and ValueError.
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DataError(f"{name}: is no readable XML ({error})", hint="download or export it again") from error
    if reader.root != "annotation":
        raise DataError(f"{name}: its outermost element is {reader.root!r}, expected 'annotation' as in VOC")
    return tuple(reader.objects)


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.root: str | None = None
        self.objects: list[VocObject] = []
        self._path: list[str] = []
        self._texts: dict[tuple[str, ...], str] = {}
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _refuse(self, *_: object) -> None:
        raise DataError(f"{self.name}: declares a document type, which annotations never need", hint="remove <!DOCTYPE")

    def _start(self, tag: str, _: dict[str, str]) -> None:
        self.root = self.root or tag
        self._path.append(tag)

    def _text(self, text: str) -> None:
        # Parts of an object (`object/part/name`) lie deeper and are not taken for objects.
        if len(self._path) == 3:
            path = tuple(self._path)
            if path in (_NAME, _DIFFICULT):
                self._texts[path] = self._texts.get(path, "") + text

    def _end(self, _: str) -> None:
        if self._path == ["annotation", "object"]:
            name = self._texts.get(_NAME, "").strip()
            if not name:
                raise DataError(f"{self.name}: object {len(self.objects) + 1} has no name")
            self.objects.append(
                VocObject(name, self._texts.get(_DIFFICULT, "").strip().lower() in ("1", "1.0", "true"))
            )
            self._texts.clear()
        self._path.pop()
