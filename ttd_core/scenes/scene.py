"""A finished scene: picture, id map and entities, and the words that are true in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttd_core.scenes import stuff
from ttd_core.scenes.dice import Dice
from ttd_core.scenes.draw import Canvas, Pen
from ttd_core.scenes.layouts import LAYOUTS, ScenePlan
from ttd_core.scenes.things import KINDS
from ttd_core.scenes.vocabulary import word_is_true

VISIBLE_SHARE = 0.003
"""A word is visible when its mask holds at least this share of the picture."""

SMALL_SHARE = 0.4
"""A caption whose visible words cover less than this share of the picture is small."""


@dataclass(frozen=True)
class Entity:
    """One stuff region or one thing.

    Args:
        name: class.
        attributes: colour and pattern words that are true for it.
        area: visible share of the picture.
        group: number shared by things that belong together, None for stuff.
    """

    name: str
    attributes: tuple[str, ...]
    area: float
    group: int | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with everything that is known about it.

    Args:
        image: S×S×3 uint8 RGB.
        ids: S×S uint8; a pixel's value is the index of its topmost entity.
        entities: stuff first, then things from far to near.
        captions: lower case words separated by single blanks.
        layout: name of the layout.
        mode: `day`, `sunset` or `night`.
    """

    image: np.ndarray
    ids: np.ndarray
    entities: tuple[Entity, ...]
    captions: tuple[str, ...] = ()
    layout: str = ""
    mode: str = "day"


def paint_scene(plan: ScenePlan, size: int = stuff.BASE) -> Scene:
    """Paint a plan at size×size pixels, without captions."""
    dice = Dice(*plan.seed)
    ground = stuff.make_ground(size, plan.horizon, plan.mode, dice)
    bands = _bands(plan, ground)
    background, stuff_ids = stuff.paint_stuff(ground, bands)
    canvas = Canvas(np.clip(background, 0, 255).astype(np.uint8), stuff_ids)
    ordered = sorted(plan.things, key=lambda thing: (not _hangs(plan.layout, thing.name), thing.base))
    for number, thing in enumerate(ordered, start=len(bands)):
        light = 0.86 if plan.mode == "night" and thing.name not in ("moon", "lamp") else 1.0
        grounded = not _hangs(plan.layout, thing.name)
        pen = Pen(canvas, number, thing.box, thing.mirror, thing.pattern, light, grounded)
        KINDS[thing.name].paint(pen, thing.rgb, thing.variant)
    image, ids = canvas.finish()
    areas = np.bincount(ids.ravel(), minlength=len(bands) + len(ordered)) / ids.size
    entities = [
        Entity(name, _stuff_attributes(name, plan.mode), float(areas[index])) for index, (name, _) in enumerate(bands)
    ]
    for index, thing in enumerate(ordered, start=len(bands)):
        words = tuple(word for word in (thing.colour, thing.pattern) if word)
        entities.append(Entity(thing.name, words, float(areas[index]), thing.group))
    return Scene(_photograph(image, dice), ids, tuple(entities), (), plan.layout, plan.mode)


def _hangs(layout: str, name: str) -> bool:
    """Whether a thing hangs in the sky or on the wall, behind everything on the ground."""
    if layout == "lake" and name in ("bird", "boat", "ball", "rock"):
        return False
    if layout == "room":
        return name in LAYOUTS["room"].sky
    return name in LAYOUTS["meadow"].sky


def _stuff_attributes(name: str, mode: str) -> tuple[str, ...]:
    fixed = {"sea": ("blue",), "grass": ("green",), "snow": ("white",)}
    return ({"day": "blue", "sunset": "orange", "night": "black"}[mode],) if name == "sky" else fixed.get(name, ())


def _bands(plan: ScenePlan, ground: stuff.Ground) -> list[tuple[str, np.ndarray]]:
    names = LAYOUTS[plan.layout].stuff
    level, second = stuff.straight(ground, plan.horizon), plan.second
    if plan.layout == "meadow":
        return [(names[0], level), (names[1], stuff.wavy(ground, plan.horizon, 0.03))]
    if plan.layout == "room":
        return [(names[0], level), (names[1], level)]
    if plan.layout in ("snowy", "hills"):
        tallest = min(0.3, plan.horizon - 0.06)
        foot = stuff.wavy(ground, plan.horizon, 0.02)
        return [(names[0], level), (names[1], stuff.peaks(ground, plan.horizon + 0.02, tallest)), (names[2], foot)]
    lower = stuff.wavy(ground, second, 0.02) if plan.layout == "beach" else stuff.straight(ground, second)
    upper = stuff.wavy(ground, plan.horizon, 0.015) if plan.layout == "lake" else level
    return [(names[0], level), (names[1], upper), (names[2], lower)]


def _photograph(image: np.ndarray, dice: Dice) -> np.ndarray:
    """Contrast, brightness, tint and grey noise of an imaginary camera."""
    gain, offset = dice.uniform(0.85, 1.12), dice.uniform(-14, 14)
    tint = np.asarray([dice.uniform(-6, 6) for _ in range(3)], dtype=np.float32)
    grain = stuff.spread(dice.grid(stuff.BASE, stuff.BASE), image.shape[0]) * np.float32(dice.uniform(0, 5))
    picture = (image.astype(np.float32) - 128) * np.float32(gain) + (np.float32(128 + offset) + tint)
    photograph: np.ndarray = np.clip(picture + grain[..., None], 0, 255).astype(np.uint8)
    return photograph


def truth_table(scene: Scene, words: Sequence[str]) -> np.ndarray:
    """Which word is true for which entity: K×E bool."""
    table = np.zeros((len(words), len(scene.entities)), dtype=bool)
    for row, word in enumerate(words):
        for column, entity in enumerate(scene.entities):
            table[row, column] = word_is_true(word, entity.name, entity.attributes)
    return table


def true_entities(word: str, scene: Scene) -> tuple[int, ...]:
    """Indices of the entities a word is true for, mentioned or not."""
    return tuple(np.flatnonzero(truth_table(scene, [word])[0]).tolist())


def word_masks(scene: Scene, words: Sequence[str]) -> np.ndarray:
    """The masks of K words: K×S×S bool, all false for a word that is not true for anything."""
    return truth_table(scene, words)[:, scene.ids]


def word_mask(scene: Scene, word: str) -> np.ndarray:
    """The mask of one word: S×S bool."""
    mask: np.ndarray = word_masks(scene, [word])[0]
    return mask


def visible_flags(scene: Scene, words: Sequence[str]) -> np.ndarray:
    """Whether each of K words is visible (at least 0.3 % of the pixels): K bool."""
    areas = np.bincount(scene.ids.ravel(), minlength=len(scene.entities))
    flags: np.ndarray = truth_table(scene, words) @ areas >= VISIBLE_SHARE * scene.ids.size
    return flags


def visible(scene: Scene, word: str) -> bool:
    """Whether a word's mask holds at least 0.3 % of the pixels."""
    return bool(visible_flags(scene, [word])[0])


def caption_mask(scene: Scene, caption: str) -> np.ndarray:
    """The union of the masks of a caption's visible words: S×S bool."""
    words = tuple(dict.fromkeys(caption.lower().split()))
    table = truth_table(scene, words)[visible_flags(scene, words)]
    mask: np.ndarray = table.any(axis=0)[scene.ids]
    return mask


def is_small(scene: Scene, caption: str) -> bool:
    """Whether the visible words of a caption cover less than 40 % of the picture."""
    return bool(caption_mask(scene, caption).mean() < SMALL_SHARE)
