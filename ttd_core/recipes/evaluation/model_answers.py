"""What a model says about benchmark samples, by the scorers, maps and masks of `ttd tags` and `ttd masks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ttd_core.data.benchmarks.types import ClassList
from ttd_core.errors import VocabularyError
from ttd_core.ops.masks import label_map
from ttd_core.ops.resize import resize_maps
from ttd_core.recipes.evaluation.class_texts import ClassTexts
from ttd_core.recipes.evaluation.words import benchmark_sample
from ttd_core.recipes.maps import look
from ttd_core.recipes.mask_maps import caption_mask_map, tag_mask_maps
from ttd_core.recipes.method_model import Asked
from ttd_core.recipes.methods import background_of, scorer_of, with_pamr
from ttd_core.recipes.results import Skipped, TagResult
from ttd_core.recipes.scoring import Question, Scorer
from ttd_core.recipes.tags import TagAnswerer
from ttd_core.text.rivals import rivals_of
from ttd_core.types import Picture, Sample

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.evaluation.reading import Read
    from ttd_core.recipes.maps import Looked
    from ttd_core.runs import RunDirectory


class ModelAnswers:
    """A model that answers sample by sample; loaded when it is first needed.

    No answer depends on what else is asked: on a CPU pictures and texts go through the model one by one, since with
    several threads the last bits of a result depend on its batch.

    Args:
        options: the settings.
        report: told what is assumed.
        run: told which model on which device gave the numbers.
        cache: folder for text embeddings.
        masks: masks will be made.
    """

    def __init__(
        self, options: EvaluateOptions, report: Reporter, run: RunDirectory | None, cache: Path | None, masks: bool
    ) -> None:
        self._options = options
        settings = options.answers(masks)
        self.scorer = Scorer(settings, report, cache, run, apart=True)
        self._tagger = TagAnswerer(settings, report, self.scorer)
        self._texts: tuple[torch.Tensor, torch.Tensor] | None = None

    # captions ------------------------------------------------------------------------------------------------------

    def ask(self, reads: Sequence[Read]) -> list[tuple[Question, Looked]]:
        """What the model sees of captioned pictures: questions about their candidates, and the maps."""
        self.scorer.warn_of_photographs([read.picture for read in reads])
        samples = [self._sample(read) for read in reads]
        questions = self.scorer.questions(samples, [read.picture for read in reads])
        return list(zip(questions, self.scorer.look(questions), strict=True))

    def tags(self, reads: Sequence[Read]) -> list[tuple[TagResult | Skipped, Question | None, Looked | None]]:
        """Scored and selected candidates of captions, with what was seen where the scorer looks at pictures."""
        kind = self._options.scorer.partition(":")[0]
        if kind in ("nouns", "list"):
            plain = [self._tagger.without_model(self._sample(read)) for read in reads]
            return [(answer, None, None) for answer in plain if answer is not None]
        if kind == "text":
            questions = self.scorer.questions([self._sample(read) for read in reads], [None] * len(reads))
            return [(self.scorer.decide(question, None), question, None) for question in questions]
        return [(self.scorer.decide(*asked), *asked) for asked in self.ask(reads)]

    def caption_masks(self, picture: Picture, question: Question, looked: Looked) -> tuple[np.ndarray, np.ndarray]:
        """H×W bool mask of a caption's own map, and of the union of its selected tags."""
        session = self.scorer.session
        reading = self.scorer.reading(question)
        tags = self._tagger.scored(question, looked)
        kept = [k for k, i in enumerate(question.known) if tags.scores[i].selected]
        own = caption_mask_map(looked, reading, session.alone_reading)[None]
        union = tag_mask_maps(looked, kept, reading, session.alone_reading)
        if session.method is not None:
            found = [session.method.masks(maps, picture, self._background).labels for maps in (own, union)]
            return found[0] > 0, found[1] > 0
        return self._labels(own, picture, self._background) > 0, self._labels(union, picture, self._background) > 0

    # class lists ---------------------------------------------------------------------------------------------------

    def class_maps(self, pictures: Sequence[Picture], texts: ClassTexts) -> list[Looked]:
        """Maps of every class of a list, judged alone, for each picture; the strongest text stands for its class."""
        self.scorer.warn_of_photographs(pictures)
        session = self.scorer.session
        embeddings, rivals = self._embedded(texts)
        if session.method is not None:
            return list(session.method.look(pictures, [_asked(texts, embeddings)] * len(pictures)))
        count = len(pictures)
        return look(
            session,
            session.alone_reading,
            pictures,
            [embeddings] * count,
            [rivals] * count,
            [None] * count,
            texts.owners,
        )

    def class_labels(
        self, pictures: Sequence[Picture], texts: ClassTexts, classes: ClassList
    ) -> list[Callable[[], np.ndarray]]:
        """What gives the H×W uint16 class indices of each picture, once the model has looked; see `label_map`."""
        method = self.scorer.session.method
        if method is None:
            seen = self.class_maps(pictures, texts)
            return [partial(self.label_map, *each, classes) for each in zip(pictures, seen, strict=True)]
        embeddings, _ = self._embedded(texts)
        background = self._background if classes.background else self._options.bg
        asked = _asked(texts, embeddings)
        # the classes that were asked about, as those of the list
        found = np.array(texts.targets or sorted(set(texts.owners)), dtype=np.uint16)
        if classes.background:
            table = np.concatenate([[0], found + 1]).astype(np.uint16)
        else:
            table = found if background is None else np.concatenate([[len(classes.names)], found]).astype(np.uint16)
        labels = [method.class_labels(each, asked, background) for each in pictures]
        return [partial(table.__getitem__, each) for each in labels]

    def label_map(self, picture: Picture, looked: Looked, classes: ClassList) -> np.ndarray:
        """H×W uint16 class indices in the order of `classes`; len(classes.names) where no class reaches `--bg`.

        A list with a background compares every class with it. In a list without one every pixel belongs to the
        strongest class (TCL), unless `--bg` is given: then what stays below it belongs to no class (TTD).
        """
        background = self._options.bg
        if classes.background:
            background = self._background
        labels = self._labels(looked.maps, picture, background).astype(np.uint16)
        if classes.background:
            return labels
        return np.where(labels == 0, np.uint16(len(classes.names)), labels - 1).astype(np.uint16)

    def class_scores(self, looked: Looked) -> np.ndarray:
        """Scores of the classes of a picture by `--scorer pixel` or `image`, float32."""
        whole = scorer_of(self._options) == "image"
        scores = looked.image_scores if whole else looked.maps.flatten(1).amax(1)
        found: np.ndarray = scores.float().cpu().numpy()
        return found

    @property
    def _background(self) -> float:
        return background_of(self._options)

    def _sample(self, read: Read) -> Sample:
        return benchmark_sample(self._options, read.sample, read.truth)

    def _embedded(self, texts: ClassTexts) -> tuple[torch.Tensor, torch.Tensor]:
        if self._texts is None:
            session = self.scorer.session
            strange = [text for text in texts.texts if session.unknown_words(text)]
            if strange:
                raise VocabularyError(
                    f"--model {session.info.name} does not know {len(strange)} of {len(texts.texts)} class names: "
                    f"{', '.join(strange[:5])}{', ...' if len(strange) > 5 else ''}",
                    hint="name a model with an open vocabulary, e.g. --model ViT-B-16 --pretrained openai",
                )
            rivals = rivals_of(texts.texts, session.alone_reading.rivals)
            self._texts = session.embed_names(texts.texts, texts.tagging), session.embed_tags(rivals)
        return self._texts

    def _labels(self, maps: torch.Tensor, picture: Picture, background: float | None) -> np.ndarray:
        refine = "pamr" if with_pamr(self._options) else "crf" if self._options.crf else None
        size = self.scorer.session.views.image_size
        return label_map(maps, picture.pixels, background=background, refine=refine, image_size=size).labels


def _asked(texts: ClassTexts, embeddings: torch.Tensor) -> Asked:
    return Asked(texts.tagging or texts.texts, embeddings, owners=texts.owners, map_names=texts.texts)


def enlarged(maps: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    """K×h×w maps bilinear at K×H×W, float32."""
    large: np.ndarray = resize_maps(maps[None], size)[0].float().cpu().numpy()
    return large
