"""Every failure `ttd_core` raises on purpose.

    TtdError
    ├── UsageError            contradictory or unknown options and configurations
    ├── DataError             an input file, row or folder is missing or malformed
    │   └── ImageError        one picture cannot be decoded
    ├── WeightsError          weights are missing, malformed, unsafe or of another architecture
    ├── VocabularyError       a word or class list the model cannot score
    ├── RunError              a run directory cannot be written, resumed or reused
    └── MissingPackageError   an optional package is absent or unusable

A message is one line: what happened with the value and where it came from, then what was expected. The hint says how
to mend it. Anything that is not a `TtdError` is a bug of ours and keeps its traceback.
"""

from __future__ import annotations


class TtdError(Exception):
    """Base of all expected failures.

    Args:
        message: one line, without a trailing period, naming the file or option.
        hint: how to mend it, preferably a command; None where there is nothing to add.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TtdError):
    """Options or a configuration that contradict each other or name something unknown."""


class DataError(TtdError):
    """An input file, a row of it, or a folder is missing or malformed."""


class ImageError(DataError):
    """One picture cannot be decoded; a batch reports it, counts it and goes on."""


class WeightsError(TtdError):
    """Weights are missing, malformed, unsafe to read, or of another architecture."""


class VocabularyError(TtdError):
    """A word or class list that the chosen model cannot score."""


class RunError(TtdError):
    """A run directory cannot be created, written, resumed or reused."""


class MissingPackageError(TtdError):
    """An optional package is not installed or does not load."""
