"""One process at a time in a run's folder.

What is locked is a file of its own that nobody removes: a lock on a file that a second process may unlink and create
anew would protect the first one from nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from ttd_core.atomic import write_error
from ttd_core.errors import RunError

LOCK = ".lock"


def lock_folder(folder: Path) -> IO[bytes]:
    """Lock a folder until the stream handed out is closed, or the process ends in whatever way.

    Raises:
        RunError: another process holds the lock, or the file cannot be written.
    """
    path = folder / LOCK
    try:
        stream = path.open("ab")
    except OSError as error:
        raise write_error(path, error) from error
    try:
        _lock(stream, folder)
    except BaseException:
        stream.close()
        raise
    return stream


def _lock(stream: IO[bytes], folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on this system: two runs at once are then the user's care
        return
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(
            f"another process is writing to {folder}",
            hint="wait for it, or choose another place with --run-root or --out",
        ) from None
    except OSError:
        return  # network file systems without locks
