"""Task `tags`: which words of a caption does the picture show? One decision per candidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample, Truth
from ttd_core.metrics.maps import pixel_auc, points_inside
from ttd_core.metrics.tagging import TagCounts, caption_average_precisions, tag_metrics
from ttd_core.recipes.evaluation.reading import Read, Reader
from ttd_core.recipes.evaluation.scenes_data import ScenesBenchmark
from ttd_core.recipes.evaluation.summary import Row, Summary
from ttd_core.recipes.evaluation.task import Example, Finish, Setting, percent
from ttd_core.recipes.evaluation.words import judged_words
from ttd_core.recipes.results import SCORE_DIGITS, Skipped, TagResult, rounded
from ttd_core.text.candidates import given_tags
from ttd_core.text.tokens import fold

if TYPE_CHECKING:
    from ttd_core.recipes.evaluation.model_answers import ModelAnswers

BASELINES = {"keep": "keep all candidates", "noun": "keep all nouns", "dictionary": "dictionary of visible words"}
"""Flag of a decision → trivial answer that keeps exactly the flagged ones."""


class TagTask:
    """Tag selection by a model.

    Args:
        setting: options, data set, where to report.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._looks = setting.options.scorer in ("pixel", "image", "tagclip")
        self._answers: ModelAnswers | None = None

    def reader(self) -> Callable[[BenchmarkSample], Any]:
        """Pictures only where the scorer looks at them."""
        return Reader(self._setting.benchmark, pictures=self._looks)

    def answer(self, read: Sequence[Any]) -> list[Finish]:
        """Score the candidates."""
        if self._answers is None:
            from ttd_core.recipes.evaluation.model_answers import ModelAnswers

            s = self._setting
            self._answers = ModelAnswers(s.options, s.report, s.run, s.cache, masks=False)
        done = self._answers.tags(read)
        return [partial(self._row, each, *answer) for each, answer in zip(read, done, strict=True)]

    def summary(self, rows: Iterable[Row]) -> Summary:
        """Precision, recall, F1, accuracy and mAP; pixel AUC and pointing where there are masks."""
        return summary(rows)

    def figures(self, row: Row) -> dict[str, Any]:
        """F1 of one caption and its wrong decisions."""
        return caption_figures(row)

    def example(self, sample: BenchmarkSample) -> Example | None:
        """The picture with its caption; what was kept stands in the row."""
        return captioned_example(self._setting.benchmark, sample)

    def _row(self, read: Read, answer: TagResult | Skipped, question: Any, looked: Any) -> dict[str, Any] | Skipped:
        if isinstance(answer, Skipped):
            return answer
        scored = [(score.tag, score.score, score.selected) for score in answer.scores]
        row = decisions_row(self._setting, read.sample, read.truth, scored)
        if looked is not None and read.truth.tag_masks and self._setting.options.scorer == "pixel":
            row["maps"] = _map_figures(read.truth, question, looked)
        return row


def has_picture(benchmark: Benchmark, sample: BenchmarkSample) -> bool:
    """Whether a sample's picture can be asked for: it has a file, or is drawn."""
    return sample.image is not None or isinstance(benchmark, ScenesBenchmark)


def captioned_example(benchmark: Benchmark, sample: BenchmarkSample) -> Example | None:
    """A picture with its caption, None without a picture."""
    if not has_picture(benchmark, sample):
        return None
    return Example(sample.caption or "", benchmark.picture(sample).pixels)


def decisions_row(
    setting: Setting,
    sample: BenchmarkSample,
    truth: Truth,
    answered: Iterable[tuple[str, float | None, bool]],
) -> dict[str, Any]:
    """The row of one caption.

    Decided are the judged candidates. A tag that an answer brings in besides counts as wrong unless it is true, and a
    true tag that is no candidate (a phrase where candidates are words) counts as missed: neither may vanish.

    Args:
        setting: which words are candidates.
        sample: the caption.
        truth: its true tags.
        answered: tag, score, whether it is kept.

    Returns:
        `key` and `candidates`, each with tag, score, selected, true, and one flag per baseline.
    """
    judged = judged_words(setting, sample, truth)
    true = {tag.key for tag in given_tags(truth.tags or ())}
    decided: dict[str, dict[str, Any]] = {
        word.key: {"tag": word.tag, "score": None, "selected": False, "true": word.key in true, **word.flags}
        for word in judged
    }
    for tag, score, selected in answered:
        for found in given_tags((tag,)):
            entry = decided.setdefault(found.key, {"tag": found.tag, "true": found.key in true})
            entry |= {"score": rounded(score), "selected": bool(selected)}
    for key in true - decided.keys():
        decided[key] = {"tag": key, "score": None, "selected": False, "true": True}
    return {"key": sample.key, "candidates": list(decided.values())}


def summary(rows: Iterable[Row]) -> Summary:
    """All figures of tag selection.

    Args:
        rows: see `decisions_row`.
    """
    counts = {name: TagCounts(0, 0, 0, 0) for name in ("selected", *BASELINES)}
    flags: set[str] = set()
    by_tag: dict[str, list[int]] = {}
    areas: dict[str, list[float]] = {}
    hits: dict[str, list[bool]] = {}
    precisions: list[float] = []
    scores: list[tuple[float, bool, bool]] = []
    quality: dict[str, float] = {}
    captions = 0
    for row in rows:
        captions += 1
        candidates = row["candidates"]
        true = np.array([bool(each["true"]) for each in candidates], dtype=bool)
        # what an answer brings in besides must not make the trivial answers look better
        judged = np.array([bool(each["true"]) or "keep" in each for each in candidates], dtype=bool)
        for name in counts:
            chosen = np.array([bool(each.get(name)) for each in candidates], dtype=bool)
            flags |= {name} if any(name in each for each in candidates) else set()
            asked = slice(None) if name == "selected" else judged
            counts[name] += _count(chosen[asked], true[asked])
        ranked = [math.nan if each["score"] is None else each["score"] for each in candidates]
        precisions += caption_average_precisions([(ranked, true)])
        for each, score in zip(candidates, ranked, strict=True):
            scores.append((score, bool(each["true"]), bool(each["selected"])))
            table = by_tag.setdefault(fold(str(each["tag"])), [0, 0, 0, 0])
            table[(not each["selected"]) * 2 + (not each["true"])] += 1
        for tag, (area, hit) in row.get("maps", {}).items():
            areas.setdefault(fold(tag), []).append(math.nan if area is None else area)
            hits.setdefault(fold(tag), []).append(hit)
        quality[row["key"]] = caption_figures(row)["f1"]
    metrics = _metrics(counts["selected"])
    if any(not math.isnan(score) for score, _, _ in scores):  # plain lists of tags have no order to judge
        metrics["map"] = percent(_mean(precisions))
    if areas:
        metrics["pixel_auc"] = percent(_mean([value for found in areas.values() for value in found]))
        metrics["pointing"] = percent(_mean([float(hit) for found in hits.values() for hit in found]))
    return Summary(
        metrics=metrics,
        counts={"captions": captions, "decisions": len(scores), "true": counts["selected"].tp + counts["selected"].fn},
        baselines={BASELINES[name]: _metrics(counts[name]) for name in BASELINES if name in flags},
        per_class=_per_tag(by_tag, areas, hits),
        scores=np.array(scores, dtype=np.float64).reshape(-1, 3),
        quality=quality,
    )


def caption_figures(row: Row) -> dict[str, Any]:
    """F1 of one caption in percent (100 where nothing is true and nothing kept), and what went wrong."""
    wrong = [each["tag"] for each in row["candidates"] if each["selected"] and not each["true"]]
    missed = [each["tag"] for each in row["candidates"] if each["true"] and not each["selected"]]
    right = sum(bool(each["selected"] and each["true"]) for each in row["candidates"])
    total = 2 * right + len(wrong) + len(missed)
    return {"f1": percent(2 * right / total) if total else 100.0, "wrong": wrong, "missed": missed}


def _map_figures(truth: Truth, question: Any, looked: Any) -> dict[str, list[Any]]:
    """True tag → [pixel AUC or None, whether the highest pixel lies in the mask]; maps at the masks' own size."""
    from ttd_core.recipes.evaluation.model_answers import enlarged

    found: dict[str, list[Any]] = {}
    masks = {fold(tag): mask for tag, mask in (truth.tag_masks or {}).items()}
    for position, index in enumerate(question.known):
        tag = question.tags[index]
        mask = masks.get(fold(tag))
        if mask is None or not mask.any():
            continue
        values = enlarged(looked.cosines[position : position + 1], mask.shape)[0]
        area = pixel_auc(values, mask)
        found[tag] = [None if math.isnan(area) else round(area, SCORE_DIGITS), points_inside(values, mask)]
    return found


def _count(chosen: np.ndarray, true: np.ndarray) -> TagCounts:
    tp = int((chosen & true).sum())
    fp, fn = int(chosen.sum()) - tp, int(true.sum()) - tp
    return TagCounts(tp, fp, fn, len(true) - tp - fp - fn)


def _metrics(counts: TagCounts) -> dict[str, float]:
    found = tag_metrics(counts)
    return {
        "precision": percent(found.precision),
        "recall": percent(found.recall),
        "f1": percent(found.f1),
        "accuracy": percent(found.accuracy),
    }


def _per_tag(
    by_tag: Mapping[str, list[int]], areas: Mapping[str, list[float]], hits: Mapping[str, list[bool]]
) -> list[dict[str, Any]]:
    """One row per word that is true somewhere, the most frequent first."""
    rows = []
    for tag, (tp, fp, fn, tn) in sorted(by_tag.items(), key=lambda item: (-item[1][0] - item[1][2], item[0])):
        if not tp + fn:
            continue
        row = {"name": tag, "captions": tp + fp + fn + tn, "true": tp + fn} | _metrics(TagCounts(tp, fp, fn, tn))
        if tag in areas:
            row |= {"pixel_auc": percent(_mean(areas[tag])), "pointing": percent(_mean([float(h) for h in hits[tag]]))}
        rows.append(row)
    return rows


def _mean(values: Sequence[float]) -> float:
    kept = [value for value in values if not math.isnan(value)]
    return math.fsum(kept) / len(kept) if kept else math.nan
