"""People's own captioned pictures: a list in JSON Lines, CSV, TSV or parquet.

`image` and `caption` (or `text`) as everywhere; a column `truth` (or `true_tags`) with the tags that the picture really
shows makes it a set for `tags`, a column `mask` (or `mask_path`) with a binary PNG of what the caption names one for
`text`. Without either it is good for `bias`. A file of true tags by key (`--truth`) takes the place of the column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ttd_core.data.benchmarks.label_files_rows import Answers
from ttd_core.data.benchmarks.label_files_tags import TagPrediction, folded, read_tag_predictions
from ttd_core.data.benchmarks.types import Benchmark, BenchmarkSample, OpenedBenchmark, Truth
from ttd_core.data.files import show
from ttd_core.data.inputs import read_samples
from ttd_core.data.label_maps import read_label_map
from ttd_core.data.rows import BadRow, Columns
from ttd_core.errors import DataError, UsageError
from ttd_core.types import Sample

_TRUTH = ("truth", "true_tags")
_MASK = ("mask", "mask_path")
_PROBED = 100
"""Rows that are looked at to find out which columns a list has."""


@dataclass(frozen=True)
class CaptionSource:
    """What the list says beside picture and caption.

    Args:
        tags: the true tags, folded; None where they are not known.
        candidates: the words that were judged, None for the caption's own.
        mask: the caption's mask, None where there is none.
    """

    tags: tuple[str, ...] | None = None
    candidates: tuple[str, ...] | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class CaptionList(OpenedBenchmark):
    """A list of captioned pictures; see the module."""

    def truth(self, sample: BenchmarkSample, size: tuple[int, int] | None = None) -> Truth:
        """True tags as listed, and the caption's mask from its file.

        Raises:
            DataError: the mask cannot be read or has another size.
        """
        source: CaptionSource = sample.source
        mask = None if source.mask is None else read_label_map(source.mask, None, size, binary=True).labels > 0
        return Truth(tags=source.tags, candidates=source.candidates, caption_mask=mask)


def open_caption_list(name: str, split: str | None, root: Path, truth: Path | None) -> Benchmark:
    """Open a list.

    Args:
        name: its path.
        split: there are none.
        root: folder that relative paths in the list start from and may not leave.
        truth: true tags by key, in a form of `read_tag_predictions`.

    Raises:
        UsageError: a split was named.
        DataError: the list cannot be read, or none of its rows can be used.
    """
    if split is not None:
        raise UsageError(f"--data {name}:{split}: a list has no splits")
    path = Path(name)
    samples, absent = _samples(path, root, read_tag_predictions(truth) if truth is not None else None)
    if not samples:
        raise DataError(f"{show(path)}: none of its {len(absent):,} rows can be used; {absent[0][0]}: {absent[0][1]}")
    tasks = ["bias"]
    if any(sample.source.mask is not None for sample in samples):
        tasks.insert(0, "text")
    if any(sample.source.tags is not None for sample in samples):
        tasks.insert(0, "tags")
    notices = (f"true tags are those of {show(truth)}",) if truth is not None else ()
    return CaptionList(name, tuple(tasks), None, tuple(samples), tuple(absent), notices)


def _samples(
    path: Path, root: Path, true_tags: Answers[TagPrediction] | None
) -> tuple[list[BenchmarkSample], list[tuple[str, str]]]:
    column = _column(path, "tags", _TRUTH) if true_tags is None else None
    masks = _masks(path, root)
    samples: list[BenchmarkSample] = []
    absent: list[tuple[str, str]] = []
    for row in read_samples(path, root=root, columns=Columns(tags=column), need_image=True, need_text=True):
        if isinstance(row, BadRow):
            absent.append((row.origin, row.message))
            continue
        source = CaptionSource(folded(row.tags) if column is not None and row.tags is not None else None)
        if true_tags is not None and row.key in true_tags:
            source = _of_prediction(true_tags[row.key])
        found = masks.get(row.origin)
        source = replace(source, mask=found if isinstance(found, Path) else None)
        reason = _why_unusable(row, found, true_tags is not None and row.key not in true_tags)
        if reason is not None:
            absent.append((row.key, reason))
        else:
            samples.append(BenchmarkSample(row.key, row.image, row.caption, source))
    return samples, absent


def _of_prediction(found: TagPrediction) -> CaptionSource:
    judged = tuple(each.tag for each in found.candidates) if found.candidates is not None else None
    return CaptionSource(found.tags, judged)


def _why_unusable(row: Sample, mask: Path | str | None, untold: bool) -> str | None:
    if row.caption is None:
        return "has no caption"
    if row.image is None or not row.image.is_file():
        return f"no picture {show(row.image or Path())}"
    if untold:
        return "the file of true tags does not have it"
    if isinstance(mask, str):
        return mask
    return f"no mask {show(mask)}" if mask is not None and not mask.is_file() else None


def _masks(path: Path, root: Path) -> dict[str, Path | str]:
    """The mask of each row by its place in the list, or what is wrong with it; rows without one are left out."""
    column = _column(path, "image", _MASK)
    found: dict[str, Path | str] = {}
    if column is None:
        return found
    for row in read_samples(path, root=root, columns=Columns(image=column)):
        if isinstance(row, Sample):
            if row.image is not None:
                found[row.origin] = row.image
        elif "has no image" not in row.message:  # an empty cell: this row has no mask
            found[row.origin] = f"its mask: {row.message}"
    return found


def _column(path: Path, role: str, names: tuple[str, ...]) -> str | None:
    """Which of some columns a list has; a table without it is refused by its reader, other lists show it in rows."""
    for name in names:
        try:
            rows = read_samples(path, columns=Columns(**{role: name}))
            if any(isinstance(row, Sample) and getattr(row, role) is not None for row in islice(rows, _PROBED)):
                return name
        except DataError:
            continue
    return None
