"""What a report shows: plain values. Every text of it may be hostile; it is shown, never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class FigureRow:
    """One line of the main table.

    Args:
        label: name of the figure (`mIoU`, `f1`).
        ours: the value as it is to be read (`61.1`).
        unit: `percent`, `fraction`, ...; empty for none.
        higher_is_better: the figure's direction, None for one that has none.
        published: the published value as it is to be read, None where there is none.
        baselines: name of a trivial answer → its value for this figure; names become columns.
        meaning: what the figure says, half a sentence.
    """

    label: str
    ours: str
    unit: str = ""
    higher_is_better: bool | None = True
    published: str | None = None
    baselines: Mapping[str, str] = field(default_factory=dict)
    meaning: str = ""


@dataclass(frozen=True)
class ClassRow:
    """One class.

    Args:
        name: as its list has it.
        value: what its bar shows, 0 to 100, NaN for a class that occurs nowhere.
        extra: further columns; floats get two decimals, whole numbers their thousands apart, NaN a dash.
    """

    name: str
    value: float
    extra: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Figures that have a table of their own.

    Args:
        title: what it shows and in which unit.
        columns: headings.
        rows: cells as they are to be read, one per column. Columns of numbers are set to the right, and a line parts
            rows that differ in the first cell.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Confusion:
    """Which class was taken for which.

    Args:
        names: C names.
        counts: C×C integers, truth in rows, prediction in columns.
        counted: what was counted (`pixels`, `pictures`).
        apart: how many of the last names are no classes like the others and keep columns of their own.
    """

    names: Sequence[str]
    counts: np.ndarray
    counted: str = "pixels"
    apart: int = 0


@dataclass(frozen=True)
class ScoreHistogram:
    """Scores of true and of false candidates.

    Args:
        edges: N + 1 rising edges.
        true_counts: N counts of candidates that are true.
        false_counts: N counts of those that are not.
        threshold: the score from which on candidates are kept, None where there is no single one.
    """

    edges: np.ndarray
    true_counts: np.ndarray
    false_counts: np.ndarray
    threshold: float | None = None


@dataclass(frozen=True)
class Curve:
    """Precision against recall over all thresholds.

    Args:
        recall: N fractions in the order in which they are to be joined; NaN are left out.
        precision: N fractions.
        operating_point: recall and precision of what was selected, fractions; None for no mark.
        average_precision: a fraction for the title, None for none.
        keep_all: precision of keeping every candidate, the trivial answer; None for no line.
    """

    recall: np.ndarray
    precision: np.ndarray
    operating_point: tuple[float, float] | None = None
    average_precision: float | None = None
    keep_all: float | None = None


@dataclass(frozen=True)
class Example:
    """One sample as pictures.

    Args:
        title: its key.
        caption: its sentence, empty for none.
        value: how well it went (`IoU 12.3`).
        pixels: H×W×3 uint8.
        truth: H×W×3 uint8 with the truth drawn in, None where there is none.
        prediction: H×W×3 uint8 with the answer drawn in, None where there is none.
        reason: a sentence that says what makes it good or bad, empty for none.
        remarks: label and text, in the order in which they are read (`missed`, `cat 0.31`).
        legend: name, colour in 0..255 and remark of what is drawn in; None for what has no colour.
    """

    title: str
    caption: str
    value: str
    pixels: np.ndarray
    truth: np.ndarray | None = None
    prediction: np.ndarray | None = None
    reason: str = ""
    remarks: Sequence[tuple[str, str]] = ()
    legend: Sequence[tuple[str, tuple[int, int, int] | None, str]] = ()


@dataclass(frozen=True)
class BiasPoint:
    """One caption on the plot of the single tag bias.

    Args:
        reference: how many tags the caption is measured by: those the picture shows or, where nobody knows, those that
            pixel scoring keeps; captions with none are left out.
        text, image, pixel: how many of these the scorings keep, None where that is not known. Pixel scoring is drawn
            only where it misses some.
        strongest, weakest: highest and lowest correlation of the caption's map with the map of a reference tag, -1 to
            1; NaN where undefined.
        even: both for the mean of the tags' maps, None where undefined.
        single: both for the map of the strongest tag, None where undefined.
    """

    reference: int
    text: int | None = None
    image: int | None = None
    pixel: int | None = None
    strongest: float = float("nan")
    weakest: float = float("nan")
    even: tuple[float, float] | None = None
    single: tuple[float, float] | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> BiasPoint:
        """Read one caption's row of the bias meter; what it lacks is not known.

        Args:
            row: `reference` and perhaps `text`, `image`, `pixel` (counts); `follow`, `even`, `single` (correlations in
                descending order).
        """
        follow, even, single = (row.get(name) or () for name in ("follow", "even", "single"))
        strongest, weakest = (follow[0], follow[-1]) if follow else (float("nan"), float("nan"))
        return cls(
            reference=row["reference"], text=row.get("text"), image=row.get("image"), pixel=row.get("pixel"),
            strongest=strongest, weakest=weakest, even=(even[0], even[-1]) if even else None,
            single=(single[0], single[-1]) if single else None,
        )  # fmt: skip


@dataclass(frozen=True)
class ReportPage:
    """All that the page shows; parts that are empty or None leave no trace.

    Args:
        title: heading of the page.
        subtitle: label and value of what was measured (task, data, model).
        command: the command line that prints these figures, empty for none.
        figures: the main table.
        notes: what a reader must know before the figures (`12 samples were skipped`).
        facts: label and value: counts, hashes, versions, seeds; numbers are shown like those of `ClassRow.extra`, so a
            seed is better given as text.
        tables: further figures.
        classes: one row per class, in label order; the page sorts them.
        class_value: what the classes' bars show.
        class_noun: what a class is, singular and plural.
        class_note: a sentence about them, empty for none.
        confusion: which class was taken for which.
        histogram, curve: scores of the candidates.
        bias: one point per caption.
        bias_headline: one sentence above the plot of the bias.
        worst, best: samples as pictures, the most telling first.
        worst_note, best_note: what they are chosen by and what is drawn, empty for none.
    """

    title: str
    subtitle: Sequence[tuple[str, str]] = ()
    command: str = ""
    figures: Sequence[FigureRow] = ()
    notes: Sequence[str] = ()
    facts: Sequence[tuple[str, Any]] = ()
    tables: Sequence[Table] = ()
    classes: Sequence[ClassRow] = ()
    class_value: str = "IoU, percent"
    class_noun: tuple[str, str] = ("class", "classes")
    class_note: str = ""
    confusion: Confusion | None = None
    histogram: ScoreHistogram | None = None
    curve: Curve | None = None
    bias: Sequence[BiasPoint] = ()
    bias_headline: str = ""
    worst: Sequence[Example] = ()
    best: Sequence[Example] = ()
    worst_note: str = ""
    best_note: str = ""
