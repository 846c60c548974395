"""`ttd demo`: one sheet per picture, a heat map per tag beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ttd_core.data.inputs import read_samples
from ttd_core.data.rows import BadRow
from ttd_core.drawing.canvas import save_png
from ttd_core.drawing.pair_sheet import pair_sheet
from ttd_core.drawing.sheet import sheet
from ttd_core.drawing.tiles import Panel
from ttd_core.ops.masks import label_map
from ttd_core.ops.select import cut
from ttd_core.protocols import SilentReporter
from ttd_core.recipes.answering import answers
from ttd_core.recipes.methods import method_of, name_of, selection_of
from ttd_core.recipes.options import DemoOptions
from ttd_core.recipes.products import Stems
from ttd_core.recipes.results import DemoResult, Skipped, TagResult
from ttd_core.recipes.scoring import Question, Scorer
from ttd_core.recipes.tags import TagAnswerer
from ttd_core.types import Picture, Sample

if TYPE_CHECKING:
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.maps import Looked
    from ttd_core.runs import RunDirectory

_MAPS_OF_A_SECOND_STAGE = {
    "tagclip+clip-es": "CLIP-ES's activation, of the tags alone",
    "tagclip+ttd": "the model's own similarity",
}
"""Methods whose numbers come from TagCLIP and whose maps do not -> what the maps are."""

_NOTES = {
    "tagclip": (
        "numbers: TagCLIP's score of the picture, after a second look at crops",
        "maps: its scores of places before that",
    )
}
"""Methods whose numbers are more than the maximum of their maps -> lines that say so."""


def run_demo(
    options: DemoOptions,
    samples: Iterable[Sample | BadRow],
    report: Reporter,
    run: RunDirectory,
    cache: Path | None = None,
) -> Iterator[DemoResult | Skipped]:
    """Draw the sheet of every row, in input order.

    Args:
        options: the settings.
        samples: the rows.
        report: told what is assumed.
        run: where sheets and rows go.
        cache: folder for text embeddings.

    Raises:
        TtdError: the model or the run directory cannot be used; bad rows come out as `Skipped` instead.
    """
    return answers(options, samples, run, DemoAnswerer(options, report, run, cache), DemoResult.from_json)


def bundled_samples(options: DemoOptions) -> Iterator[Sample | BadRow]:
    """The hand-made scenes with their captions, drawn into `<run_root>/demo/pictures` where they are not there yet."""
    from ttd_core.scenes.demo import DEMO_NAMES, write_demo

    folder = Path(options.run_root) / "demo" / "pictures"
    listing = folder / "captions.jsonl"
    if not all(file.exists() for file in (listing, *(folder / f"{name}.png" for name in DEMO_NAMES))):
        write_demo(folder)
    return read_samples(str(listing))


class DemoAnswerer:
    """Scores and draws a batch.

    Args:
        options: the settings.
        report: told what is assumed.
        run: where sheets go.
        cache: folder for text embeddings.
    """

    def __init__(self, options: DemoOptions, report: Reporter, run: RunDirectory, cache: Path | None) -> None:
        self._options = options
        self._run = run
        self._look = _Look(options, report, cache, run)
        self._before: _Look | None = None
        if options.before:
            plain = replace(options, model=replace(options.model, lora=None), before=False)
            self._before = _Look(plain, SilentReporter(), cache, None)  # the other one has said all there is to say
        self._stems = Stems(
            str(row["files"]["sheet"]).removeprefix("sheets/").removesuffix(".png") for row in run.rows()
        )

    def __call__(self, samples: Sequence[Sample]) -> Iterator[DemoResult | Skipped]:
        """Answer a batch in its order, each once its sheet is written."""
        seen = self._look(samples)
        plain = [None] * len(samples) if self._before is None else self._before(samples)
        for item, old in zip(seen, plain, strict=True):
            yield item if isinstance(item, Skipped) else self._draw(item, None if isinstance(old, Skipped) else old)

    def _draw(self, seen: Seen, before: Seen | None) -> DemoResult:
        shown = Shown.of(self._options, seen.cut, None if before is None else before.cut)
        title = seen.tags.text or ""
        if before is None:
            drawn = sheet(
                seen.picture.pixels, seen.panels, threshold=shown.white, value_range=shown.value_range, title=title,
                meaning=shown.meaning, notes=shown.notes,
            )  # fmt: skip
        else:
            drawn = pair_sheet(
                seen.picture.pixels, before.panels, seen.panels, names=self._names(),
                threshold=(Shown.of(self._options, before.cut).white, shown.white), value_range=shown.value_range,
                title=title, meaning=shown.meaning, notes=shown.notes,
            )  # fmt: skip
        relative = f"sheets/{self._stems.stem(seen.tags.key)}.png"
        save_png(self._run.product(relative), drawn)
        return DemoResult(seen.tags, relative, () if before is None else before.tags.scores)

    def _names(self) -> tuple[str, str]:
        model = self._options.model
        return f"before: {model.model}", f"after: {Path(model.lora or '').name}"


@dataclass(frozen=True)
class Seen:
    """What one model sees of a picture: scores, a panel per tag that it knows, and the score at which tags are kept."""

    picture: Picture
    tags: TagResult
    panels: list[Panel]
    cut: float | None


@dataclass(frozen=True)
class Shown:
    """How a sheet shows numbers beside maps.

    Args:
        white: the value that is white on the maps.
        value_range: values of the full blue and the full red.
        meaning: what white is, where that is not the threshold asked for.
        notes: what numbers and maps are, where the ones are not read from the others.
    """

    white: float
    value_range: tuple[float, float]
    meaning: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, options: DemoOptions, cut: float | None, earlier: float | None = None) -> Shown:
        """White is where tags are kept, if the maps have the scale of the numbers, else the middle of their own.

        Args:
            options: method, selection, reading.
            cut: the score at which the picture's tags are kept, None without any.
            earlier: the same without the adapter, where both are shown.
        """
        method, (rule, _) = name_of(options), selection_of(options)
        value_range = (-1.0, 1.0) if options.calibration == "none" else (0.0, 1.0)
        if method in _MAPS_OF_A_SECOND_STAGE:
            cuts = " and ".join(dict.fromkeys(f"{each:.4g}" for each in (earlier, cut) if each is not None))
            threshold = f", threshold {cuts}" + (" here" if rule != "fixed" else "") if cuts else ""
            notes = f"numbers: TagCLIP's score{threshold}", f"maps: {_MAPS_OF_A_SECOND_STAGE[method]}"
            return cls(sum(value_range) / 2, value_range, "", notes)
        meaning = "" if rule == "fixed" or cut is None else "this picture's threshold"
        return cls(0.5 if cut is None else cut, value_range, meaning, _NOTES.get(method, ()))


class _Look:
    """One model asked about samples: scores, and maps as they are drawn."""

    def __init__(self, options: DemoOptions, report: Reporter, cache: Path | None, run: RunDirectory | None) -> None:
        self._options = options
        self._scorer = Scorer(options, report, cache, run)
        self._tagger = TagAnswerer(options, report, self._scorer)

    def __call__(self, samples: Sequence[Sample]) -> Iterator[Seen | Skipped]:
        for item in self._scorer.look_at(samples):
            yield item if isinstance(item, Skipped) else self._seen(*item)

    def _seen(self, question: Question, picture: Picture, looked: Looked) -> Seen:
        tags = self._tagger.scored(question, looked)
        maps = self._refined(looked, picture)
        panels = []
        for k, i in enumerate(question.known):
            score = tags.scores[i]
            place = None if score.x is None or score.y is None else (score.x, score.y)
            panels.append(Panel(score.tag, maps[k].float().cpu().numpy(), score.score, score.selected, place))
        scores = [panel.score for panel in panels if panel.score is not None]
        return Seen(picture, tags, panels, cut(torch.tensor(scores), looked.rivals, *selection_of(self._options)))

    def _refined(self, looked: Looked, picture: Picture) -> torch.Tensor:
        """The maps as they are, or after PAMR; the scores beside them stay those of the unrefined maps."""
        if not method_of(self._options).similarity or not self._options.pamr:
            return looked.maps  # such methods refine as they look
        size = self._scorer.session.views.image_size
        return label_map(looked.maps, picture.pixels, refine="pamr", image_size=size).scores
