"""Tag, then cut masks of the tags only: `--method tagclip+clip-es` and `tagclip+ttd`.

TagCLIP chooses among the texts it is asked about. The one goes on with CLIP-ES's maps of those, which is the published
way to segment without annotation; the other cuts masks from the model's own similarity maps, as `--method ttd` does.
Embeddings of both stages lie side by side: those that make maps first, then those that tag.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ttd_core.ops.masks import Masks, label_map
from ttd_core.ops.select import chosen
from ttd_core.recipes.maps import Looked, look
from ttd_core.recipes.mask_maps import tag_mask_maps
from ttd_core.recipes.method_clip_es import ClipEsMethod, class_means
from ttd_core.recipes.method_model import Asked
from ttd_core.recipes.method_tagclip import Seen, TagClipMethod
from ttd_core.recipes.methods import selection_of, with_pamr
from ttd_core.recipes.tagclip_presets import TAG_TEMPLATES
from ttd_core.text.rivals import rivals_of
from ttd_core.types import Picture

if TYPE_CHECKING:
    from ttd_core.recipes.options import CommonOptions
    from ttd_core.recipes.session import Reading, Session


def open_tagged_clip_es(session: Session, options: CommonOptions) -> TaggedClipEs:
    """TagCLIP, then CLIP-ES.

    Raises:
        UsageError: the model has no tower for them.
    """
    return TaggedClipEs(session, options)


def open_tagged_ttd(session: Session, options: CommonOptions) -> TaggedTtd:
    """TagCLIP, then the model's own maps.

    Raises:
        UsageError: the model has no tower for TagCLIP.
    """
    return TaggedTtd(session, options)


class _Tagged:
    """What both have in common: the first stage and its choice."""

    def __init__(self, session: Session, options: CommonOptions) -> None:
        closed = session.info.vocabulary is not None
        self.tagger = TagClipMethod(session, options, session.info.templates if closed else TAG_TEMPLATES)
        self._session = session
        self._rule, self._threshold = selection_of(options)

    def tagged(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> list[Seen]:
        """The first stage."""
        width = self._session.info.width
        return self.tagger.tag(pictures, [replace(each, texts=each.texts[:, width:]) for each in asked])

    def kept(self, seen: Seen) -> list[int]:
        """Classes that the options' rule selects, ascending."""
        found = chosen(seen.scores, seen.rivals, self._rule, self._threshold)
        return [index for index, keep in enumerate(found) if keep]


class TaggedClipEs(_Tagged):
    """`--method tagclip+clip-es`; see `MethodModel`."""

    def __init__(self, session: Session, options: CommonOptions) -> None:
        super().__init__(session, options)
        self._maps = ClipEsMethod(session, options)

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        """K×2D."""
        return self.embed_both(texts, texts, templates)

    def embed_both(self, texts: Sequence[str], tagging: Sequence[str], templates: str) -> torch.Tensor:
        """K×2D of names for the maps, and of those for tagging."""
        return torch.cat([self._maps.embed(texts, templates), self.tagger.embed(tagging, templates)], dim=-1)

    def look(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Iterator[Looked]:
        """Scores of all classes; maps of the chosen ones, zeros for the others."""
        tagged = self.tagged(pictures, asked)
        chosen = [self.kept(seen) for seen in tagged]
        for seen, kept, own in zip(tagged, chosen, self._chosen_maps(pictures, asked, chosen), strict=True):
            maps = own.new_zeros(len(seen.scores), *own.shape[1:])
            maps[kept] = own
            yield Looked(maps, maps, None, None, seen.scores.clone(), seen.rivals.clone())

    def masks(self, maps: torch.Tensor, picture: Picture, background: float) -> Masks:
        """The decision at the picture's own size."""
        return self._maps.masks(maps, picture, background)

    def class_labels(self, picture: Picture, asked: Asked, background: float | None) -> np.ndarray:
        """Tag, make the maps of the tags, decide between them."""
        kept = self.kept(self.tagged([picture], [asked])[0])
        (maps,) = self._chosen_maps([picture], [asked], [kept])
        labels = self._maps.labels(maps, picture, background)
        return named(labels, kept, background)

    def described(self) -> dict[str, Any]:
        """What both stages come to."""
        first = self.tagger.described()
        return first | self._maps.described() | {"method": "tagclip+clip-es", "tag_templates": first["templates"]}

    def _chosen_maps(
        self, pictures: Sequence[Picture], asked: Sequence[Asked], chosen: Sequence[Sequence[int]]
    ) -> list[torch.Tensor]:
        width = self._session.info.width
        texts = [
            class_means(each.texts[:, :width], each.classes)[list(kept)]
            for each, kept in zip(asked, chosen, strict=True)
        ]
        return self._maps.maps(pictures, texts, [(*(each.map_names or each.names), *each.listed) for each in asked])


class TaggedTtd(_Tagged):
    """`--method tagclip+ttd`; see `MethodModel`."""

    def __init__(self, session: Session, options: CommonOptions) -> None:
        super().__init__(session, options)
        self._refine = "pamr" if with_pamr(options) else "crf" if getattr(options, "crf", False) else None

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        """K×2D."""
        own = self._session.bank.embed(list(texts), templates).to(self._session.device)
        return torch.cat([own, self.tagger.embed(texts, templates)], dim=-1)

    def look(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Iterator[Looked]:
        """The maps of `--method ttd`, and TagCLIP's scores beside them."""
        width = self._session.info.width
        for picture, each, seen in zip(pictures, asked, self.tagged(pictures, asked), strict=True):
            reading = self._reading(each)
            words = rivals_of(each.names, reading.rivals)
            rivals = self._session.bank.embed(list(words), self._session.templates).to(self._session.device)
            caption = None if each.caption is None else each.caption[:width]
            (own,) = look(self._session, reading, [picture], [each.texts[:, :width]], [rivals], [caption], each.owners)
            yield replace(own, image_scores=seen.scores.clone(), rivals=seen.rivals.clone())

    def masks(self, maps: torch.Tensor, picture: Picture, background: float | None) -> Masks:
        """The decision of `--method ttd`."""
        size = self._session.views.image_size
        return label_map(maps, picture.pixels, background=background, refine=self._refine, image_size=size)

    def class_labels(self, picture: Picture, asked: Asked, background: float | None) -> np.ndarray:
        """Tag, then decide between the maps of the tags."""
        (looked,) = self.look([picture], [asked])
        kept = [
            index
            for index, keep in enumerate(chosen(looked.image_scores, looked.rivals, self._rule, self._threshold))
            if keep
        ]
        alone = self._session.alone_reading
        maps = tag_mask_maps(looked, kept, alone, alone)
        return named(self.masks(maps, picture, background).labels, kept, background)

    def described(self) -> dict[str, Any]:
        """What the first stage comes to; the second is that of `--method ttd`."""
        first = self.tagger.described()
        return {
            "method": "tagclip+ttd",
            "tag_templates": first["templates"],
            "tag_image_size": first["image_size"],
            **{name: first[name] for name in ("blocks", "candidate_threshold")},
        }

    def _reading(self, asked: Asked) -> Reading:
        alone = asked.alone or len(asked.names) < 2
        return self._session.alone_reading if alone else self._session.caption_reading


def named(labels: np.ndarray, kept: Sequence[int], background: float | None) -> np.ndarray:
    """H×W uint16 of classes from labels 1..n of the kept ones: k + 1, or k without a background.

    Without a background and without any kept class the first class has everything; TagCLIP always keeps one.
    """
    numbers = np.array([0, *(index + 1 for index in kept)], dtype=np.uint16)[labels]
    return numbers if background is not None else np.maximum(numbers, 1) - np.uint16(1)
