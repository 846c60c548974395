"""What does not go together with `--method`. Nothing here loads torch."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from ttd_core.errors import UsageError
from ttd_core.recipes.checks import finite, positive, share, whole
from ttd_core.recipes.methods import LOOKING, METHODS, Method, method_of, name_of, selection_of
from ttd_core.recipes.tagclip_presets import preset

MAX_POWER = 10
"""Largest power of the background in the published search."""


def check_method(options: Any, command: str) -> None:
    """Refuse what does not go with the method of the options.

    Args:
        options: a dataclass with `method`, `model`, `scorer` and fields of `LOOKING`.
        command: the subcommand; `evaluate` is checked once its task is known, see `check_task`.

    Raises:
        UsageError: an unknown method, a command or a model that it does not serve, an option that it does not take, or
            a number out of range.
    """
    method = method_of(options)
    name = f"--method {options.method}" if options.method == name_of(options) else f"--scorer {options.scorer}"
    if command != "evaluate" and command not in method.serves:
        raise UsageError(f"{name} does not serve ttd {command}", hint=_others(command))
    if method.models and options.model.model not in method.models:
        raise UsageError(
            f"{name} does not go with --model {options.model.model}: it runs on --model {' or '.join(method.models)}",
            hint=f"{method.example}; what other models see is drawn without {name}",
        )
    if options.model.model in method.needs_weights and options.model.weights is None:
        raise UsageError(
            f"{name} does not go with the built-in weights of --model {options.model.model}, which have no masker",
            hint=f"weights made by ttd train {name} --model {options.model.model}, or {method.example}",
        )
    refused = [each for each in LOOKING if each not in method.takes]
    for each in fields(options):
        if each.name in refused and getattr(options, each.name) != _default(each):
            raise not_taken(each.name, name_of(options))
    kind = options.scorer.partition(":")[0]
    if kind not in method.scorers:
        raise UsageError(
            f"--scorer {kind} does not go with --method {options.method}: {method.summary}",
            hint=f"one of {', '.join(method.scorers)}".replace("list", "list:FILE"),
        )
    if options.select == "auto" and not method.auto:
        raise UsageError(
            f"--select auto does not go with {name}, which scores no words of background beside the tags",
            hint=f"choose --method {' or '.join(other for other, entry in METHODS.items() if entry.auto)}",
        )
    preset(options.preset)
    _check_unused(options, method, name)
    _check_numbers(options)


def _check_unused(options: Any, method: Method, name: str) -> None:
    rule, threshold = method.selection or (None, None)
    # a recorded run states the method's own
    given = (("--select", options.select, rule), ("--threshold", options.threshold, threshold))
    for flag, value, usual in given:
        if not method.judges and value not in (None, usual):
            raise UsageError(
                f"{flag} does not go with {name}, which takes every text to be in the picture",
                hint=f"drop {flag}, or choose --method tagclip+clip-es",
            )
    # TagCLIP on the built-in model knows patches with and without neighbours
    tags_of_scenes = method.judges and options.model.model == "scenes"
    if method.own_features and options.model.dense is not None and not tags_of_scenes:
        raise UsageError(
            f"--dense does not go with {name}, which reads the image encoder in its own way",
            hint="drop --dense, or choose --method ttd",
        )


def check_background(options: Any) -> None:
    """Refuse a `--bg` out of the method's range.

    Raises:
        UsageError: naming the range.
    """
    if options.bg is None:
        return
    if not method_of(options).power_background:
        share("--bg", options.bg)
        return
    positive("--bg", options.bg)
    if options.bg > MAX_POWER:
        raise UsageError(
            f"--bg {options.bg:g} is out of range, expected a score below 1, or a power from 1 to {MAX_POWER}",
            hint=f"--method {name_of(options)} raises 1 - the strongest map to that power; published: 1",
        )


def check_selection(options: Any) -> None:
    """Refuse a `--threshold` that does not suit its rule.

    Raises:
        UsageError: naming what does.
    """
    rule, threshold = selection_of(options)
    if rule == "top":
        finite("--threshold", threshold)
        if threshold < 1 or threshold != int(threshold):
            raise UsageError(
                f"--threshold {threshold:g} does not go with --select top, which keeps a whole number of tags",
                hint="e.g. --select top --threshold 3",
            )
    elif rule == "fixed" and options.calibration == "none":
        finite("--threshold", threshold)  # plain cosines may be negative
    else:
        share("--threshold", threshold)


def _check_numbers(options: Any) -> None:
    if options.kp_weight is not None:
        share("--kp-weight", options.kp_weight)
    for flag, value in (("--window", options.window), ("--stride", options.stride)):
        if value is not None:
            whole(flag, value, at_least=1, at_most=16384)
    window, stride = options.window, options.stride
    if window is not None and stride is not None and stride > window:
        raise UsageError(
            f"windows of {window} pixels every {stride} pixels leave gaps",
            hint=f"e.g. --window {window} --stride {max(1, window // 2)}",
        )


def not_taken(option: str, name: str) -> UsageError:
    """The error for an option that a method has no use for."""
    flag = "--" + option.replace("_", "-")
    others = [other for other, entry in METHODS.items() if option in entry.takes]
    return UsageError(
        f"{flag} does not go with --method {name}: {METHODS[name].summary}",
        hint=f"drop {flag}" + (f", or choose --method {' or '.join(others)}" if others else ""),
    )


def check_task(name: str, task: str) -> None:
    """Refuse a task of `ttd evaluate` that a method does not serve.

    Raises:
        UsageError: naming those that do.
    """
    if task in METHODS[name].tasks:
        return
    others = [other for other, entry in METHODS.items() if task in entry.tasks]
    own = METHODS[name].tasks
    served = f"it serves --task {', '.join(own)}; " if own else ""
    raise UsageError(
        f"--method {name} cannot be measured by --task {task}",
        hint=f"{served}--task {task} takes --method {', '.join(others)}",
    )


def _others(command: str) -> str:
    return f"use --method {' or '.join(name for name, entry in METHODS.items() if command in entry.serves)}"


def _default(each: Any) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default
