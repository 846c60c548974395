"""Files that are either whole or absent.

A product is written under a temporary name in its own folder and renamed, so that a reader, or a run that is taken up
again, never meets half of one. What the operating system refuses (a full disk, a folder without permission) becomes a
`RunError` that names the file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ttd_core.errors import RunError

_HINTS = {
    errno.ENOSPC: "free some space, or choose another disk with --run-root or --out; finished work is kept",
    errno.EDQUOT: "your quota is used up: choose another place with --run-root or --out; finished work is kept",
    errno.EACCES: "choose a folder you may write to with --run-root or --out",
    errno.EPERM: "choose a folder you may write to with --run-root or --out",
    errno.EROFS: "the disk is read-only: choose another place with --run-root or --out",
    errno.ENAMETOOLONG: "shorten the name, or choose a shorter folder with --run-root or --out",
    errno.ENOTDIR: "a part of this path is a file, not a folder: choose another place with --run-root or --out",
    errno.EEXIST: "a file of that name is in the way: choose another place with --run-root or --out",
    errno.EISDIR: "a folder of that name is in the way",
}


def write_error(path: Path, error: OSError) -> RunError:
    """Turn what the operating system said about writing `path` into a `RunError` with advice."""
    reason = (error.strerror or type(error).__name__).lower()
    return RunError(f"cannot write {path}: {reason}", hint=_HINTS.get(error.errno or 0))


def make_folder(path: Path) -> Path:
    """Create a folder and its parents, and return it.

    Raises:
        RunError: it cannot be created, or a file is in the way.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    return path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Lend a temporary path beside `path`; on success it is renamed to `path`, on failure removed.

    The temporary name keeps the suffix, since image writers choose their format by it.

    Raises:
        RunError: the folder or the file cannot be written.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem[:80]}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file, or none.

    Raises:
        RunError: the folder or the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file, line ends as they stand, or none.

    Raises:
        RunError: the folder or the file cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))
