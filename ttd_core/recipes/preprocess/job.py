"""What workers are told and what they tell: everything here travels between processes and machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ttd_core.data.pairs import PairShard, PairSource
from ttd_core.errors import TtdError
from ttd_core.protocols import Reporter
from ttd_core.types import Picture


class Scorer(Protocol):
    """A model that says how well captions fit pictures.

    Attributes:
        model: its name.
        model_sha256: digest of its weights; None for made-up scores.
        settings: what else changes scores, in one spelling.
        device: where it computes.
        window: pairs that are worth scoring together.
    """

    model: str
    model_sha256: str | None
    settings: str
    device: str
    window: int

    def prepare(self, picture: Picture) -> Any:
        """What the model needs of a picture, small; called in several threads."""
        ...

    def score(self, prepared: Sequence[Any], captions: Sequence[str]) -> list[float | str]:
        """Scores of N pairs in -1..1; a status in the place of one that cannot be scored."""
        ...


@dataclass(frozen=True)
class Job:
    """What all workers of a run have in common.

    Args:
        source: the pairs.
        folder: where score files go, in full.
        data, root: as the user named them; they stand in every score file.
        open_scorer: loads the model on a device, None for its own choice; picklable.
        decoders: threads that decode pictures ahead of the model.
    """

    source: PairSource
    folder: str
    data: str
    root: str | None
    open_scorer: Callable[[str | None, Reporter], Scorer]
    decoders: int = 1


@dataclass(frozen=True)
class Task:
    """One shard to score.

    Args:
        shard: which.
        position: its place among all.
        limit: only the first so many pairs; None takes all.
    """

    shard: PairShard
    position: int
    limit: int | None = None


@dataclass(frozen=True)
class Scored:
    """So many pairs are done; for a bar."""

    pairs: int


@dataclass(frozen=True)
class Opened:
    """A worker has its model; see `Scorer`."""

    model: str
    model_sha256: str | None
    settings: str
    device: str


@dataclass(frozen=True)
class Said:
    """What a worker wants a person to read.

    Args:
        message: one line.
        hint: how to mend it.
        warning: or a remark.
    """

    message: str
    hint: str | None = None
    warning: bool = True


@dataclass(frozen=True)
class Finished:
    """A shard whose score file is written.

    Args:
        task: which.
        counts: rows by status.
        named: the first bad pairs: origin, message and hint.
    """

    task: Task
    counts: dict[str, int]
    named: tuple[tuple[str, str, str | None], ...] = ()


@dataclass(frozen=True)
class Unread:
    """A shard that as a whole cannot be read; nothing is written of it."""

    task: Task
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Failed:
    """A worker cannot go on: an expected failure, or a bug with its traceback."""

    error: TtdError | None
    traceback: str = ""


Event = Scored | Opened | Said | Finished | Unread | Failed
