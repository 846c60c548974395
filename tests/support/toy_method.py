"""A method that looks at nothing: text k of K has the k-th band of a picture. What one entry of the registry needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ttd_core.ops.masks import Masks, label_map
from ttd_core.recipes.maps import Looked
from ttd_core.recipes.method_model import Asked
from ttd_core.recipes.methods import Method
from ttd_core.types import Picture

TOY = Method(
    "bands from left to right",
    takes=("templates",),
    target="tests.support.toy_method:open_toy",
    serves=("tags", "masks"),
    tasks=("masks", "classification"),
    scorers=("pixel", "list"),
    pixel="image",
    backgrounds=(0.3, 0.3),
    classes_compete=True,
)


class ToyMethod:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        self.asked += [(text, templates) for text in texts]
        return torch.arange(len(texts), dtype=torch.float32)[:, None]

    def look(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Iterator[Looked]:
        for each in asked:
            count = len(each.names)
            bands = torch.eye(count)[:, None].expand(count, 2, count)
            own = None if each.caption is None else torch.ones(2, max(count, 1))
            yield Looked(bands, bands, own, own, torch.linspace(1.0, 0.0, count))

    def masks(self, maps: torch.Tensor, picture: Picture, background: float) -> Masks:
        return label_map(maps, picture.pixels, background=background)

    def class_labels(self, picture: Picture, asked: Asked, background: float | None) -> np.ndarray:
        first = 0 if background is None else 1
        return np.full(picture.size, first + 2, dtype=np.uint16)

    def described(self) -> dict[str, Any]:
        return {"method": "toy", "image_size": 1}


def open_toy(session: Any, options: Any) -> ToyMethod:
    return ToyMethod()
