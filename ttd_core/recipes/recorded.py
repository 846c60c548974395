"""Which calls leave a run directory, and under which name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import ttd_core
from ttd_core.config import changed_results, result_mapping, to_mapping
from ttd_core.errors import UsageError, WeightsError
from ttd_core.recipes.contents import by_content, file_digest, inputs_digest, local_weights
from ttd_core.recipes.methods import background_of, pamr_of, selection_of, selection_stated, with_pamr
from ttd_core.recipes.options import CommonOptions, MaskOptions, PictureOptions
from ttd_core.runs import RunDirectory, RunName, combined, digest_files, input_name, open_run, run_id

_NAMED = {
    "model.model", "model.pretrained", "model.lora", "model.weights", "templates", "scales", "image_size", "hflip",
    "pamr", "crf", "bg",
}  # fmt: skip
"""Options with a part of their own in a run's name; all others enter it as a hash."""


def is_recorded(command: str, options: CommonOptions) -> bool:
    """Whether a call leaves a run directory: always where files are made, for `tags` where the input is one.

    A one-off `ttd tags` (a caption, a picture, standard input) is recorded with `--save` or `--out` only.
    """
    if command != "tags" or options.save or options.out is not None:
        return True
    return options.save is None and (options.data is not None or options.input not in (None, "-"))


def run_name(options: CommonOptions) -> str:
    """The run's name. Reads the files that options name, folders apart, for their digests.

    Raises:
        WeightsError: a weights file is missing or cannot be read.
        DataError: an input file or a list of tags is missing or cannot be read.
    """
    weights = local_weights(options)
    return _name(options, by_content(options, weights), weights, file_digest(options))


def _name(options: CommonOptions, content: CommonOptions, weights: dict[str, str], data: str | None) -> str:
    model = options.model
    stated = replace(content, **selection_stated(content))
    return run_id(
        RunName(
            model=model.model,
            data=options.data or ("examples" if not options.source else input_name(options.image, options.input)),
            pretrained=None if "pretrained" in weights else model.pretrained,
            templates=options.templates,
            scales=options.scales,
            size=options.image_size,
            hflip=options.hflip,
            refiner=_refiner(options),
            adapter=PurePath(model.lora).stem if model.lora else None,
            bg=background_of(options) if isinstance(options, MaskOptions) else None,
            other={key: value for key, value in changed_results(stated).items() if key not in _NAMED},
            weights_sha256=combined(weights.values()),
            data_sha256=data,
        )
    )


def start_run(command: str, options: CommonOptions, command_line: str) -> RunDirectory | None:
    """Open the run of a call, or None for a one-off.

    Raises:
        UsageError: the run's folder is the input itself.
        RunError: see `ttd_core.runs.open_run`.
        WeightsError: a weights file is missing or cannot be read.
        DataError: an input file is missing or cannot be read.
    """
    if not is_recorded(command, options):
        return None
    if options.out is not None and options.input is not None and _same_folder(options.out, options.input):
        raise UsageError(
            "--out and --input are the same folder, and products would be taken for pictures",
            hint=f"give the products a folder of their own, e.g. --out {PurePath(options.out) / command}",
        )
    weights = local_weights(options)
    content, data = by_content(options, weights), file_digest(options)
    kept: dict[str, Any] = to_mapping(replace(options, overwrite=False))  # a repeated run must not erase itself
    return open_run(
        Path(options.run_root),
        command,
        _name(options, content, weights, data),
        kept,
        results=result_mapping(decided(content)),
        inputs_sha256=inputs_digest(options, data),
        weights_sha256=combined(weights.values()) or digest_files(_shipped_weights(options), WeightsError),
        overwrite=options.overwrite,
        folder=None if options.out in (None, options.tag_file) else Path(str(options.out)),
        command_line=command_line,
    )


def decided(options: CommonOptions) -> CommonOptions:
    """The same options with the method's own values where none are given, so that both spellings are one run."""
    selection: dict[str, Any] = dict(zip(("select", "threshold"), selection_of(options), strict=True))
    options = replace(options, **selection)
    if isinstance(options, MaskOptions):
        return replace(options, pamr=pamr_of(options), bg=background_of(options))
    return replace(options, pamr=pamr_of(options)) if isinstance(options, PictureOptions) else options


def _same_folder(one: str, other: str) -> bool:
    return os.path.isdir(other) and os.path.realpath(one) == os.path.realpath(other)


def _refiner(options: CommonOptions) -> str | None:
    if isinstance(options, MaskOptions) and options.crf:
        return "crf"
    return "pamr" if with_pamr(options) else None


def _shipped_weights(options: CommonOptions) -> list[Path]:
    """The built-in model's files, so that a run made with another release is not taken up again."""
    if options.model.model != "scenes":
        return []
    return sorted((Path(ttd_core.__file__).parent / "weights").glob("*.safetensors"))
