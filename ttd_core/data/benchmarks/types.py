"""What every annotated data set looks like from outside: samples that are cheap to list, and their truth on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

    from ttd_core.types import Picture

IGNORE = 65535
"""Value of pixels that count nowhere in the label maps of `Truth`, whatever value the file has for them."""


@dataclass(frozen=True)
class ClassList:
    """The classes of a data set in label order.

    Args:
        name: name of the list (`voc21`, `cocostuff171`).
        names: C names, the background's first where there is one.
        background: whether label 0 is the background, which no text stands for.
        colours: C×3 values in 0..255 for drawing, None for VOC's palette.
    """

    name: str
    names: tuple[str, ...]
    background: bool = False
    colours: tuple[tuple[int, int, int], ...] | None = None

    @property
    def things(self) -> tuple[str, ...]:
        """The names a text can stand for: all but the background."""
        return self.names[1:] if self.background else self.names


@dataclass(frozen=True)
class BenchmarkSample:
    """One sample as its data set lists it; picklable, since truths are read in worker processes.

    Args:
        key: unique and stable within the data set; what predictions are found by.
        image: path of the picture, None where it is drawn or not needed.
        caption: its sentence, None where the data set has none.
        source: what the data set needs to read the truth (paths, ids); nobody else looks into it.
    """

    key: str
    image: Path | None = None
    caption: str | None = None
    source: Any = None


@dataclass(frozen=True)
class Truth:
    """What is known about one sample; parts that a data set does not have are None.

    Args:
        label_map: H×W uint16 class indices in the order of the data set's `ClassList`; `IGNORE` counts nowhere.
        present: indices into `ClassList.things` of the classes the picture shows.
        difficult: those of `present` marked difficult in every occurrence (VOC).
        tags: the true tags of the caption, folded as candidates are.
        candidates: the words that have been judged; None for the caption's own words.
        tag_masks: true tag → H×W bool.
        caption_mask: H×W bool, the union of the true tags' masks.
        notices: what looked odd but was accepted, one sentence each.
    """

    label_map: np.ndarray | None = None
    present: tuple[int, ...] | None = None
    difficult: tuple[int, ...] = ()
    tags: tuple[str, ...] | None = None
    candidates: tuple[str, ...] | None = None
    tag_masks: Mapping[str, np.ndarray] | None = None
    caption_mask: np.ndarray | None = None
    notices: tuple[str, ...] = ()


class Benchmark(Protocol):
    """A data set, opened: complete as far as files were looked for, nothing decoded yet. Picklable.

    Attributes:
        name: as the user typed it, split included (`voc2012:val`).
        tasks: what it can be used for, out of `tags`, `text`, `masks`, `classification`, `bias`.
        classes: its class list, None where it has none.
        samples: every sample whose files exist, in the data set's order.
        absent: key and what is missing, for every sample that is listed but not whole.
        notices: what was assumed when it was opened, one sentence each.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def tasks(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def classes(self) -> ClassList | None: ...  # noqa: D102
    @property
    def samples(self) -> tuple[BenchmarkSample, ...]: ...  # noqa: D102
    @property
    def absent(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102
    @property
    def notices(self) -> tuple[str, ...]: ...  # noqa: D102

    def picture(self, sample: BenchmarkSample) -> Picture:
        """Decode the picture of a sample.

        Raises:
            ImageError: it cannot be decoded.
        """
        ...

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        """Read what is known about a sample.

        Args:
            sample: one of `samples`.
            size: H and W of its picture where that has been decoded; label maps of another size are an error.

        Raises:
            DataError: the annotation cannot be read, or holds values that are no class.
        """
        ...


@dataclass(frozen=True)
class OpenedBenchmark:
    """The plain parts of a `Benchmark`; data sets inherit nothing but these fields.

    Args:
        name, tasks, classes, samples, absent, notices: see `Benchmark`.
    """

    name: str
    tasks: tuple[str, ...]
    classes: ClassList | None
    samples: tuple[BenchmarkSample, ...] = field(repr=False)
    absent: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()

    def picture(self, sample: BenchmarkSample) -> Picture:
        """Decode the file that the sample names."""
        from ttd_core.data.images import load_picture

        assert sample.image is not None
        return load_picture(sample.image)
