"""Where things go: the seven layouts, and the plan of a scene drawn at random or written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ttd_core.scenes.dice import Dice
from ttd_core.scenes.draw import Colour
from ttd_core.scenes.things import KINDS, ThingKind
from ttd_core.scenes.vocabulary import COLOURS, PATTERNS

_SKY = ("sun", "moon", "cloud", "bird", "plane", "balloon", "kite")
_SKY_CALM = ("sun", "moon", "cloud", "bird", "plane", "balloon")


@dataclass(frozen=True)
class Layout:
    """A kind of place.

    Args:
        stuff: stuff classes from top to bottom.
        sky: things allowed in the sky band (or on the wall).
        ground: things allowed below the horizon.
        horizon: range of the horizon's height as shares of the picture.
    """

    stuff: tuple[str, ...]
    sky: tuple[str, ...]
    ground: tuple[str, ...]
    horizon: tuple[float, float] = (0.32, 0.60)


LAYOUTS: MappingProxyType[str, Layout] = MappingProxyType({
    "meadow": Layout(("sky", "grass"), _SKY, (
        "tree", "house", "dog", "cat", "cow", "man", "woman", "ball", "flower", "mushroom", "umbrella", "fence",
        "bench", "rock", "car", "lamp")),
    "beach": Layout(("sky", "sea", "sand"), _SKY, (
        "umbrella", "ball", "man", "woman", "dog", "rock", "tree", "bench", "table", "boat"), (0.32, 0.5)),
    "street": Layout(("sky", "grass", "road"), _SKY_CALM, (
        "car", "bus", "house", "tree", "lamp", "bench", "man", "woman", "dog", "cat", "fence", "clock")),
    "snowy": Layout(("sky", "mountain", "snow"), _SKY_CALM, (
        "tree", "house", "man", "woman", "dog", "rock", "fence", "lamp", "car", "bus")),
    "hills": Layout(("sky", "mountain", "grass"), _SKY, (
        "tree", "house", "cow", "man", "woman", "rock", "fence", "flower", "mushroom", "dog", "bus")),
    "lake": Layout(("sky", "grass", "sea"), ("sun", "cloud", "bird", "moon", "kite"), (
        "boat", "boat", "rock", "ball", "bird"), (0.32, 0.48)),
    "room": Layout(("wall", "floor"), ("clock", "balloon"), (
        "table", "cat", "dog", "man", "woman", "ball", "flower", "lamp", "bench", "umbrella"), (0.55, 0.75)),
})  # fmt: skip

_ON_VERGE = frozenset({"house", "tree", "lamp", "bench", "fence", "clock"})
_FLYING = frozenset(_SKY)


@dataclass(frozen=True)
class Placement:
    """One thing of a scene.

    Args:
        name: class.
        colour: colour word, None when the class has none.
        pattern: `striped`, `dotted` or None.
        x: centre as a share of the picture's width.
        base: lower edge as a share of the picture's height.
        height: as a share of the picture's height.
        group: things of one group share this number.
        rgb: the painted colour.
        mirror: swap left and right.
        variant: any whole number; chooses among shapes, faces and trims.
    """

    name: str
    colour: str | None
    pattern: str | None
    x: float
    base: float
    height: float
    group: int
    rgb: Colour
    mirror: bool = False
    variant: int = 0

    @property
    def width(self) -> float:
        """Width as a share of the picture's width."""
        return self.height * KINDS[self.name].aspect * (0.55 if self._on_post else 1.0)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width and height as shares of the picture."""
        return self.x - self.width / 2, self.base - self.height, self.width, self.height

    @property
    def _on_post(self) -> bool:
        return self.name == "clock" and self.variant >= 2


@dataclass(frozen=True)
class ScenePlan:
    """Everything needed to paint a scene at any size.

    Args:
        layout: name of a layout.
        mode: `day`, `sunset` or `night`.
        horizon: its height as a share of the picture, 0 at the top.
        second: where the third stuff class begins (sand, road, near water), equal to the horizon in other layouts.
        things: in no particular order.
        seed: of the textures and the camera's tint and noise.
    """

    layout: str
    mode: str
    horizon: float
    second: float
    things: tuple[Placement, ...]
    seed: tuple[int, ...]


def plan_scene(*seed: int) -> ScenePlan:
    """Draw a scene plan; the same seed gives the same plan."""
    dice = Dice(*seed)
    name = dice.pick(tuple(LAYOUTS))
    layout = LAYOUTS[name]
    mode = ("day", "sunset", "night")[dice.weighted((0.70, 0.15, 0.15))] if name != "room" else "day"
    horizon = dice.uniform(*layout.horizon)
    second = horizon
    if name in ("beach", "street", "lake"):
        low, high = {"beach": (0.25, 0.5), "street": (0.18, 0.38), "lake": (0.08, 0.25)}[name]
        second = horizon + (1 - horizon) * dice.uniform(low, high)
    plan = ScenePlan(name, mode, horizon, second, (), (*seed, 1))
    things: list[Placement] = []
    for group, kind in enumerate(_choose_kinds(dice, layout, mode)):
        things += _place_group(dice, plan, kind, group, things)
    return replace(plan, things=tuple(things))


def _choose_kinds(dice: Dice, layout: Layout, mode: str) -> list[str]:
    count = 1 + dice.weighted((0.10, 0.25, 0.30, 0.22, 0.13))
    chosen: list[str] = []
    while len(chosen) < count:
        above = dice.chance(0.15 if not chosen else 0.3)
        kind = dice.pick(layout.sky if above else layout.ground)
        taken = kind in chosen or (kind in ("sun", "moon") and ("sun" in chosen or "moon" in chosen))
        if taken and dice.chance(0.9):
            continue
        if not taken and not (kind == "sun" and mode == "night"):
            chosen.append(kind)
    return chosen


def band(plan: ScenePlan, name: str) -> tuple[float, float]:
    """The range of lower edges that suits a thing of this class in this plan."""
    layout, horizon, second = plan.layout, plan.horizon, plan.second
    if layout == "room" and name in LAYOUTS["room"].sky:
        return 0.3, horizon - 0.1
    if layout == "lake" and name not in ("sun", "moon", "cloud", "kite"):
        return second + 0.1 * (1 - second), 0.97
    if name in _FLYING:
        return 0.16, max(horizon - 0.02, 0.2)
    if layout == "beach" and name == "boat":
        return horizon + 0.35 * (second - horizon), second - 0.01
    if layout == "street" and name in _ON_VERGE:
        return second - 0.25 * (second - horizon), second + 0.02
    if layout == "street" and name in ("car", "bus"):
        return second + 0.25 * (1 - second), 0.97
    top = second + 0.04 if layout in ("beach", "street") else horizon + 0.12 * (1 - horizon)
    return top, 0.97


def _place_group(dice: Dice, plan: ScenePlan, name: str, group: int, before: Sequence[Placement]) -> list[Placement]:
    kind = KINDS[name]
    low, high = band(plan, name)
    subject = group == 0
    base = dice.uniform(low + (high - low) / 2 if subject else low, high)
    factor = dice.uniform(1.35, 2.1) if subject else dice.uniform(0.65, 1.15)
    if not subject and base > plan.horizon:
        factor *= 0.6 + 0.6 * (base - plan.horizon) / (1 - plan.horizon)
    if plan.layout == "beach" and name == "boat" and not subject:
        factor *= 0.9
    height = min(kind.height * factor, base + 0.03, 0.95 / kind.aspect)
    count = 2 + dice.below(2) if kind.grouped and dice.chance(0.2) else 1
    if count > 1:
        height = min(height, 1.15 / (kind.aspect * count))
    first = _describe(dice, kind, name, base, height, group)
    if name == "clock":
        first = replace(first, variant=first.variant % 2 + (2 if plan.layout == "street" else 0))
        if plan.layout == "street":
            first = replace(first, height=min(height * 2.1, base + 0.03))
    if plan.layout == "beach" and name == "tree":
        first = replace(first, variant=first.variant - first.variant % 2)
    return _spread_group(dice, first, count, before)


def _describe(dice: Dice, kind: ThingKind, name: str, base: float, height: float, group: int) -> Placement:
    colour = dice.pick(kind.colours) if kind.colours else None
    pattern = dice.pick(PATTERNS) if kind.patterned and dice.chance(0.22) else None
    rgb = COLOURS[colour] if colour else (140, 138, 136)
    jitter = [round(dice.uniform(-14, 14)) for _ in range(3)]
    red, green, blue = (max(0, min(255, level + change)) for level, change in zip(rgb, jitter, strict=True))
    mirror, variant = dice.chance(0.5), dice.below(54)
    return Placement(name, colour, pattern, 0.5, base, height, group, (red, green, blue), mirror, variant)


def _spread_group(dice: Dice, first: Placement, count: int, before: Sequence[Placement]) -> list[Placement]:
    """Put count copies side by side where they hide least of what stands there already."""
    step = first.width * 1.04
    reach = step * (count - 1) / 2 + first.width * 0.35
    choices = [dice.uniform(reach, 1 - reach) if reach < 0.5 else 0.5 for _ in range(3)]
    centre = min(choices, key=lambda x: _overlap(replace(first, x=x), first.width * count, before))
    group = []
    for number in range(count):
        height = first.height * (dice.uniform(0.88, 1.0) if count > 1 else 1.0)
        shift = dice.uniform(-0.02, 0.02) if count > 1 else 0.0
        x = centre + (number - (count - 1) / 2) * step
        base = min(first.base + shift, 0.985)
        mirror = first.mirror if count == 1 else dice.chance(0.5)
        variant = first.variant + (2 * number if first.name != "clock" else 0)
        group.append(replace(first, x=x, base=base, height=height, mirror=mirror, variant=variant))
    return group


def _overlap(thing: Placement, width: float, before: Sequence[Placement]) -> float:
    """Area shared with earlier things' boxes, as a share of the picture."""
    left, top = thing.x - width / 2, thing.base - thing.height
    total = 0.0
    for other in before:
        other_left, other_top, other_width, _ = other.box
        across = min(left + width, other_left + other_width) - max(left, other_left)
        down = min(thing.base, other.base) - max(top, other_top)
        total += max(across, 0.0) * max(down, 0.0)
    return total
