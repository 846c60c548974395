"""Options by what their files hold: two spellings of one path name the same run, and a changed file another one."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ttd_core.errors import DataError, TtdError, WeightsError
from ttd_core.packaged import shipped_adapter
from ttd_core.recipes.options import CommonOptions, PictureOptions
from ttd_core.recipes.own_tags import holds_own_tags
from ttd_core.recipes.samples import samples_of
from ttd_core.runs import digest_files
from ttd_core.types import Sample


def reads_stdin(options: CommonOptions) -> bool:
    """Whether rows arrive on standard input: what they are is not known before they come."""
    return "-" in (options.input, options.text)


def local_weights(options: CommonOptions) -> dict[str, str]:
    """Digests of the weights that are named as files or folders, by option.

    A pretrained tag that is no path is a name, not a file.

    Raises:
        WeightsError: one is missing or cannot be read.
    """
    model = options.model
    given = {"weights": model.weights, "lora": None if model.lora is None else str(shipped_adapter(Path(model.lora)))}
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
        tags_file=_by_content(options.tags_file),
        classes=_by_content(options.classes),
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

    A single picture and a list count with their content. The pictures of a folder or a list count by `sample_digest`,
    since reading ten thousand pictures twice costs more than it proves; those of a list only where they are looked at,
    and a list whose first row has no picture is taken to have none. Text has no digest, and standard input is compared
    row by row.

    Args:
        options: the input.
        content: see `file_digest`.

    Raises:
        DataError: the list or folder as a whole is no good.
    """
    looks = isinstance(options, PictureOptions) or options.scorer in ("pixel", "image", "tagclip")
    whole = options.input is None and options.data is None
    if whole and options.image is not None and holds_own_tags(options) and not reads_stdin(options):
        # tags are found by the picture's path, which its content does not tell
        found = [row.tags if isinstance(row, Sample) else None for row in samples_of(options)]
        return hashlib.sha256(f"{content} {found}".encode("utf-8", "surrogatepass")).hexdigest()
    if whole or options.input == "-" or (content is not None and not looks):
        return content
    digest = hashlib.sha256((content or "folder").encode())
    for row in samples_of(options):
        if not isinstance(row, Sample):
            digest.update(b"bad\n")
            continue
        if row.image is None or (options.input is not None and row.image == Path(options.input)):
            break
        digest.update(sample_digest(row).encode())
    return digest.hexdigest()


def sample_digest(sample: Sample) -> str:
    """What one input holds: key, caption, tags, and size and time of change of its picture, as 32 digits."""
    state = None
    if sample.image is not None:
        with suppress(OSError, ValueError):  # a picture that is not there has none; its row will say so
            found = os.stat(sample.image)
            state = found.st_size, found.st_mtime_ns
    listed = () if sample.classes in (None, sample.tags) else (sample.classes,)
    content = repr((sample.key, sample.caption, sample.tags, state, *listed))
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _by_content(path: str | None) -> str | None:
    """A list's digest in place of its path; of a run its tags count."""
    if path is None:
        return None
    return f"sha256:{_digest(os.path.join(path, 'tags.jsonl') if os.path.isdir(path) else path, DataError)}"


def _digest(path: str, error: type[TtdError]) -> str:
    digest = digest_files([Path(path)], error)
    assert digest is not None  # of one path there is one
    return digest
