"""From what was typed, and perhaps a configuration file, to a validated options object."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import typer

from ttd_core.errors import UsageError
from ttd_core.recipes.checks import not_empty
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.options import CommonOptions, ModelOptions
from ttd_core.recipes.preprocess.options import PreprocessOptions
from ttd_core.recipes.train_run import TrainOptions

Chosen = TypeVar("Chosen", bound=CommonOptions | EvaluateOptions | PreprocessOptions | TrainOptions)

_NO_SETTINGS = ("config", "quiet", "verbose", "list_")
"""Parameters of commands that are no settings."""

_MODEL_FIELDS = {field.name for field in dataclasses.fields(ModelOptions)}


def resolve(context: typer.Context, kind: type[Chosen], command: str) -> Chosen:
    """Build the options of a command.

    With `--config FILE` the file comes first and the options typed on the command line replace its values.

    Raises:
        UsageError: a value cannot be read, or the options contradict each other.
    """
    return resolve_over(context, kind, command, None)


def resolve_over(context: typer.Context, kind: type[Chosen], command: str, base: Chosen | None) -> Chosen:
    """Build the options of a command over others that come first.

    Args:
        context: what was typed.
        kind: the options.
        command: the subcommand.
        base: values that only typed options replace, None for the defaults; `--config FILE` takes its place.

    Raises:
        UsageError: see `resolve`.
    """
    config = context.params.get("config")
    not_empty("--config", config, "a run.yaml")
    if config is not None:
        from ttd_core.config import load_config

        base = load_config(kind, Path(config), command)
    typed = {
        name: value
        for name, value in context.params.items()
        if name not in _NO_SETTINGS and (base is None or is_typed(context, name))
    }
    values = _parsed(typed)
    has_model = issubclass(kind, CommonOptions | EvaluateOptions | PreprocessOptions)
    model = {name: values.pop(name) for name in list(values) if has_model and name in _MODEL_FIELDS}
    if base is None:
        if has_model:
            values["model"] = ModelOptions(**model)
        return kind(**values)
    if isinstance(base, (CommonOptions, EvaluateOptions, PreprocessOptions)):
        values["model"] = dataclasses.replace(base.model, **model)
    return dataclasses.replace(base, **values)


def is_typed(context: typer.Context, name: str) -> bool:
    """Whether an option was given by the user, and is not a default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def _parsed(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Turn comma lists into tuples, and `--tags` and `--tag` into one list."""
    values = dict(typed)
    if "scales" in values:
        values["scales"] = parse_scales(values["scales"])
    for name in ("expect", "merge"):
        if name in values:
            values[name] = tuple(values[name]) if values[name] else None
    if values.get("unseen") is not None:
        values["unseen"] = tuple(part.strip() for part in values["unseen"].split(",") if part.strip())
    listed, single = values.pop("tags", None), values.pop("tag", None)
    if listed is not None or single:
        words = [] if listed is None else listed.split(",")
        values["tags"] = tuple(tag for tag in (word.strip() for word in (*words, *(single or ()))) if tag)
    return values


def parse_scales(text: str) -> tuple[float, ...]:
    """Read `1.0,0.5`.

    Raises:
        UsageError: an entry is no number.
    """
    scales = []
    for part in text.split(","):
        if not part.strip():
            continue
        try:
            scales.append(float(part))
        except ValueError:
            raise UsageError(
                f"--scales {text!r}: {part.strip()!r} is not a number", hint="e.g. --scales 1.0,0.5,1.5,2.0"
            ) from None
    return tuple(scales)
