"""One row of a list -> a sample, or the reason why not. All kinds of lists share these rules."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import regex

from ttd_core.data.keys import UniqueKeys, leaves_folder, unsafe_key
from ttd_core.errors import DataError
from ttd_core.text.candidates import split_tags
from ttd_core.text.clean import clean_tag, printable
from ttd_core.types import Sample

NAMES: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "image_path"),
    "text": ("text", "caption", "sentence"),
    "tags": ("tags",),
    "id": ("id", "key"),
}
"""Column names that are understood without being told, in any case, `-` and blanks as `_`."""

# A list with one of these and no picture column most likely means pictures: better to ask than to drop them in silence.
_MAYBE_PICTURES = frozenset(
    ("file", "filename", "file_name", "filepath", "file_path", "path", "image_file", "img", "img_path", "picture")
    + ("photo", "image_url", "img_url", "uri", "url")
)
_ADDRESS = regex.compile(r"[a-z][a-z0-9+.-]+://", regex.IGNORECASE)
_SURROGATES = regex.compile(r"\p{Cs}")


@dataclass(frozen=True)
class Columns:
    """Which column or JSON key holds what, for lists with names of their own; None takes the usual names.

    Args:
        image: path of the picture, relative to the list's folder.
        text: the caption.
        tags: the row's own tags, a JSON array or separated by commas.
        id: the row's key in all outputs.
    """

    image: str | None = None
    text: str | None = None
    tags: str | None = None
    id: str | None = None

    def names(self, role: str) -> tuple[str, ...]:
        """The names to look for, in the spelling of `normal_name`."""
        chosen = getattr(self, role)
        return NAMES[role] if chosen is None else (normal_name(chosen),)


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used; it is named and counted, and the run goes on.

    Args:
        origin: `file:line`, or the file of a folder.
        message: what is wrong and what was expected, on one line.
        hint: how to mend it.
    """

    origin: str
    message: str
    hint: str | None = None


@lru_cache(maxsize=4096)
def normal_name(name: str) -> str:
    """`Image Path` -> `image_path`."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


class RowError(Exception):
    """Internal: one row is unusable. Readers turn it into a `BadRow`."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _judged(row: Mapping[str, object]) -> tuple[str, ...] | None:
    """The class list that a row of `ttd tags` was asked about; None where a row has none."""
    entries = row.get("candidates")
    names = [each.get("tag") for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return tuple(clean_tag(_whole(str(name))) for name in names)


class RowReader:
    """Turns mappings into samples and keeps what the rows of one list have in common.

    Args:
        root: folder that relative picture paths start from and may not leave.
        columns: names chosen by the user.
        need_image: True refuses rows without a picture, False does not look at pictures at all, None asks of every
            row what the first one had.
        need_text: the same for captions or tags.
    """

    def __init__(
        self, root: Path, columns: Columns, need_image: bool | None = None, need_text: bool | None = None
    ) -> None:
        self.root = root
        self.columns = columns
        self.need_image = need_image
        self.need_text = need_text
        self._keys = UniqueKeys()

    def check_header(self, names: Sequence[str], source: str) -> None:
        """Refuse a table whose columns cannot be what is needed.

        Raises:
            DataError: showing the columns found, those expected and the options that name them.
        """
        normal = [normal_name(name) for name in names]
        found = ", ".join(printable(name)[:60] for name in names[:12])
        for name in normal:
            if normal.count(name) > 1:
                raise DataError(f"{source}: has the column {printable(name)} twice (columns: {found})")
        for role in NAMES:
            if getattr(self.columns, role) is not None and self.columns.names(role)[0] not in normal:
                raise DataError(
                    f"{source}: has no column {printable(getattr(self.columns, role))} (columns: {found})",
                    f"--{role}-column takes one of them",
                )
        roles = {role for role in NAMES if set(normal) & set(self.columns.names(role))}
        if missing := self._missing(roles, normal):
            raise DataError(f"{source}: has no {missing} column; columns found: {found}", _EXPECTED)
        self._require(roles)

    def sample(self, row: Mapping[str, object], origin: str, line: int) -> Sample:
        """Read one row.

        Args:
            row: values by `normal_name`; None counts as absent.
            origin: for messages.
            line: place in the list, the key of a row that has neither id nor picture.

        Raises:
            RowError: when the row is unusable.
        """
        image_name = self._text(row, "image") if self.need_image is not False else None
        caption = self._text(row, "text")
        tags = self._tags(row)
        key = self._id(row)
        roles = {"image"} if image_name else set()
        if caption is not None or tags is not None:
            roles.add("text")
        if missing := self._missing(roles, row):
            raise RowError(f"has no {missing}; found {_found(row)}", _EXPECTED)
        image = self._resolve(image_name) if image_name else None
        self._require(roles)
        if not key:
            key = _key_of_path(image_name) if image_name else str(line)
        classes = None if tags is None or caption is not None else _judged(row)
        if classes is not None and set(tags or ()) <= set(classes):
            tags = tuple(name for name in classes if name in (tags or ()))
        else:
            classes = None
        return Sample(self._keys.claim(key, line), image, caption, tags, origin, classes=classes)

    def _missing(self, roles: set[str], names: Iterable[str]) -> str | None:
        has_text = bool(roles & {"text", "tags"})
        if "image" not in roles:
            if self.need_image or (self.need_image is None and has_text and _MAYBE_PICTURES & set(names)):
                return "image"
            if not has_text:
                return "text" if self.need_image is False else "image or text"
        return "text" if self.need_text and not has_text else None

    def _require(self, roles: set[str]) -> None:
        """The first row, or the header, decides what all others must have."""
        if self.need_image is None and "image" in roles:
            self.need_image = True
        if self.need_text is None and roles & {"text", "tags"}:
            self.need_text = True

    def _text(self, row: Mapping[str, object], role: str) -> str | None:
        names = [name for name in self.columns.names(role) if row.get(name) is not None]
        if not names:
            return None
        value = row[names[0]]
        if not isinstance(value, str):
            raise RowError(f"{names[0]} is {_kind(value)}, expected text")
        for other in names[1:]:
            if row[other] != value:
                raise RowError(f"has {names[0]} and {other} with different values", f"choose with --{role}-column")
        # Half a character pair cannot be written out again. Paths keep theirs: bytes of a name that is no text.
        return value if role == "image" else _whole(value.replace("\0", ""))

    def _tags(self, row: Mapping[str, object]) -> tuple[str, ...] | None:
        names = [name for name in self.columns.names("tags") if row.get(name) is not None]
        if not names:
            return None
        value = row[names[0]]
        if isinstance(value, str):
            if not value.strip():  # an empty cell of a table: the caption's own candidates are meant
                return None
            return tuple(split_tags(_whole(value)))
        if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
            return tuple(tag for tag in (clean_tag(_whole(text)) for text in value) if tag)
        raise RowError(f"{names[0]} is {_kind(value)}, expected a list of texts or text with commas")

    def _id(self, row: Mapping[str, object]) -> str | None:
        names = [name for name in self.columns.names("id") if row.get(name) is not None]
        if not names:
            return None
        value = row[names[0]]
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise RowError(f"{names[0]} is {_kind(value)}, expected text or a whole number")
        key = _whole(str(value).strip())
        if reason := unsafe_key(key):
            raise RowError(f"{names[0]} {printable(key)[:80]} {reason}, expected a plain name")
        return key

    def _resolve(self, name: str) -> Path:
        shown = printable(name)[:120]
        if _ADDRESS.match(name):
            raise RowError(f"image {shown} is an address, expected a file", "download the pictures first")
        if "\0" in name:
            raise RowError(f"image {shown} holds a NUL character, expected a path")
        if leaves_folder(name):
            raise RowError(
                f"image {shown} leads out of {printable(str(self.root))} with .., expected a path inside it",
                "write the path in full, or keep the list in the folder that its paths start from",
            )
        return self.root / name


_EXPECTED = (
    "rename them to image, text (or caption), tags, id, "
    "or say which is which with --image-column, --text-column, --tags-column, --id-column"
)


def _whole(text: str) -> str:
    """Replace lone surrogates, which cannot be written as UTF-8."""
    return str(_SURROGATES.sub("\ufffd", text))


def _key_of_path(name: str) -> str:
    """A picture's path as key: posix, relative, without `./`."""
    return posixpath.normpath(name).lstrip("/") or name


def _found(row: Mapping[str, object]) -> str:
    names = [printable(name)[:60] for name, value in row.items() if value is not None]
    return ", ".join(names[:12]) or "nothing"


def _kind(value: object) -> str:
    return _KINDS.get(type(value), f"of type {type(value).__name__}")


_KINDS = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object", bytes: "bytes"}
