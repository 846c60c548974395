"""Tags that are known of each picture before the call: `--tags-file` with an answer per picture."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ttd_core.data.files import show
from ttd_core.data.rows import BadRow
from ttd_core.errors import UsageError
from ttd_core.text.tokens import fold
from ttd_core.types import Sample

if TYPE_CHECKING:
    from ttd_core.data.benchmarks.label_files import LabelPrediction
    from ttd_core.data.benchmarks.label_files_rows import Answers
    from ttd_core.data.benchmarks.label_files_tags import TagPrediction
    from ttd_core.recipes.options import CommonOptions

T = TypeVar("T")
_JSON_LINES = (".jsonl", ".ndjson")
_NUMBERED = re.compile(rb"\S+(?: \d+)+")
_MAYBE_NUMBERED = re.compile(rb"\S+(?: \d+)*")


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
    return _numbered(path, without_tags=options.data is not None)


def _numbered(path: str, without_tags: bool) -> bool:
    """Whether a file has the published form; with `without_tags` some pictures may have none.

    Words that end in numbers (`thing 1`, `thing 2`) look like it, but for first words that come again, as no id does.
    """
    if not os.path.isfile(path):
        return False
    wanted, found, ids = _MAYBE_NUMBERED if without_tags else _NUMBERED, False, set[bytes]()
    with open(path, "rb") as stream:
        for line in iter(lambda: stream.readline(1 << 20), b""):
            line = line.strip()
            if line and (not wanted.fullmatch(line) or line.split()[0] in ids):
                return False
            ids.update(line.split()[:1])
            found = found or _NUMBERED.fullmatch(line) is not None
    return found


def with_own_tags(
    options: CommonOptions, rows: Iterator[Sample | BadRow], classes: tuple[str, ...] | None
) -> Iterator[Sample | BadRow]:
    """Give each picture the tags that are known of it; one that the file does not list is a bad row.

    Args:
        options: whose `--tags-file` lists tags picture by picture.
        rows: the pictures; one with tags of its own keeps them.
        classes: what numbers and names in the file mean; None where it has names alone.

    Raises:
        DataError: the file cannot be read, or names something that is no class.
        UsageError: it has numbers, and no classes are named.
    """
    assert options.tags_file is not None
    known = _read(options, classes)
    for row in rows:
        if not isinstance(row, Sample) or row.tags is not None:
            yield row
            continue
        found = known.of(row)
        if found is None:
            named = f"{row.key}: no tags in {show(options.tags_file)}"
            yield BadRow(row.key, named, "tags are found by the picture's path or name")
        else:
            yield replace(row, tags=found[0], classes=found[1])


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

    def of(self, sample: Sample) -> tuple[tuple[str, ...], tuple[str, ...] | None] | None:
        """The picture's tags, in the order of the classes where there are any, and the classes."""
        if self.labels is not None and self.classes is not None:
            label = _found(self.labels, sample)
            return None if label is None else (tuple(self.classes[i] for i in label.labels or ()), self.classes)
        assert self.tags is not None
        tag = _found(self.tags, sample)
        if tag is None:
            return None
        if tag.text is not None or tag.candidates is None:  # words of a caption number nothing
            return tag.tags, None
        kept = {fold(name) for name in tag.tags}
        listed = tuple(each.tag for each in tag.candidates)
        return tuple(name for name in listed if fold(name) in kept), listed


def _found(answers: Answers[T], sample: Sample) -> T | None:
    """By the picture's key, else by its path: a call on one picture has its name alone for a key."""
    found = answers.get(sample.key)
    return found if found is not None or sample.image is None else answers.get(sample.image.as_posix())


def _read(options: CommonOptions, classes: tuple[str, ...] | None) -> _Known:
    from ttd_core.data.benchmarks.label_files import read_label_predictions
    from ttd_core.data.benchmarks.label_files_tags import read_tag_predictions
    from ttd_core.data.benchmarks.types import ClassList

    path = Path(options.tags_file or "")
    if classes is not None:
        file = path / "tags.jsonl" if path.is_dir() else path
        title = show(options.classes) if options.classes is not None else f"--data {options.data}"
        return _Known(labels=read_label_predictions(file, ClassList(title, classes)), classes=classes)
    if not path.is_dir() and path.suffix.lower() not in _JSON_LINES:
        raise UsageError(
            f"--tags-file {show(path)} lists numbers of classes picture by picture, and there are no classes",
            hint="name the list they count in: --classes FILE; words that end in numbers go by --classes alone",
        )
    return _Known(tags=read_tag_predictions(path))
