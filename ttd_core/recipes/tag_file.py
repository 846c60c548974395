"""The text form in which TagCLIP's authors publish tags: a picture's name and its class numbers (section 2.1)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ttd_core.atomic import atomic_path, make_folder, write_error
from ttd_core.data.files import open_regular, show
from ttd_core.errors import RunError, UsageError
from ttd_core.recipes.own_tags import holds_own_tags
from ttd_core.text.candidates import given_tags

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.options import CommonOptions

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_LONGEST = 1 << 20
"""Bytes of a line: more than any list of class numbers needs."""


@dataclass(frozen=True)
class Written:
    """What went into a tag file.

    Args:
        lines: pictures that are in it.
        left_out: pictures whose names the form cannot express, and those that were asked about other classes.
    """

    lines: int
    left_out: int


def check_tag_file(options: CommonOptions, config: str | None = None) -> None:
    """Refuse an `--out FILE.txt` that cannot be written or would cost a file, before anything slow is loaded.

    Its folder is made here, since nothing else tells reliably whether it can be.

    Args:
        options: of any command; without a tag file nothing is looked at.
        config: the file of `--config`, which is no option itself.

    Raises:
        UsageError: pictures have tags of their own, which nothing numbers; the file is one that the call reads, or
            holds something else than tags and `overwrite` is not set.
        DataError: the file there cannot be read, so that nobody knows what would be lost.
        RunError: it cannot be written, or a folder of that name is in the way.
    """
    if options.tag_file is None:
        return
    path = Path(options.tag_file)
    with _named(path):
        _refuse_place(path)
    _refuse_own_input(path, options, config)
    if holds_own_tags(options):
        raise UsageError(
            f"--out {show(path)} numbers the classes of one list; --tags-file asks each picture for tags of its own",
            hint="ask about a list with --classes FILE alone, or choose a folder for --out",
        )
    if os.path.exists(path) and not options.overwrite and not _holds_tags(path):
        raise UsageError(
            f"--out {show(path)}: the file exists and is no tag file, `<id> <number> <number> ...` on each line",
            hint="--overwrite replaces it, or choose another name",
        )
    with _named(path):
        _try_folder(path)


def write_tag_file(
    path: Path, rows: Iterable[Mapping[str, Any]], report: Reporter, classes: Sequence[str] | None = None
) -> Written:
    """Write the rows of a run of `ttd tags` in their order; whole or not at all.

    Args:
        path: the file; one that is there is replaced.
        rows: its candidates in the order of the class list. Those with an `error` are passed over.
        report: warned of pictures that are left out, and once of names that several pictures share.
        classes: the list that numbers mean, None for that of the first row.

    Raises:
        RunError: the file cannot be written.
    """
    count = left_out = 0
    names = _Names(path)
    listed = None if classes is None else [candidate.tag for candidate in given_tags(classes)]
    with _named(path), atomic_path(path) as temporary, temporary.open("wb") as stream:
        for row in rows:
            if "error" in row:
                continue
            asked = [str(each["tag"]) for each in row["candidates"]]
            listed = asked if listed is None else listed
            if asked != listed:
                left_out += 1
                report.warning(
                    f"{row['key']}: left out of {show(path)}, which numbers the classes of one list",
                    "a list with tags of its own for some pictures goes to a folder",
                )
                continue
            line = _line(row)
            if line is None:
                left_out += 1
                report.warning(
                    f"{row['key']}: left out of {show(path)}, where names have no blanks or broken letters",
                    "rename the picture; its tags are in the run's tags.jsonl",
                )
                continue
            stream.write(line)
            names.add(str(row["key"]))
            count += 1
    names.tell(report)
    return Written(count, left_out)


def _line(row: Mapping[str, Any]) -> bytes | None:
    """Name and the numbers of its tags, ascending; None where the form cannot express the name."""
    name = _name(str(row["key"]))
    if name.split() != [name]:
        return None
    numbers = (str(i) for i, each in enumerate(row["candidates"]) if each["selected"])
    try:  # file names that are no UTF-8 go back to the bytes they are on the disk; other broken letters cannot
        return (" ".join([name, *numbers]) + "\n").encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None


def _name(key: str) -> str:
    """A picture's name as such files have it: its path without the suffix."""
    path = PurePosixPath(key)
    return str(path.with_suffix("")) if path.suffix.lower() in _PICTURES else key


class _Names:
    """Notices pictures that go by one name, `a.jpg` and `a.png`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, str] = {}
        self._first: tuple[str, str, str] | None = None
        self._more = 0

    def add(self, key: str) -> None:
        """Take note of a picture by its key."""
        name = _name(key)
        other = self._keys.setdefault(name, key)
        if other == key:
            return
        if self._first is None:
            self._first = other, key, name
        else:
            self._more += 1

    def tell(self, report: Reporter) -> None:
        """Warn once, of the first two pictures of one name, if there are any."""
        if self._first is not None:
            one, other, name = self._first
            more = f", and {self._more} more such" if self._more else ""
            report.warning(
                f"{show(self._path)}: {one} and {other} both go by the name {name}{more}",
                "readers of such files expect each name once: rename one of the pictures",
            )


def _refuse_place(path: Path) -> None:
    """Refuse what renaming a finished file to `path` would only find out at the end."""
    try:
        if path.is_dir():
            raise RunError(f"cannot write {show(path)}: is a folder", "--out FILE.txt names the tag file itself")
        path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:  # a part of the path is a file, or a name is too long
        raise write_error(path, error) from error


def _refuse_own_input(path: Path, options: CommonOptions, config: str | None) -> None:
    model = options.model
    listed = options.scorer.partition("list:")[2] or None
    read: tuple[tuple[str, str | None], ...] = (
        ("--classes", options.classes),
        ("--tags-file", options.tags_file),
        ("--input", options.input),
        ("--image", options.image),
        ("--config", config),
        ("--scorer list:FILE", listed),
        ("--weights", model.weights),
        ("--pretrained", model.pretrained),
        ("--lora", model.lora),
    )
    for flag, other in read:
        if other is not None and _same(path, Path(other)):
            raise UsageError(
                f"--out and {flag} are the same file, {show(path)}, which would be lost",
                hint="give the tags a file of their own",
            )


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there: a new file, or the name of downloaded weights
        return False


def _holds_tags(path: Path) -> bool:
    """Whether a file is empty or has `<id> <number> <number> ...` on each line.

    A line may lack numbers, but not all may: a list of classes or of pictures looks like that.
    """
    numbered, blank = False, True
    with open_regular(path) as stream:
        while line := stream.readline(_LONGEST):
            words = line.split()
            if not all(word.isdigit() for word in words[1:]):
                return False
            numbered = numbered or len(words) > 1
            blank = blank and not words
    return numbered or blank


def _try_folder(path: Path) -> None:
    """Make the folder and a file in it that vanishes: permissions alone do not tell of a read-only disk or `/proc`."""
    folder = make_folder(path.parent)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise write_error(path, error) from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give a failure to write the file a hint where the system's reason has none."""
    try:
        yield
    except RunError as error:
        raise RunError(error.message, error.hint or "choose another file with --out") from error
