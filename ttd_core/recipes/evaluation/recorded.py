"""The run directory of an evaluation: its name, and what tells it apart from another one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import ttd_core
from ttd_core.config import changed_results, result_mapping, to_mapping
from ttd_core.errors import DataError, RunError, UsageError, WeightsError
from ttd_core.recipes.contents import by_content, local_weights
from ttd_core.recipes.evaluation.options import EvaluateOptions, task_of
from ttd_core.recipes.methods import method_of, selection_of, selection_stated, with_pamr
from ttd_core.recipes.model_options import ModelOptions
from ttd_core.runs import RunDirectory, RunName, combined, digest_files, input_name, open_run, run_id
from ttd_core.runs.found import read_manifest
from ttd_core.runs.manifest import provenance

_NAMED = {
    "data", "task", "model.model", "model.pretrained", "model.lora", "model.weights", "templates", "scales",
    "image_size", "hflip", "pamr", "crf", "bg",
}  # fmt: skip
"""Options with a part of their own in a run's name; all others enter it as a hash."""

_WITH_MASKS = ("masks", "text")
"""Tasks whose run's name shows the background's value; elsewhere it stands there only when it was changed."""


def start_run(
    options: EvaluateOptions, task: str, samples_sha256: str, command_line: str, data: str | None = None
) -> RunDirectory:
    """Open the run of an evaluation.

    Args:
        options: the settings.
        task: what is measured, decided.
        samples_sha256: digest of the samples.
        command_line: as typed.
        data: the data set's own name, whatever alias was typed; None for the one typed.

    Raises:
        RunError: see `ttd_core.runs.open_run`.
        UsageError: `--out` is one of the inputs.
        WeightsError, DataError: a file that the options name is missing or cannot be read.
    """
    _refuse_inputs(options)
    kept: dict[str, Any] = to_mapping(replace(options, overwrite=False, expect=None))
    if options.pred is not None:  # no model is asked: the weights that a recipe names need not be there
        options = replace(options, model=ModelOptions())
    weights = local_weights(options.answers(masks=False))
    named = _data_name(options, data)
    content = replace(_content(options, weights), task=task_of(task), data=named)
    if "pamr" in method_of(options).takes:
        content = replace(content, pamr=_refined(options, task))
    # other data of one's own under the same name are another evaluation, as other answers are
    own = samples_sha256 if os.path.exists(options.data or "") else None
    name = _name(options, content, weights, task, own)
    selection: dict[str, Any] = dict(zip(("select", "threshold"), selection_of(content), strict=True))
    folder = Path(options.out) if options.out is not None else Path(options.run_root) / "evaluate" / name
    return open_run(
        Path(options.run_root),
        "evaluate",
        name,
        kept,
        results=result_mapping(replace(content, **selection)),
        inputs_sha256=samples_sha256,
        weights_sha256=combined(weights.values()) or digest_files(_shipped(options), WeightsError),
        overwrite=options.overwrite or _is_stale(folder, bool(options.expect)),
        folder=folder,
        command_line=command_line,
    )


def other_code(manifest: Mapping[str, Any]) -> str | None:
    """What made a run, where that is not the program that is running now; None where it is the same.

    Changes that are not committed cannot be told apart, so a program with such changes is never known to be the same.
    """
    now = provenance()
    then, here = (each.get("commit") for each in (manifest, now))
    if manifest.get("ttd") == now["ttd"] and then == here and not (here or {}).get("dirty"):
        return None
    known = f" at commit {str(then.get('id'))[:12]}" if isinstance(then, dict) else ""
    changed = " with changes" if isinstance(then, dict) and then.get("dirty") else ""
    return f"ttd {manifest.get('ttd')}{known}{changed}"


def _is_stale(folder: Path, expecting: bool) -> bool:
    """Whether a run found is to be made anew because other code has made it and figures are to be held to it.

    Raises:
        RunError: an unfinished run of other code, whose rows must not be mixed with new ones.
    """
    try:
        found = read_manifest(folder, "evaluate", overwrite=False)
    except RunError:
        return False  # opening it will say what is wrong
    if found is None or found.get("command") != "evaluate":
        return False
    made_by = other_code(found)
    if made_by is None:
        return False
    same = found.get("ttd") == provenance()["ttd"] and found.get("commit") == provenance()["commit"]
    if found["status"] != "done" and not same:
        raise RunError(
            f"{folder} was begun by {made_by}, whose rows may differ from those of this one",
            hint="start it anew with --overwrite",
        )
    return expecting and found["status"] == "done"


def _refuse_inputs(options: EvaluateOptions) -> None:
    """A run written into what it reads would change its own inputs, and with `--overwrite` remove them."""
    if options.out is None:
        return
    out = Path(options.out).resolve()
    inputs = [("--pred", options.pred), ("--root", options.root), ("--data", options.data)]
    inputs += [("--merge", folder) for folder in options.merge or ()]
    for flag, value in inputs:
        folder = Path(value or "").resolve()
        within = flag == "--pred" and folder in out.parents
        if value is not None and folder.is_dir() and (folder == out or within):
            raise UsageError(
                f"--out {options.out} is {'inside ' if within else ''}the folder of {flag}",
                hint="choose a folder of its own for the result, or leave --out away",
            )


def answers_digest(options: EvaluateOptions) -> str | None:
    """SHA-256 of what `--pred` names; a folder counts by names, sizes and times of change of all files in it."""
    return None if options.pred is None else _path_digest(options.pred)


def _content(options: EvaluateOptions, weights: dict[str, str]) -> EvaluateOptions:
    """The same options with a digest in the place of every path that changes results."""
    answers = by_content(options.answers(masks=False), weights)
    files: dict[str, Any] = {
        name: None if getattr(options, name) is None else f"sha256:{_path_digest(getattr(options, name))}"
        for name in ("pred", "truth", "class_names")
    }
    # what a recipe has set is in the options: its name alone changes nothing
    return replace(options, model=answers.model, scorer=answers.scorer, recipe=None, expect=None, **files)


def _refined(options: EvaluateOptions, task: str) -> bool:
    """Whether PAMR takes part: as typed, else as the method has it where masks are made."""
    return with_pamr(options) if task in _WITH_MASKS else bool(options.pamr)


def _data_name(options: EvaluateOptions, name: str | None) -> str:
    """How the data are called in names and comparisons: a path by its last part, however it is spelled."""
    data = options.data or ""
    return input_name(None, data) if os.path.exists(data) else name or data


def _name(
    options: EvaluateOptions, content: EvaluateOptions, weights: dict[str, str], task: str, data_sha256: str | None
) -> str:
    model = options.model
    bg = options.bg if task in _WITH_MASKS and options.pred is None else None
    named = _NAMED if bg is not None else _NAMED - {"bg"}
    stated = replace(content, **selection_stated(content))
    changed = {key: value for key, value in changed_results(stated).items() if key not in named}
    return run_id(
        RunName(
            model=model.model if options.pred is None else f"pred-{input_name(None, options.pred)}",
            data=content.data or "",
            task=task,
            pretrained=None if "pretrained" in weights else model.pretrained,
            templates=options.templates,
            scales=options.scales,
            size=options.image_size,
            hflip=options.hflip,
            refiner="crf" if options.crf else "pamr" if _refined(options, task) else None,
            adapter=PurePath(model.lora).stem if model.lora else None,
            bg=bg,
            other=changed,
            weights_sha256=combined(weights.values()),
            data_sha256=data_sha256,
        )
    )


def _path_digest(path: str) -> str:
    if not os.path.isdir(path):
        digest = digest_files([Path(path)], DataError)
        assert digest is not None  # of one path there is one
        return digest
    lines = []
    for folder, _, names in sorted(os.walk(path)):
        for name in sorted(names):
            file = os.path.join(folder, name)
            if name.startswith(".") or not os.path.isfile(file):
                continue
            state = os.stat(file)
            lines.append(f"{os.path.relpath(file, path)}\t{state.st_size}\t{state.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _shipped(options: EvaluateOptions) -> list[Path]:
    """The built-in model's files, so that a run made with another release is not taken up again."""
    if options.model.model != "scenes" or options.pred is not None:
        return []
    return sorted((Path(ttd_core.__file__).parent / "weights").glob("*.safetensors"))
