"""Randomness of one sample: a number from names, and the global generators set to it for a while."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_GLOBALS = threading.Lock()


def draw_of(*names: int | str) -> int:
    """64 bits that depend on the names alone: seed, pass, shard, key and whatever else tells one view from another."""
    written = "/".join(f"{len(text)}:{text}" for text in map(str, names))
    digest = hashlib.blake2b(written.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


@contextmanager
def seeded(draw: int) -> Iterator[None]:
    """The global generators of `random` and NumPy start from a draw, and are afterwards what they were.

    timm's operations use nothing else. One thread at a time: threads would take numbers from each other.
    """
    with _GLOBALS:
        plain, of_numpy = random.getstate(), np.random.get_state()
        try:
            random.seed(draw)
            np.random.seed([draw >> 32, draw & 0xFFFFFFFF])
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(of_numpy)
