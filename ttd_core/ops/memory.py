"""Running out of memory is the user's to mend, so it is told like any other mistake instead of as a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ttd_core.errors import UsageError

HINT = "use a smaller --image-size, fewer or smaller --scales, or --batch-size 1"
# torch has no error class of its own for this on the CPU and on MPS, only for CUDA; the words are those of its
# allocators on Linux and macOS, on Windows, on CUDA and MPS, of cuBLAS and cuDNN, and of sizes beyond 64 bits
_WORDS = re.compile(
    r"can't allocate memory|not enough memory|out of memory|ALLOC_FAILED|Storage size calculation overflowed"
)
_BYTES = re.compile(r"tried to allocate ([\d.]+ ?\w+)", re.IGNORECASE)


@contextmanager
def memory_errors(doing: str, hint: str = HINT) -> Iterator[None]:
    """Turn a failure to allocate memory within the block into a `UsageError`; every other error passes unchanged.

    Args:
        doing: what the block does, as it follows "while", e.g. "encoding 8 pictures of 2000x2000 pixels".
        hint: what to ask less of.

    Raises:
        UsageError: the block ran out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not _WORDS.search(str(error)):
            raise
        raise UsageError(f"out of memory while {doing}{_asked(str(error))}", hint=hint) from error


def _asked(message: str) -> str:
    """How much the allocator was asked for, as it says itself; nothing where it does not."""
    found = _BYTES.search(message)
    if found is None:
        return ""
    number, unit = found[1].split(maxsplit=1) if " " in found[1] else (found[1], "")
    return f" (tried to allocate {f'{int(number) / 2**30:.1f} GiB' if unit == 'bytes' else found[1]})"
