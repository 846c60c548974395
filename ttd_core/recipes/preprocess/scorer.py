"""Cosines of pictures and captions with any backbone, averaged over scales and mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ttd_core.config import canonical_json
from ttd_core.data.pairs import NO_KNOWN_WORD
from ttd_core.ops.memory import memory_errors
from ttd_core.ops.tta import group_by_shape, plan_sizes
from ttd_core.protocols import Reporter
from ttd_core.recipes.maps import picture_tensor
from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.session import Session, open_session
from ttd_core.text.bank import TextBank
from ttd_core.types import Picture

_SHAPES = 4
"""Batches that a window may fill: pictures of one shape are worth waiting for on a GPU."""


def open_pair_scorer(options: CommonOptions, device: str | None, report: Reporter) -> PairScorer:
    """Load the model for one worker.

    On a CPU a worker has one thread unless `--threads` says otherwise: the last bits of a score depend on their number.

    Args:
        options: model and views.
        device: instead of the options' own.
        report: told what is assumed.

    Raises:
        UsageError, WeightsError: see `open_session`.
    """
    model = options.model if device is None else replace(options.model, device=device)
    if model.threads is None and (model.device == "cpu" or (model.device == "auto" and not torch.cuda.is_available())):
        model = replace(model, threads=1)
    session = open_session(replace(options, model=model), report, None, apart=True)
    return PairScorer(session, options.batch_size)


@dataclass(frozen=True)
class Prepared:
    """A picture as the model takes it.

    Args:
        plan: rows and columns of each view.
        views: one 3×H×W float32 per scale, normalised.
    """

    plan: tuple[tuple[int, int], ...]
    views: tuple[torch.Tensor, ...]


class PairScorer:
    """Scores pairs with a session; see `Scorer`.

    On a CPU every picture and every caption goes through the model by itself, so that a score depends on its pair
    alone. On a GPU pictures of one shape form batches within a window, so that it depends on its shard.

    Args:
        session: the model.
        batch_size: pictures of one shape per forward pass on a GPU.
    """

    def __init__(self, session: Session, batch_size: int) -> None:
        self._session = session
        self._at_once = 1 if session.apart else batch_size
        self.window = batch_size if session.apart else _SHAPES * batch_size
        info, views = session.info, session.views
        self.model = info.name
        self.model_sha256: str | None = info.weights_sha256
        self.device = str(session.device)
        settings = {"image_size": views.image_size, "scales": list(views.scales), "hflip": views.hflip}
        rounded = {} if info.precision == "fp32" else {"precision": info.precision}
        self.settings = canonical_json(settings | {"activation": info.activation} | rounded)

    def prepare(self, picture: Picture) -> Prepared:
        """Resize a picture to its views."""
        info, views = self._session.info, self._session.views
        plan = tuple(plan_sizes(picture.size, info.patch, views.image_size, views.scales))
        return Prepared(plan, tuple(picture_tensor(picture, size, info.mean, info.std) for size in plan))

    @torch.inference_mode()
    def score(self, prepared: Sequence[Prepared], captions: Sequence[str]) -> list[float | str]:
        """Mean cosine over the views of each pair, in -1..1."""
        known = [i for i, caption in enumerate(captions) if self._knows(caption)]
        results: list[float | str] = [NO_KNOWN_WORD] * len(captions)
        if not known:
            return results
        session = self._session
        # a bank for this window only: captions hardly ever come again, and millions would fill memory
        bank = TextBank(session.backbone, apart=session.apart)
        texts = bank.embed([captions[i] for i in known], "identity").to(session.device)
        for group in group_by_shape(prepared[i].plan for i in known):
            for start in range(0, len(group), self._at_once):
                part = group[start : start + self._at_once]
                scores = self._cosines([prepared[known[k]] for k in part], texts[part])
                for k, score in zip(part, scores.tolist(), strict=True):
                    results[known[k]] = score
        return results

    def _cosines(self, pictures: Sequence[Prepared], texts: torch.Tensor) -> torch.Tensor:
        """B cosines of pictures of one shape with their B×D captions."""
        total = torch.zeros(len(pictures), device=texts.device)
        views = 0
        for number, (height, width) in enumerate(pictures[0].plan):
            with memory_errors(f"looking at {len(pictures)} picture(s) of {width}x{height} pixels"):
                pixels = torch.stack([each.views[number] for each in pictures]).to(texts.device)
                if self._session.views.hflip:
                    pixels = torch.cat([pixels, pixels.flip(-1)])
                pooled = self._session.backbone.encode_images(pixels).pooled.float()
            for vectors in torch.split(pooled, len(pictures)):
                total = total + (vectors * texts).sum(-1)
                views += 1
        return total / views

    def _knows(self, caption: str) -> bool:
        """Whether a model with a closed vocabulary knows a single word of a caption."""
        unknown = getattr(self._session.backbone, "unknown_words", None)
        if unknown is None:
            return True
        missing = {word.casefold() for word in unknown(caption)}
        words = _words(caption)
        return not words or any(word not in missing for word in words)


def _words(caption: str) -> list[str]:
    from ttd_core.clip.word_tokenizer import split_words

    return split_words(caption)
