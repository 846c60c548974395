"""The name of a run: a pure function of what changes its results.

The order is that of the published result folders
(`TCL@VOC2012@OpenAI@[1.0, 0.5, 1.5, 2.0]@448@s=2@hflip@pamr@TTD@bg=0.40`), spelled with letters, digits and `@ + . - _`
only, so that it needs no quoting in a shell, a path or a glob pattern. Parts that are not set are left out. Nothing
reads a name back: programs read `run.yaml`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from ttd_core.config import config_hash

MAX_LENGTH = 200
"""Bytes of a name: below the 255 of common file systems, with room for a temporary file's prefix and suffix."""

HASH_DIGITS = 8


@dataclass(frozen=True)
class RunName:
    """The parts of a name, in their order.

    Args:
        model: backbone.
        pretrained: named weights of an open architecture; stands with the model.
        data: data set, list, folder or picture.
        task: what is measured on it; stands with the data.
        templates: prompt template set.
        scales: factors on the size.
        size: shorter side in pixels.
        stride: of a sliding window or of the dense features, in patches.
        hflip: mirrored pictures are averaged in.
        refiner: `pamr`, `crf`.
        adapter: name of a LoRA file.
        bg: background score.
        other: options without a part of their own that differ from their default; they enter as a short hash.
        weights_sha256: digest of weights given as local files; they enter as the same hash.
        data_sha256: digest of a single picture or list, so that two of one name stay apart; it enters the same hash.
    """

    model: str
    data: str
    pretrained: str | None = None
    task: str | None = None
    templates: str | None = None
    scales: tuple[float, ...] = (1.0,)
    size: int | None = None
    stride: int | None = None
    hflip: bool = False
    refiner: str | None = None
    adapter: str | None = None
    bg: float | None = None
    other: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None
    data_sha256: str | None = None


def run_id(name: RunName) -> str:
    """Spell a name.

    Returns:
        At most `MAX_LENGTH` ASCII characters out of `[a-z0-9@+._-]`; equal for equal parts.
    """
    model = _safe(name.model) + (f"+{_safe(name.pretrained)}" if name.pretrained else "")
    parts = [model, _safe(name.data) + (f"+{_safe(name.task)}" if name.task else "")]
    if name.templates:
        parts.append(_safe(name.templates))
    parts.append("+".join(repr(float(scale)) for scale in name.scales))
    if name.size is not None:
        parts.append(str(name.size))
    if name.stride is not None:
        parts.append(f"s{name.stride}")
    if name.hflip:
        parts.append("hflip")
    parts += [_safe(part) for part in (name.refiner, name.adapter) if part]
    if name.bg is not None:
        parts.append("bg" + (f"{name.bg:.2f}" if round(name.bg, 2) == name.bg else repr(name.bg)))
    beyond: dict[str, Any] = dict(name.other)
    if name.weights_sha256:
        beyond["weights_sha256"] = name.weights_sha256
    if name.data_sha256:
        beyond["data_sha256"] = name.data_sha256
    spelled = "@".join(parts)
    if len(spelled) > MAX_LENGTH - HASH_DIGITS - 1:
        beyond["name"] = spelled
        spelled = spelled[: MAX_LENGTH - HASH_DIGITS - 1].rstrip("@+.-_")
    return f"{spelled}@{config_hash(beyond)[:HASH_DIGITS]}" if beyond else spelled


def input_name(image: str | None, source: str | None) -> str:
    """What stands for the data in a name.

    Args:
        image: one picture's path.
        source: a list file, a folder, or `-`.

    Returns:
        The last part of the path without its suffix; `text` where only text was given, `stdin` for `-`.
    """
    path = source or image
    if path is None:
        return "text"
    if path == "-":
        return "stdin"
    pure = PurePath(path)
    if pure.name in ("", ".."):  # `.` and `..` are folders with names, too
        pure = PurePath(os.path.realpath(path))
    return pure.stem or pure.name or "root"


def _safe(text: str) -> str:
    """Lower case; everything but letters, digits, `.`, `_` and `-` becomes `-`; at most 48 characters, never empty.

    What gets lost on the way (other scripts, long names) is replaced by a few digits of a hash.
    """
    folded = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9._-]+", "-", text.lower())).strip("-.")
    if folded and len(folded) <= 48 and text.isascii():
        return folded
    mark = config_hash({"text": text})[:6]
    return f"{folded[:40].strip('-.')}-{mark}".lstrip("-")
