"""`--method clip-es`: CLIP-ES's maps of tags that are known, and the published decision between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from ttd_core.methods.clip_es.maps import ClipEs
from ttd_core.methods.clip_es.masks import decide, decide_crf
from ttd_core.ops.masks import Masks
from ttd_core.ops.memory import memory_errors
from ttd_core.ops.tta import average_maps, group_by_shape
from ttd_core.recipes.maps import Looked
from ttd_core.recipes.method_model import Asked
from ttd_core.recipes.methods import name_of
from ttd_core.recipes.tagclip_presets import MASK_TEMPLATES, preset
from ttd_core.recipes.tagclip_towers import (
    cam_tower,
    fitting,
    logit_scale_of,
    pixels_of,
    seen_size,
    shown_size,
    templates_of,
    whole_patches,
    words_against,
)
from ttd_core.types import Picture

if TYPE_CHECKING:
    from ttd_core.recipes.options import CommonOptions
    from ttd_core.recipes.session import Session

_HINT = "use a smaller --image-size, or fewer tags"


def open_clip_es(session: Session, options: CommonOptions) -> ClipEsMethod:
    """Build the maps from the options.

    Raises:
        UsageError: the model has no tower for them.
    """
    return ClipEsMethod(session, options)


class ClipEsMethod:
    """CLIP-ES as a `MethodModel`: every text it is asked about is taken to be in the picture.

    Args:
        session: the model.
        options: preset, size, templates, CRF.
    """

    def __init__(self, session: Session, options: CommonOptions) -> None:
        self._preset = preset(options.preset)
        tower = cam_tower(session, name_of(options))
        self._maker = ClipEs(tower, logit_scale_of(session, options), self._preset.mapping(tower.depth))
        self.templates = templates_of(session, options, MASK_TEMPLATES)
        self._session, self._size = session, shown_size(session, options, masks=True)
        self._crf = bool(getattr(options, "crf", False))

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        """K×D normalised; the templates are the method's unless texts are captions."""
        chosen = templates if templates == "identity" else self.templates
        bank = self._session.bank
        return bank.embed(list(texts), chosen, normalise_each=True).to(self._session.device)

    def look(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Iterator[Looked]:
        """One map per class; its score is 1, or 0 where the picture has nothing of it. Captions have no map."""
        texts = [class_means(each.texts, each.classes) for each in asked]
        for maps in self.maps(pictures, texts, [(*each.names, *each.listed) for each in asked]):
            found = maps.flatten(1).amax(1) if len(maps) else maps.new_zeros(0)
            yield Looked(maps, maps, None, None, (found > 0).float())

    def maps(
        self, pictures: Sequence[Picture], texts: Sequence[torch.Tensor], names: Sequence[Sequence[str]]
    ) -> list[torch.Tensor]:
        """Maps of every picture's tags, the mean over scales on the largest grid; the published code has one scale.

        Pictures of one size go through the encoder together, and from its last block on one by one.

        Args:
            pictures: B of any sizes.
            texts: B tensors n×D.
            names: for each picture all names that words of background must not equal.

        Returns:
            B tensors n×h×w.
        """
        patch = self._maker.tower.patch
        sizes = [seen_size(picture.size, patch, self._size) for picture in pictures]
        words = [words_against(self._session, own, self._preset.map_rivals) for own in names]
        found: list[torch.Tensor | None] = [None] * len(pictures)
        for group in group_by_shape(list(zip(sizes, words, strict=True))):
            size = sizes[group[0]]
            largest = self._scaled(size, max(self._session.views.scales))
            fit = fitting(self._session, largest, patch, max(len(texts[i]) for i in group))
            for start in range(0, len(group), fit):
                part = group[start : start + fit]
                tags = sum(len(texts[i]) for i in part)
                where = pictures[part[0]].name if len(part) == 1 else f"{len(part)} pictures"
                with memory_errors(f"looking for {tags} tag(s) in {where}", _HINT):
                    own = self._averaged([pictures[i] for i in part], [texts[i] for i in part], size, words[part[0]])
                for i, maps in zip(part, own, strict=True):
                    found[i] = maps
        return [maps for maps in found if maps is not None]

    def masks(self, maps: torch.Tensor, picture: Picture, background: float) -> Masks:
        """The decision at the picture's own size."""
        return Masks(self.labels(maps, picture, background), maps)

    def labels(self, maps: torch.Tensor, picture: Picture, background: float | None) -> np.ndarray:
        """H×W uint16: k + 1 for map k, 0 for the background."""
        with memory_errors(f"deciding between {len(maps)} map(s) of {picture.name}", _HINT):
            if self._crf:
                return decide_crf(maps, picture.pixels, background)
            return decide(maps, picture.size, background)

    def class_labels(self, picture: Picture, asked: Asked, background: float | None) -> np.ndarray:
        """All classes are taken to be in the picture."""
        (maps,) = self.maps([picture], [class_means(asked.texts, asked.classes)], [(*asked.names, *asked.listed)])
        labels = self.labels(maps, picture, background)
        return labels if background is not None else np.maximum(labels, 1) - 1

    def described(self) -> dict[str, Any]:
        """Blocks, boxes, sizes, templates."""
        own = self._maker.config
        return {
            "method": "clip-es",
            "image_size": self._size or "the picture's own",
            "templates": self.templates,
            "map_blocks": sorted(own.block_numbers(self._maker.tower.depth)),
            "box_threshold": own.box_threshold,
            "scales": list(self._session.views.scales),
            "map_rivals": len(self._preset.map_rivals),
        }

    def _averaged(
        self, pictures: Sequence[Picture], texts: Sequence[torch.Tensor], size: tuple[int, int], words: Sequence[str]
    ) -> list[torch.Tensor]:
        """The same of pictures of one size, all against the same words of background."""
        background = self.embed(words, "") if words else texts[0][:0]
        views = []
        for scale in self._session.views.scales:
            pixels = pixels_of(self._session, pictures, self._scaled(size, scale))
            views.append(self._maker(pixels, texts, background))
        return [
            average_maps([maps[None] for maps in own])[0] if len(own[0]) else own[0] for own in zip(*views, strict=True)
        ]

    def _scaled(self, size: tuple[int, int], scale: float) -> tuple[int, int]:
        return whole_patches((size[0] * scale, size[1] * scale), self._maker.tower.patch)


def class_means(texts: torch.Tensor, classes: Sequence[int]) -> torch.Tensor:
    """C×D: a class's texts averaged and normalised again; the same texts where each is a class of its own.

    Args:
        texts: T×D normalised.
        classes: T ascending classes.
    """
    if not classes or classes[-1] + 1 == len(classes):
        return texts
    index = torch.tensor(classes, device=texts.device)
    total = texts.new_zeros(classes[-1] + 1, texts.shape[1]).index_add_(0, index, texts)
    return F.normalize(total, dim=-1)
