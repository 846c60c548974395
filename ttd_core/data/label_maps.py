"""Label maps, masks and probabilities on disk.

A label map of up to 255 labels is a PNG with a palette: the pixel *is* the label, the colours are for eyes. Beyond that
it is a 16-bit grey PNG. Index 255 (65535 in 16 bit) means "ignored" and is never written by us as a label.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ttd_core.atomic import write_bytes
from ttd_core.data.palette import IGNORED, colours_to_labels, voc_palette
from ttd_core.errors import DataError

_SHARE_HINT = "save masks as PNG holding one class index per pixel"


@dataclass(frozen=True)
class LabelMap:
    """A label map as read.

    Args:
        labels: H×W uint8, or uint16 for 16-bit files of long class lists.
        notices: what looked odd but was accepted, one sentence each.
    """

    labels: np.ndarray
    notices: tuple[str, ...] = ()


def write_label_map(path: Path, labels: np.ndarray, colours: np.ndarray | None = None) -> None:
    """Write a label map, whole or not at all.

    Args:
        path: a `.png`.
        labels: H×W of any integer type, values from 0; up to 254 they become a palette PNG, else a 16-bit one.
        colours: n×3 uint8 for labels 0..n-1, None for VOC's; the others keep VOC's.

    Raises:
        ValueError: a label below 0 or above 65534.
        RunError: the file cannot be written.
    """
    highest = int(labels.max(initial=0))
    if highest > 65534 or int(labels.min(initial=0)) < 0:
        raise ValueError(f"labels from {labels.min()} to {highest}, expected 0..65534")
    if highest >= IGNORED:
        _write_png(path, Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint16)))
        return
    palette = voc_palette().copy()
    if colours is not None:
        palette[: min(len(colours), IGNORED)] = colours[:IGNORED]
    picture = Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8))
    picture.putpalette(palette.tobytes())
    _write_png(path, picture)


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a H×W bool mask as a 1-bit PNG, whole or not at all; raises RunError when it cannot be written."""
    _write_png(path, Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).convert("1", dither=Image.Dither.NONE))


def write_probabilities(path: Path, scores: np.ndarray, tags: Sequence[str], size: tuple[int, int]) -> None:
    """Write maps as a compressed `.npz`, whole or not at all; reading it needs no pickles.

    Args:
        path: a `.npz`.
        scores: K×h×w float, stored as float16.
        tags: K names.
        size: H and W of the picture the maps belong to.

    Raises:
        RunError: the file cannot be written.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, scores=scores.astype(np.float16), tags=np.array(list(tags), dtype=np.str_), size=np.array(size)
    )
    write_bytes(path, buffer.getvalue())


def read_label_map(
    path: Path, classes: int | None = None, size: tuple[int, int] | None = None, binary: bool = False
) -> LabelMap:
    """Read a ground-truth or predicted label map without inventing labels.

    Indices count, colours do not; RGB(A) in VOC's exact colours is mapped back. EXIF orientation is not applied.

    Args:
        path: a palette, grey, 16-bit or VOC-coloured picture in a lossless format, or an integer `.npy`.
        classes: number of classes; larger values other than 255 (65535) are an error. None accepts any value.
        size: H and W the picture has; another size is an error, never a silent resize.
        binary: the file is a foreground mask; any value above 0 becomes 1.

    Returns:
        The labels and what was odd about them.

    Raises:
        DataError: unreadable, lossy, of another size, or holding values that are no class.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such mask file")
    labels, notices = _read_npy(path) if path.suffix == ".npy" else _read_picture(path)
    if size is not None and labels.shape != tuple(size):
        found, expected = f"{labels.shape[1]}×{labels.shape[0]}", f"{size[1]}×{size[0]}"
        hint = (
            "each mask has the size of its picture; where the pictures were resized, resize the masks without blending"
        )
        raise DataError(f"{path}: mask is {found} pixels but its picture is {expected}", hint)
    values = _values(labels)
    if binary:
        return LabelMap((labels > 0).astype(np.uint8), notices)
    if classes is not None:
        labels, values = _check_classes(path, labels, values, classes)
        if classes > 2 and set(values) <= {0, IGNORED} and len(values) == 2:
            notices += ("holds only 0 and 255: everything but the background counts as ignored",)
        if classes > 2 and labels.dtype == bool:
            notices += ("is a 1-bit mask: its foreground counts as class 1",)
    return LabelMap(labels.astype(np.uint16 if values.max(initial=0) > 255 else np.uint8), notices)


def _write_png(path: Path, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=picture.mode == "P" and picture.width * picture.height < 2_000_000)
    write_bytes(path, buffer.getvalue())


def _read_npy(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    try:
        labels = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: not a plain array file", hint=_SHARE_HINT) from error
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise DataError(f"{path}: expected a two-dimensional array of whole numbers", hint=_SHARE_HINT)
    return labels, ()


def _read_picture(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    try:
        with Image.open(path) as picture:
            picture.load()
            kind, mode = picture.format, picture.mode
            colours = np.array(picture.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3) if mode == "P" else None
            pixels = np.array(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable mask ({str(error) or type(error).__name__})") from error
    if kind == "JPEG":
        raise DataError(f"{path}: JPEG is lossy and blurs class indices", hint=_SHARE_HINT)
    if mode in ("RGB", "RGBA"):
        labels = colours_to_labels(pixels[..., :3])
        if labels is None:
            raise DataError(f"{path}: {mode} colours that are not VOC's palette, no class index", hint=_SHARE_HINT)
        return labels, (f"is {mode}: VOC colours were mapped back to class indices",)
    if mode == "LA":
        return pixels[..., 0], ("is grey with alpha: the grey values are taken as class indices",)
    if colours is not None:
        return pixels, _palette_notice(pixels, colours)
    if mode not in ("1", "L", "I", "I;16", "I;16B"):
        raise DataError(f"{path}: picture mode {mode} holds no class indices", hint=_SHARE_HINT)
    return pixels, ()


def _values(labels: np.ndarray) -> np.ndarray:
    """The values that occur, ascending; without sorting all pixels where there are few possible ones."""
    if labels.dtype not in (np.bool_, np.uint8, np.uint16):
        return np.unique(labels)
    return np.flatnonzero(np.bincount(labels.ravel())).astype(np.int64)


def _palette_notice(pixels: np.ndarray, colours: np.ndarray) -> tuple[str, ...]:
    """Say so when all used colours are VOC's, but stand at other indices: an editor has sorted the palette."""
    used = np.unique(pixels)
    used = used[used < len(colours)]
    by_colour = colours_to_labels(colours[used][None])
    if by_colour is None or np.array_equal(by_colour[0], used):
        return ()
    return ("has VOC's colours at other indices, as after an image editor: the indices are taken, check them",)


def _check_classes(path: Path, labels: np.ndarray, values: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    ignored = IGNORED if classes <= IGNORED else 65535
    wrong = values[(values >= classes) & (values != ignored) | (values < 0)]
    if len(wrong):
        named = ", ".join(str(int(value)) for value in wrong[:5])
        raise DataError(
            f"{path}: holds {named}, expected classes 0..{classes - 1} or {ignored} for ignored",
            hint="check that these masks belong to the data set that was named, with its classes in its order",
        )
    return labels, values
