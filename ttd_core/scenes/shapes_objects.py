"""How vehicles, buildings, furniture, toys and things in the sky are painted."""

from __future__ import annotations

import math

from ttd_core.scenes.draw import INK, Colour, Pen, blend, shade
from ttd_core.scenes.shapes_living import WOOD

GLASS: Colour = (176, 214, 232)
STEEL: Colour = (88, 92, 100)
CREAM: Colour = (250, 244, 228)


def _wheel(pen: Pen, u: float, v: float, radius: float) -> None:
    pen.disc(u, v, radius, (38, 38, 44))
    pen.disc(u, v, radius * 0.5, (190, 194, 200))


def car(pen: Pen, colour: Colour, variant: int) -> None:
    """A car from the side."""
    pen.shadow(0.5, 0.95, 0.5, 0.09)
    pen.poly([(0.2, 0.46), (0.33, 0.06), (0.68, 0.06), (0.84, 0.46)], colour)
    pen.poly([(0.27, 0.44), (0.36, 0.15), (0.49, 0.15), (0.49, 0.44)], GLASS)
    pen.poly([(0.53, 0.44), (0.53, 0.15), (0.65, 0.15), (0.76, 0.44)], GLASS)
    pen.poly([(0.02, 0.5), (0.08, 0.42), (0.84, 0.42), (0.97, 0.52), (1.0, 0.8), (0.0, 0.8)], colour)
    pen.rect(0.0, 0.72, 1.0, 0.82, shade(colour, 0.68))
    pen.rect(0.54, 0.52, 0.62, 0.56, shade(colour, 0.5))
    pen.disc(0.955, 0.58, 0.06, (254, 240, 170))
    pen.rect(0.0, 0.52, 0.04, 0.62, (200, 40, 40))
    _wheel(pen, 0.22, 0.79, 0.21)
    _wheel(pen, 0.77, 0.79, 0.21)


def bus(pen: Pen, colour: Colour, variant: int) -> None:
    """A long bus with a row of windows and a door."""
    pen.shadow(0.5, 0.96, 0.5, 0.06)
    pen.poly([(0.0, 0.08), (0.03, 0.0), (0.96, 0.0), (1.0, 0.1), (1.0, 0.86), (0.0, 0.86)], colour, body=True)
    pen.rect(0.0, 0.78, 1.0, 0.87, shade(colour, 0.6))
    for number in range(4):
        pen.rect(0.05 + 0.17 * number, 0.14, 0.19 + 0.17 * number, 0.44, GLASS)
    pen.rect(0.73, 0.14, 0.84, 0.78, blend(GLASS, (60, 80, 100), 0.35))
    pen.rect(0.78, 0.14, 0.79, 0.78, shade(colour, 0.6))
    pen.rect(0.88, 0.12, 1.0, 0.5, GLASS)
    pen.disc(0.965, 0.66, 0.05, (254, 240, 170))
    _wheel(pen, 0.2, 0.86, 0.14)
    _wheel(pen, 0.66, 0.86, 0.14)


def boat(pen: Pen, colour: Colour, variant: int) -> None:
    """A sailing boat: hull, mast and two sails."""
    pen.poly([(0.06, 0.96), (0.94, 0.96), (0.9, 1.0), (0.1, 1.0)], (206, 226, 238))
    pen.rect(0.455, 0.0, 0.49, 0.74, WOOD)
    pen.poly([(0.5, 0.03), (0.92, 0.64), (0.5, 0.64)], CREAM if sum(colour) < 690 else colour)
    pen.poly([(0.44, 0.12), (0.44, 0.64), (0.12, 0.64)], colour, body=True)
    pen.poly([(0.0, 0.7), (1.0, 0.7), (0.84, 0.97), (0.14, 0.97)], colour, body=True)
    pen.poly([(0.0, 0.7), (1.0, 0.7), (0.97, 0.76), (0.03, 0.76)], shade(colour, 0.6))


def plane(pen: Pen, colour: Colour, variant: int) -> None:
    """An airliner from the side with swept wing and tail fin."""
    dark = shade(colour, 0.68)
    pen.poly([(0.46, 0.5), (0.62, 0.5), (0.42, 0.08), (0.34, 0.08)], dark)
    pen.poly([(0.05, 0.06), (0.14, 0.06), (0.26, 0.48), (0.06, 0.5)], colour)
    pen.oval(0.52, 0.54, 0.48, 0.19, colour, body=True)
    pen.poly([(0.02, 0.44), (0.2, 0.5), (0.04, 0.62)], dark)
    for number in range(6):
        pen.disc(0.3 + 0.085 * number, 0.48, 0.034, (60, 92, 130))
    pen.poly([(0.86, 0.42), (0.95, 0.46), (0.86, 0.52)], (60, 92, 130))
    pen.poly([(0.42, 0.6), (0.62, 0.6), (0.34, 1.0), (0.24, 1.0)], dark)


def house(pen: Pen, colour: Colour, variant: int) -> None:
    """A house with a gable roof, a chimney, a door and two windows."""
    roof = ((150, 68, 52), (94, 84, 92), (112, 78, 58))[variant % 3]
    pen.shadow(0.5, 0.98, 0.5, 0.03)
    pen.rect(0.7, 0.06, 0.8, 0.34, shade(roof, 0.7))
    pen.rect(0.1, 0.4, 0.9, 1.0, colour, body=True)
    pen.rect(0.72, 0.44, 0.9, 1.0, shade(colour, 0.88))
    pen.poly([(0.5, 0.04), (1.0, 0.45), (0.0, 0.45)], roof)
    pen.poly([(0.5, 0.04), (1.0, 0.45), (0.62, 0.45)], shade(roof, 0.84))
    pen.rect(0.42, 0.66, 0.59, 1.0, (102, 66, 44))
    pen.disc(0.56, 0.83, 0.014, (240, 206, 90))
    for u in (0.18, 0.68):
        pen.rect(u, 0.56, u + 0.16, 0.74, CREAM)
        pen.rect(u + 0.018, 0.577, u + 0.142, 0.723, GLASS if variant % 2 else (250, 222, 130))
        pen.rect(u + 0.073, 0.577, u + 0.087, 0.723, CREAM)


def sun(pen: Pen, colour: Colour, variant: int) -> None:
    """A disc with twelve rays."""
    for reach in (0.75, 0.66, 0.57):
        pen.glow(0.5, 0.5, reach, (255, 240, 170), 26)
    for number in range(12):
        angle = number * math.pi / 6
        tip = (0.5 + 0.5 * math.cos(angle), 0.5 + 0.5 * math.sin(angle))
        sides = [(0.5 + 0.3 * math.cos(angle + d), 0.5 + 0.3 * math.sin(angle + d)) for d in (-0.22, 0.22)]
        pen.poly([tip, *sides], colour)
    pen.disc(0.5, 0.5, 0.34, colour)
    pen.disc(0.5, 0.5, 0.25, blend(colour, (255, 255, 220), 0.35))


def moon(pen: Pen, colour: Colour, variant: int) -> None:
    """A crescent."""
    outer = [math.pi * (0.5 + step / 12) for step in range(13)]
    rim = [(0.62 + 0.5 * math.cos(a), 0.5 - 0.5 * math.sin(a)) for a in outer]
    inner = [(0.62 + 0.22 * math.cos(a), 0.5 - 0.5 * math.sin(a)) for a in reversed(outer)]
    pen.poly([*rim, *inner], colour)


def cloud(pen: Pen, colour: Colour, variant: int) -> None:
    """A heap of puffs on a flat base."""
    low = shade(colour, 0.92)
    pen.oval(0.5, 0.78, 0.42, 0.22, low)
    for u, v, ru, rv in ((0.2, 0.68, 0.2, 0.3), (0.8, 0.68, 0.2, 0.3), (0.4, 0.44, 0.23, 0.44), (0.64, 0.5, 0.2, 0.38)):
        pen.oval(u, v, ru, rv, colour)
    pen.oval(0.5, 0.72, 0.34, 0.2, colour)


def balloon(pen: Pen, colour: Colour, variant: int) -> None:
    """A toy balloon on a string."""
    pen.line([(0.5, 0.66), (0.44, 0.78), (0.55, 0.88), (0.5, 1.0)], 0.016, (96, 90, 96))
    pen.poly([(0.4, 0.7), (0.6, 0.7), (0.5, 0.62)], shade(colour, 0.7))
    pen.oval(0.5, 0.34, 0.48, 0.34, colour, body=True)
    pen.oval(0.33, 0.2, 0.09, 0.075, blend(colour, (255, 255, 255), 0.65))


def kite(pen: Pen, colour: Colour, variant: int) -> None:
    """A diamond with crossed spars and a tail with bows."""
    pen.line([(0.5, 0.62), (0.36, 0.74), (0.56, 0.86), (0.4, 1.0)], 0.016, (90, 84, 90))
    pen.poly([(0.5, 0.0), (1.0, 0.26), (0.5, 0.66), (0.0, 0.26)], colour, body=True)
    pen.poly([(0.5, 0.0), (1.0, 0.26), (0.5, 0.26)], shade(colour, 0.78))
    pen.poly([(0.5, 0.66), (0.0, 0.26), (0.5, 0.26)], shade(colour, 0.78))
    pen.line([(0.5, 0.0), (0.5, 0.66)], 0.014, WOOD)
    pen.line([(0.0, 0.26), (1.0, 0.26)], 0.014, WOOD)
    for u, v in ((0.4, 0.75), (0.53, 0.87)):
        pen.poly([(u - 0.14, v - 0.04), (u, v), (u - 0.14, v + 0.04)], colour)
        pen.poly([(u + 0.14, v - 0.04), (u, v), (u + 0.14, v + 0.04)], colour)


def umbrella(pen: Pen, colour: Colour, variant: int) -> None:
    """An open parasol: scalloped dome in panels on a pole."""
    pen.shadow(0.5, 0.985, 0.4, 0.03)
    pen.rect(0.48, 0.3, 0.52, 1.0, (120, 92, 70))
    panel = shade(colour, 0.8)
    pen.dome(0.5, 0.46, 0.5, 0.42, colour, body=True)
    if pen.plain:
        steps = [math.pi * step / 14 for step in range(15)]
        for half in (0.32, 0.1):
            ring = [(0.5 - half * math.cos(a), 0.46 - 0.42 * math.sin(a)) for a in steps]
            pen.poly(ring, panel if half > 0.2 else colour)
    for number, half in ((0, 0.09), (1, 0.11), (2, 0.1), (3, 0.11), (4, 0.09)):
        u = (0.09, 0.29, 0.5, 0.71, 0.91)[number]
        pen.oval(u, 0.455, half, 0.035, panel if number % 2 else colour)
    pen.disc(0.5, 0.035, 0.03, (120, 92, 70))


def ball(pen: Pen, colour: Colour, variant: int) -> None:
    """A ball with a pale band unless patterned."""
    pen.shadow(0.5, 0.96, 0.48, 0.08)
    pen.disc(0.5, 0.5, 0.5, colour, body=True)
    if pen.plain:
        band = [math.pi * step / 10 for step in range(11)]
        top = [(0.5 - 0.49 * math.cos(a), 0.46 - 0.16 * math.sin(a)) for a in band]
        low = [(0.5 + 0.49 * math.cos(a), 0.6 - 0.16 * math.sin(a)) for a in band]
        pen.poly([*top, *low], blend(colour, CREAM, 0.75) if sum(colour) < 660 else shade(colour, 0.72))
    pen.oval(0.34, 0.22, 0.1, 0.08, blend(colour, (255, 255, 255), 0.6))


def fence(pen: Pen, colour: Colour, variant: int) -> None:
    """Six pointed pickets and two rails."""
    dark = shade(colour, 0.76)
    for v in (0.32, 0.68):
        pen.rect(0.0, v, 1.0, v + 0.11, dark)
    for number in range(6):
        u = 0.02 + 0.168 * number
        pen.poly([(u, 0.16), (u + 0.06, 0.0), (u + 0.12, 0.16), (u + 0.12, 1.0), (u, 1.0)], colour)


def bench(pen: Pen, colour: Colour, variant: int) -> None:
    """A park bench: slatted back and seat on iron legs."""
    pen.shadow(0.5, 0.97, 0.5, 0.06)
    for u in (0.1, 0.84):
        pen.rect(u, 0.05, u + 0.06, 1.0, STEEL)
    for v in (0.04, 0.24):
        pen.rect(0.0, v, 1.0, v + 0.15, colour)
    pen.rect(0.0, 0.5, 1.0, 0.64, colour)
    pen.rect(0.0, 0.62, 1.0, 0.7, shade(colour, 0.65))


def lamp(pen: Pen, colour: Colour, variant: int) -> None:
    """A street lantern: post with foot, glowing glass, roof."""
    for reach in (0.3, 0.24, 0.18):
        pen.glow(0.5, 0.17, reach, (255, 236, 150), 26)
    pen.rect(0.42, 0.28, 0.58, 1.0, colour)
    pen.rect(0.2, 0.94, 0.8, 1.0, colour)
    pen.rect(0.3, 0.86, 0.7, 0.95, shade(colour, 0.8))
    pen.poly([(0.12, 0.08), (0.88, 0.08), (0.7, 0.28), (0.3, 0.28)], (255, 232, 140))
    pen.line([(0.5, 0.08), (0.5, 0.28)], 0.014, colour)
    pen.poly([(0.0, 0.09), (0.5, 0.0), (1.0, 0.09)], colour)
    pen.rect(0.24, 0.27, 0.76, 0.31, colour)


def clock(pen: Pen, colour: Colour, variant: int) -> None:
    """A round dial in a coloured rim; it hangs on a wall or stands on a post (variant 2 and up)."""
    radius, v = (0.48, 0.5) if variant < 2 else (0.21, 0.22)
    if variant >= 2:
        pen.rect(0.5 - 0.025 / pen.aspect, 0.4, 0.5 + 0.025 / pen.aspect, 1.0, colour)
        pen.rect(0.5 - 0.09 / pen.aspect, 0.95, 0.5 + 0.09 / pen.aspect, 1.0, colour)
    pen.disc(0.5, v, radius, colour)
    pen.disc(0.5, v, radius * 0.78, (252, 250, 242))
    reach = radius / pen.aspect
    for number in range(12):
        angle = number * math.pi / 6
        pen.disc(0.5 + 0.64 * reach * math.sin(angle), v - 0.64 * radius * math.cos(angle), radius * 0.055, INK)
    pen.line([(0.5, v), (0.5 + 0.28 * reach, v - 0.3 * radius)], radius * 0.13, INK)
    pen.line([(0.5, v), (0.5 - 0.1 * reach, v - 0.56 * radius)], radius * 0.1, INK)


def rock(pen: Pen, colour: Colour, variant: int) -> None:
    """A grey boulder with a lit and a dark face."""
    pen.shadow(0.5, 0.96, 0.52, 0.08)
    grey = ((142, 140, 138), (124, 122, 126), (156, 148, 138))[variant % 3]
    rim = [(0.0, 0.78), (0.1, 0.34), (0.36, 0.06), (0.66, 0.1), (0.92, 0.42), (1.0, 0.84), (0.86, 1.0), (0.1, 1.0)]
    pen.poly(rim, grey)
    pen.poly([(0.1, 0.34), (0.36, 0.06), (0.66, 0.1), (0.52, 0.36), (0.26, 0.48)], blend(grey, (255, 255, 250), 0.35))
    pen.poly([(0.66, 0.1), (0.92, 0.42), (1.0, 0.84), (0.86, 1.0), (0.62, 0.86), (0.52, 0.36)], shade(grey, 0.7))


def table(pen: Pen, colour: Colour, variant: int) -> None:
    """A table: thick top in perspective on four legs."""
    pen.shadow(0.5, 0.97, 0.46, 0.06)
    dark = shade(colour, 0.66)
    for u in (0.2, 0.74):
        pen.rect(u, 0.24, u + 0.06, 0.86, shade(colour, 0.5))
    for u in (0.05, 0.87):
        pen.rect(u, 0.3, u + 0.08, 1.0, dark)
    pen.poly([(0.14, 0.06), (0.86, 0.06), (1.0, 0.26), (0.0, 0.26)], blend(colour, (255, 250, 235), 0.16))
    pen.rect(0.0, 0.26, 1.0, 0.38, colour)
