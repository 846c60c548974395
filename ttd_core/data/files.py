"""Opening a file that somebody named, without waiting for a pipe or reading a device for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ttd_core.errors import DataError
from ttd_core.text.clean import printable

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff")
    + (".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2")
)
"""Which files a folder scan takes for pictures (in any case)."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def show(path: str | os.PathLike[str]) -> str:
    """A path as messages print it: on one line and without control characters."""
    return printable(os.fspath(path))


def open_regular(path: str | os.PathLike[str], error: type[DataError] = DataError) -> BinaryIO:
    """Open an existing ordinary file for reading; links are followed.

    Args:
        path: the file.
        error: which error to raise.

    Raises:
        DataError: (or the type given) when there is no such file, it is not a regular one, or it may not be read.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO waits for a writer that may never come. Absent on Windows, as FIFOs are.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as cause:
        what = "a link to a file that does not exist" if os.path.islink(path) else "no such file"
        raise error(f"{show(path)}: {what}") from cause
    except PermissionError as cause:
        raise error(
            f"{show(path)}: no permission to read it", f"check with: ls -l {show(Path(path).parent)}"
        ) from cause
    except (OSError, ValueError) as cause:
        raise error(f"{show(path)}: cannot be opened, {_reason(cause)}") from cause
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise error(f"{show(path)}: is {kind_of(mode)}, expected an ordinary file")


def kind_of(mode: int) -> str:
    """What a file mode stands for, in words."""
    return next((name for test, name in _KINDS if test(mode)), "no ordinary file")


def _reason(cause: Exception) -> str:
    # A socket answers "No such device or address", a link loop "Too many levels of symbolic links", NUL a ValueError.
    return printable(getattr(cause, "strerror", None) or str(cause)).lower()
