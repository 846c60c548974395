"""What ends a distillation: a model taught by its own maps may come to agree with itself on nonsense.

| sign | looked at | limit |
|---|---|---|
| a picture's own caption is liked no better than others (`match`) | steps | below 0.6, chance is 0.5 |
| one picture over and over (`variety`) | steps | below 0.001 |
| maps lose their places (`spread`) | steps, held-out pairs | below a third of the start |
| hardly a word is selected (`selected`) | steps, held-out pairs | below 0.6 of the start |
| nearly every word is selected | steps, held-out pairs | above 0.95, and 0.1 above the start |
| all selected words share one map (`likeness`) | steps, held-out pairs | above 0.9, and 0.2 above the start |
| pictures lose their captions (`retrieval`) | held-out pairs | below half of the start |

The start is the model before the first step, measured on the held-out pairs; retrieval counts where it started at five
times chance or more. Of the steps a running mean is looked at, each new one weighing a tenth, after the first ten:
single batches vary. The limits were set on the generated scenes, where healthy runs with any distance and weight stay
far inside and `benchmarks/ttd_ablation.py --collapse` shows three that do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HELD = "held_"
"""What the figures of held-out pairs are called, before the names that the steps have."""

WARM = 10
"""Steps before a running mean counts."""
_WEIGHT = 0.1


@dataclass(frozen=True)
class Limits:
    """The limits of the table above.

    Args:
        match: least share of other captions that the own one must beat, 0..1.
        variety: least mean difference of pictures.
        spread, selected, retrieval: least share of the value at the start.
        most_selected, most_selected_rise: the largest share of selected words, and how far it must have risen.
        likeness, likeness_rise: the same for the correlation of word maps.
        chances: retrieval counts where it began at so many times chance.
    """

    match: float = 0.6
    variety: float = 0.001
    spread: float = 1 / 3
    selected: float = 0.6
    retrieval: float = 0.5
    most_selected: float = 0.95
    most_selected_rise: float = 0.1
    likeness: float = 0.9
    likeness_rise: float = 0.2
    chances: float = 5.0


class CollapseGuard:
    """A guard of the training loop; its memory travels with the checkpoint.

    Args:
        held_out: number of held-out pairs; of fewer than 10 retrieval is not judged.
        check_pairs: also look whether captions belong to their pictures, which a model with random weights cannot tell.
        limits: when to stop.
    """

    def __init__(self, held_out: int, check_pairs: bool = True, limits: Limits | None = None) -> None:
        self._held_out, self._check_pairs = held_out, check_pairs
        self._limits = limits or Limits()
        self._start: dict[str, float] = {}
        self._means: dict[str, float] = {}
        self._seen = 0

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"start": dict(self._start), "means": dict(self._means), "seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self._start, self._means, self._seen = dict(state["start"]), dict(state["means"]), int(state["seen"])

    def __call__(self, step: int, figures: Mapping[str, float]) -> str | None:
        """A sentence that ends the training, or None."""
        held = {name.removeprefix(HELD): value for name, value in figures.items() if name.startswith(HELD)}
        if held and not self._start:
            self._start = held
        reason = self._judge_held(held) if held else None
        if reason is None and "match" in figures:
            self._remember(figures)
            reason = self._judge_steps()
        return reason

    def _remember(self, figures: Mapping[str, float]) -> None:
        self._seen += 1
        weight = max(_WEIGHT, 1 / self._seen)
        for name in ("match", "variety", "spread", "selected", "likeness"):
            value = figures.get(name, math.nan)
            if math.isfinite(value):
                before = self._means.get(name, value)
                self._means[name] = before + weight * (value - before)

    def _judge_steps(self) -> str | None:
        if self._seen < WARM:
            return None
        means, limits = self._means, self._limits
        if means.get("variety", 1.0) < limits.variety:
            return f"the pictures of a batch are all alike (they differ by {abs(means['variety']):.4f})"
        if self._check_pairs and means.get("match", 1.0) < limits.match:
            return (
                f"captions do not belong to their pictures, or the model knows neither: it likes a picture's own "
                f"caption better than {means['match']:.0%} of the others, chance is 50%"
            )
        return self._judge_maps(means, "the last batches")

    def _judge_held(self, held: Mapping[str, float]) -> str | None:
        start, now = self._start.get("retrieval", math.nan), held.get("retrieval", math.nan)
        judged = self._held_out >= 10 and start >= self._limits.chances / self._held_out
        if judged and now < self._limits.retrieval * start:
            return (
                f"pictures no longer find their captions: {now:.1%} of {self._held_out} held-out pairs, "
                f"{start:.1%} before the first step"
            )
        return self._judge_maps(held, "held-out pairs")

    def _judge_maps(self, now: Mapping[str, float], where: str) -> str | None:
        limits, start = self._limits, self._start
        if not start or not {"spread", "selected", "likeness"} <= set(now):
            return None
        was = f"{where}; {{:.3g}} before the first step"
        if now["spread"] < limits.spread * start["spread"]:
            return f"maps lose their places: spread {now['spread']:.3g} on " + was.format(start["spread"])
        if now["selected"] < limits.selected * start["selected"]:
            return f"hardly a word is selected any more: a share of {now['selected']:.3g} on " + was.format(
                start["selected"]
            )
        if now["selected"] > max(limits.most_selected, start["selected"] + limits.most_selected_rise):
            return f"nearly every word is selected: a share of {now['selected']:.3g} on " + was.format(
                start["selected"]
            )
        if now["likeness"] > max(limits.likeness, start["likeness"] + limits.likeness_rise):
            return f"all selected words share one map: correlation {now['likeness']:.3g} on " + was.format(
                start["likeness"]
            )
        return None
