"""The 27 things: size, proportions, colours and the painter of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from ttd_core.scenes import shapes_living as living
from ttd_core.scenes import shapes_objects as objects
from ttd_core.scenes.draw import Colour, Pen
from ttd_core.scenes.vocabulary import COLOURS

Painter = Callable[[Pen, Colour, int], None]
_ANY = tuple(COLOURS)
_DRESS = ("red", "blue", "green", "yellow", "white", "black", "orange", "purple", "pink", "brown")


@dataclass(frozen=True)
class ThingKind:
    """What every thing of one class has in common.

    Args:
        paint: draws it into a pen's box with a colour and a variant number.
        height: usual height as a share of the picture.
        aspect: width of the box over its height.
        colours: colour words it may have, repeated to make one likelier; empty when it has none.
        patterned: may be striped or dotted.
        grouped: may come in twos and threes.
    """

    paint: Painter
    height: float
    aspect: float
    colours: tuple[str, ...]
    patterned: bool = False
    grouped: bool = False


KINDS: MappingProxyType[str, ThingKind] = MappingProxyType({
    "dog": ThingKind(living.dog, 0.22, 1.3, ("brown", "brown", "white", "black"), True, True),
    "cat": ThingKind(living.cat, 0.22, 0.78, ("black", "white", "orange", "brown"), True, True),
    "cow": ThingKind(living.cow, 0.27, 1.5, ("white", "brown", "black"), False, True),
    "bird": ThingKind(living.bird, 0.12, 1.35, ("red", "blue", "yellow", "white", "black", "brown"), False, True),
    "car": ThingKind(objects.car, 0.20, 2.0, _ANY),
    "bus": ThingKind(objects.bus, 0.27, 1.9, ("red", "yellow", "blue", "green", "white", "orange"), True),
    "boat": ThingKind(objects.boat, 0.26, 0.95, _ANY, True, True),
    "plane": ThingKind(objects.plane, 0.17, 2.0, ("white", "red", "blue", "yellow", "orange"), True),
    "house": ThingKind(objects.house, 0.42, 1.0, ("white", "red", "yellow", "blue", "pink", "brown", "orange"), True),
    "tree": ThingKind(living.tree, 0.50, 0.72, ("green", "green", "green", "green", "orange", "yellow"), False, True),
    "flower": ThingKind(living.flower, 0.20, 0.62, ("red", "yellow", "pink", "purple", "white", "orange"), False, True),
    "mushroom": ThingKind(living.mushroom, 0.16, 1.0, ("red", "red", "brown", "white", "orange"), True, True),
    "sun": ThingKind(objects.sun, 0.19, 1.0, ("yellow", "yellow", "orange")),
    "moon": ThingKind(objects.moon, 0.16, 0.62, ("yellow", "white")),
    "cloud": ThingKind(objects.cloud, 0.13, 2.0, ("white",), False, True),
    "man": ThingKind(living.man, 0.42, 0.36, _DRESS, True),
    "woman": ThingKind(living.woman, 0.42, 0.38, _DRESS, True),
    "balloon": ThingKind(objects.balloon, 0.24, 0.54, _ANY, True, True),
    "kite": ThingKind(objects.kite, 0.24, 0.68, _ANY, True),
    "umbrella": ThingKind(objects.umbrella, 0.34, 1.05, _ANY, True),
    "ball": ThingKind(objects.ball, 0.14, 1.0, _ANY, True, True),
    "fence": ThingKind(objects.fence, 0.18, 2.0, ("white", "brown", "green")),
    "bench": ThingKind(objects.bench, 0.20, 1.7, ("brown", "brown", "green", "red", "blue", "white")),
    "lamp": ThingKind(objects.lamp, 0.42, 0.32, ("black", "black", "green", "blue", "white")),
    "clock": ThingKind(objects.clock, 0.20, 1.0, ("black", "red", "blue", "brown", "green", "yellow")),
    "rock": ThingKind(objects.rock, 0.15, 1.45, (), False, True),
    "table": ThingKind(objects.table, 0.22, 1.6, ("brown", "brown", "white", "black", "red")),
})  # fmt: skip
