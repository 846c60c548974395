"""A training that must not go on: why it was stopped, and where its best weights are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ttd_core.errors import RunError

FAILED_BY_GUARD = "failed-by-guard"
"""Status of such a training in `log.jsonl`."""


class StoppedByGuard(RunError):
    """A guard ended the training.

    Args:
        reason: what the guard saw.
        step: after how many steps.
        best: checkpoint of the best weights, None where nothing was measured before.
        hint: what is left and where; None names the checkpoint.
    """

    def __init__(self, reason: str, step: int, best: Path | None, hint: str | None = None) -> None:
        kept = f"the best weights before that are kept in {best}" if best else "nothing was measured before that"
        super().__init__(f"training was stopped after step {step}: {reason}", hint or kept)
        self.reason = reason
        self.step = step
        self.best = best


@runtime_checkable
class RememberingGuard(Protocol):
    """A guard whose memory travels with the checkpoint, so that a resumed run stops where an unbroken one would."""

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        ...
