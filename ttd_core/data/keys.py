"""Keys that are unique within an input, safe as relative paths, and cheap to keep for millions of rows."""

from __future__ import annotations

import re
from array import array
from hashlib import blake2b

_NEAR = 9
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def unsafe_key(key: str) -> str | None:
    """Say why a key could lead a result file out of its folder; None when it could not.

    Args:
        key: an `id` from a list. `/` may separate folders.
    """
    if "\0" in key:
        return "holds a NUL character"
    if key.startswith(("/", "\\")) or _DRIVE.match(key):
        return "is an absolute path"
    return "leads out of its folder with .." if leaves_folder(key) else None


def leaves_folder(path: str) -> bool:
    """Whether a part of a path is `..`, in the spelling of any system. Plain string work: it runs for every row."""
    return ".." in path and ".." in path.replace("\\", "/").split("/")


class UniqueKeys:
    """Hands out each key once: a repeated one gets `#2`, `#3`, … in order of appearance, so nothing is overwritten.

    Only 64-bit digests are kept, in an open-addressed table: at most 27 bytes a key, where a set of strings takes
    well over 100. Two different keys share a digest once in 10¹² pairs of ten million keys, and then the later one
    merely gets a `#2`.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 1024))
        self._used = 0

    def claim(self, key: str, line: int) -> str:
        """Make a key unique.

        Args:
            key: the wanted one.
            line: its place in the input; from the tenth repetition on this is the suffix, which keeps the search short.

        Returns:
            `key`, `key#2` … `key#9`, or `key#L<line>`.
        """
        if self._add(key):
            return key
        for count in range(2, _NEAR + 1):
            if self._add(numbered := f"{key}#{count}"):
                return numbered
        while not self._add(last := f"{key}#L{line}"):
            key = last
        return last

    def _add(self, key: str) -> bool:
        """Remember a key; False when it was there."""
        if self._used * 3 >= len(self._table) * 2:
            self._grow()
        digest = int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1
        slot = self._slot(self._table, digest)
        if self._table[slot] == digest:
            return False
        self._table[slot] = digest
        self._used += 1
        return True

    def _grow(self) -> None:
        larger = array("Q", bytes(16 * len(self._table)))
        for digest in self._table:
            if digest:
                larger[self._slot(larger, digest)] = digest
        self._table = larger

    @staticmethod
    def _slot(table: array[int], digest: int) -> int:
        mask = len(table) - 1
        slot = digest & mask
        while table[slot] and table[slot] != digest:
            slot = (slot + 1) & mask
        return slot
