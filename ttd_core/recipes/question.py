"""A sample with its candidates embedded: what a model is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttd_core.recipes.method_model import Asked

if TYPE_CHECKING:
    import torch

    from ttd_core.types import Picture, Sample


@dataclass(frozen=True)
class Question:
    """A sample ready for the model.

    Args:
        sample: the row.
        tags: every candidate in order, scorable or not.
        known: positions of those the model can score.
        embeddings: T×D of the texts that stand for them, one for each unless `owners` say otherwise.
        texts: those T texts.
        owners: where several texts stand for one tag, the place in `known` of each, ascending.
        listed: texts of all classes that the tags were chosen from.
        rivals: R×D of texts that compete with the tags, R may be 0.
        caption: embedding of D, None without a caption.
        picture: decoded, None where none is needed.
    """

    sample: Sample
    tags: tuple[str, ...]
    known: tuple[int, ...]
    embeddings: torch.Tensor
    rivals: torch.Tensor
    caption: torch.Tensor | None
    picture: Picture | None
    texts: tuple[str, ...] = ()
    owners: tuple[int, ...] | None = None
    listed: tuple[str, ...] = ()

    @property
    def asked(self) -> Asked:
        """The same for a method of `--method`."""
        alone = self.sample.tags is not None
        return Asked(self.texts, self.embeddings, self.caption, self.owners, alone, listed=self.listed)


def owners_of(groups: Iterable[Sequence[str]]) -> tuple[int, ...] | None:
    """The place of each text's group; None where every group is one text."""
    found = tuple(place for place, group in enumerate(groups) for _ in group)
    return None if not found or found[-1] + 1 == len(found) else found
