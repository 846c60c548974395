"""Caption-picture pairs in memory, and the random batches a training step takes from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

SPAN_SHARE = 0.1
LONGEST_SPAN = 4


@dataclass(frozen=True)
class PairSet:
    """Pictures with several captions each.

    Args:
        pictures: N×3×H×W uint8.
        captions: for each picture, its captions as arrays of word ids.
    """

    pictures: np.ndarray
    captions: Sequence[Sequence[np.ndarray]]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.captions)


@dataclass(frozen=True)
class Batch:
    """What one training step sees.

    Args:
        pictures: B×3×H×W float in 0..1.
        captions: B rows of word ids, one caption per picture.
        words: K ids of the distinct words of all captions of the batch's pictures, the commonest left out.
        counts: K×B float, how many captions of a picture hold the word.
    """

    pictures: torch.Tensor
    captions: list[np.ndarray]
    words: np.ndarray
    counts: torch.Tensor


def draw_batch(pairs: PairSet, step: int, size: int, seed: int) -> Batch:
    """Draw the batch of a step; it depends on seed and step alone, so a resumed run sees what an unbroken one does.

    Every pass over the pairs uses a new order. Pictures are mirrored, and their brightness and tint change a little;
    one of the captions is drawn, and one in ten is cut to a span of one to four words.
    """
    rng = np.random.default_rng((seed, step))
    chosen = _epoch_indices(len(pairs), step, size, seed)
    pictures = _augment(torch.from_numpy(pairs.pictures[chosen]), rng)
    captions = [_draw_caption(pairs.captions[index], rng) for index in chosen]
    words, counts = count_words([pairs.captions[index] for index in chosen])
    return Batch(pictures, captions, words, counts)


def count_words(captions: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, torch.Tensor]:
    """Distinct words of B pictures' captions (K ids) and K×B counts, without words of half of the pictures or more."""
    ids, columns = [], []
    for column, several in enumerate(captions):
        for caption in several:
            distinct = np.unique(caption)
            ids.append(distinct)
            columns.append(np.full(len(distinct), column))
    words, rows = np.unique(np.concatenate(ids), return_inverse=True)
    counts = np.zeros((len(words), len(captions)), dtype=np.float32)
    np.add.at(counts, (rows, np.concatenate(columns)), 1.0)
    rare = (counts > 0).sum(axis=1) < max(2, len(captions) / 2)
    return words[rare], torch.from_numpy(counts[rare])


def _epoch_indices(total: int, step: int, size: int, seed: int) -> np.ndarray:
    per_epoch = max(1, total // size)
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng((seed, 1, epoch)).permutation(total)
    return np.resize(order[place * size : (place + 1) * size], size)


def _draw_caption(captions: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    caption = captions[int(rng.integers(len(captions)))]
    if rng.random() >= SPAN_SHARE or len(caption) <= 1:
        return caption
    length = min(len(caption), int(rng.integers(1, LONGEST_SPAN + 1)))
    start = int(rng.integers(len(caption) - length + 1))
    return caption[start : start + length]


def _augment(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """B×3×H×W uint8 to float in about 0..1, mirrored at random, with jittered contrast, brightness and tint."""
    size = len(pictures)
    mirrored = torch.from_numpy(rng.random(size) < 0.5)
    pictures = torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures).float()
    gain = torch.from_numpy(rng.uniform(0.9, 1.1, (size, 1, 1, 1)).astype(np.float32)) / 255
    shift = rng.uniform(-0.05, 0.05, (size, 1, 1, 1)) + rng.uniform(-0.03, 0.03, (size, 3, 1, 1))
    return pictures.mul_(gain).add_(torch.from_numpy(shift.astype(np.float32)))
