"""Scoring of candidate tags by a model: pixel (TTD), image and text scoring on one data flow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ttd_core.ops.calibrate import calibrate
from ttd_core.ops.select import chosen
from ttd_core.ops.similarity import cell_to_pixel, cosine_scores, peaks
from ttd_core.recipes.answering import load_pictures
from ttd_core.recipes.candidates import picture_name, sample_candidates
from ttd_core.recipes.listed import synonyms_of
from ttd_core.recipes.maps import Looked, look, strongest_of
from ttd_core.recipes.methods import name_of, scorer_of, selection_of
from ttd_core.recipes.options import CommonOptions
from ttd_core.recipes.question import Question, owners_of
from ttd_core.recipes.results import Skipped, TagResult
from ttd_core.recipes.session import Reading, Session, open_session
from ttd_core.scenes.marks import is_marked
from ttd_core.text.rivals import rivals_of
from ttd_core.text.tokens import fold
from ttd_core.types import DTYPES, Picture, Sample, TagScore

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.runs import RunDirectory


class Scorer:
    """Asks a model about samples; the model is loaded when the first one needs it.

    Args:
        options: model, reading, selection.
        report: told what is assumed or skipped.
        cache: folder for text embeddings.
        run: told which model on which device gave the numbers.
        apart: see `ttd_core.recipes.session.open_session`.
    """

    def __init__(
        self,
        options: CommonOptions,
        report: Reporter,
        cache: Path | None = None,
        run: RunDirectory | None = None,
        *,
        apart: bool = False,
    ) -> None:
        self._options = options
        self._apart = apart
        self._run = run
        self._report = report
        self._cache = cache
        self._session: Session | None = None
        self._photo_warned = False
        self._synonyms = synonyms_of(options, report)

    @property
    def session(self) -> Session:
        """The model, loaded on first use."""
        if self._session is None:
            self._session = open_session(self._options, self._report, self._cache, apart=self._apart)
            if self._run is not None:
                self._run.note(
                    device=str(self._session.device),
                    dtype=DTYPES[self._session.info.precision],
                    threads=torch.get_num_threads(),
                    model_sha256=self._session.info.weights_sha256,
                    reading=self._session.described(),
                )
        return self._session

    def reading(self, question: Question) -> Reading:
        """How scores are read: listed tags and an only word are judged alone, a caption's words compete."""
        return self._reading(question.sample, len(question.known))

    def _reading(self, sample: Sample, count: int) -> Reading:
        alone = sample.tags is not None or count < 2
        return self.session.alone_reading if alone else self.session.caption_reading

    def questions(self, samples: Sequence[Sample], pictures: Sequence[Picture | Skipped | None]) -> list[Question]:
        """Candidates and text embeddings of a batch; each different text is encoded once."""
        session = self.session
        candidates = [tuple(c.tag for c in sample_candidates(sample, self._options)) for sample in samples]
        known = [self._known(tags) for tags in candidates]
        texts = [tuple(text for kept in found.values() for text in kept) for found in known]
        rows = {text: row for row, text in enumerate(dict.fromkeys(text for asked in texts for text in asked))}
        embeddings = session.embed_tags(list(rows))
        captions = [sample.caption for sample in samples]
        spoken = list(dict.fromkeys(caption for caption in captions if caption and caption.strip()))
        heads = dict(zip(spoken, session.embed_captions(spoken), strict=True)) if spoken else {}
        return [
            Question(
                sample=sample,
                tags=tags,
                known=tuple(found),
                embeddings=embeddings[[rows[text] for text in asked]],
                rivals=session.embed_tags(rivals_of((*tags, *asked), self._reading(sample, len(found)).rivals)),
                caption=heads.get(sample.caption or ""),
                picture=picture if isinstance(picture, Picture) else None,
                texts=asked,
                owners=owners_of(found.values()),
                listed=self._texts_of(sample.classes or ()),
            )
            for sample, tags, found, asked, picture in zip(samples, candidates, known, texts, pictures, strict=True)
        ]

    def _texts_of(self, classes: Sequence[str]) -> tuple[str, ...]:
        return tuple(text for name in classes for text in self._synonyms.get(fold(name), (name,)))

    def _known(self, tags: Sequence[str]) -> dict[int, tuple[str, ...]]:
        """Places of the tags that the model can score -> the texts that stand for each, those that it knows."""
        found = {}
        for place, tag in enumerate(tags):
            texts = self._synonyms.get(fold(tag), (tag,)) if self._synonyms else (tag,)
            kept = tuple(text for text in texts if not self.session.unknown_words(text))
            if kept:
                found[place] = kept
        return found

    def look(self, questions: Sequence[Question]) -> Iterator[Looked]:
        """Maps of every question, in their order; all have pictures. A method's maps are made as they are asked for."""
        method = self.session.method
        if method is None:
            yield from self._look_together(questions)
            return
        pictures = [question.picture for question in questions if question.picture is not None]
        assert len(pictures) == len(questions)
        yield from method.look(pictures, [question.asked for question in questions])

    def _look_together(self, questions: Sequence[Question]) -> list[Looked]:
        results: dict[int, Looked] = {}
        kinds = [(self.reading(question), question.owners) for question in questions]
        for reading, owners in dict.fromkeys(kinds):
            asked = [i for i, kind in enumerate(kinds) if kind == (reading, owners)]
            pictures = [q.picture for i in asked if (q := questions[i]).picture is not None]
            seen = look(
                self.session,
                reading,
                pictures,
                [questions[i].embeddings for i in asked],
                [questions[i].rivals for i in asked],
                [questions[i].caption for i in asked],
                owners,
            )
            results.update(zip(asked, seen, strict=True))
        return [results[i] for i in range(len(questions))]

    def load(self, samples: Sequence[Sample]) -> list[Picture | Skipped]:
        """Decode the pictures of a batch and say once when the built-in model is shown something foreign to it."""
        pictures = load_pictures(samples)
        self.warn_of_photographs(pictures)
        return pictures

    def warn_of_photographs(self, pictures: Sequence[Picture | Skipped | None]) -> None:
        """Say once when the built-in model is shown something foreign to it."""
        if self._options.model.model != "scenes" or self._photo_warned:
            return
        for picture in pictures:
            if isinstance(picture, Picture) and picture.path is not None and not is_marked(picture.path):
                self._photo_warned = True
                self._report.warning(
                    f"{picture.name}: not a drawing of the scenes benchmark, which is all the built-in model knows",
                    hint="for photographs use a real model, e.g. --model ViT-B-16 --pretrained openai",
                )
                return

    def look_at(self, samples: Sequence[Sample]) -> Iterator[tuple[Question, Picture, Looked] | Skipped]:
        """Load, question and look: a batch of samples that need both a picture and words, in their order."""
        results: dict[int, Skipped] = {}
        usable: list[int] = []
        for i, sample in enumerate(samples):
            if sample.image is None:
                results[i] = Skipped(sample.key, f"{sample.origin}: no picture to look at", "add an image")
            elif sample.caption is None and sample.tags is None:
                results[i] = Skipped(
                    sample.key, f"{sample.origin}: no caption and no tags", "add a text, or list --tags"
                )
            else:
                usable.append(i)
        asked: list[tuple[int, Picture]] = []
        for i, loaded in zip(usable, self.load([samples[i] for i in usable]), strict=True):
            if isinstance(loaded, Skipped):
                results[i] = loaded
            else:
                asked.append((i, loaded))
        questions = self.questions([samples[i] for i, _ in asked], [picture for _, picture in asked])
        seen = zip((picture for _, picture in asked), questions, self.look(questions), strict=True)
        for i in range(len(samples)):
            if i in results:
                yield results[i]
            else:
                picture, question, looked = next(seen)
                yield question, picture, looked

    def score(self, samples: Sequence[Sample]) -> list[TagResult | Skipped]:
        """Score the candidates of each sample by `options.scorer` (`pixel`, `image` or `text`)."""
        kind = self._options.scorer
        loaded: Sequence[Picture | Skipped | None] = [None] * len(samples) if kind == "text" else self.load(samples)
        good = [i for i, picture in enumerate(loaded) if not isinstance(picture, Skipped)]
        questions = self.questions([samples[i] for i in good], [loaded[i] for i in good])
        looked: Iterable[Looked | None] = [None] * len(good) if kind == "text" else self.look(questions)
        done = dict(zip(good, map(self.decide, questions, looked), strict=True))
        return [skipped if isinstance(skipped, Skipped) else done[i] for i, skipped in enumerate(loaded)]

    def decide(self, question: Question, looked: Looked | None) -> TagResult:
        """Scores, selection and the proving pixels of one sample."""
        kind = scorer_of(self._options)
        scores = self.scores(kind, question, looked)
        places = self._places(question, looked) if kind == "pixel" and looked is not None else []
        kept = self.keep(scores, None if looked is None else looked.rivals)
        own = kind == "image" and self._options.scorer != "image"  # no pooled picture, but a score of the method's own
        return self._result(question, name_of(self._options) if own else kind, scores.tolist(), kept, places)

    def scores(self, kind: str, question: Question, looked: Looked | None) -> torch.Tensor:
        """Scores of the known candidates of one sample.

        Args:
            kind: `pixel`, `image` or `text`, whatever the options say.
            question: the sample.
            looked: what the model sees of it; None for `text`.

        Returns:
            len(question.known) values.
        """
        if kind == "text":
            return self._text_scores(question)
        assert looked is not None
        if kind == "image":
            return looked.image_scores
        return looked.maps.flatten(1).amax(1) if len(looked.maps) else looked.image_scores[:0]

    def _places(self, question: Question, looked: Looked) -> list[tuple[int, int, str | None]]:
        assert question.picture is not None
        best = peaks(looked.maps[None])
        names = [question.tags[i] for i in question.known]
        grid = (looked.maps.shape[-2], looked.maps.shape[-1])
        found = zip(best.row[0].tolist(), best.column[0].tolist(), best.runner_up[0].tolist(), strict=True)
        places: list[tuple[int, int, str | None]] = []
        for row, column, second in found:
            x, y = cell_to_pixel(row, column, grid, question.picture.size)
            places.append((x, y, names[second] if second >= 0 else None))
        return places

    def keep(self, scores: torch.Tensor, rivals: torch.Tensor | None = None) -> list[bool]:
        """The selection rule of the options on K scores, and on R of words of background where a method has them."""
        return chosen(scores, rivals, *selection_of(self._options))

    def _text_scores(self, question: Question) -> torch.Tensor:
        if question.caption is None:
            return torch.zeros(len(question.known))
        reading = self.reading(question)
        texts = torch.cat([question.embeddings, question.rivals])
        scores = calibrate(
            strongest_of(cosine_scores(question.caption[None], texts), question.owners),
            reading.calibration,
            logit_scale=reading.logit_scale,
            sigmoid_scale=reading.sigmoid_scale,
            sigmoid_bias=reading.sigmoid_bias,
        )
        return scores[0, : len(question.known)]

    def _result(
        self,
        question: Question,
        kind: str,
        scores: Sequence[float],
        kept: Sequence[bool],
        places: Sequence[tuple[int, int, str | None]],
    ) -> TagResult:
        position = {i: k for k, i in enumerate(question.known)}
        rows = []
        for i, tag in enumerate(question.tags):
            k = position.get(i)
            if k is None:
                unknown = self.session.unknown_words(tag)
                named = f": {', '.join(unknown)}" if len(tag.split()) > 1 else ""
                rows.append(TagScore(tag, None, False, note=f"unknown to the model{named}"))
            elif places:
                rows.append(TagScore(tag, scores[k], kept[k], *places[k]))
            else:
                rows.append(TagScore(tag, scores[k], kept[k]))
        sample = question.sample
        return TagResult(sample.key, picture_name(sample), sample.caption, kind, tuple(rows))
