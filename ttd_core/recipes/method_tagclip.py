"""`--method tagclip`: TagCLIP's tagger behind the commands.

Every text of a list is judged together with the others and with words of background, so its score depends on them.
Pictures of one size go through the tower together, and the crops of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ttd_core.errors import UsageError
from ttd_core.methods.tagclip.tagger import Tagged, Tagger
from ttd_core.ops.masks import Masks
from ttd_core.ops.memory import memory_errors
from ttd_core.ops.tta import group_by_shape
from ttd_core.recipes.maps import Looked
from ttd_core.recipes.method_model import Asked
from ttd_core.recipes.methods import name_of
from ttd_core.recipes.tagclip_presets import TAG_TEMPLATES, Preset, preset
from ttd_core.recipes.tagclip_towers import (
    fitting,
    local_tower,
    logit_scale_of,
    pixels_of,
    seen_size,
    shown_size,
    templates_of,
    words_against,
)
from ttd_core.types import Picture

if TYPE_CHECKING:
    from ttd_core.recipes.options import CommonOptions
    from ttd_core.recipes.session import Session

_HINT = "use a smaller --image-size, or fewer tags"


def open_tagclip(session: Session, options: CommonOptions) -> TagClipMethod:
    """Build the tagger from the options.

    Raises:
        UsageError: the model has no tower for it.
    """
    return TagClipMethod(session, options)


class TagClipMethod:
    """The tagger as a `MethodModel` that makes no masks.

    Args:
        session: the model.
        options: preset, size, templates.
        templates: prompts of this stage, None for those of the options.
    """

    def __init__(self, session: Session, options: CommonOptions, templates: str | None = None) -> None:
        self.preset: Preset = preset(options.preset)
        tower = local_tower(session, name_of(options))
        self.tagger = Tagger(tower, logit_scale_of(session, options), self.preset.tagging(tower.depth))
        self.templates = templates or templates_of(session, options, TAG_TEMPLATES)
        self._session, self._size = session, shown_size(session, options, masks=False)

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        """K×D normalised means of normalised prompts; the templates are the method's unless texts are captions."""
        chosen = templates if templates == "identity" else self.templates
        bank = self._session.bank
        return bank.embed(list(texts), chosen, normalise_each=True).to(self._session.device)

    def look(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Iterator[Looked]:
        """Refined scores as maps, final scores of the whole pictures; captions have no map."""
        for seen in self.tag(pictures, asked):
            yield seen.looked()

    def tag(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> list[Seen]:
        """What the tagger finds, in the order of the pictures.

        Args:
            pictures: B of any sizes.
            asked: B questions; their texts are those of `embed`.
        """
        patch = self.tagger.tower.patch
        sizes = [seen_size(picture.size, patch, self._size) for picture in pictures]
        found: list[Seen | None] = [None] * len(pictures)
        for group in group_by_shape(sizes):
            size = sizes[group[0]]
            texts = max(len(asked[i].names) for i in group) + len(self.preset.rivals)
            fit = fitting(self._session, size, patch, texts)
            for start in range(0, len(group), fit):
                part = group[start : start + fit]
                with memory_errors(f"looking at {len(part)} picture(s) of {size[1]}x{size[0]} pixels", _HINT):
                    tagged = self._tag([pictures[i] for i in part], [asked[i] for i in part], size)
                for i, seen in zip(part, tagged, strict=True):
                    found[i] = seen
        return [seen for seen in found if seen is not None]

    def masks(self, maps: torch.Tensor, picture: Picture, background: float) -> Masks:
        """Not served: tags alone."""
        raise UsageError("--method tagclip makes no masks", hint="--method tagclip+clip-es, or tagclip+ttd")

    def class_labels(self, picture: Picture, asked: Asked, background: float | None) -> np.ndarray:
        """Not served: tags alone."""
        raise UsageError("--method tagclip makes no masks", hint="--method tagclip+clip-es, or tagclip+ttd")

    def described(self) -> dict[str, Any]:
        """Blocks, threshold, sizes, templates."""
        own = self.tagger.config
        return {
            "method": "tagclip",
            "image_size": self._size or "the picture's own",
            "templates": self.templates,
            "blocks": sorted(own.block_numbers(self.tagger.tower.depth)),
            "candidate_threshold": own.threshold,
            "rivals": len(self.preset.rivals),
        }

    def _tag(self, pictures: Sequence[Picture], asked: Sequence[Asked], size: tuple[int, int]) -> list[Seen]:
        session = self._session
        texts, owners = [], []
        for each in asked:
            words = words_against(session, (*each.names, *each.listed), self.preset.rivals)
            texts.append(torch.cat([each.texts, self.embed(words, "") if words else each.texts[:0]]))
            owners.append(torch.tensor(each.classes, dtype=torch.int64, device=session.device))
        tagged = self.tagger(pixels_of(session, pictures, size), texts, owners)
        return [Seen(each) for each in tagged]


@dataclass(frozen=True)
class Seen:
    """What the tagger says about a picture's C classes and R words of background.

    Args:
        tagged: its answer.
    """

    tagged: Tagged

    @property
    def scores(self) -> torch.Tensor:
        """C final scores."""
        return self.tagged.scores

    @property
    def rivals(self) -> torch.Tensor:
        """R best places of the words of background."""
        rest = self.tagged.refined[:, len(self.scores) :]
        return rest.amax(dim=0) if rest.shape[1] else self.scores[:0]

    def looked(self) -> Looked:
        """In the form of every model's answer: C×h×w maps."""
        maps = self.tagged.refined[:, : len(self.scores)].T.reshape(-1, *self.tagged.grid)
        return Looked(maps, maps, None, None, self.scores, self.rivals)
