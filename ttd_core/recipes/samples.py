"""From options to the stream of inputs they name. Loads neither torch nor a picture."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ttd_core.errors import DataError
from ttd_core.recipes.options import CommonOptions
from ttd_core.types import Sample

if TYPE_CHECKING:
    from ttd_core.data.inputs import BadRow


def samples_of(options: CommonOptions, stdin: IO[bytes]) -> Iterator[Sample | BadRow]:
    """The inputs in their order, at most `options.limit`.

    Args:
        options: a validated set of options that names an input.
        stdin: read where a source is `-`.

    Raises:
        DataError: a file, folder or tag list is missing or not readable at all; single bad rows come as `BadRow`.
    """
    tags = options.tags
    if options.tags_file is not None:
        tags = read_tag_list(Path(options.tags_file))
    rows: Iterator[Sample | BadRow]
    if options.input is not None:
        rows = _with_tags(_read(options.input, stdin), tags)
    elif options.text == "-":
        rows = _captions(stdin, options.image, tags)
    else:
        rows = iter([_inline(options.image, options.text, tags)])
    return islice(rows, options.limit)


def read_tag_list(path: Path) -> tuple[str, ...]:
    """Tags of a text file, one per line; blank lines and lines that begin with `#` are left out, repeats dropped.

    Raises:
        DataError: the file is missing, not UTF-8 text, or holds no tag.
    """
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: expected a text file with one tag per line")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", hint="--tags-file expects a text file with one tag per line") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text", hint="save the list as UTF-8") from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'unreadable'}") from error
    lines = (line.strip() for line in text.split("\n"))
    tags = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not tags:
        raise DataError(f"no tags in {path}", hint="write one tag per line")
    return tags


def _read(source: str, stdin: IO[bytes]) -> Iterator[Sample | BadRow]:
    from ttd_core.data.inputs import read_samples

    return iter(read_samples(source, stdin=stdin))


def _inline(image: str | None, text: str | None, tags: tuple[str, ...] | None) -> Sample:
    path = None if image is None else Path(image)
    key = "text" if path is None else path.name
    return Sample(key, path, text, tags, origin="--text" if image is None else "--image")


def _captions(stdin: IO[bytes], image: str | None, tags: tuple[str, ...] | None) -> Iterator[Sample]:
    """One sample per line; bytes that are not UTF-8 are replaced, an empty line is an empty caption."""
    path = None if image is None else Path(image)
    for number, line in enumerate(stdin, start=1):
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").rstrip("\r\n")
        yield Sample(str(number), path, text, tags, origin=f"stdin:{number}")


def _with_tags(rows: Iterator[Sample | BadRow], tags: tuple[str, ...] | None) -> Iterator[Sample | BadRow]:
    """Give every sample without tags of its own those of the command line."""
    for row in rows:
        if tags is not None and isinstance(row, Sample) and row.tags is None:
            yield Sample(row.key, row.image, row.caption, tags, row.origin)
        else:
            yield row
