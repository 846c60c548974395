"""The contract of a method of `--method` with its model loaded, and what it is asked. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ttd_core.ops.masks import Masks
    from ttd_core.recipes.maps import Looked
    from ttd_core.types import Picture


@dataclass(frozen=True)
class Asked:
    """What a method is asked about one picture.

    Args:
        names: T texts as they stand, which a method may have compete with others.
        texts: T×D, of `MethodModel.embed`.
        caption: D of the caption, None without one.
        owners: ascending class of each text where several stand for one; None where each is a class of its own.
        alone: nothing says that one of the texts is right, as it is of a caption's words.
        listed: further texts that stand for something, as those of all classes that the picture's tags were chosen
            from; no word of background may equal one.
        map_names: what the maps' stage calls the texts in a method of two stages, None for the same.
    """

    names: tuple[str, ...]
    texts: torch.Tensor
    caption: torch.Tensor | None = None
    owners: tuple[int, ...] | None = None
    alone: bool = True
    map_names: tuple[str, ...] | None = None
    listed: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[int, ...]:
        """The class of each text."""
        return tuple(range(len(self.names))) if self.owners is None else self.owners


class MethodModel(Protocol):
    """A method with its model loaded. Embeddings are whatever `embed` makes and the other functions understand."""

    def embed(self, texts: Sequence[str], templates: str) -> torch.Tensor:
        """K×D embeddings of K texts, each put into the templates of a set as it stands."""
        ...

    def look(self, pictures: Sequence[Picture], asked: Sequence[Asked]) -> Iterator[Looked]:
        """Maps in 0..1 of each picture's classes, and of its caption where there is one, in order.

        Their size is bounded whatever the picture's. Pictures may go through the model together, and none changes the
        answer of another one beyond rounding; in a session that keeps them apart, not even that.
        """
        ...

    def masks(self, maps: torch.Tensor, picture: Picture, background: float) -> Masks:
        """The decision at the picture's own size between maps that `look` has made."""
        ...

    def class_labels(self, picture: Picture, asked: Asked, background: float | None) -> np.ndarray:
        """H×W uint16, however many classes. With a background 0 is it and class k is k + 1; without one k is k."""
        ...

    def described(self) -> dict[str, Any]:
        """What the options come to, in plain values, for the record of a run."""
        ...
