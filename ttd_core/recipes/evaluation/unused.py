"""Options that would change nothing: refused, since whoever types one believes that it matters."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any

from ttd_core.errors import UsageError
from ttd_core.recipes.evaluation.options import EvaluateOptions
from ttd_core.recipes.method_checks import check_task
from ttd_core.recipes.methods import name_of

_OF_MODELS = (
    "model", "method", "image_size", "scales", "hflip", "templates", "calibration", "logit_scale", "kp_weight",
    "window", "stride", "preset", "pamr", "crf", "bg",
)  # fmt: skip
"""Fields that say how a model looks and is read."""

_OF_CAPTIONS = ("candidates", "stopwords", "tagger")
_OF_CLASSES = ("class_names", "names", "unseen", "averaging", "difficult")
_OF_MASKS = ("pamr", "crf", "bg")


def _all_with(reason: str, *groups: tuple[str, ...]) -> dict[str, str]:
    return dict.fromkeys((name for group in groups for name in group), reason)


_UNUSED: dict[str, dict[str, str]] = {
    "tags": _all_with("--task tags, which makes no masks and has no classes", _OF_CLASSES, _OF_MASKS),
    "text": _all_with("--task text, which has no classes", _OF_CLASSES),
    "masks": _all_with(
        "--task masks, which decides pixels among classes",
        _OF_CAPTIONS, ("scorer", "select", "threshold", "difficult"),
    ),
    "classification": _all_with("--task classification", _OF_CAPTIONS, _OF_MASKS, ("unseen", "averaging")),
    "bias": _all_with("--task bias", _OF_CLASSES, ("scorer",)),
}  # fmt: skip
"""Task -> fields that change nothing there -> why."""


def _default(field_: Field[Any]) -> Any:
    return field_.default_factory() if field_.default_factory is not MISSING else field_.default


def refuse_unused(options: EvaluateOptions, task: str) -> None:
    """Refuse what the task does not listen to; a published row may state more than its task needs.

    Args:
        options: as typed.
        task: what is measured.

    Raises:
        UsageError: naming the option.
    """
    if options.pred is None and options.merge is None:
        check_task(name_of(options), task)
    if options.select == "auto" and task == "classification":
        raise UsageError(
            "--select auto does not go with --task classification, which keeps the classes' scores alone",
            hint="--select range",
        )
    if options.recipe is not None or options.merge is not None:
        return
    unused = dict(_UNUSED.get(task, {}))
    if options.pred is not None:
        unused |= dict.fromkeys(_OF_MODELS, "--pred, whose answers are finished")
    for each in fields(EvaluateOptions):
        if each.name in unused and getattr(options, each.name) != _default(each):
            flag = "--" + each.name.replace("_", "-")
            raise UsageError(f"{flag} does not go with {unused[each.name]}", hint=f"drop {flag}")
