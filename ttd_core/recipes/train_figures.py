"""What a training changed, as a table: the figures before the first step and of the best adapter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ttd_core.errors import RunError
from ttd_core.recipes.evaluation.scenes_printed import PrintedTable

FILE = "validation.json"

_WORDS = {
    "val_f1": "tag F1",
    "val_f1_lying": "tag F1 where captions name absent things",
    "val_f1_cosine": "tag F1 at the best threshold of the cosine",
    "val_pixel_auc": "maps: pixel AUC of visible words",
    "val_pointing": "maps: highest place lies on the thing",
    "val_union_iou": "IoU of the union on small captions",
    "val_score": "mean that chooses the best",
    "held_loss": "sum of the losses",
    "held_own_area": "mean mask of captions in their pictures",
    "held_other_area": "mean mask of captions in other pictures",
    "held_match": "pairs that find each other under their masks",
    "held_area": "loss: area of masks in their pictures",
    "held_neg_area": "loss: area of masks in other pictures",
    "held_tclf": "loss: contrast of pooled embeddings",
    "held_tcli": "loss: contrast of masked pictures",
    "held_tv_img": "loss: variation of the embedding",
    "held_tv_mask": "loss: variation of the masks",
    "held_spread": "maps: spread over places",
    "held_selected": "share of words selected",
    "held_likeness": "maps: likeness within a caption",
    "held_retrieval": "pairs that find each other",
}
"""Figures in the order in which they are shown, and what they say."""


def figures_table(product: Path) -> PrintedTable | None:
    """The table of a finished training; None where nothing was measured.

    Args:
        product: what the training left: the folder of the run, or a file in it.

    Raises:
        RunError: the file of the figures is damaged.
    """
    path = (product if product.is_dir() else product.parent) / FILE
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(_rows(told["before"], told["after"]))
        best = told.get("best_step")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: damaged", hint="--overwrite trains anew") from error
    place = "" if best is None else f", best after step {best}"
    title = f"On pairs that training does not see{place}"
    return PrintedTable(title, ("", "before", "after", "change", "what"), rows) if rows else None


def _rows(before: Mapping[str, float], after: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name in sorted(after, key=lambda name: [*_WORDS, name].index(name)):
        if name in before:
            old, new = round(before[name], 3), round(after[name], 3)
            yield name, f"{old:.3f}", f"{new:.3f}", f"{new - old:+.3f}", _WORDS.get(name, "")
