"""The worst and the best samples of an evaluation, each with what was right and what was wrong about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ttd_core.drawing.colours import Colour
from ttd_core.drawing.report.contents import Example
from ttd_core.errors import DataError
from ttd_core.metrics.bias import SCORINGS
from ttd_core.metrics.captions import MaskCounts
from ttd_core.recipes.evaluation.class_task import kept_classes
from ttd_core.recipes.evaluation.mask_task import class_colours
from ttd_core.recipes.evaluation.summary import Row, Summary
from ttd_core.recipes.evaluation.tag_task import captioned_example
from ttd_core.recipes.evaluation.text_task import OWN

if TYPE_CHECKING:
    from ttd_core.data.benchmarks.types import BenchmarkSample, ClassList
    from ttd_core.protocols import Reporter
    from ttd_core.recipes.evaluation.options import EvaluateOptions
    from ttd_core.recipes.evaluation.plan import Plan
    from ttd_core.recipes.evaluation.task import Example as Seen
    from ttd_core.recipes.evaluation.task import Task
    from ttd_core.runs import RunDirectory

EXAMPLES = 4
"""How many of the worst and of the best samples are shown."""

_NAMED = 16

QUALITY = {"tags": "F1", "text": "IoU", "masks": "mIoU", "classification": "F1", "bias": "bias"}
"""What samples are ranked by."""

_DRAWN = {
    "text": "The caption's mask is tinted.",
    "masks": "Colours are those of the classes; behind their names stands the IoU in this picture.",
}


@dataclass(frozen=True)
class Remarks:
    """What is said about a sample.

    Args:
        reason: what makes it good or bad, a sentence.
        lines: label and text.
        legend: name, colour (None for what is not drawn in) and remark.
    """

    reason: str = ""
    lines: tuple[tuple[str, str], ...] = ()
    legend: tuple[tuple[str, Colour | None, str], ...] = ()


@dataclass(frozen=True)
class Chosen:
    """Examples with the sentence above them."""

    examples: tuple[Example, ...]
    note: str


def choose_examples(
    options: EvaluateOptions, plan: Plan, task: Task, summary: Summary, run: RunDirectory, report: Reporter
) -> tuple[Chosen, Chosen]:
    """Look at the worst and at the best samples once more; none is shown as both.

    Args:
        options: how scores became decisions.
        plan: the samples.
        task: draws them.
        summary: how well each went.
        run: the rows.
        report: told about pictures that cannot be read any more.

    Returns:
        The worst and the best, the most telling first.
    """
    known = {key: value for key, value in summary.quality.items() if not math.isnan(value)}
    worst, best = ranked_ends(known)
    samples = {sample.key: sample for _, sample in plan.samples}
    found = []
    for keys, end in ((worst, "lowest"), (best, "highest")):
        examples = []
        for key in keys:
            try:
                seen = task.example(samples[key]) or captioned_example(plan.benchmark, samples[key])
            except DataError as error:  # readable a minute ago: the figures stand, the picture is left out
                report.warning(f"no picture of {key} in the report: {error.message}")
                continue
            row = run.row(key)
            if seen is not None and row is not None:
                remarks = _REMARKS[plan.task](row, options, plan.benchmark.classes)
                examples.append(_example(plan.task, samples[key], seen, known[key], remarks))
        found.append(Chosen(tuple(examples), _note(plan.task, end, known, keys)))
    return found[0], found[1]


def ranked_ends(quality: Mapping[str, float], count: int = EXAMPLES) -> tuple[list[str], list[str]]:
    """The worst keys, worst first, and the best ones, best first; of equals those that come first by name.

    Fewer than 2·`count` samples are parted in the middle.
    """
    order = {key: (value, key) for key, value in quality.items()}
    worst = sorted(order, key=lambda key: order[key])[: min(count, (len(order) + 1) // 2)]
    rest = [key for key in order if key not in set(worst)]
    return worst, sorted(rest, key=lambda key: (-quality[key], key))[:count]


def _note(task: str, end: str, known: Mapping[str, float], keys: Sequence[str]) -> str:
    """What the samples are chosen by, and how many others they stand for."""
    if not keys:
        return ""
    if task == "bias":  # the one figure that is better when it is lower
        end = {"lowest": "highest", "highest": "lowest"}[end]
    equal = sum(round(value, 1) == round(known[keys[0]], 1) for value in known.values())
    note = f"{end.capitalize()} {QUALITY[task]} of single samples, percent."
    if equal > 1:
        note += f" {equal} of {len(known)} samples have {abs(known[keys[0]]):.1f}."
    return f"{note} {_DRAWN.get(task, '')}".strip()


def _example(task: str, sample: BenchmarkSample, seen: Seen, value: float, remarks: Remarks) -> Example:
    return Example(
        title=sample.key,
        caption=sample.caption or "",
        value=f"{QUALITY[task]} {abs(value):.1f}",
        pixels=seen.pixels,
        truth=seen.truth,
        prediction=seen.answer,
        reason=remarks.reason,
        remarks=remarks.lines,
        legend=remarks.legend,
    )


def tag_remarks(row: Row, options: EvaluateOptions, classes: ClassList | None) -> Remarks:
    """Which tags of a caption were kept rightly and wrongly, and which were missed."""
    return _decisions(
        [(each["tag"], each["score"], bool(each["selected"]), bool(each["true"])) for each in row["candidates"]], "tag"
    )


def label_remarks(row: Row, options: EvaluateOptions, classes: ClassList | None) -> Remarks:
    """Which classes of a picture were kept rightly and wrongly, and which were missed."""
    assert classes is not None
    names, true = classes.things, set(row["present"])
    if options.difficult == "negative":
        true -= set(row.get("difficult", ()))
    hidden = set(row.get("difficult", ())) if options.difficult == "ignore" else set()
    scores: Sequence[float | None] = row.get("scores") or [None] * len(names)
    if "labels" in row:  # finished answers bring their own decisions
        kept = set(row["labels"])
    else:
        kept = set(np.flatnonzero(kept_classes(np.array([scores], dtype=np.float32), options)[0]).tolist())
    decided = [(names[i].strip(), scores[i], i in kept, i in true) for i in range(len(names)) if i not in hidden]
    return _decisions(decided, "class", "classes")


def caption_remarks(row: Row, options: EvaluateOptions, classes: ClassList | None) -> Remarks:
    """How a caption's mask lies to the true one, beside the trivial masks."""
    own = MaskCounts(*row["masks"][OWN])
    covered, outside = _share(own.tp, own.tp + own.fn), _share(own.fp, own.tp + own.fp)
    reason = f"The mask covers {covered} of the true one, and {outside} of it lies outside."
    others = [(name, MaskCounts(*values)) for name, values in row["masks"].items() if name != OWN]
    lines = tuple((f"IoU, {name}", f"{100 * counts.shares.iou:.1f}") for name, counts in others)
    return Remarks(reason, lines)


def class_remarks(row: Row, options: EvaluateOptions, classes: ClassList | None) -> Remarks:
    """The classes of a picture with their colours and IoU, and the most frequent mistake."""
    assert classes is not None
    names = [*(name.strip() for name in classes.names), "no class"]
    cells = [(int(truth), int(answer), int(pixels)) for truth, answer, pixels in row["cells"]]
    total = sum(pixels for *_, pixels in cells)
    reason = "Every counted pixel is right."
    wrong = [cell for cell in cells if cell[0] != cell[1] and cell[2]]
    if wrong:
        truth, answer, pixels = max(wrong, key=lambda cell: (cell[2], -cell[0], -cell[1]))
        taken = "left without a class" if answer == len(classes.names) else f"taken for {names[answer]}"
        reason = f"The commonest mistake: {names[truth]} {taken}, {_share(pixels, total)} of the pixels."
    area: dict[int, list[int]] = {}
    for truth, answer, pixels in cells:
        for index in {truth, answer} - {len(classes.names)}:
            both, either = area.get(index, [0, 0])
            area[index] = [both + pixels * (truth == answer), either + pixels]
    palette = _palette(classes)
    order = sorted(area.items(), key=lambda item: (-item[1][1], item[0]))
    legend = tuple((names[i], palette.get(i), f"{100 * both / either:.1f}") for i, (both, either) in order if either)
    more = len(legend) - _NAMED
    lines = (("and", f"{more} more with few pixels"),) if more > 0 else ()
    return Remarks(reason, lines, legend[:_NAMED])


def bias_remarks(row: Row, options: EvaluateOptions, classes: ClassList | None) -> Remarks:
    """What the meter reads off one caption."""
    if row["reference"] < 2:
        return Remarks("A caption with fewer than two reference tags cannot prefer one.")
    follow, even = row["follow"], row["even"]
    reason = ""
    if follow:
        reason = (
            f"The caption's map correlates {follow[0]:.2f} with its strongest tag and {follow[-1]:.2f} with its "
            f"weakest; an even mean of the tags would {even[0]:.2f} and {even[-1]:.2f}."
        )
    kept = ", ".join(f"{name} {row[name]}" for name in SCORINGS)
    return Remarks(reason, (("kept", f"{kept} of {row['reference']} reference tags"),))


def _decisions(decided: Sequence[tuple[str, float | None, bool, bool]], noun: str, plural: str = "tags") -> Remarks:
    """Remarks about (name, score, kept, true), the highest scores first."""
    order = sorted(decided, key=lambda each: (math.inf if each[1] is None else -each[1], each[0]))
    right = [_scored(*each[:2]) for each in order if each[2] and each[3]]
    wrong = [_scored(*each[:2]) for each in order if each[2] and not each[3]]
    missed = [_scored(*each[:2]) for each in order if each[3] and not each[2]]
    true = len(right) + len(missed)
    if wrong or missed:
        reason = f"Finds {len(right)} of {true} true {noun if true == 1 else plural} and keeps {len(wrong)} that "
        reason += "is not." if len(wrong) == 1 else "are not."
    else:
        reason = f"Keeps exactly the true {plural}." if true else f"No {noun} is true, and none is kept."
    lines = [(label, _listed(names)) for label, names in (("right", right), ("wrong", wrong), ("missed", missed))]
    return Remarks(reason, tuple(line for line in lines if line[1]))


def _scored(name: str, score: float | None) -> str:
    return name if score is None else f"{name} {score:.2f}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _share(part: int, whole: int) -> str:
    if not whole:
        return "none"
    return "less than 1 %" if 0 < part < 0.005 * whole else f"{100 * part / whole:.0f} %"


def _palette(classes: ClassList) -> dict[int, Colour]:
    """Label → colour as `label_example` draws it; the background has none."""
    first = len(classes.names) - len(classes.things)
    colours = class_colours(classes).tolist()
    return {first + place: (int(red), int(green), int(blue)) for place, (red, green, blue) in enumerate(colours)}


_REMARKS: dict[str, Callable[[Any, EvaluateOptions, ClassList | None], Remarks]] = {
    "tags": tag_remarks,
    "text": caption_remarks,
    "masks": class_remarks,
    "classification": label_remarks,
    "bias": bias_remarks,
}
