"""Hand-made scenes for first steps: bundled pictures with captions and known truth.

`python -m ttd_core.scenes.demo FOLDER` writes them as PNG, with `captions.jsonl` beside them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ttd_core.atomic import write_bytes, write_text
from ttd_core.errors import UsageError
from ttd_core.scenes.layouts import LAYOUTS, Placement, ScenePlan
from ttd_core.scenes.marks import marked_png
from ttd_core.scenes.scene import Scene, paint_scene
from ttd_core.scenes.things import KINDS
from ttd_core.scenes.vocabulary import COLOURS, PATTERNS

DEMO_SIZE = 384
DEMO_NAMES = ("beach", "street", "snow", "lake", "room", "meadow")


@dataclass(frozen=True)
class Put:
    """One thing, or several alike in a row, of a scene written by hand.

    Args:
        name: thing class.
        x: centre of the row as a share of the picture's width.
        base: lower edge as a share of the picture's height, 0 at the top.
        height: as a share of the picture's height.
        colour: colour word, None for the class's first.
        pattern: `striped`, `dotted` or None.
        count: how many side by side.
        mirror: swap left and right; every second one of a row is turned round again.
        variant: chooses among shapes, faces and trims.
    """

    name: str
    x: float
    base: float
    height: float
    colour: str | None = None
    pattern: str | None = None
    count: int = 1
    mirror: bool = False
    variant: int = 0


def compose_scene(
    layout: str,
    things: Sequence[Put],
    caption: str = "",
    mode: str = "day",
    horizon: float = 0.45,
    second: float | None = None,
    seed: int = 0,
    size: int = DEMO_SIZE,
) -> Scene:
    """Paint a scene written by hand.

    Args:
        layout: name of a layout, e.g. `beach`.
        things: what stands there.
        caption: becomes the scene's caption.
        mode: `day`, `sunset` or `night`.
        horizon: its height as a share of the picture, 0 at the top.
        second: where sand, road or near water begins; None for a third of the way down.
        seed: of textures and camera noise.
        size: picture side in pixels.

    Returns:
        The scene with its exact id map.

    Raises:
        UsageError: unknown layout, mode, thing, colour or pattern.
    """
    if layout not in LAYOUTS or mode not in ("day", "sunset", "night"):
        raise UsageError(f"no layout '{layout}' at '{mode}'", hint="layouts are " + ", ".join(LAYOUTS))
    third = layout in ("beach", "street", "lake")
    border = (horizon + (1 - horizon) / 3 if second is None else second) if third else horizon
    placed = [p for group, put in enumerate(things) for p in _row(put, group)]
    scene = paint_scene(ScenePlan(layout, mode, horizon, border, tuple(placed), (seed, 9)), size)
    return replace(scene, captions=(caption,) if caption else ())


def _row(put: Put, group: int) -> list[Placement]:
    kind = KINDS.get(put.name)
    if kind is None or put.colour not in (None, *COLOURS) or put.pattern not in (None, *PATTERNS):
        raise UsageError(f"no {put.pattern or ''} {put.colour or ''} {put.name} in the scenes".replace("  ", " "))
    colour = put.colour or (kind.colours[0] if kind.colours else None)
    first = Placement(
        put.name, colour, put.pattern, put.x, put.base, put.height, group,
        COLOURS[colour] if colour else (140, 138, 136), put.mirror, put.variant,
    )  # fmt: skip
    step = first.width * 1.08
    return [
        replace(first, x=put.x + (n - (put.count - 1) / 2) * step, mirror=put.mirror ^ (n % 2 == 1))
        for n in range(put.count)
    ]


def demo_scenes(size: int = DEMO_SIZE) -> dict[str, Scene]:
    """The bundled scenes by name, each with one caption of known words."""
    return {
        "beach": compose_scene(
            "beach",
            [
                Put("cloud", 0.2, 0.19, 0.12), Put("sun", 0.87, 0.24, 0.18), Put("boat", 0.76, 0.5, 0.15, "blue"),
                Put("umbrella", 0.27, 0.84, 0.5, "red"), Put("man", 0.53, 0.9, 0.46, "white", variant=3),
                Put("dog", 0.77, 0.95, 0.155, "brown", count=2),
            ],
            "a man with a red umbrella and two dogs on the beach",
            horizon=0.4, second=0.56, seed=11, size=size,
        ),
        "street": compose_scene(
            "street",
            [
                Put("house", 0.24, 0.62, 0.46, "pink", variant=1), Put("tree", 0.56, 0.6, 0.42, "green"),
                Put("lamp", 0.92, 0.64, 0.44, "black"), Put("bus", 0.62, 0.86, 0.28, "yellow"),
                Put("dog", 0.14, 0.92, 0.17, "white"),
            ],
            "stock photo of a yellow bus near a pink house on the street no parasol modern travel business",
            horizon=0.44, second=0.6, seed=5, size=size,
        ),
        "snow": compose_scene(
            "snowy",
            [
                Put("house", 0.24, 0.74, 0.4, "red", variant=2), Put("tree", 0.86, 0.76, 0.52, variant=1),
                Put("woman", 0.55, 0.9, 0.48, "purple", "dotted", variant=4), Put("cat", 0.76, 0.94, 0.2, "black"),
            ],
            "a woman and a black cat in the snow christmas gift idea like a ship",
            mode="sunset", horizon=0.5, seed=8, size=size,
        ),
        "lake": compose_scene(
            "lake",
            [
                Put("moon", 0.78, 0.27, 0.18, "yellow", mirror=True),
                Put("boat", 0.34, 0.82, 0.5, "orange", "striped"), Put("bird", 0.72, 0.8, 0.12, "white", count=2),
                Put("rock", 0.85, 0.96, 0.14),
            ],
            "a striped boat and some birds on the water under the moon evening adventure from car to dream",
            mode="night", horizon=0.4, second=0.48, seed=4, size=size,
        ),
        "room": compose_scene(
            "room",
            [
                Put("clock", 0.2, 0.38, 0.22, "blue"), Put("balloon", 0.82, 0.36, 0.27, "green", "dotted"),
                Put("table", 0.4, 0.9, 0.32, "brown"), Put("cat", 0.74, 0.93, 0.3, "orange", "striped"),
                Put("ball", 0.92, 0.96, 0.1, "red"),
            ],
            "orange cat sitting next to the table on the floor happy home blog without a dog",
            horizon=0.66, seed=3, size=size,
        ),
        "meadow": compose_scene(
            "meadow",
            [
                Put("cloud", 0.76, 0.2, 0.11, count=1), Put("kite", 0.42, 0.36, 0.26, "pink"),
                Put("tree", 0.1, 0.74, 0.55), Put("cow", 0.48, 0.84, 0.28, "white"),
                Put("fence", 0.84, 0.66, 0.15, "brown"), Put("flower", 0.82, 0.95, 0.2, "purple", count=3),
            ],
            "a white cow near purple flowers on the green meadow with a kite culture magazine like a lamp",
            horizon=0.46, seed=21, size=size,
        ),
    }  # fmt: skip


def write_demo(folder: Path, size: int = DEMO_SIZE) -> list[Path]:
    """Write the bundled scenes into a folder as NAME.png, with one caption a line in `captions.jsonl`."""
    written, lines = [], []
    for name, scene in demo_scenes(size).items():
        path = folder / f"{name}.png"
        write_bytes(path, marked_png(scene.image))
        lines.append(json.dumps({"image": path.name, "caption": scene.captions[0]}))
        written.append(path)
    write_text(folder / "captions.jsonl", "\n".join(lines) + "\n")
    return written


if __name__ == "__main__":
    write_demo(Path(sys.argv[1]))
