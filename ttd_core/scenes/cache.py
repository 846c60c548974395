"""A split on disk, so that training reads scenes instead of drawing them again.

A cache is a folder: `images.npy` (N×S×S×3 uint8), `ids.npy` (N×S×S uint8), `scenes.jsonl` (one line per scene) and
`meta.json`. It is written under another name and renamed when complete, so a folder that exists is whole.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ttd_core.errors import DataError, UsageError
from ttd_core.protocols import Reporter, SilentReporter
from ttd_core.scenes.captions import DEFAULT_STYLE, CaptionStyle
from ttd_core.scenes.dataset import CHUNK, SceneBatch, find_split, generate_split
from ttd_core.scenes.scene import Entity
from ttd_core.scenes.stuff import BASE

FORMAT = 1
"""Raised whenever scenes change, so that stale caches are refused."""


def write_cache(
    folder: Path,
    split: str,
    size: int = BASE,
    start: int = 0,
    stop: int | None = None,
    workers: int = 1,
    style: CaptionStyle = DEFAULT_STYLE,
    report: Reporter | None = None,
) -> None:
    """Draw scenes start..stop-1 of a split into a new folder.

    Args:
        folder: must not exist.
        split: name of the split.
        size: picture side in pixels.
        start: number of the first scene.
        stop: number after the last scene, None for the split's usual length.
        workers: processes; more than one needs a `if __name__ == "__main__"` guard in scripts.
        style: how much the captions lie.
        report: shows progress in batches.

    Raises:
        UsageError: unknown split, or the folder exists.
    """
    end = find_split(split).length if stop is None else stop
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="choose another folder or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.parent / f".{folder.name}.{os.getpid()}"
    building.mkdir()
    try:
        count = end - start
        images = np.lib.format.open_memmap(building / "images.npy", "w+", np.uint8, (count, size, size, 3))
        ids = np.lib.format.open_memmap(building / "ids.npy", "w+", np.uint8, (count, size, size))
        batches = generate_split(split, size, start, end, workers, style)
        with (building / "scenes.jsonl").open("w", encoding="utf-8") as lines:
            steps = -(-count // CHUNK)
            for batch in (report or SilentReporter()).track(batches, steps, f"drawing scenes:{split}"):
                place = slice(batch.start - start, batch.start - start + len(batch))
                images[place], ids[place] = batch.images, batch.ids
                lines.writelines(json.dumps(_record(batch, position)) + "\n" for position in range(len(batch)))
        images.flush()
        ids.flush()
        meta = _meta(split, size, start, end, style)
        (building / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        os.replace(building, folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def read_cache(folder: Path) -> SceneBatch:
    """Open a cache; pictures and ids stay on disk until they are indexed.

    Raises:
        DataError: the folder is not a cache, or was written by another version of the generator.
    """
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        records = [json.loads(line) for line in (folder / "scenes.jsonl").read_text(encoding="utf-8").splitlines()]
        images = np.load(folder / "images.npy", mmap_mode="r")
        ids = np.load(folder / "ids.npy", mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is not a cache of scenes ({error})", hint="write it again") from error
    if meta.get("format") != FORMAT or len(records) != len(images):
        raise DataError(f"{folder} was written by another version of the scenes", hint="remove it and write it again")
    return SceneBatch(
        meta["start"],
        images,
        ids,
        tuple(tuple(_entity(row) for row in record["entities"]) for record in records),
        tuple(tuple(record["captions"]) for record in records),
        tuple(record["layout"] for record in records),
        tuple(record["mode"] for record in records),
    )


def open_split(
    folder: Path,
    split: str,
    size: int = BASE,
    stop: int | None = None,
    workers: int = 1,
    style: CaptionStyle = DEFAULT_STYLE,
    report: Reporter | None = None,
) -> SceneBatch:
    """Read scenes 0..stop-1 from a cache below a folder, writing the cache first where it is missing.

    Raises:
        UsageError: unknown split.
        DataError: the cache below the folder holds something else.
    """
    name = split.removeprefix("scenes:")
    end = find_split(split).length if stop is None else stop
    place = folder / f"{name}-{end}-{size}px"
    if not place.exists():
        write_cache(place, name, size, 0, end, workers, style, report)
    meta = json.loads((place / "meta.json").read_text(encoding="utf-8")) if (place / "meta.json").exists() else {}
    if meta != _meta(name, size, 0, end, style):
        raise DataError(f"{place} holds other scenes than asked for", hint="remove it and start again")
    return read_cache(place)


def _meta(split: str, size: int, start: int, stop: int, style: CaptionStyle) -> dict[str, Any]:
    settings = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(style).items()}
    return {
        "format": FORMAT, "split": split.removeprefix("scenes:"), "size": size, "start": start, "stop": stop,
        "style": settings,
    }  # fmt: skip


def _record(batch: SceneBatch, position: int) -> dict[str, Any]:
    return {
        "layout": batch.layouts[position],
        "mode": batch.modes[position],
        "captions": list(batch.captions[position]),
        "entities": [[e.name, list(e.attributes), e.area, e.group] for e in batch.entities[position]],
    }


def _entity(row: list[Any]) -> Entity:
    name, attributes, area, group = row
    return Entity(name, tuple(attributes), area, group)
