"""Options by what their files hold: two spellings of one path name the same run, and a changed file another one."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ttd_core.errors import DataError, TtdError, WeightsError
from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.samples import samples_of
from ttd_core.runs import digest_files
from ttd_core.types import Sample


def local_weights(options: CommonOptions) -> dict[str, str]:
    """Digests of the weights that are named as files or folders, by option.

    A pretrained tag that is no path is a name, not a file.

    Raises:
        WeightsError: one is missing or cannot be read.
    """
    model = options.model
    given = {"weights": model.weights, "lora": model.lora}
    if model.pretrained is not None and Path(model.pretrained).exists():
        given["pretrained"] = model.pretrained
    return {name: _digest(path, WeightsError) for name, path in given.items() if path is not None}


def by_content(options: CommonOptions, weights: dict[str, str]) -> CommonOptions:
    """The same options with a digest in the place of every path that changes results.

    Args:
        options: as given.
        weights: see `local_weights`.

    Raises:
        DataError: a list of tags is missing or cannot be read.
    """
    changes: dict[str, Any] = {name: f"sha256:{digest}" for name, digest in weights.items()}
    kind, _, listed = options.scorer.partition("list:")
    return replace(
        options,
        model=replace(options.model, **changes),
        tags_file=None if options.tags_file is None else f"sha256:{_digest(options.tags_file, DataError)}",
        scorer=f"list:sha256:{_digest(listed, DataError)}" if listed and not kind else options.scorer,
    )


def file_digest(options: CommonOptions) -> str | None:
    """SHA-256 of the single picture or the list that is the input; None for folders, standard input and text.

    Raises:
        DataError: it cannot be read.
    """
    path = options.input if options.input is not None else options.image
    return None if path is None or path == "-" or not os.path.isfile(path) else _digest(path, DataError)


def inputs_digest(options: CommonOptions, content: str | None) -> str | None:
    """SHA-256 of what says which inputs there are and whether they are still the same.

    A single picture and a list count with their content. The pictures of a list or a folder count with key, caption,
    size and time of change, since reading ten thousand pictures twice costs more than it proves; a list whose first
    row has no picture is taken to have none. Standard input and text have no digest.

    Args:
        options: the input.
        content: see `file_digest`.

    Raises:
        DataError: the list or folder as a whole is no good.
    """
    if options.input is None or options.input == "-":
        return content
    digest = hashlib.sha256((content or "folder").encode())
    for row in samples_of(options):
        if not isinstance(row, Sample):
            digest.update(b"bad\n")
            continue
        if row.image is None or row.image == Path(options.input):
            break
        digest.update(f"{(row.key, row.caption, *_state(row.image))!r}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _state(picture: Path) -> tuple[int, int]:
    try:
        found = os.stat(picture)
    except (OSError, ValueError):  # a row of its own will say so
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _digest(path: str, error: type[TtdError]) -> str:
    digest = digest_files([Path(path)], error)
    assert digest is not None  # of one path there is one
    return digest
