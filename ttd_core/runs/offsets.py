"""Where in a file the row of a key begins, for millions of keys."""

from __future__ import annotations

from array import array
from hashlib import blake2b


class Offsets:
    """Key -> byte offset, without the keys: an open-addressed table of 64-bit digests, at most 48 bytes a row.

    Two keys may share a digest (once in 10¹² pairs of ten million keys); the first one keeps the place. Whoever reads
    the row therefore compares its key.
    """

    def __init__(self) -> None:
        self._digests = array("Q", bytes(8 * 1024))
        self._offsets = array("Q", bytes(8 * 1024))
        self._used = 0

    def get(self, key: str) -> int | None:
        """The offset of a key, or None."""
        digest = _digest(key)
        slot = self._slot(digest)
        return self._offsets[slot] if self._digests[slot] == digest else None

    def add(self, key: str, offset: int) -> None:
        """Remember a key's offset; a key that is there keeps its own."""
        if self._used * 3 >= len(self._digests) * 2:
            self._grow()
        digest = _digest(key)
        slot = self._slot(digest)
        if self._digests[slot] != digest:
            self._digests[slot], self._offsets[slot] = digest, offset
            self._used += 1

    def _grow(self) -> None:
        digests, offsets = self._digests, self._offsets
        self._digests = array("Q", bytes(16 * len(digests)))
        self._offsets = array("Q", bytes(16 * len(digests)))
        for digest, offset in zip(digests, offsets, strict=True):
            if digest:
                slot = self._slot(digest)
                self._digests[slot], self._offsets[slot] = digest, offset

    def _slot(self, digest: int) -> int:
        """The slot that holds a digest, or the free one where it belongs."""
        mask = len(self._digests) - 1
        slot = digest & mask
        while self._digests[slot] and self._digests[slot] != digest:
            slot = (slot + 1) & mask
        return slot


def _digest(key: str) -> int:
    # 0 marks a free slot
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1
