"""The single tag bias meter: does a caption stand for all of its tags, or for one of them?

Contrastive training compares a whole caption with a whole picture, and one tag can be enough to win that comparison.
The caption's vector then lies near the vector of its strongest tag, and its map shows that tag's place alone. The
meter is ours; its parts follow the measurements of `scenes.md` 4.

**Reference tags** of a caption are the tags that its picture shows: with a truth the visible ones, without one those
kept by pixel scoring. Captions with fewer than two cannot prefer one and are counted but not measured.

**Headline.** A map's *lead* is its highest correlation (Pearson, over places) with the map of a reference tag, less the
mean of its correlations with the maps of the other reference tags. Tags lie in different places, so that no map follows
all of them fully, and the lead of a caption's map is read between two others made of the same maps:

- *even*: the mean of the reference tags' maps, which is the map of the mean of their vectors;
- *single*: the map of the tag that the caption's map correlates with most.

With sums over captions

    bias = 100 · Σ (lead - lead_even) / Σ (lead_single - lead_even), held to 0..100

is 0 where captions prefer their strongest tag no more than the even mean does and 100 where they are as good as
nothing but that tag. Correlations do not change with the scale or the offset of a map, so models with other
calibrations can be compared. The headline does not say how well the maps are followed (`follow_best` does) nor whether
they are right. A caption is undefined, and counted as such, where its own map or all but one of the tags' maps are
flat, or where the single map leads no further than the even one.

**Beside it**, all over the measured captions:

- `share_image`, `share_text`: percent of the reference tags that image and text scoring keep at the same rule, pooled;
  `bias_image`, `bias_text`: 100 less these. A softmax over the candidates has one winner whatever the vector, so at a
  threshold of 0.5 these depend on the reading as well as on the model.
- `effective_tags`: exp of the entropy of the text scores, normalised to sum 1 over the reference tags (for a softmax
  reading: the softmax over these tags): from 1, one tag has it all, up to their number, `reference_tags`.
- `follow_best`, `follow_worst`: the caption's highest and lowest correlation, means over captions; `bias_baselines` has
  the same for the even and the single map.
- with masks, `cover_best`, `cover_worst`: percent of the best and of the worst covered visible tag's mask that lies in
  the caption's mask; `cover_all` is the caption mask's share of the picture, and what a mask without any knowledge
  would cover of every tag on average.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Row = Mapping[str, Any]
SCORINGS = ("pixel", "image", "text")
_FLAT = 1e-6
_DIGITS = 6


def bias_row(
    kept: Mapping[str, Sequence[bool]],
    text_scores: ArrayLike,
    caption_map: np.ndarray,
    tag_maps: np.ndarray,
    visible: Sequence[bool] | None = None,
) -> dict[str, Any]:
    """What the meter reads off one caption, in plain numbers for JSON.

    Args:
        kept: for each of `SCORINGS` whether it keeps the candidate; K bools each.
        text_scores: K calibrated text scores of at least 0; NaN for candidates without one.
        caption_map: h×w cosines of the caption (or any increasing linear function of them).
        tag_maps: K×h×w cosines of the candidates.
        visible: K bools, whether the picture shows the candidate; None takes what pixel scoring keeps.

    Returns:
        `reference`, the number of reference tags, and for two or more of them: `pixel`, `image` and `text`, how many
        of them the scorings keep; `effective`; `follow`, `even` and `single`, correlations of these three maps with
        the tags' maps in descending order, flat ones left out; `bias`, the headline of this caption alone, percent.
        `effective` and `bias` are None where they are not defined.

    Raises:
        ValueError: parts of different length or size.
    """
    scores = np.asarray(text_scores, dtype=np.float64)
    decisions = {name: np.asarray(kept[name], dtype=bool) for name in SCORINGS}
    reference = decisions["pixel"] if visible is None else np.asarray(visible, dtype=bool)
    lengths = {len(scores), len(reference), len(tag_maps), *map(len, decisions.values())}
    if len(lengths) > 1 or tag_maps.shape[1:] != caption_map.shape:
        raise ValueError(f"scores, decisions and maps of one caption differ in number ({sorted(lengths)}) or size")
    row: dict[str, Any] = {"reference": int(reference.sum())}
    if row["reference"] < 2:
        return row
    row |= {name: int((chosen & reference).sum()) for name, chosen in decisions.items()}
    row["effective"] = _effective_number(scores[reference])
    row |= _following(caption_map, tag_maps[reference])
    row["bias"] = _headline([row])
    return row


def coverage_row(caption_mask: np.ndarray, tag_masks: np.ndarray) -> dict[str, float]:
    """How much of its visible tags a caption's mask covers; add it to the caption's `bias_row`.

    Args:
        caption_mask: H×W bool, by default the caption's map at 0.5.
        tag_masks: K×H×W bool, true masks of the visible tags; empty masks are left out.

    Returns:
        `cover_best`, `cover_worst` and `cover_all`, fractions in 0..1; nothing with fewer than two masks.

    Raises:
        ValueError: masks of another size.
    """
    if tag_masks.shape[1:] != caption_mask.shape:
        raise ValueError(f"a caption mask of {caption_mask.shape} against tag masks of {tag_masks.shape[1:]}")
    sizes = tag_masks.sum(axis=(1, 2))
    if int((sizes > 0).sum()) < 2:
        return {}
    inside = (tag_masks & caption_mask).sum(axis=(1, 2))
    shares = inside[sizes > 0] / sizes[sizes > 0]
    values = {"cover_best": shares.max(), "cover_worst": shares.min(), "cover_all": caption_mask.mean()}
    return {name: round(float(value), _DIGITS) for name, value in values.items()}


def bias_summary(rows: Iterable[Row]) -> dict[str, float]:
    """The meter's reading over a set, from the rows of its captions; see the head of this module.

    Returns:
        `bias`, `share_pixel`, `share_image`, `share_text`, `bias_image`, `bias_text` and, where rows have them,
        `cover_best`, `cover_worst`, `cover_all` in percent; `effective_tags` and `reference_tags` per caption;
        `follow_best` and `follow_worst` in -1..1. NaN where no caption could be measured. `captions`, `measured`
        (those with two or more reference tags) and `undefined` (of these, without a headline) are numbers of captions.
    """
    everything = list(rows)
    measured = [row for row in everything if row["reference"] >= 2]
    total = sum(row["reference"] for row in measured)
    found = {name: sum(row[name] for row in measured) for name in SCORINGS}
    shares = {f"share_{name}": 100 * count / total if total else math.nan for name, count in found.items()}
    followed = [row["follow"] for row in measured if row["follow"]]
    summary = {
        "bias": _or_nan(_headline(measured)),
        **shares,
        "bias_image": 100 - shares["share_image"],
        "bias_text": 100 - shares["share_text"],
        "effective_tags": _mean(row["effective"] for row in measured),
        "reference_tags": total / len(measured) if measured else math.nan,
        "follow_best": _mean(values[0] for values in followed),
        "follow_worst": _mean(values[-1] for values in followed),
        "captions": len(everything),
        "measured": len(measured),
        "undefined": sum(row["bias"] is None for row in measured),
    }
    covered = [row for row in measured if "cover_best" in row]
    names = ("cover_best", "cover_worst", "cover_all") if covered else ()
    return summary | {name: 100 * _mean(row[name] for row in covered) for name in names}


def bias_baselines(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """What the even and the single map give on the same captions, to be read beside `bias_summary`.

    Returns:
        For `even` and `single`: `bias`, 0 and 100 by definition, `follow_best` and `follow_worst`.
    """
    measured = [row for row in rows if row["reference"] >= 2 and row["follow"]]
    return {
        name: {
            "bias": bias,
            "follow_best": _mean(row[name][0] for row in measured),
            "follow_worst": _mean(row[name][-1] for row in measured),
        }
        for name, bias in (("even", 0.0), ("single", 100.0))
    }


def bias_by_reference_tags(rows: Iterable[Row]) -> list[dict[str, float]]:
    """The meter's plot: for every number of reference tags, how many of them each scoring keeps on average.

    Returns:
        By ascending `reference`: `captions`, means of `pixel`, `image`, `text` and `effective` (0..`reference`), and
        their `bias` in percent.
    """
    groups: dict[int, list[Row]] = {}
    for row in rows:
        if row["reference"] >= 2:
            groups.setdefault(row["reference"], []).append(row)
    return [
        {"reference": number, "captions": len(group)}
        | {name: _mean(row[name] for row in group) for name in (*SCORINGS, "effective")}
        | {"bias": _or_nan(_headline(group))}
        for number, group in sorted(groups.items())
    ]


def _following(caption_map: np.ndarray, tag_maps: np.ndarray) -> dict[str, list[float]]:
    """Correlations of the caption's, the even and the single map with R tags' maps, in descending order each."""
    maps = np.concatenate([caption_map[None], tag_maps.mean(axis=0, keepdims=True), tag_maps])
    maps = maps.reshape(len(maps), -1).astype(np.float64)
    maps -= maps.mean(axis=1, keepdims=True)
    deviations = np.sqrt((maps**2).mean(axis=1))
    varies = deviations > _FLAT
    if not varies[0] or not varies[2:].any():
        return {"follow": [], "even": [], "single": []}
    # a flat even map follows nothing: all of its correlations are 0
    scaled = np.where(varies, 1 / np.maximum(deviations, _FLAT), 0)[:, None] * maps
    # rounded first, so that noise in the last digits of the maps cannot change which tag is the strongest
    table = np.round(scaled @ scaled[2:][varies[2:]].T / maps.shape[1], _DIGITS)
    single = table[2:][varies[2:]][table[0].argmax()]
    lines = {"follow": table[0], "even": table[1], "single": single}
    return {name: np.sort(line)[::-1].tolist() for name, line in lines.items()}


def _headline(rows: Iterable[Row]) -> float | None:
    """`bias` of measured captions in percent; None where it is defined for none of them."""
    leads = [tuple(_lead(row[name]) for name in ("follow", "even", "single")) for row in rows if len(row["follow"]) > 1]
    defined = [(own - even, single - even) for own, even, single in leads if single - even > _FLAT]
    if not defined:
        return None
    above, room = (math.fsum(values) for values in zip(*defined, strict=True))
    return round(100 * min(1.0, max(0.0, above / room)), _DIGITS)


def _lead(correlations: Sequence[float]) -> float:
    """How far the first of two or more is ahead of the mean of the others."""
    return correlations[0] - math.fsum(correlations[1:]) / (len(correlations) - 1)


def _effective_number(scores: np.ndarray) -> float | None:
    weights = np.nan_to_num(scores.clip(min=0))
    total = float(weights.sum())
    if not total:
        return None
    shares = weights[weights > 0] / total
    return round(float(np.exp(-(shares * np.log(shares)).sum())), _DIGITS)


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else math.nan


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
