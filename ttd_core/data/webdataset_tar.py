"""Members of a tar archive, one after the other and in memory only.

`tarfile` ends without a word at a damaged or cut header, so that an archive loses samples in silence; here every end
but the proper one is an error. Nothing is ever extracted: names are text, links and devices are never followed.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ttd_core.data.files import open_regular, show
from ttd_core.errors import DataError
from ttd_core.text.clean import printable

MAX_HEADER = 1 << 20
"""Longest member name or extended header in bytes; a longer one is an attack or damage."""

_BLOCKS = 1024
"""How far behind the end is looked, in blocks of 64 KiB: padding is never longer."""

_GZIP = b"\x1f\x8b"
_OTHERS = ((b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "zip"))
_LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
# What tarfile and gzip were seen to raise on damaged archives.
_DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, IndexError, OverflowError)


class CutShort(DataError):
    """The archive ends early; the members before were whole."""


@dataclass(frozen=True)
class Member:
    """One member.

    Args:
        name: as it stands in the archive.
        data: its bytes; None where it was not wanted or has a problem.
        size: in bytes.
        ordinary: False for links, devices and everything else that holds no bytes of its own.
        too_large: it is longer than what was asked for, and was not read.
        offset: where its bytes begin in the archive, for members that were left there; else None.
    """

    name: str
    data: bytes | None
    size: int
    ordinary: bool = True
    too_large: bool = False
    offset: int | None = None


def read_members(path: Path, most: Callable[[str], int], left: Callable[[str], bool] | None = None) -> Iterator[Member]:
    """Every member but folders, in the order of the archive, which may be gzip-compressed whatever its name.

    Args:
        path: the archive.
        most: for a name, how many bytes are read at most; 0 passes over the content.
        left: for a name, whether its bytes stay where they are and only their offset is told; in compressed archives
            they are read all the same.

    Raises:
        DataError: no such file, or no tar archive.
        CutShort: raised after the last whole member, where the archive is damaged or goes on behind its end.
    """
    name = show(path)
    with open_regular(path) as file:
        head = file.read(6)
        file.seek(0)
        _check_kind(head, name)
        packed = head.startswith(_GZIP)
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if packed else file
        end = None if packed or left is None else os.fstat(file.fileno()).st_size
        found = 0
        try:
            # "r|" reads strictly forward, "r:" jumps over what it is not asked for
            with _opened(stream, jumping=end is not None) as archive:
                # asked for a member behind the end, Python 3.10 seeks backwards
                holds = getattr(archive, "firstmember", None) is not None
                while holds and (entry := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps them all
                    if end is not None and left is not None and entry.isreg() and left(entry.name):
                        yield _left(entry, most(entry.name), end)
                    elif not entry.isdir():
                        yield _member(archive, entry, most(entry.name))
                    found += 1
                _check_rest(archive)
        except _DAMAGE as error:
            reason = printable(str(error).split("\n", 1)[0])[:120] or type(error).__name__
            if not found:
                raise DataError(
                    f"{name}: no tar archive that can be read ({reason})", "fetch the archive again"
                ) from error
            raise CutShort(f"{name}: damaged or cut short after {found} members ({reason})", _AGAIN) from error


_AGAIN = "fetch the archive again; what stands before the damage is used"


class _Header(tarfile.TarInfo):
    """A header whose damage is an error, where `tarfile` takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Header:
        try:
            return super().fromtarfile(archive)
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"header: {error}") from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _LONG and not 0 <= header.size <= MAX_HEADER:
            raise tarfile.ReadError(f"an extended header of {header.size:,} bytes")
        return header


def _opened(stream: IO[bytes], jumping: bool) -> tarfile.TarFile:
    if jumping:
        return tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header)
    return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)


def _left(entry: tarfile.TarInfo, most: int, end: int) -> Member:
    if entry.issparse():
        return Member(entry.name, None, 0, ordinary=False)
    if entry.size > most:
        return Member(entry.name, None, entry.size, too_large=most > 0)
    if entry.offset_data + entry.size > end:
        raise tarfile.ReadError("unexpected end of data")
    return Member(entry.name, None, entry.size, offset=entry.offset_data)


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo, most: int) -> Member:
    if not entry.isreg() or entry.issparse():
        return Member(entry.name, None, 0, ordinary=False)
    if entry.size > most:
        return Member(entry.name, None, entry.size, too_large=most > 0)
    stream = archive.extractfile(entry)
    data = stream.read() if stream is not None else b""
    if len(data) != entry.size:
        raise tarfile.ReadError(f"unexpected end of data in {entry.name}")
    return Member(entry.name, data, entry.size)


def _check_kind(head: bytes, name: str) -> None:
    if not head:
        raise DataError(f"{name}: is empty, expected a tar archive", "fetch the archive again")
    for magic, kind in _OTHERS:
        if head.startswith(magic):
            raise DataError(
                f"{name}: is compressed with {kind}, expected a tar or a gzip-compressed tar", "unpack it first"
            )


def _check_rest(archive: tarfile.TarFile) -> None:
    """Behind the end there are zeros only, or somebody joined archives and would lose all but the first."""
    rest = archive.fileobj
    for _ in range(_BLOCKS):
        block = b"" if rest is None else rest.read(1 << 16)
        if not block:
            return
        if block.strip(b"\0"):
            raise tarfile.ReadError("data behind the end mark: two archives joined, or a block of zeros inside")
