"""Data sets of a few drawn pictures, in the layouts that people have on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ttd_core.data.palette import voc_palette

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SIZE = (16, 24)
IDS = ("2009_000001", "2009_000002", "2009_000003")


def labels(*values: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """H×W uint8 with one vertical band per value."""
    bands = np.array_split(np.arange(size[1]), len(values))
    row = np.concatenate([np.full(len(band), value) for band, value in zip(bands, values, strict=True)])
    return np.repeat(row[None], size[0], axis=0).astype(np.uint8)


def write_picture(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """A drawn picture of H×W pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 255, size[0] * size[1] * 3).astype(np.uint8).reshape(*size, 3)
    Image.fromarray(ramp).save(path)
    return path


def write_mask(path: Path, values: np.ndarray, palette: bool = True) -> Path:
    """An index PNG, with VOC's palette or grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(values)
    if palette:
        picture.putpalette(voc_palette().tobytes())
    picture.save(path)
    return path


def write_text(path: Path, text: str) -> Path:
    """A text file as given, without translation of line ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def write_xml(path: Path, objects: Iterable[tuple[str, int]]) -> Path:
    """A VOC annotation: names and `difficult` marks."""
    body = "".join(f"<object><name>{n}</name><difficult>{d}</difficult></object>" for n, d in objects)
    return write_text(path, f"<annotation><filename>x.jpg</filename>{body}</annotation>")


def draw_devkit(base: Path, folder: str = "SegmentationClass", lists: str = "Segmentation") -> Path:
    """A year's folder with three pictures and masks: classes 1 and 2 with background, 3 with ignored pixels, all 0.

    Returns:
        the folder itself.
    """
    masks = dict(zip(IDS, (labels(0, 1, 2), labels(3, 255), labels(0)), strict=True))
    for key, values in masks.items():
        write_picture(base / "JPEGImages" / f"{key}.jpg")
        write_mask(base / folder / f"{key}.png", values)
    write_text(base / "ImageSets" / lists / "val.txt", "\n".join(IDS) + "\n")
    write_text(base / "ImageSets" / lists / "train.txt", f"{IDS[1]}\n")
    return base


def draw_split(folder: Path, masks: Mapping[str, np.ndarray], xmls: Mapping[str, Iterable[tuple[str, int]]]) -> Path:
    """One split of the ttd layout: a picture for each name in `masks` or `xmls`."""
    for key in {*masks, *xmls}:
        write_picture(folder / "image" / f"{key}.jpg")
    for key, values in masks.items():
        write_mask(folder / "mask" / f"{key}.png", values)
    for key, objects in xmls.items():
        write_xml(folder / "xml" / f"{key}.xml", objects)
    return folder
