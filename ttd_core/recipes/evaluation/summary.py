"""What an evaluation comes to: the contract between tasks, `metrics.json`, tables and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

# key -> (unit, whether higher is better, what it says)
METRICS: dict[str, tuple[str, bool, str]] = {
    "precision": ("percent", True, "share of the kept tags that are true"),
    "recall": ("percent", True, "share of the true tags that are kept"),
    "f1": ("percent", True, "harmonic mean of precision and recall"),
    "accuracy": ("percent", True, "share of all decisions that are right"),
    "map": ("percent", True, "mean average precision"),
    "pixel_auc": ("percent", True, "how well a tag's map ranks the pixels of its mask above the rest"),
    "pointing": ("percent", True, "share of tags whose highest pixel lies in their mask"),
    "caption_iou": ("percent", True, "IoU of the caption's mask, mean over captions"),
    "caption_iou_pooled": ("percent", True, "the same with intersections and unions summed over captions"),
    "miou": ("percent", True, "IoU, mean over classes"),
    "miou_seen": ("percent", True, "mean over the classes seen in training"),
    "miou_unseen": ("percent", True, "mean over the classes not seen in training"),
    "hiou": ("percent", True, "harmonic mean of the two"),
    "pixel_accuracy": ("percent", True, "share of the counted pixels that are right"),
    "mean_accuracy": ("percent", True, "recall of pixels, mean over classes"),
    "fwiou": ("percent", True, "IoU, mean over classes weighted by their pixels"),
    "mfpr": ("fraction", False, "false positives as a share of TP + FP + FN, mean over classes or captions"),
    "mfnr": ("fraction", False, "false negatives as a share of TP + FP + FN, mean over classes or captions"),
    "category_precision": ("percent", True, "precision, mean over classes"),
    "category_recall": ("percent", True, "recall, mean over classes"),
    "category_f1": ("percent", True, "harmonic mean of the two"),
    "sample_precision": ("percent", True, "precision, mean over pictures"),
    "sample_recall": ("percent", True, "recall, mean over pictures"),
    "sample_f1": ("percent", True, "harmonic mean of the two"),
    "bias": ("percent", False, "single tag bias: how far captions prefer their strongest tag, 100 is nothing but it"),
    "bias_image": ("percent", False, "share of the reference tags that image scoring drops"),
    "bias_text": ("percent", False, "share of the reference tags that text scoring drops"),
    "share_pixel": ("percent", True, "share of the reference tags that pixel scoring keeps"),
    "share_image": ("percent", True, "share of the reference tags that image scoring keeps"),
    "share_text": ("percent", True, "share of the reference tags that text scoring keeps"),
    "effective_tags": ("tags", True, "exp of the entropy of the text scores of the reference tags, per caption"),
    "reference_tags": ("tags", True, "visible tags, or without a truth those that pixel scoring keeps, per caption"),
    "follow_best": ("correlation", True, "of the caption's map with the map of its strongest tag"),
    "follow_worst": ("correlation", True, "of the caption's map with the map of its weakest tag"),
    "cover_best": ("percent", True, "share of the best covered visible tag that lies in the caption's mask"),
    "cover_worst": ("percent", True, "share of the worst covered visible tag that lies in the caption's mask"),
    "cover_all": ("percent", False, "share of the picture that lies in the caption's mask"),
}
"""Every figure that can stand in `metrics.json`. Percent runs from 0 to 100, fractions from 0 to 1."""

TASK_METRICS: dict[str, tuple[str, ...]] = {
    "tags": ("precision", "recall", "f1", "accuracy", "map", "pixel_auc", "pointing"),
    "text": ("caption_iou", "caption_iou_pooled", "mfpr", "mfnr"),
    "masks": (
        "miou", "miou_seen", "miou_unseen", "hiou", "mfpr", "mfnr", "pixel_accuracy", "mean_accuracy", "fwiou",
    ),
    "classification": (
        "precision", "recall", "f1", "accuracy", "map", "category_precision", "category_recall", "category_f1",
        "sample_precision", "sample_recall", "sample_f1",
    ),
    "bias": (
        "bias", "bias_image", "bias_text", "share_pixel", "share_image", "share_text", "effective_tags",
        "reference_tags", "follow_best", "follow_worst", "cover_best", "cover_worst", "cover_all",
    ),
}  # fmt: skip
"""The figures that a task can have; which of them it has depends on what is known about the data."""

ALIASES = {"acc": "accuracy", "p": "precision", "r": "recall", "iou": "caption_iou"}
"""Short names that `--expect` understands."""


@dataclass(frozen=True)
class Summary:
    """Figures of one evaluation. A function of the rows and of nothing else, so that shards and resumed runs agree.

    Args:
        metrics: key of `METRICS` → value in its unit; NaN where nothing was counted.
        counts: what was counted (`decisions`, `true`, `pixels`, `captions`, ...).
        baselines: name of a trivial answer → its metrics, to be read beside ours.
        per_class: one mapping per class: `name`, and metrics in percent or fractions; empty without classes.
        confusion: C×C pixel counts, truth in rows, for the report; None without label maps.
        scores: one triple (score, true, selected) per decision, for histogram and precision-recall curve.
        quality: key of a sample → how well it went, higher is better; for the worst and best examples.
    """

    metrics: Mapping[str, float]
    counts: Mapping[str, int] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    per_class: Sequence[Mapping[str, Any]] = ()
    confusion: Any = None
    scores: Any = None
    quality: Mapping[str, float] = field(default_factory=dict)
