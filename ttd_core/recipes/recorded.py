"""Which calls leave a run directory, and under which name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import ttd_core
from ttd_core.config import changed_results, result_mapping, to_mapping
from ttd_core.errors import WeightsError
from ttd_core.recipes.options import CommonOptions, MaskOptions, PictureOptions
from ttd_core.runs import RunDirectory, RunName, digest_files, digest_inputs, input_name, open_run, run_id

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
    return options.save is None and options.input not in (None, "-")


def run_name(options: CommonOptions) -> str:
    """The run's name. Reads local weights files for their digest, and nothing else.

    Raises:
        WeightsError: a weights file is missing or cannot be read.
    """
    model = options.model
    masks = options if isinstance(options, MaskOptions) else None
    other = {key: value for key, value in changed_results(options).items() if key not in _NAMED}
    local = _local_weights(options)
    named = model.pretrained if model.pretrained and Path(model.pretrained) not in local else None
    data = "examples" if not options.source else input_name(options.image, options.input)
    return run_id(
        RunName(
            model=model.model,
            data=data,
            pretrained=named,
            templates=options.templates,
            scales=options.scales,
            size=options.image_size,
            hflip=options.hflip,
            refiner=_refiner(options),
            adapter=PurePath(model.lora).stem if model.lora else None,
            bg=masks.bg if masks else None,
            other=other,
            weights_sha256=digest_files(local, WeightsError),
        )
    )


def start_run(command: str, options: CommonOptions, command_line: str) -> RunDirectory | None:
    """Open the run of a call, or None for a one-off.

    Raises:
        RunError: see `ttd_core.runs.open_run`.
        WeightsError: a weights file is missing or cannot be read.
        DataError: an input file is missing or cannot be read.
    """
    if not is_recorded(command, options):
        return None
    lists = [path for path in (options.tags_file, options.scorer.partition("list:")[2]) if path]
    kept: dict[str, Any] = to_mapping(replace(options, overwrite=False))  # a repeated run must not erase itself
    return open_run(
        Path(options.run_root),
        command,
        run_name(options),
        kept,
        results=result_mapping(options),
        inputs_sha256=digest_inputs(options.image, options.input, lists),
        weights_sha256=digest_files(_local_weights(options) or _shipped_weights(options), WeightsError),
        overwrite=options.overwrite,
        folder=None if options.out is None else Path(options.out),
        command_line=command_line,
    )


def _refiner(options: CommonOptions) -> str | None:
    if isinstance(options, MaskOptions) and options.crf:
        return "crf"
    return "pamr" if isinstance(options, PictureOptions) and options.pamr else None


def _local_weights(options: CommonOptions) -> list[Path]:
    """Weights named as files or folders; a pretrained tag that is no path is a name, not a file."""
    model = options.model
    given = [Path(path) for path in (model.weights, model.lora) if path is not None]
    if model.pretrained is not None and Path(model.pretrained).exists():
        given.append(Path(model.pretrained))
    return given


def _shipped_weights(options: CommonOptions) -> list[Path]:
    """The built-in model's files, so that a run made with another release is not taken up again."""
    if options.model.model != "scenes":
        return []
    return sorted((Path(ttd_core.__file__).parent / "weights").glob("*.safetensors"))
