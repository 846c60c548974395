"""The contracts between rooms: signatures only, no code to inherit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import torch

    from ttd_core.types import Encoded, ModelInfo

T = TypeVar("T")


@runtime_checkable
class Backbone(Protocol):
    """A two-tower model with dense image features.

    Implementations are `torch.nn.Module`s in evaluation mode, so that adapters and trainers can reach their parameters.
    """

    info: ModelInfo

    def encode_images(self, images: torch.Tensor) -> Encoded:
        """Encode B×3×H×W normalised images; H and W are any multiples of `info.patch`. Differentiable."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode K prompts as they stand (no template) into K×D **unnormalised** embeddings. Differentiable."""
        ...


class Reporter(Protocol):
    """Where the core says what it is doing. The CLI turns it into bars and lines on stderr."""

    def info(self, message: str) -> None:
        """A sentence that a person may want to read."""
        ...

    def warning(self, message: str, hint: str | None = None) -> None:
        """Something was skipped or assumed; the run goes on."""
        ...

    def track(self, items: Iterable[T], total: int | None, description: str) -> Iterable[T]:
        """Pass the items on while showing progress."""
        ...


@runtime_checkable
class StatusReporter(Protocol):
    """A reporter that also shows how the work in `Reporter.track` is doing."""

    def status(self, message: str) -> None:
        """A few words beside the progress, replaced by the next ones; may be called very often."""
        ...


def show_status(report: Reporter, message: str) -> None:
    """Tell a reporter that shows such things how the work is doing."""
    if isinstance(report, StatusReporter):
        report.status(message)


class SilentReporter:
    """Drops everything; for library use and tests."""

    def info(self, message: str) -> None:
        """Drop the message."""

    def warning(self, message: str, hint: str | None = None) -> None:
        """Drop the warning."""

    def track(self, items: Iterable[T], total: int | None, description: str) -> Iterable[T]:
        """Pass the items on unchanged."""
        return items
