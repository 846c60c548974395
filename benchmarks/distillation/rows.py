"""Settings whose effect on the built-in model is measured: the rows of the table, and those that were searched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ttd_core.clip.lora import TARGETS


@dataclass(frozen=True)
class Row:
    """One setting.

    Args:
        loss: options of `TtdConfig`.
        variant: options of `distillation.variants.Variant`; empty for the method as the program has it.
        spoiled: how the pairs are spoiled, to show the guard.
        The others are those of `ttd train`.
    """

    name: str
    group: str
    loss: dict[str, Any] = field(default_factory=dict)
    variant: dict[str, Any] = field(default_factory=dict)
    steps: int = 100
    lr: float = 3e-4
    rank: int = 8
    targets: tuple[str, ...] = TARGETS
    towers: str = "both"
    maps: str | None = None
    calibration: str | None = None
    stopwords: bool = True
    seeds: tuple[int, ...] = (0,)
    spoiled: str | None = None


BOTH = {"distill_weight": 1.0}
TAG, DISTILL = {"distill_weight": 0.0}, {"tag_weight": 0.0, "distill_weight": 1.0}
VIEWS = {"scales": (1.0, 4 / 3), "hflip": True}
THREE = (0, 1, 2)


def table_rows() -> list[Row]:
    """Every row of the table, the main ones first."""
    found = [
        Row("both, weight 0.2", "main", seeds=THREE),
        Row("both, weight 1", "main", BOTH, seeds=THREE),
        Row("L_tag only", "main", TAG, seeds=THREE),
        Row("L_distill only", "main", DISTILL, seeds=THREE),
        Row("text encoder only", "towers", towers="text", seeds=THREE),
        Row("text encoder only, weight 1", "towers", BOTH, towers="text"),
        Row("text encoder only, lr 1e-3", "towers", towers="text", lr=1e-3),
        Row("text encoder only, weight 1, mse", "chosen", {"distance": "mse", **BOTH}, towers="text", seeds=THREE),
        Row(
            "text encoder only, weight 5, mse",
            "chosen",
            {"distance": "mse", "distill_weight": 5.0},
            towers="text",
            seeds=THREE,
        ),
        Row(
            "text encoder only, weight 5, caption's own sigmoid",
            "chosen",
            {"distill_weight": 5.0},
            {"caption_sigmoid": True},
            towers="text",
            seeds=THREE,
        ),
        Row("image encoder only", "towers", towers="image"),
        Row("attention only", "search", targets=("in_proj", "out_proj")),
        Row("weight 1, lr 1e-4", "search", BOTH, lr=1e-4),
        Row("lr 1e-4", "rate", lr=1e-4),
        Row("lr 1e-3", "rate", lr=1e-3),
        Row("threshold 0.7", "threshold", {"threshold": 0.7}),
        Row("threshold 0.9", "threshold", {"threshold": 0.9}),
        Row("weight 1, threshold 0.7", "search", {"threshold": 0.7, **BOTH}),
    ]
    found += [Row(f"distance {kind}", "distance", {"distance": kind}) for kind in ("mse", "l1", "bce")]
    found += [Row(f"rank {rank}", "rank", rank=rank) for rank in (2, 32)]
    found += [Row(f"{steps} steps", "steps", steps=steps) for steps in (30, 300)]
    found += [
        Row(f"selected by softmax, {name}", "selection", loss, calibration="softmax")
        for name, loss in (("weight 0.2", {}), ("weight 1", BOTH), ("L_tag only", TAG), ("L_distill only", DISTILL))
    ]
    softmax: dict[str, Any] = {"group": "selection", "calibration": "softmax"}
    found += [
        Row("selected by softmax, weight 1, image encoder only", loss=BOTH, towers="image", **softmax),
        Row("selected by softmax, weight 1, attention only", loss=BOTH, targets=("in_proj", "out_proj"), **softmax),
        Row(
            "selected by softmax, weight 1, threshold 0.7, lr 1e-4", loss={"threshold": 0.7, **BOTH}, lr=1e-4, **softmax
        ),
        Row("selected by softmax, weight 1, L1, lr 1e-4", loss={"distance": "l1", **BOTH}, lr=1e-4, **softmax),
        Row("selected by softmax, weight 1, stop words as candidates", loss=BOTH, stopwords=False, **softmax),
        Row("plain cosines, softmax", "maps", maps="cosine", calibration="softmax"),
        Row("plain cosines, softmax, weight 1", "maps", BOTH, maps="cosine", calibration="softmax"),
        Row("targets of 96+128 px, mirrored too, weight 0.2", "views", VIEWS),
        Row("targets of 96+128 px, mirrored too, weight 1", "views", {**VIEWS, **BOTH}),
        Row("stop words as candidates", "candidates", stopwords=False),
    ]
    return found


def collapse_rows() -> list[Row]:
    """Three trainings that the guard must end."""
    return [
        Row("learning rate x100", "collapse", lr=3e-2),
        Row("captions of other pictures", "collapse", spoiled="shuffled"),
        Row("one repeated picture", "collapse", spoiled="repeated"),
    ]


def search_rows() -> list[Row]:
    """What was tried beyond the table, judged on `scenes:val` alone."""
    text: dict[str, Any] = {"towers": "text", "group": "text"}
    views = {**VIEWS, "distill_weight": 1.0}
    own = {"caption_sigmoid": True}
    return [
        Row("text", loss=BOTH, **text),
        Row("text, views", loss=views, **text),
        Row("text, views, frozen", loss=views, variant={"frozen": True}, **text),
        Row("text, views, frozen, lr 1e-3", loss=views, variant={"frozen": True}, lr=1e-3, **text),
        Row("text, own sigmoid, weight 5", loss={"distill_weight": 5.0}, variant=own, **text, seeds=THREE),
        Row("text, views, weight 5", loss={**views, "distill_weight": 5.0}, **text),
        Row(
            "text, views, frozen, lr 1e-3, undecided",
            loss=views,
            variant={"frozen": True, "undecided": 0.4},
            lr=1e-3,
            **text,
        ),
        Row("text, views, own sigmoid", loss=views, variant=own, **text),
        Row("text, views, own sigmoid, lr 1e-3", loss=views, variant=own, lr=1e-3, **text),
        Row("text, views, own sigmoid, frozen", loss=views, variant={**own, "frozen": True}, **text),
        Row("text, views, own sigmoid, squared", loss=views, variant={**own, "power": 2.0}, **text),
        Row("text, views, own sigmoid, undecided 0.35", loss=views, variant={**own, "undecided": 0.35}, **text),
        Row("text, views, own sigmoid, rejected x3", loss=views, variant={**own, "rejected": 3.0}, **text),
        Row("text, views, own sigmoid, rejected x0.3", loss=views, variant={**own, "rejected": 0.3}, **text),
        Row("text, views, own sigmoid, threshold 0.6", loss={**views, "threshold": 0.6}, variant=own, **text),
        Row("text, views, own sigmoid, weight 5", loss={**views, "distill_weight": 5.0}, variant=own, **text),
        Row("text, views, own sigmoid, lr 1e-4", loss=views, variant=own, lr=1e-4, **text),
        Row("text, views, mse", loss={**views, "distance": "mse"}, **text),
        Row("text, views, own sigmoid, L_distill", loss={**VIEWS, **DISTILL}, variant=own, **text),
        Row("text, views, own sigmoid, ema 0.95", loss=views, variant={**own, "ema": 0.95}, **text),
        *_combined(),
        *_without_views(),
    ]


def _without_views() -> list[Row]:
    """The caption's own sigmoid on the picture as it is, the cheapest of what helped."""
    own = {"caption_sigmoid": True}
    strong, mse = {"distill_weight": 5.0}, {"distance": "mse"}
    mixed = {**own, "caption_distance": "bce-affine"}
    found = [
        Row("text, own sigmoid, weight 5, undecided 0.35", "plain", strong, {**own, "undecided": 0.35}, towers="text"),
        Row("text, own sigmoid, weight 5, threshold 0.4", "plain", {**strong, "threshold": 0.4}, own, towers="text"),
        Row("text, own sigmoid, weight 5, lr 5e-4", "plain", strong, own, lr=5e-4, towers="text"),
        Row("text, own sigmoid, weight 2", "plain", {"distill_weight": 2.0}, own, towers="text"),
        Row("text, mse", "plain", {**BOTH, **mse}, towers="text", seeds=THREE),
        Row("text, mse, weight 0.2", "plain", mse, towers="text"),
        Row("text, mse, lr 5e-4", "plain", {**BOTH, **mse}, lr=5e-4, towers="text"),
        Row("text, mse, undecided 0.35", "plain", {**BOTH, **mse}, {"undecided": 0.35}, towers="text"),
        Row("text, mse, own sigmoid, weight 1", "plain", {**BOTH, **mse}, mixed, towers="text"),
        Row("text, mse, own sigmoid, weight 0.2", "plain", mse, mixed, towers="text"),
        Row("text, mse, weight 5", "plain", {**strong, **mse}, towers="text", seeds=THREE),
        Row("text, views, mse, weight 5", "plain", {**VIEWS, **strong, **mse}, towers="text"),
        Row("text, views, mse, undecided 0.35", "plain", {**VIEWS, **BOTH, **mse}, {"undecided": 0.35}, towers="text"),
        Row("both encoders, own sigmoid, weight 5", "plain", strong, own),
        Row("both encoders, mse", "plain", {**BOTH, **mse}),
    ]
    return found


def _combined() -> list[Row]:
    """Of what helped above, two and three together."""
    found = []
    tried: tuple[tuple[str, dict[str, Any], dict[str, Any], float], ...] = (
        ("weight 5, undecided 0.35", {"distill_weight": 5.0}, {"undecided": 0.35}, 3e-4),
        ("undecided 0.25", {}, {"undecided": 0.25}, 3e-4),
        ("rejected x0.1", {}, {"rejected": 0.1}, 3e-4),
        ("weight 5, rejected x0.3", {"distill_weight": 5.0}, {"rejected": 0.3}, 3e-4),
        ("weight 5, undecided, rejected x0.3", {"distill_weight": 5.0}, {"undecided": 0.35, "rejected": 0.3}, 3e-4),
        ("weight 5, threshold 0.4", {"distill_weight": 5.0, "threshold": 0.4}, {}, 3e-4),
        ("weight 5, undecided 0.35, lr 5e-4", {"distill_weight": 5.0}, {"undecided": 0.35}, 5e-4),
        ("weight 20", {"distill_weight": 20.0}, {}, 3e-4),
    )
    for name, loss, variant, lr in tried:
        loss, variant = {**VIEWS, "distill_weight": 1.0, **loss}, {"caption_sigmoid": True, **variant}
        found.append(Row(f"text, views, own sigmoid, {name}", "combined", loss, variant, lr=lr, towers="text"))
    return found
