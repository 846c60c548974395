"""Exit codes, and which error ends with which.

    0    done
    1    a bug of ours, shown with its traceback
    2    wrong usage: unknown or contradictory options, a configuration that is not right, a command not there yet
    3    data or weights missing or malformed, inputs skipped without --keep-going, or a run that cannot be written
    4    a package is missing or unusable
    5    a metric is outside --expect
    130  interrupted
    141  the reader of our output has gone

A failure that is not a `TtdError` is a bug; nothing here turns it into a polite sentence.
"""

from __future__ import annotations

from ttd_core import errors

DONE = 0
BUG = 1
USAGE = 2
DATA = 3
PACKAGE = 4
EXPECTATION = 5
INTERRUPTED = 130
CLOSED_PIPE = 141

_EXIT_CODES: tuple[tuple[type[errors.TtdError], int], ...] = (
    (errors.UsageError, USAGE),
    (errors.MissingPackageError, PACKAGE),
    (errors.DataError, DATA),
    (errors.WeightsError, DATA),
    (errors.VocabularyError, DATA),
    (errors.RunError, DATA),
)


class ClosedPipe(BaseException):
    """Nobody reads our standard output any more (`ttd ... | head -1`).

    Not an `Exception`: like Ctrl-C it must reach `main()` past everything that handles failures.
    """


def exit_code(error: errors.TtdError) -> int:
    """The documented code of an expected failure."""
    return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
