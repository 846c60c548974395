"""What the recipes hand back: one object per input row, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ttd_core.types import TagScore

SCORE_DIGITS = 6
"""Decimals of scores in machine-readable output: below float32's own noise between batch sizes."""


def rounded(value: float | None) -> float | None:
    """A score as it is written to files; None stays None."""
    return None if value is None else round(float(value), SCORE_DIGITS)


def tag_score_json(score: TagScore) -> dict[str, Any]:
    """One candidate as a JSON object; keys that do not apply to the scorer are left out."""
    row: dict[str, Any] = {"tag": score.tag, "score": rounded(score.score), "selected": score.selected}
    if score.x is not None:
        row |= {"x": score.x, "y": score.y, "runner_up": score.runner_up}
    if score.note is not None:
        row["note"] = score.note
    return row


def tag_score_from_json(row: Mapping[str, Any]) -> TagScore:
    """The inverse of `tag_score_json`."""
    return TagScore(
        tag=row["tag"],
        score=row["score"],
        selected=row["selected"],
        x=row.get("x"),
        y=row.get("y"),
        runner_up=row.get("runner_up"),
        note=row.get("note"),
    )


@dataclass(frozen=True)
class Skipped:
    """An input row that could not be answered; the run went on.

    Args:
        key: the row's key, or its origin where no key could be read.
        reason: one line.
        hint: how to mend it.
    """

    key: str
    reason: str
    hint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The row as it is written for machines."""
        return {"key": self.key, "error": self.reason}


@dataclass(frozen=True)
class TagResult:
    """The candidates of one caption with their scores, in order of appearance.

    Args:
        key: the sample's key.
        image: the picture's name as given, None for text only.
        text: the caption, None when the user gave tags alone.
        scorer: `pixel`, `image`, `text`, `nouns`, `list` or `candidates`.
        scores: one entry per candidate.
    """

    key: str
    image: str | None
    text: str | None
    scorer: str
    scores: tuple[TagScore, ...]

    @property
    def selected(self) -> tuple[TagScore, ...]:
        """The kept tags, best first where there are scores, else in order of appearance."""
        kept = [score for score in self.scores if score.selected]
        return tuple(sorted(kept, key=lambda score: -(score.score or 0.0)))

    def to_json(self) -> dict[str, Any]:
        """The row as it is written for machines."""
        return {
            "key": self.key,
            "image": self.image,
            "text": self.text,
            "scorer": self.scorer,
            "tags": [score.tag for score in self.selected],
            "candidates": [tag_score_json(score) for score in self.scores],
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> TagResult:
        """Read a recorded row back, so that a resumed run answers for finished inputs too."""
        scores = tuple(tag_score_from_json(score) for score in row["candidates"])
        return cls(row["key"], row["image"], row["text"], row["scorer"], scores)


@dataclass(frozen=True)
class MaskResult:
    """The masks of one picture.

    Args:
        tags: the scoring that chose the masks' tags.
        size: height and width of the picture in pixels.
        regions: per class of the label map `{"tag", "label", "area" (fraction of the picture), "box" (x0, y0, x1, y1,
            end-exclusive pixels, None when empty), "score"}`.
        files: product name to path relative to the output folder.
        caption_area: fraction of the picture the caption's own mask covers, None without a caption.
        union_area: fraction the union of the tags' masks covers.
    """

    tags: TagResult
    size: tuple[int, int]
    regions: tuple[Mapping[str, Any], ...]
    files: Mapping[str, str] = field(default_factory=dict)
    caption_area: float | None = None
    union_area: float | None = None

    @property
    def key(self) -> str:
        """The sample's key."""
        return self.tags.key

    def to_json(self) -> dict[str, Any]:
        """The row as it is written for machines."""
        row = self.tags.to_json()
        row["size"] = list(self.size)
        row["masks"] = [dict(region) for region in self.regions]
        row["caption_area"] = rounded(self.caption_area)
        row["union_area"] = rounded(self.union_area)
        row["files"] = dict(self.files)
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> MaskResult:
        """Read a recorded row back."""
        height, width = row["size"]
        return cls(
            tags=TagResult.from_json(row),
            size=(height, width),
            regions=tuple(row["masks"]),
            files=row["files"],
            caption_area=row["caption_area"],
            union_area=row["union_area"],
        )


@dataclass(frozen=True)
class DemoResult:
    """One demo sheet and the scores shown on it.

    Args:
        tags: the scoring.
        sheet: path relative to the output folder.
        before: the scores of the same candidates without the adapter; empty where nobody asked.
    """

    tags: TagResult
    sheet: str
    before: tuple[TagScore, ...] = ()

    @property
    def key(self) -> str:
        """The sample's key."""
        return self.tags.key

    def to_json(self) -> dict[str, Any]:
        """The row as it is written for machines."""
        before = {"before": [tag_score_json(score) for score in self.before]} if self.before else {}
        return self.tags.to_json() | before | {"files": {"sheet": self.sheet}}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> DemoResult:
        """Read a recorded row back."""
        before = tuple(tag_score_from_json(score) for score in row.get("before", ()))
        return cls(TagResult.from_json(row), row["files"]["sheet"], before)
