"""The ways from a picture and texts to maps and masks that `--method` chooses from.

`ttd` is the way of every model here: similarity maps read by a calibration (`ttd_core.recipes.maps`). Any other method
is one entry of `METHODS` and one module with a `MethodModel`, built when its first picture is looked at. Nothing here
loads torch: options are checked and completed before any model is.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ttd_core.recipes.tagclip_presets import preset
from ttd_core.registry import unknown_name

if TYPE_CHECKING:
    from ttd_core.recipes.method_model import MethodModel
    from ttd_core.recipes.options import CommonOptions
    from ttd_core.recipes.session import Session

LOOKING = (
    "image_size", "scales", "hflip", "templates", "calibration", "logit_scale", "kp_weight", "window", "stride",
    "preset", "pamr", "crf",
)  # fmt: skip
"""Options that say how a picture is looked at. A method takes those it names; the others are refused beside it."""


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
        power_background: a background of 1 or more is a power of 1 − the strongest map.
        selection: `--select` and `--threshold` where they are not given; None takes the preset's range.
        selects: the tags listed for a picture have to be selected, too.
        auto: `--select auto` is possible, since words of background are scored beside the tags.
        similarity: maps are the model's own similarities, read by its calibration.
        classes_compete: every class of a list has its map in the decision, and those that win a pixel are the picture's
            tags; False where only classes whose score is selected do.
        judges: scores decide which texts are tags; False where all texts are taken to be in the picture.
        own_features: reads the encoder's blocks itself, so that no dense strategy of CLIP takes part.
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
    power_background: bool = False
    selection: tuple[str, float] | None = ("fixed", 0.5)
    selects: bool = False
    auto: bool = False
    similarity: bool = False
    pixel: str = "pixel"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    backgrounds: tuple[float, float] = (0.4, 0.4)
    classes_compete: bool = False
    judges: bool = True
    own_features: bool = False
    verbatim: bool = False


METHODS: dict[str, Method] = {
    "ttd": Method(
        "similarity maps of any model, read by its calibration",
        takes=("image_size", "scales", "hflip", "templates", "calibration", "logit_scale", "pamr", "crf"),
        defaults={"pamr": False},
        similarity=True,
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
    "tagclip": Method(
        "TagCLIP's tags, refined along attention and checked on crops",
        takes=("image_size", "templates", "logit_scale", "preset"),
        target="ttd_core.recipes.method_tagclip:open_tagclip",
        serves=("tags", "demo"),
        tasks=("tags", "classification"),
        scorers=("pixel", "tagclip"),
        pixel="image",
        selection=None,
        auto=True,
        own_features=True,
    ),
    "clip-es": Method(
        "CLIP-ES's maps of known tags",
        takes=("image_size", "scales", "templates", "logit_scale", "preset", "crf"),
        target="ttd_core.recipes.method_clip_es:open_clip_es",
        serves=("masks", "demo"),
        tasks=(),
        scorers=("pixel", "nouns", "list"),
        pixel="image",
        backgrounds=(1.0, 1.0),
        power_background=True,
        judges=False,
        own_features=True,
    ),
    "tagclip+clip-es": Method(
        "TagCLIP's tags, then CLIP-ES's maps of them",
        takes=("image_size", "scales", "templates", "logit_scale", "preset", "crf"),
        target="ttd_core.recipes.method_tag_masks:open_tagged_clip_es",
        serves=("masks", "demo"),
        tasks=("masks",),
        scorers=("pixel", "tagclip"),
        pixel="image",
        backgrounds=(1.0, 1.0),
        power_background=True,
        selection=None,
        selects=True,
        auto=True,
        own_features=True,
    ),
    "tagclip+ttd": Method(
        "TagCLIP's tags, then the model's own maps of them",
        takes=("image_size", "scales", "hflip", "templates", "calibration", "logit_scale", "preset", "pamr", "crf"),
        target="ttd_core.recipes.method_tag_masks:open_tagged_ttd",
        serves=("masks", "demo"),
        tasks=("tags", "text", "masks"),
        scorers=("pixel", "tagclip"),
        pixel="image",
        defaults={"pamr": False},
        selection=None,
        selects=True,
        auto=True,
        similarity=True,
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


def name_of(options: Looks) -> str:
    """The method's name; the scorer `tagclip` stands for it, with the model's own maps where masks are made.

    Raises:
        UsageError: there is none of this name.
    """
    if options.method not in METHODS:
        raise unknown_name("method", options.method, METHODS)
    if options.method == "ttd" and getattr(options, "scorer", "pixel") == "tagclip":
        return "tagclip+ttd" if hasattr(options, "pamr") else "tagclip"
    return options.method


def method_of(options: Looks) -> Method:
    """The entry that the options name.

    Raises:
        UsageError: there is none of this name.
    """
    return METHODS[name_of(options)]


def selection_of(options: Any) -> tuple[str, float]:
    """The rule that keeps tags, and its threshold: as given, else the method's own.

    Args:
        options: with `select`, `threshold` and `preset`.
    """
    own = method_of(options).selection or ("range", preset(options.preset).threshold)
    rule = own[0] if options.select is None else options.select
    if options.threshold is not None:
        return rule, options.threshold
    return rule, own[1] if rule == own[0] or (rule, own[0]) == ("auto", "range") else 0.5


def setting(options: Looks, name: str) -> Any:
    """The value of an option: as given, else the method's own, None where it has none."""
    given = getattr(options, name, None)
    return method_of(options).defaults.get(name) if given is None else given


def selection_stated(options: Any) -> dict[str, Any]:
    """`select` and `threshold` as they enter a run's name: None where they are the method's own, however spelled."""
    found = selection_of(options)
    own = selection_of(replace(options, select=None, threshold=None))
    return {
        name: None if value == usual else value
        for name, value, usual in zip(("select", "threshold"), found, own, strict=True)
    }


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
    return method_of(options).pixel if options.scorer in ("pixel", "tagclip") else options.scorer


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
