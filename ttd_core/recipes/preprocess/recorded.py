"""The run directory of `ttd preprocess`: its name, and what tells it apart from another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import ttd_core
from ttd_core.config import changed_results, result_mapping, to_mapping
from ttd_core.data.pair_sources import LAYOUTS, source_digest
from ttd_core.data.pairs import PairSource
from ttd_core.errors import UsageError, WeightsError
from ttd_core.recipes.contents import by_content, local_weights
from ttd_core.recipes.preprocess.options import PreprocessOptions
from ttd_core.runs import RunDirectory, RunName, combined, digest_files, open_run, run_id

_NAMED = {
    "data", "root", "model.model", "model.pretrained", "model.lora", "model.weights", "scales", "image_size", "hflip",
}  # fmt: skip
"""Options with a part of their own in a run's name; all others enter it as a hash."""


def start_run(options: PreprocessOptions, source: PairSource, command_line: str) -> RunDirectory:
    """Open the run.

    Args:
        options: the settings.
        source: the pairs.
        command_line: as typed.

    Raises:
        RunError: see `ttd_core.runs.open_run`.
        UsageError: `--out` is the data itself.
        WeightsError: a weights file is missing or cannot be read.
    """
    data = options.data or ""
    if options.out is not None and Path(data).is_dir() and Path(options.out).resolve() == Path(data).resolve():
        raise UsageError("--out and --data are the same folder", hint="choose a folder of its own for the scores")
    answers = options.answers()
    weights = local_weights(answers)
    digest = source_digest(source)
    # two spellings of one path are the same data
    content = replace(options, model=by_content(answers, weights).model, data=f"sha256:{digest}", root=None)
    built_in = data.partition(":")[0] == "scenes" or {part.partition(":")[0] for part in data.split("+")} <= {*LAYOUTS}
    name = run_id(
        RunName(
            model=options.model.model,
            data=source.name,
            pretrained=None if "pretrained" in weights else options.model.pretrained,
            scales=options.scales,
            size=options.image_size,
            hflip=options.hflip,
            adapter=PurePath(options.model.lora).stem if options.model.lora else None,
            other={key: value for key, value in changed_results(content).items() if key not in _NAMED},
            weights_sha256=combined(weights.values()),
            data_sha256=None if built_in else digest,
        )
    )
    kept: dict[str, Any] = to_mapping(replace(options, overwrite=False))  # a repeated run must not erase itself
    return open_run(
        Path(options.run_root),
        "preprocess",
        name,
        kept,
        results=result_mapping(content),
        inputs_sha256=digest,
        weights_sha256=combined(weights.values()) or digest_files(_shipped(options), WeightsError),
        overwrite=options.overwrite,
        folder=None if options.out is None else Path(options.out),
        command_line=command_line,
    )


def _shipped(options: PreprocessOptions) -> list[Path]:
    """The built-in model's files, so that a run made with another release is not taken up again."""
    if options.model.model != "scenes":
        return []
    return sorted((Path(ttd_core.__file__).parent / "weights").glob("*.safetensors"))
