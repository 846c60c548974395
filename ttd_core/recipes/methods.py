"""The ways from a picture and texts to maps and masks that `--method` chooses from.

`ttd` is the way of every model here: similarity maps read by a calibration (`ttd_core.recipes.maps`). Any other method
is one entry of `METHODS` and one module with a `MethodModel`, built when its first picture is looked at. Nothing here
loads torch: options are checked and completed before any model is.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

from ttd_core.errors import UsageError
from ttd_core.recipes.checks import share, whole
from ttd_core.registry import unknown_name

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ttd_core.ops.masks import Masks
    from ttd_core.recipes.maps import Looked
    from ttd_core.recipes.options import CommonOptions
    from ttd_core.recipes.session import Session
    from ttd_core.types import Picture

LOOKING = (
    "image_size", "scales", "hflip", "templates", "calibration", "logit_scale", "kp_weight", "window", "stride", "pamr",
    "crf",
)  # fmt: skip
"""Options that say how a picture is looked at. A method takes those it names; the others are refused beside it."""


class MethodModel(Protocol):
    """A method with its model loaded. Embeddings are whatever `embed` makes and the other functions understand."""

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        """K×D embeddings of K texts, each put into the templates of a set as it stands."""
        ...

    def look(self, picture: Picture, texts: torch.Tensor, caption: torch.Tensor | None) -> Looked:
        """Maps in 0..1 of K texts, and of the caption where there is one; bounded in size whatever the picture's."""
        ...

    def masks(self, maps: torch.Tensor, picture: Picture, background: float) -> Masks:
        """The decision at the picture's own size between maps that `look` has made."""
        ...

    def class_labels(self, picture: Picture, texts: torch.Tensor, background: float | None) -> np.ndarray:
        """H×W uint16 for K texts, however many. With a background 0 is it and text k is k + 1; without one k is k."""
        ...

    def described(self) -> dict[str, Any]:
        """What the options come to, in plain values, for the record of a run."""
        ...


@dataclass(frozen=True)
class Method:
    """One entry.

    Args:
        summary: what it is, in words.
        takes: options of `LOOKING` that it listens to.
        target: `module:function`, called with session and options, gives a `MethodModel`; None for `ttd`.
        serves: commands, out of `tags`, `masks` and `demo`.
        tasks: tasks of `ttd evaluate`.
        models: names of `--model` that it runs on; empty for all.
        needs_weights: those of them whose built-in weights will not do.
        example: options that name such a model.
        scorers: `--scorer`s that can decide about a caption's words.
        pixel: what the scorer `pixel`, the default, reads of `Looked`: the maximum of a text's map (`pixel`), or the
            method's own score of the whole picture (`image`).
        defaults: values of options that are not given, where they do not depend on the model.
        backgrounds: `--bg` where it is not given, without and with PAMR.
        classes_compete: every class of a list has its map in the decision, and those that win a pixel are the picture's
            tags; False where only classes whose score is selected do.
        verbatim: class names keep the blanks of their published list (ADE20K's `bed `), since its prompts have them.
    """

    summary: str
    takes: tuple[str, ...]
    target: str | None = None
    serves: tuple[str, ...] = ("tags", "masks", "demo")
    tasks: tuple[str, ...] = ("tags", "text", "masks", "classification", "bias")
    models: tuple[str, ...] = ()
    needs_weights: tuple[str, ...] = ()
    example: str = ""
    scorers: tuple[str, ...] = ("pixel", "image", "text", "nouns", "list")
    pixel: str = "pixel"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    backgrounds: tuple[float, float] = (0.4, 0.4)
    classes_compete: bool = False
    verbatim: bool = False


METHODS: dict[str, Method] = {
    "ttd": Method(
        "similarity maps of any model, read by its calibration",
        takes=("image_size", "scales", "hflip", "templates", "calibration", "logit_scale", "pamr", "crf"),
        defaults={"pamr": False},
    ),
    "tcl": Method(
        "TCL's published inference: windows, PAMR and the frozen CLIP's map in each",
        takes=("image_size", "templates", "kp_weight", "window", "stride", "pamr"),
        target="ttd_core.recipes.method_tcl:open_tcl",
        tasks=("tags", "text", "masks", "classification"),
        models=("tcl", "scenes"),
        needs_weights=("scenes",),
        example="--model tcl --weights tcl.pth",
        scorers=("pixel", "nouns", "list"),
        defaults={"pamr": True, "kp_weight": 0.3},
        backgrounds=(0.5, 0.4),
        classes_compete=True,
        verbatim=True,
    ),
}
"""Name -> entry, in the order of lists."""


class Looks(Protocol):
    """What the functions below read of `CommonOptions` and of `EvaluateOptions`."""

    @property
    def method(self) -> str: ...  # noqa: D102


class Scores(Looks, Protocol):
    """The same, for scorers."""

    @property
    def scorer(self) -> str: ...  # noqa: D102


def method_of(options: Looks) -> Method:
    """The entry that the options name.

    Raises:
        UsageError: there is none of this name.
    """
    if options.method not in METHODS:
        raise unknown_name("method", options.method, METHODS)
    return METHODS[options.method]


def setting(options: Looks, name: str) -> Any:
    """The value of an option: as given, else the method's own, None where it has none."""
    given = getattr(options, name, None)
    return method_of(options).defaults.get(name) if given is None else given


def with_pamr(options: Looks) -> bool:
    """Whether maps are refined with PAMR: those of masks and sheets; tags have no borders to refine."""
    return bool(setting(options, "pamr")) if hasattr(options, "pamr") else False


def pamr_of(options: Looks) -> bool | None:
    """The same for the record of a run, None where the method knows no PAMR."""
    return with_pamr(options) if "pamr" in method_of(options).takes else None


def background_of(options: Looks) -> float:
    """The score that a tag has to exceed: as given, else the method's own."""
    given: float | None = getattr(options, "bg", None)
    return method_of(options).backgrounds[with_pamr(options)] if given is None else given


def scorer_of(options: Scores) -> str:
    """What decides about words and classes: the scorer asked for, or what stands for `pixel` in the method."""
    return method_of(options).pixel if options.scorer == "pixel" else options.scorer


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
    name = f"--method {options.method}"
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
            raise not_taken(each.name, options.method)
    kind = options.scorer.partition(":")[0]
    if kind not in method.scorers:
        raise UsageError(
            f"--scorer {kind} does not go with {name}, which has maps only",
            hint=f"one of {', '.join(method.scorers)}".replace("list", "list:FILE"),
        )
    _check_numbers(options)


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
    raise UsageError(
        f"--method {name} cannot be measured by --task {task}",
        hint=f"it serves --task {', '.join(METHODS[name].tasks)}; --task {task} takes --method {', '.join(others)}",
    )


def open_method(session: Session, options: CommonOptions) -> MethodModel | None:
    """Build the method that the options name over a loaded model; None for `ttd`, which needs nothing besides.

    Raises:
        UsageError: the model lacks what the method needs.
    """
    target = method_of(options).target
    if target is None:
        return None
    module, _, function = target.partition(":")
    opened: MethodModel = getattr(importlib.import_module(module), function)(session, options)
    return opened


def names_for(flags: Collection[str]) -> str:
    """The methods that take one of these options, for help texts."""
    return ", ".join(name for name, entry in METHODS.items() if set(flags) & set(entry.takes))


def _others(command: str) -> str:
    return f"use --method {' or '.join(name for name, entry in METHODS.items() if command in entry.serves)}"


def _default(each: Any) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default
