"""Tags that are known of each picture before the call: `--tags-file` with an answer per picture."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttd_core.data.files import open_regular, show
from ttd_core.data.rows import BadRow
from ttd_core.errors import DataError, UsageError
from ttd_core.text.clean import printable
from ttd_core.text.tokens import fold
from ttd_core.types import Sample

if TYPE_CHECKING:
    from ttd_core.data.benchmarks.label_files import LabelPrediction
    from ttd_core.data.benchmarks.label_files_rows import Answers
    from ttd_core.data.benchmarks.label_files_tags import TagPrediction
    from ttd_core.recipes.options import CommonOptions

_JSON_LINES = (".jsonl", ".ndjson")
_LINE = re.compile(rb"\S+(?: \d+)*")


def holds_own_tags(options: CommonOptions) -> bool:
    """Whether `--tags-file` lists tags picture by picture, and not what every picture is asked about.

    It does as JSON Lines, as the folder of a run of `ttd tags`, as `<id> <class number> ...` a line, the form in which
    TagCLIP's tags are published, and whenever `--classes` says what the classes are.
    """
    path = options.tags_file
    if path is None:
        return False
    if os.path.isdir(path) or os.path.splitext(path)[1].lower() in _JSON_LINES or options.classes is not None:
        return True
    form = _form(path)
    # words that end in numbers (`thing 1`, `thing 2`) look like it, but for first words that come again, as no id does
    return not form.repeated and (form.all_numbered or (options.data is not None and form.numbered and form.plausible))


@dataclass(frozen=True)
class _Form:
    """What the lines of a file look like.

    Args:
        plausible: each is one word, which numbers may follow.
        numbered: some have numbers.
        all_numbered: all have, and there are any.
        repeated: a first word comes twice.
    """

    plausible: bool
    numbered: bool = False
    all_numbered: bool = False
    repeated: bool = False


def _form(path: str) -> _Form:
    if not os.path.isfile(path):
        return _Form(False)
    ids: set[bytes] = set()
    lines = numbered = 0
    with open_regular(path) as stream:
        for line in map(bytes.strip, iter(lambda: stream.readline(1 << 20), b"")):
            if line and not _LINE.fullmatch(line):
                return _Form(False)
            lines += bool(line)
            numbered += b" " in line
            ids.update(line.split()[:1])
    return _Form(True, numbered > 0, 0 < numbered == lines, len(ids) < lines)


def with_own_tags(
    options: CommonOptions, rows: Iterator[Sample | BadRow], classes: tuple[str, ...] | None
) -> Iterator[Sample | BadRow]:
    """Give each picture the tags that are known of it; one that the file does not list is a bad row.

    Args:
        options: whose `--tags-file` lists tags picture by picture.
        rows: the pictures; one with tags of its own keeps them.
        classes: what numbers and names in the file mean; None where it has names alone.

    Raises:
        DataError: the file cannot be read, names something that is no class, or has one answer for two pictures.
        UsageError: it has numbers, and no classes are named; or it lists what every picture is asked about, as the
            classes do.
    """
    assert options.tags_file is not None
    known = _read(options, classes)
    own: set[str] = set()
    if options.input != "-":
        listed = list(rows)
        # what is filed under a picture's very path belongs to no other picture of that name
        own = {same for row in listed if isinstance(row, Sample) and (same := known.answers.same(row.key)) is not None}
        _refuse_words(options, known, listed)
        rows = iter(listed)
    used: dict[str, str] = {}
    for row in rows:
        if not isinstance(row, Sample) or row.tags is not None:
            yield row
            continue
        key = row.image.as_posix() if options.image is not None and row.image is not None else row.key
        match = known.answers.match(key)
        if match in own and known.answers.same(row.key) != match:
            match = None
        if match is not None and used.setdefault(match, row.key) != row.key:
            raise DataError(
                f"{show(options.tags_file)}: {printable(match)} would answer for {used[match]} and for {row.key}",
                "name the pictures in it by their folders, too",
            )
        found = None if match is None else known.of(match)
        if found is None:
            named = f"{row.key}: no tags in {show(options.tags_file)}"
            yield BadRow(row.key, named, "tags are found by the picture's path or name")
        else:
            yield replace(row, tags=found[0], classes=found[1])


def _refuse_words(options: CommonOptions, known: _Known, rows: list[Sample | BadRow]) -> None:
    """Refuse a list of words beside `--classes`: one word a line is a tag file only if it names pictures."""
    path = options.tags_file or ""
    if known.classes is None or os.path.isdir(path) or os.path.splitext(path)[1].lower() in _JSON_LINES:
        return
    named = any(isinstance(row, Sample) and known.answers.match(row.key) is not None for row in rows)
    if not named and not _form(path).numbered:
        raise _both_list(options)


def _both_list(options: CommonOptions) -> UsageError:
    return UsageError(
        f"--tags-file {show(options.tags_file or '')} and --classes both list the candidates",
        hint="tags picture by picture are JSON Lines of `ttd tags`, or `<id> <class number> ...` on each line",
    )


@dataclass(frozen=True)
class _Known:
    """What a file says, by picture.

    Args:
        labels: by the classes of the call.
        classes: those.
        tags: by name, where the call has no classes.
    """

    labels: Answers[LabelPrediction] | None = None
    classes: tuple[str, ...] | None = None
    tags: Answers[TagPrediction] | None = None

    @property
    def answers(self) -> Answers[Any]:
        """Whichever there are."""
        found = self.labels if self.labels is not None else self.tags
        assert found is not None
        return found

    def of(self, key: str) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
        """The tags under a key of the file, in the order of the classes where there are any, and the classes."""
        if self.labels is not None and self.classes is not None:
            return tuple(self.classes[i] for i in self.labels[key].labels or ()), self.classes
        assert self.tags is not None
        found = self.tags[key]
        kept = {fold(name) for name in found.tags}
        listed = tuple(each.tag for each in found.candidates or ())
        # words of a caption number nothing, and neither does a list that lacks a tag
        if found.text is not None or not kept <= {fold(name) for name in listed}:
            return found.tags, None
        return tuple(name for name in listed if fold(name) in kept), listed


def _read(options: CommonOptions, classes: tuple[str, ...] | None) -> _Known:
    from ttd_core.data.benchmarks.label_files import read_label_predictions
    from ttd_core.data.benchmarks.label_files_tags import read_tag_predictions
    from ttd_core.data.benchmarks.types import ClassList

    path = Path(options.tags_file or "")
    if path.is_dir() and not (path / "tags.jsonl").is_file():
        raise DataError(f"{show(path)}: has no tags.jsonl", "give a run folder of `ttd tags`, or a file of tags")
    if classes is not None:
        file = path / "tags.jsonl" if path.is_dir() else path
        if file.suffix.lower() not in _JSON_LINES and not _form(str(file)).plausible:
            raise _both_list(options)
        title = show(options.classes) if options.classes is not None else f"--data {options.data}"
        return _Known(labels=read_label_predictions(file, ClassList(title, classes), scores=False), classes=classes)
    if not path.is_dir() and path.suffix.lower() not in _JSON_LINES:
        raise UsageError(
            f"--tags-file {show(path)} lists numbers of classes picture by picture, and there are no classes",
            hint="name the list they count in: --classes FILE; words that end in numbers go by --classes alone",
        )
    return _Known(tags=read_tag_predictions(path))
