"""Published figures with the settings behind them: one YAML file per row under `ttd_core/published/<system>/`.

The file's path is the row's name (`ttd/voc2012`). Names are listed from the file names alone; a row is read when it is
asked for. No torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from ttd_core.config import from_mapping
from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.options import EvaluateOptions, Task
from ttd_core.recipes.evaluation.summary import METRICS
from ttd_core.registry import unknown_name
from ttd_core.yaml_files import Lines, parse_yaml

SYSTEMS = {
    "scenes": "the built-in model on the built-in benchmark",
    "ttd": "TTD: text-tag self-distillation (ECCV 2024)",
    "tcl": "TCL: text-grounded contrastive learning (CVPR 2023)",
    "tagclip": "TagCLIP, local to global (AAAI 2024)",
    "reclip": "ReCLIP (CVPR 2024)",
    "reclip++": "ReCLIP++ (arXiv 2408.06747)",
    "trusty": "TagCLIP with a trusty token, and its baseline ZegCLIP",
}
"""Folder of rows -> what it is, in the order of lists."""

ARRIVALS = {
    "reclip": "ReCLIP's rectification and its students",
    "trusty": "ZegCLIP and the trusty token",
}
"""Word of `arrives` -> what a later release brings."""

PROTOCOL = (
    "size", "window", "stride", "scales", "flip", "candidates", "captions", "selection", "tags", "refinement", "filter",
    "weighting", "activation", "normalisation", "background", "templates", "training", "truth", "labels", "counting",
)  # fmt: skip
"""Plain facts that a row may state about its protocol."""

_OWN = ("task", "data", "recipe", "root", "expect", "shard", "merge", "out", "run_root", "limit", "allow_missing")
_REQUIRED = ("title", "system", "method", "task", "data", "options", "published", "source")
_LISTING = "show all: ttd evaluate --list"


@dataclass(frozen=True)
class Quoted:
    """The same figure as somebody else gives it.

    Args:
        where: who.
        value: in the figure's unit.
    """

    where: str = ""
    value: float = math.nan


@dataclass(frozen=True)
class Figure:
    """A published figure.

    Args:
        value: what a run is held to.
        tolerance: how far a run may lie from it, in the same unit.
        unit: `percent` or `fraction`, as in `METRICS`.
        also: other values in print, which the tolerance is not about.
    """

    value: float = math.nan
    tolerance: float = math.nan
    unit: str = ""
    also: tuple[Quoted, ...] = ()


@dataclass(frozen=True)
class NeededFile:
    """A file or folder that a row needs and the program does not bring.

    Args:
        file: the name under which it is looked for in the working directory.
        option: how to name another place: `--weights`, or `--scorer list:FILE`.
        source: where it comes from, in words.
        fetched: it is downloaded when it is first used.
    """

    file: str = ""
    option: str = ""
    source: str = ""
    fetched: bool = False


@dataclass(frozen=True)
class Needs:
    """What must be on the machine.

    Args:
        weights: weights and adapters.
        files: other files.
        data: the data set's folder in words; None where nothing is needed.
    """

    weights: tuple[NeededFile, ...] = ()
    files: tuple[NeededFile, ...] = ()
    data: str | None = None


@dataclass(frozen=True)
class PublishedRow:
    """One row of a published table.

    Args:
        name: `<system>/<row>`.
        title: one line for people.
        system: one of `SYSTEMS`.
        method: what computes it.
        task, data: see `EvaluateOptions`.
        source: table or read-me, and whether it was read there or at second hand.
        arrives: None where this release computes it, else the word of `ARRIVALS` for what it waits for.
        classes: which names are prompted, in words.
        names: system whose spellings those are (see `class_lists.names_for`); None for the data set's own.
        remarks: what a reader of the figure should know.
        needs: what must be on the machine.
        options: other fields of `EvaluateOptions`, as plain values.
        protocol: the facts that options do not say, by the words of `PROTOCOL`.
        published: key of `METRICS` -> figure; empty where only a gain was printed.
    """

    name: str = ""
    title: str = ""
    system: str = ""
    method: str = ""
    task: Task = "tags"
    data: str = ""
    source: str = ""
    arrives: str | None = None
    classes: str | None = None
    names: str | None = None
    remarks: str | None = None
    needs: Needs = field(default_factory=Needs)
    options: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, Figure] = field(default_factory=dict)


@cache
def published_names() -> tuple[str, ...]:
    """The names of all rows, by system and then by alphabet. Reads no file."""
    folder = resources.files("ttd_core").joinpath("published")
    return tuple(
        f"{system}/{stem}"
        for system in SYSTEMS
        for stem in sorted(
            entry.name.removesuffix(".yaml")
            for entry in folder.joinpath(system).iterdir()
            if entry.name.endswith(".yaml")
        )
    )


@cache
def published_row(name: str) -> PublishedRow:
    """Read a row.

    Raises:
        UsageError: there is no such row; the hint shows near matches.
    """
    if name not in published_names():
        raise unknown_name("recipe", name, published_names(), _LISTING)
    system, _, row = name.partition("/")
    file = resources.files("ttd_core").joinpath("published").joinpath(system).joinpath(f"{row}.yaml")
    return parse_row(file.read_text(encoding="utf-8"), name)


def parse_row(text: str, name: str) -> PublishedRow:
    """Read a row from the text of its file.

    Args:
        text: YAML.
        name: `<system>/<row>`.

    Raises:
        UsageError: a key is missing or unknown, or a value is not right; names the key and its line.
    """
    values, lines = parse_yaml(text, name)
    absent = [key for key in _REQUIRED if key not in values]
    if absent:
        raise UsageError(f"{name}: {' and '.join(absent)} missing", hint=f"every row states {', '.join(_REQUIRED)}")
    plain = {key: value for key, value in values.items() if key not in ("options", "protocol", "published", "name")}
    if "name" in values:
        raise UsageError(f"{name}, line {lines['name']}: a row is named by its file", hint="leave name out")
    row = dataclasses.replace(
        from_mapping(PublishedRow, plain, name, lines),
        name=name,
        options=_section(values, "options", name),
        protocol=_protocol(_section(values, "protocol", name), name),
        published=_figures(_section(values, "published", name), name, lines),
    )
    _check(row)
    evaluate_options(row)
    return row


def row_options(row: PublishedRow) -> dict[str, Any]:
    """The fields of `EvaluateOptions` that a row sets, converted to their types (`model` to `ModelOptions`)."""
    chosen = evaluate_options(row)
    own = ("recipe", "task", "data", *(["names"] if row.names else []), *row.options)
    return {name: getattr(chosen, name) for name in own}


def evaluate_options(row: PublishedRow) -> EvaluateOptions:
    """The options of a row, with the defaults of all that it leaves open.

    Raises:
        UsageError: an option is unknown, belongs to the run and not to the row, or is out of range.
    """
    foreign = [key for key in row.options if key in _OWN]
    if foreign:
        raise UsageError(f"{row.name}: {foreign[0]} is not for `options`", hint=f"not there: {', '.join(_OWN)}")
    return from_mapping(
        EvaluateOptions,
        {"names": row.names, **row.options, "task": row.task, "data": row.data, "recipe": row.name},
        row.name,
    )


def expectations(row: PublishedRow) -> tuple[str, ...]:
    """The published figures as `--expect` takes them: `metric=value:tolerance`."""
    return tuple(f"{key}={figure.value!r}:{figure.tolerance!r}" for key, figure in row.published.items())


def _section(values: Mapping[str, Any], key: str, name: str) -> dict[str, Any]:
    section = values.get(key)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise UsageError(f"{name}: {key}: expected a section of `key: value` lines")
    return section


def _protocol(facts: Mapping[str, Any], name: str) -> dict[str, str]:
    for key, fact in facts.items():
        if key not in PROTOCOL:
            error = unknown_name("fact", key, PROTOCOL)
            raise UsageError(f"{name}: protocol: {error.message}", hint=error.hint)
        if not isinstance(fact, str):
            raise UsageError(f"{name}: protocol.{key}: expected text", hint=f'write {key}: "{fact}"')
    return dict(facts)


def _figures(section: Mapping[str, Any], name: str, lines: Lines) -> dict[str, Figure]:
    figures = {}
    for metric, values in section.items():
        if metric not in METRICS:
            error = unknown_name("metric", metric, METRICS)
            raise UsageError(f"{name}: published: {error.message}", hint=error.hint)
        if not isinstance(values, dict):
            raise UsageError(f"{name}: published.{metric}: expected value, tolerance and unit")
        inner = {key.removeprefix(f"published.{metric}."): line for key, line in lines.items()}
        figure = from_mapping(Figure, values, f"{name}: published.{metric}", inner)
        _check_figure(figure, METRICS[metric][0], f"{name}: published.{metric}")
        figures[metric] = figure
    return figures


def _check_figure(figure: Figure, unit: str, where: str) -> None:
    if figure.unit != unit:
        raise UsageError(f"{where}: unit {figure.unit!r} is not that of the metric", hint=f"write unit: {unit}")
    top = 100.0 if unit == "percent" else 1.0
    for value in (figure.value, *(quoted.value for quoted in figure.also)):
        if not 0 <= value <= top:  # also where it is missing, i.e. NaN
            raise UsageError(f"{where}: value {value:g} is out of range, expected 0 to {top:g}")
    if not 0 < figure.tolerance <= top / 20:
        raise UsageError(f"{where}: tolerance {figure.tolerance:g} is out of range, expected up to {top / 20:g}")


def _check(row: PublishedRow) -> None:
    if row.system not in SYSTEMS or row.system != row.name.partition("/")[0]:
        raise UsageError(f"{row.name}: system {row.system!r} is not its folder")
    if row.arrives is not None and row.arrives not in ARRIVALS:
        raise UsageError(f"{row.name}: arrives {row.arrives!r}, expected one of {', '.join(ARRIVALS)}")
    if not row.published and not row.remarks:
        raise UsageError(f"{row.name}: no figure and no remark", hint="say in remarks why there is none")
    _check_needed((*row.needs.weights, *row.needs.files), row.name)


def _check_needed(files: Sequence[NeededFile], name: str) -> None:
    for needed in files:
        if not needed.file or "/" in needed.file or "\\" in needed.file:
            raise UsageError(f"{name}: needs: {needed.file!r} is no plain file name")
        if not needed.option.startswith("--") or not needed.source:
            raise UsageError(f"{name}: needs: {needed.file} lacks the option that names it, or its source")
