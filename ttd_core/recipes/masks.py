"""`ttd masks`: the masks of a caption's tags, their union, and the caption's own mask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ttd_core.data.label_maps import write_label_map, write_mask, write_probabilities
from ttd_core.data.rows import BadRow
from ttd_core.drawing.canvas import save_png
from ttd_core.drawing.colours import label_colours
from ttd_core.drawing.overlay import caption_overlay, overlay
from ttd_core.ops.masks import label_map
from ttd_core.ops.regions import area_shares, bounding_box
from ttd_core.recipes.answering import answers
from ttd_core.recipes.mask_maps import caption_mask_map, tag_mask_maps
from ttd_core.recipes.methods import background_of, method_of, with_pamr
from ttd_core.recipes.options import MaskOptions
from ttd_core.recipes.products import Stems, safe_name
from ttd_core.recipes.results import MaskResult, Skipped, TagResult, rounded
from ttd_core.recipes.scoring import Question, Scorer
from ttd_core.recipes.tags import TagAnswerer
from ttd_core.text.tokens import fold
from ttd_core.types import Picture, Sample

if TYPE_CHECKING:
    import torch

    from ttd_core.ops.masks import Masks
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.maps import Looked
    from ttd_core.runs import RunDirectory


def run_masks(
    options: MaskOptions,
    samples: Iterable[Sample | BadRow],
    report: Reporter,
    run: RunDirectory,
    cache: Path | None = None,
) -> Iterator[MaskResult | Skipped]:
    """Make the masks of every row, in input order, and write them into the run.

    Which tags get a mask: the tags listed for a picture (`--tags`, a row's own) all do, since the user says they are
    there; the words of a caption and the classes of a list only where the scorer selects them. Where the method has
    all classes compete for every pixel, as published systems do, those of a list that win one have a mask.

    Args:
        options: the settings.
        samples: the rows.
        report: told what is assumed.
        run: where products and rows go.
        cache: folder for text embeddings.

    Raises:
        TtdError: the model or the run directory cannot be used; bad rows come out as `Skipped` instead.
    """
    if options.crf:
        from ttd_core.ops.crf import require_crf

        require_crf()
    return answers(options, samples, run, MaskAnswerer(options, report, run, cache), MaskResult.from_json)


class MaskAnswerer:
    """Scores, masks and writes a batch.

    Args:
        options: the settings.
        report: told what is assumed.
        run: where products go.
        cache: folder for text embeddings.
    """

    def __init__(self, options: MaskOptions, report: Reporter, run: RunDirectory, cache: Path | None) -> None:
        self._options = options
        self._run = run
        self._scorer = Scorer(options, report, cache, run)
        self._tagger = TagAnswerer(options, report, self._scorer)
        self._stems = Stems(_stem_of(row) for row in run.rows())

    def __call__(self, samples: Sequence[Sample]) -> Iterator[MaskResult | Skipped]:
        """Answer a batch in its order, each once its products are written."""
        for item in self._scorer.look_at(samples):
            yield item if isinstance(item, Skipped) else self._answer(*item)

    def _answer(self, question: Question, picture: Picture, looked: Looked) -> MaskResult:
        session = self._scorer.session
        tags = self._selected(question, picture, looked)
        kept = [k for k, i in enumerate(question.known) if tags.scores[i].selected]
        names = [question.tags[question.known[k]] for k in kept]
        reading = self._scorer.reading(question)
        masks = self._decided(tag_mask_maps(looked, kept, reading, session.alone_reading), picture)
        caption = None
        if looked.caption is not None:
            caption = self._decided(caption_mask_map(looked, reading, session.alone_reading)[None], picture)
        numbers = self._label_numbers(question, kept)
        files = self._write(question.sample, picture, names, numbers, masks, caption)
        scores = [tags.scores[question.known[k]].score for k in kept]
        shares = area_shares(masks.labels, len(names))
        regions = tuple(
            {
                "tag": name,
                "label": numbers[k],
                "score": rounded(scores[k]),
                "area": rounded(shares[k]),
                "box": _box(masks.labels == k + 1),
            }
            for k, name in enumerate(names)
        )
        return MaskResult(
            tags=tags,
            size=picture.size,
            regions=regions,
            files=files,
            caption_area=None if caption is None else float((caption.labels > 0).mean()),
            union_area=float((masks.labels > 0).mean()),
        )

    def _decided(self, maps: torch.Tensor, picture: Picture) -> Masks:
        """K×h×w maps against the background, at the picture's own size."""
        options, session = self._options, self._scorer.session
        if session.method is not None:
            return session.method.masks(maps, picture, background_of(options))
        return label_map(
            maps,
            picture.pixels,
            background=background_of(options),
            refine="pamr" if with_pamr(options) else "crf" if options.crf else None,
            image_size=session.views.image_size,
        )

    def _selected(self, question: Question, picture: Picture, looked: Looked) -> TagResult:
        """Listed tags are kept, a caption's words where the scorer says so; classes in some methods where they win."""
        tags = self._tagger.scored(question, looked)
        if question.sample.tags is None or method_of(self._options).selects:
            return tags
        known = set(question.known)
        if question.sample.tags == question.sample.classes:
            if not method_of(self._options).classes_compete:
                return tags
            won = np.unique(self._decided(looked.maps, picture).labels)
            known = {question.known[label - 1] for label in won.tolist() if label}
        scores = tuple(replace(score, selected=i in known) for i, score in enumerate(tags.scores))
        return replace(tags, scores=scores)

    def _label_numbers(self, question: Question, kept: Sequence[int]) -> list[int]:
        """Labels 1..K in the order of the tags; with a class list a tag's place in it, the same for every picture."""
        if question.sample.classes is not None:
            place = {fold(name): number for number, name in enumerate(question.sample.classes, 1)}
            return [place[fold(question.tags[question.known[k]])] for k in kept]
        return list(range(1, len(kept) + 1))

    def _write(
        self,
        sample: Sample,
        picture: Picture,
        names: Sequence[str],
        numbers: Sequence[int],
        masks: Masks,
        caption: Masks | None,
    ) -> dict[str, str]:
        stem = self._stems.stem(sample.key)
        files: dict[str, str] = {}

        def product(name: str, path: str) -> Path:
            files[name] = path
            return self._run.product(path)

        labels = np.array([0, *numbers], dtype=np.uint16)[masks.labels]
        write_label_map(product("labels", f"labels/{stem}.png"), labels, label_colours(max(numbers, default=0)))
        write_mask(product("union", f"union/{stem}.png"), masks.labels > 0)
        save_png(
            product("overlay", f"overlay/{stem}.png"),
            overlay(picture.pixels, masks.labels, names, title=sample.caption),
        )
        if caption is not None:
            covered = caption.labels > 0
            write_mask(product("caption", f"caption/{stem}.png"), covered)
            drawn = caption_overlay(picture.pixels, covered, sample.caption or "")
            save_png(product("caption_overlay", f"caption_overlay/{stem}.png"), drawn)
        if self._options.binary:
            for k, (name, number) in enumerate(zip(names, numbers, strict=True)):
                path = f"tags/{stem}/{number:02d}_{safe_name(name, 80)}.png"
                write_mask(product(f"tag:{name}", path), masks.labels == k + 1)
        if self._options.npz:
            scores = masks.scores.float().cpu().numpy()
            write_probabilities(product("npz", f"npz/{stem}.npz"), scores, names, picture.size)
        return files


def _box(mask: np.ndarray) -> list[int] | None:
    box = bounding_box(mask)
    return None if box is None else list(box)


def _stem_of(row: dict[str, Any]) -> str:
    path = str(row["files"]["labels"])
    return path.removeprefix("labels/").removesuffix(".png")
