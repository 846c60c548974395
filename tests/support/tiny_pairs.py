"""Small archives, lists and folders of pairs, and a scorer without a model."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ttd_core.errors import UsageError
from ttd_core.types import Picture

Members = Iterable[tuple[str, bytes]]


def picture_bytes(seed: int, size: tuple[int, int] = (12, 9), kind: str = "PNG") -> bytes:
    """A picture of one colour with a corner of another."""
    dice = np.random.default_rng(seed)
    pixels = np.full((*size, 3), dice.integers(0, 256, 3), np.uint8)
    pixels[: size[0] // 2, : size[1] // 2] = dice.integers(0, 256, 3)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def sample_members(keys: Iterable[int], caption: str = "a red vase and a yellow cake") -> list[tuple[str, bytes]]:
    """Members as img2dataset writes them."""
    members: list[tuple[str, bytes]] = []
    for key in keys:
        record = {"caption": f"{caption} {key}", "key": f"{key:09d}", "status": "success"}
        members.append((f"{key:09d}.jpg", picture_bytes(key, kind="JPEG")))
        members.append((f"{key:09d}.json", json.dumps(record).encode()))
        members.append((f"{key:09d}.txt", f"{caption} {key}".encode()))
    return members


def write_tar(path: Path, members: Members, mode: str = "w") -> Path:
    """An archive of ordinary members; `mode` may be `w:gz`."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def write_folder(folder: Path, count: int, start: int = 0) -> Path:
    """Pictures with captions beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        (folder / f"{number:04d}.png").write_bytes(picture_bytes(number))
        (folder / f"{number:04d}.txt").write_text(f"picture {number} of a dog\n")
    return folder


def write_layout(root: Path, name: str, split: str, count: int) -> Path:
    """The published layout: `image/` and `json/`."""
    base = root / name / split
    (base / "image").mkdir(parents=True)
    (base / "json").mkdir()
    for number in range(count):
        (base / "image" / f"{number:05d}.jpg").write_bytes(picture_bytes(number, kind="JPEG"))
        (base / "json" / f"{number:05d}.json").write_text(json.dumps({"caption": f"{name} {split} {number}"}))
    return root


class StubScorer:
    """Scores by digest: no model, no torch, the same numbers everywhere.

    Args:
        window: pairs scored together.
        pause: seconds per window.
    """

    model = "stub"
    settings = "{}"
    device = "none"

    def __init__(self, window: int = 4, pause: float = 0.0, sha256: str = "ab" * 32) -> None:
        self.window = window
        self.model_sha256: str | None = sha256
        self._pause = pause

    def prepare(self, picture: Picture) -> Any:
        return float(picture.pixels.mean()) / 256

    def score(self, prepared: Sequence[Any], captions: Sequence[str]) -> list[float | str]:
        time.sleep(self._pause)
        return [
            (shade + hashlib.sha256(text.encode()).digest()[0] / 256) / 2
            for shade, text in zip(prepared, captions, strict=True)
        ]


def open_stub(device: str | None, report: Any) -> StubScorer:
    """A quick stub."""
    return StubScorer()


def open_slow_stub(device: str | None, report: Any) -> StubScorer:
    """A stub slow enough to be interrupted."""
    return StubScorer(pause=0.03)


def open_and_fail(kind: str, device: str | None, report: Any) -> StubScorer:
    """Something goes wrong in a worker: a user's mistake, a bug of ours, or the end of the process."""
    if kind == "mistake":
        raise UsageError("no such device", hint="use another one")
    if kind == "bug":
        raise ZeroDivisionError("a bug")
    os._exit(7)
