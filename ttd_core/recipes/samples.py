"""From options to the stream of inputs they name. Loads neither torch nor a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from ttd_core.data.files import show
from ttd_core.data.inputs import read_samples
from ttd_core.data.rows import BadRow, Columns
from ttd_core.errors import DataError, TtdError, UsageError, WeightsError
from ttd_core.recipes.listed import data_rows, has_classes, tags_for_all
from ttd_core.recipes.options import CommonOptions, PictureOptions
from ttd_core.recipes.own_tags import holds_own_tags, with_own_tags
from ttd_core.text.tokens import fold
from ttd_core.types import Sample


def check_files(options: CommonOptions) -> None:
    """Refuse files that are not there, before anything slow is loaded and before a run begins.

    Raises:
        DataError: a picture, a list, or a file of tags is missing.
        UsageError: a file of tags is given as a tag.
        WeightsError: a weights file is missing.
    """
    source = None if options.input == "-" else options.input
    named: tuple[tuple[str | None, type[TtdError], str], ...] = (
        (options.image, DataError, "--image takes the path of a picture"),
        (source, DataError, "expected a folder, a picture, a list, or - for standard input"),
        (options.tags_file, DataError, "--tags-file takes a file with one tag per line"),
        (options.classes, DataError, "--classes takes a file with one class per line"),
        (options.scorer.partition("list:")[2] or None, DataError, "--scorer list:FILE takes the tags of each caption"),
        (options.model.weights, WeightsError, "--weights takes a file; open_clip's own weights go by --pretrained TAG"),
    )
    for path, error, hint in named:
        if path is not None and not os.path.lexists(path):
            raise error(f"{show(path)}: no such file", hint)
    for tag in options.tags or ():
        file = show(tag.removeprefix("@"))
        # a word may happen to be a file's name; one with such an ending is no word
        if file.lower().endswith((".txt", ".json", ".yaml", ".yml")) and os.path.isfile(tag.removeprefix("@")):
            raise UsageError(f"--tags {show(tag)}: is a file, expected words", hint=f"--tags-file {file}")
    if options.image is not None and os.path.isdir(options.image):
        raise DataError(f"{show(options.image)}: is a folder, expected a picture", f"--input {show(options.image)}")


def samples_of(
    options: CommonOptions, stdin: BinaryIO | None = None, bundled: Iterator[Sample | BadRow] | None = None
) -> Iterator[Sample | BadRow]:
    """The inputs in their order, at most `options.limit`; `--tags` or `--tags-file` go to those without tags.

    Args:
        options: a validated set of options that names an input.
        stdin: read where a source is `-`; the caller keeps it open.
        bundled: the rows of a call that names no input.

    Raises:
        DataError: a file, folder or tag list is missing or not readable at all; single bad rows come as `BadRow`.
    """
    own = holds_own_tags(options)
    if options.data is not None:
        return islice(_with_tags_of_data(options) if own else data_rows(options), options.limit)
    tags = tags_for_all(options)
    asked = None if own else tags
    rows = _rows(options, stdin, asked) if bundled is None else _completed(bundled, asked, None)
    if own:
        rows = with_own_tags(options, rows, tags)
    elif tags is not None and has_classes(options):
        rows = _numbered(rows, tags)
    return islice(rows, options.limit)


def _numbered(rows: Iterator[Sample | BadRow], classes: tuple[str, ...]) -> Iterator[Sample | BadRow]:
    """Say of rows that are asked about a class list, or have tags out of it, that it numbers them."""
    names = {fold(name) for name in classes}
    for row in rows:
        if isinstance(row, Sample) and row.tags is not None and {fold(tag) for tag in row.tags} <= names:
            yield replace(row, classes=classes)
        else:
            yield row


def _with_tags_of_data(options: CommonOptions) -> Iterator[Sample | BadRow]:
    """The pictures of a data set with the tags that are known of each, numbered by its classes."""
    rows = list(data_rows(options))
    classes = rows[0].tags if rows else None
    return with_own_tags(options, (replace(row, tags=None, classes=None) for row in rows), classes)


def _rows(options: CommonOptions, stdin: BinaryIO | None, tags: tuple[str, ...] | None) -> Iterator[Sample | BadRow]:
    image = None if options.image is None else Path(options.image)
    if options.input is not None:
        # Scorers that never look at pictures keep them all the same: under their paths, which are the keys, the answers
        # of two scorers can be compared. None asks of every row what the first one had.
        pictures = True if isinstance(options, PictureOptions) else None
        columns = Columns(options.image_column, options.text_column, options.tags_column, options.id_column)
        own = [Path(folder) for folder in (options.run_root, options.out) if folder is not None]
        rows = read_samples(options.input, stdin=stdin, columns=columns, need_image=pictures, exclude=own)
        yield from _completed(rows, tags, None)
    elif options.text == "-":
        yield from _completed(read_samples("-", stdin=stdin, kind="txt", need_image=False), tags, image)
    else:
        key = "text" if image is None else image.name
        yield Sample(key, image, options.text, tags, origin="--text" if image is None else "--image")


def _completed(
    rows: Iterator[Sample | BadRow], tags: tuple[str, ...] | None, image: Path | None
) -> Iterator[Sample | BadRow]:
    for row in rows:
        if isinstance(row, Sample):
            yield replace(row, tags=tags if row.tags is None else row.tags, image=image or row.image)
        else:
            yield row
