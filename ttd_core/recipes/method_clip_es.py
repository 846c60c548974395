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
from ttd_core.ops.tta import average_maps
from ttd_core.recipes.maps import Looked
from ttd_core.recipes.method_model import Asked
from ttd_core.recipes.methods import name_of
from ttd_core.recipes.tagclip_presets import MASK_TEMPLATES, preset
from ttd_core.recipes.tagclip_towers import (
    cam_tower,
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
        self._session, self._size = session, shown_size(session, options)
        self._crf = bool(getattr(options, "crf", False))

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        """K×D normalised; the templates are the method's unless texts are captions."""
        chosen = templates if templates == "identity" else self.templates
        bank = self._session.bank
        return bank.embed(list(texts), chosen, normalise_each=True).to(self._session.device)

    def look(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Iterator[Looked]:
        """One map per class; its score is 1, or 0 where the picture has nothing of it. Captions have no map."""
        for picture, each in zip(pictures, asked, strict=True):
            maps = self.maps(picture, class_means(each.texts, each.classes), each.names)
            found = maps.flatten(1).amax(1) if len(maps) else maps.new_zeros(0)
            yield Looked(maps, maps, None, None, (found > 0).float())

    def maps(self, picture: Picture, texts: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        """n×h×w maps of n tags, the mean over scales on the largest grid; the published code has one scale.

        Args:
            picture: of any size.
            texts: n×D.
            names: all names that words of background must not equal.
        """
        words = words_against(self._session, names, self._preset.map_rivals)
        background = self.embed(words, "") if words else texts[:0]
        patch = self._maker.tower.patch
        height, width = seen_size(picture.size, patch, self._size)
        found = []
        with memory_errors(f"looking for {len(texts)} tag(s) in {picture.name}", _HINT):
            for scale in self._session.views.scales:
                size = whole_patches((height * scale, width * scale), patch)
                found.append(self._maker(pixels_of(self._session, [picture], size), [texts], background)[0][None])
            return average_maps(found)[0] if len(texts) else found[0][0]

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
        maps = self.maps(picture, class_means(asked.texts, asked.classes), asked.names)
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
