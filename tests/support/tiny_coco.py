"""Tiny COCO trees: two or three drawn pictures with annotations in COCO's own form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 32
PERSON, DOG, TOOTHBRUSH = 1, 18, 90
CATEGORIES = ({"id": PERSON, "name": "person"}, {"id": DOG, "name": "dog"}, {"id": TOOTHBRUSH, "name": "toothbrush"})


def square(left: float, top: float, side: float) -> list[list[float]]:
    """A segmentation of one square polygon; with whole numbers it covers `side`² pixels."""
    right, bottom = left + side, top + side
    return [[left, top, right, top, right, bottom, left, bottom]]


def annotation(number: int, picture: int, category: int, segmentation: Any, **fields: Any) -> dict[str, Any]:
    """An entry of `annotations`."""
    entry = {"id": number, "image_id": picture, "category_id": category, "segmentation": segmentation, "iscrowd": 0}
    return entry | fields


def picture(number: int, **fields: Any) -> dict[str, Any]:
    """An entry of `images`."""
    return {"id": number, "file_name": f"{number:012d}.jpg", "height": HEIGHT, "width": WIDTH} | fields


def document(annotations: Sequence[Any], pictures: Sequence[Any] | None = None) -> dict[str, Any]:
    """A whole file of instance annotations, with pictures 1 and 2 unless others are given."""
    listed = [picture(1), picture(2)] if pictures is None else list(pictures)
    return {"images": listed, "annotations": list(annotations), "categories": list(CATEGORIES)}


def write_tree(
    root: Path, content: Mapping[str, Any] | str | None, stem: str = "val2017", names: Sequence[str] | None = None
) -> Path:
    """Write pictures and annotations where COCO's archives put them.

    Args:
        root: the folder, made where it is missing.
        content: the JSON document, or any text instead; None writes none.
        stem: folder of the pictures.
        names: file names of the pictures, by default those that the document lists.
    """
    if content is not None:
        file = root / "annotations" / f"instances_{stem}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    if names is None:
        assert isinstance(content, dict)
        names = [entry["file_name"] for entry in content["images"]]
    (root / stem).mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        Image.new("RGB", (WIDTH, HEIGHT), (40 * index, 90, 160)).save(root / stem / name)
    return root


def write_png(path: Path, labels: Any, dtype: Any = np.uint8) -> Path:
    """Write a label PNG; one number fills a picture of the usual size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((HEIGHT, WIDTH), labels) if np.isscalar(labels) else np.asarray(labels)
    Image.fromarray(np.ascontiguousarray(pixels, dtype=dtype)).save(path)
    return path
