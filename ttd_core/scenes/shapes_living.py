"""How people, animals and plants are painted. Each painter fills the unit box of its pen with a given colour."""

from __future__ import annotations

from ttd_core.scenes.draw import INK, Colour, Pen, blend, shade

SKIN: tuple[Colour, ...] = ((244, 206, 170), (214, 160, 116), (146, 98, 66))
HAIR: tuple[Colour, ...] = ((62, 42, 30), (34, 30, 32), (196, 150, 76))
TROUSERS: tuple[Colour, ...] = ((52, 60, 88), (74, 66, 62), (92, 96, 104))
WOOD: Colour = (116, 78, 48)
LEAF: Colour = (62, 132, 56)


def dog(pen: Pen, colour: Colour, variant: int) -> None:
    """A dog from the side: long body, four legs, raised tail, floppy ear, snout."""
    far, near, ear = shade(colour, 0.72), colour, shade(colour, 0.58)
    if sum(colour) < 200:
        far, ear = shade(colour, 0.7), blend(colour, (150, 150, 160), 0.3)
    pen.shadow(0.46, 0.98, 0.46, 0.06)
    pen.line([(0.12, 0.5), (0.05, 0.32), (0.03, 0.16)], 0.09, near)
    for u in (0.2, 0.62):
        pen.rect(u, 0.6, u + 0.075, 0.98, far)
    pen.oval(0.41, 0.53, 0.33, 0.2, near, body=True)
    for u in (0.12, 0.54):
        pen.rect(u, 0.56, u + 0.09, 1.0, near)
    pen.poly([(0.56, 0.5), (0.64, 0.2), (0.82, 0.26), (0.74, 0.62)], near)
    pen.oval(0.76, 0.26, 0.14, 0.19, near)
    pen.poly([(0.8, 0.2), (0.98, 0.28), (0.98, 0.42), (0.78, 0.44)], near)
    pen.disc(0.97, 0.3, 0.05, INK)
    pen.oval(0.67, 0.3, 0.06, 0.19, ear)
    pen.disc(0.81, 0.2, 0.036, (250, 250, 250))
    pen.disc(0.815, 0.2, 0.026, INK)
    if sum(colour) > 200:
        pen.line([(0.63, 0.5), (0.77, 0.52)], 0.05, (196, 60, 60) if variant % 2 else (60, 90, 180))


def cat(pen: Pen, colour: Colour, variant: int) -> None:
    """A sitting cat seen from the front: pointed ears, whiskers, curled tail."""
    dark, pale = shade(colour, 0.66), blend(colour, (255, 250, 240), 0.55)
    pen.shadow(0.46, 0.97, 0.46, 0.05)
    pen.line([(0.66, 0.93), (0.9, 0.88), (0.94, 0.7), (0.84, 0.58)], 0.08, dark)
    pen.oval(0.42, 0.74, 0.32, 0.27, colour, body=True)
    pen.oval(0.42, 0.8, 0.14, 0.16, pale)
    for u in (0.3, 0.54):
        pen.oval(u, 0.96, 0.1, 0.045, pale)
    for side in (-1, 1):
        pen.poly([(0.42 + 0.33 * side, 0.0), (0.42 + 0.35 * side, 0.3), (0.42 + 0.06 * side, 0.16)], colour)
        pen.poly([(0.42 + 0.29 * side, 0.07), (0.42 + 0.3 * side, 0.24), (0.42 + 0.14 * side, 0.18)], (232, 150, 160))
    pen.oval(0.42, 0.32, 0.35, 0.22, colour, body=True)
    for side in (-1, 1):
        pen.oval(0.42 + 0.15 * side, 0.29, 0.07, 0.052, (238, 214, 70) if variant % 2 else (150, 214, 110))
        pen.oval(0.42 + 0.15 * side, 0.29, 0.024, 0.048, INK)
        pen.line([(0.42 + 0.12 * side, 0.4), (0.42 + 0.42 * side, 0.37)], 0.012, pale if sum(colour) < 300 else INK)
        pen.line([(0.42 + 0.12 * side, 0.42), (0.42 + 0.42 * side, 0.45)], 0.012, pale if sum(colour) < 300 else INK)
    pen.oval(0.42, 0.41, 0.12, 0.07, pale)
    pen.poly([(0.37, 0.37), (0.47, 0.37), (0.42, 0.42)], (226, 110, 124))


def cow(pen: Pen, colour: Colour, variant: int) -> None:
    """A cow from the side: boxy body with blotches, horns, udder, pink muzzle."""
    blotch = blend(colour, (250, 246, 238), 0.8) if sum(colour) < 400 else (84, 66, 58)
    far = shade(colour, 0.72)
    pen.shadow(0.44, 0.98, 0.46, 0.05)
    pen.line([(0.06, 0.3), (0.02, 0.5), (0.03, 0.66)], 0.035, far)
    pen.disc(0.03, 0.68, 0.04, (70, 56, 50))
    for u in (0.17, 0.58):
        pen.rect(u, 0.6, u + 0.07, 0.98, far)
    pen.oval(0.3, 0.7, 0.09, 0.09, (240, 170, 176))
    pen.rect(0.07, 0.24, 0.7, 0.68, colour)
    pen.oval(0.1, 0.45, 0.06, 0.22, colour)
    pen.oval(0.68, 0.46, 0.08, 0.22, colour)
    spots = ((0.22, 0.36, 0.1, 0.1), (0.46, 0.54, 0.12, 0.11), (0.6, 0.33, 0.07, 0.07))
    for u, v, ru, rv in spots:
        pen.oval(u, v, ru, rv, blotch)
    for u in (0.09, 0.5, 0.63):
        if u != 0.5:
            pen.rect(u, 0.6, u + 0.08, 0.96, colour)
            pen.rect(u, 0.94, u + 0.08, 1.0, (60, 50, 46))
    pen.poly([(0.66, 0.26), (0.76, 0.12), (0.88, 0.3), (0.74, 0.56)], colour)
    pen.line([(0.79, 0.1), (0.76, -0.0)], 0.045, (236, 226, 196))
    pen.line([(0.88, 0.1), (0.93, 0.0)], 0.045, (236, 226, 196))
    pen.oval(0.73, 0.15, 0.055, 0.05, far)
    pen.oval(0.84, 0.24, 0.09, 0.19, colour)
    pen.oval(0.86, 0.42, 0.08, 0.1, (240, 178, 172))
    pen.disc(0.89, 0.4, 0.02, (120, 70, 70))
    pen.disc(0.84, 0.19, 0.03, (250, 250, 250))
    pen.disc(0.845, 0.19, 0.022, INK)


def bird(pen: Pen, colour: Colour, variant: int) -> None:
    """A flying bird: round body, raised wing, forked tail, orange beak."""
    dark = shade(colour, 0.66) if sum(colour) > 160 else blend(colour, (150, 150, 170), 0.4)
    pen.poly([(0.3, 0.58), (0.0, 0.46), (0.08, 0.62), (0.0, 0.76)], dark)
    pen.oval(0.5, 0.62, 0.28, 0.26, colour, body=True)
    pen.disc(0.76, 0.44, 0.21, colour)
    pen.poly([(0.87, 0.36), (1.0, 0.46), (0.87, 0.54)], (246, 156, 40))
    pen.poly([(0.62, 0.62), (0.38, 0.6), (0.2, 0.02), (0.44, 0.18)], dark)
    pen.oval(0.5, 0.76, 0.16, 0.1, blend(colour, (255, 250, 240), 0.6))
    pen.disc(0.79, 0.39, 0.05, (250, 250, 250))
    pen.disc(0.8, 0.39, 0.035, INK)


def tree(pen: Pen, colour: Colour, variant: int) -> None:
    """A broad tree with a round crown, or a conifer in three tiers."""
    dark, bright = shade(colour, 0.74), blend(colour, (255, 255, 210), 0.18)
    pen.shadow(0.5, 0.98, 0.34, 0.03)
    if variant % 2:
        pen.rect(0.44, 0.8, 0.56, 1.0, WOOD)
        for top, bottom, half in ((0.42, 0.86, 0.44), (0.2, 0.64, 0.36), (0.0, 0.4, 0.27)):
            pen.poly([(0.5, top), (0.5 + half, bottom), (0.5 - half, bottom)], colour)
            pen.poly([(0.5, top), (0.5 + half, bottom), (0.5 + 0.1 * half, bottom)], dark)
        return
    pen.poly([(0.43, 0.55), (0.57, 0.55), (0.61, 1.0), (0.39, 1.0)], WOOD)
    pen.line([(0.5, 0.66), (0.68, 0.5)], 0.04, WOOD)
    for u, v, r in ((0.27, 0.42, 0.2), (0.74, 0.42, 0.2), (0.5, 0.48, 0.2)):
        pen.disc(u, v, r, dark)
    for u, v, r in ((0.36, 0.27, 0.2), (0.64, 0.28, 0.19), (0.5, 0.19, 0.18)):
        pen.disc(u, v, r, colour)
    for u, v, r in ((0.4, 0.17, 0.08), (0.26, 0.36, 0.07)):
        pen.disc(u, v, r, bright)


def flower(pen: Pen, colour: Colour, variant: int) -> None:
    """One large blossom on a stem with two leaves."""
    pen.line([(0.5, 0.4), (0.47, 1.0)], 0.055, LEAF)
    pen.poly([(0.48, 0.84), (0.2, 0.6), (0.12, 0.7), (0.3, 0.86)], LEAF)
    pen.poly([(0.48, 0.92), (0.8, 0.7), (0.88, 0.8), (0.66, 0.94)], shade(LEAF, 0.85))
    ring = ((0.5, 0.11), (0.79, 0.23), (0.68, 0.46), (0.32, 0.46), (0.21, 0.23))
    for number, (u, v) in enumerate(ring):
        pen.disc(u, v, 0.15, colour if number % 2 else shade(colour, 0.88))
    pen.disc(0.5, 0.29, 0.11, (250, 206, 62) if colour[0] < 236 or colour[2] > 110 else (126, 74, 40))


def mushroom(pen: Pen, colour: Colour, variant: int) -> None:
    """A stem with a ring under a domed cap."""
    pen.shadow(0.5, 0.98, 0.34, 0.05)
    pen.poly([(0.38, 0.5), (0.62, 0.5), (0.69, 1.0), (0.31, 1.0)], (246, 234, 210))
    pen.poly([(0.54, 0.5), (0.62, 0.5), (0.69, 1.0), (0.58, 1.0)], (220, 204, 176))
    pen.oval(0.5, 0.56, 0.47, 0.09, shade(colour, 0.62))
    pen.oval(0.5, 0.58, 0.36, 0.05, (238, 220, 190))
    pen.dome(0.5, 0.56, 0.5, 0.56, colour, body=True)


def man(pen: Pen, colour: Colour, variant: int) -> None:
    """A standing man: short hair, coloured shirt, long trousers."""
    skin, hair, trousers = SKIN[variant % 3], HAIR[variant // 3 % 2], TROUSERS[variant // 9 % 3]
    sleeve = shade(colour, 0.82)
    pen.shadow(0.5, 0.985, 0.5, 0.025)
    pen.line([(0.2, 0.26), (0.1, 0.53)], 0.07, sleeve)
    pen.line([(0.8, 0.26), (0.9, 0.53)], 0.07, sleeve)
    pen.disc(0.09, 0.555, 0.035, skin)
    pen.disc(0.91, 0.555, 0.035, skin)
    legs = [(0.25, 0.52), (0.75, 0.52), (0.74, 0.97), (0.55, 0.97), (0.5, 0.64), (0.45, 0.97), (0.26, 0.97)]
    pen.poly(legs, trousers)
    pen.rect(0.2, 0.955, 0.46, 1.0, INK)
    pen.rect(0.54, 0.955, 0.8, 1.0, INK)
    pen.rect(0.42, 0.15, 0.58, 0.23, shade(skin, 0.86))
    pen.poly([(0.3, 0.2), (0.7, 0.2), (0.83, 0.27), (0.77, 0.56), (0.23, 0.56), (0.17, 0.27)], colour, body=True)
    pen.disc(0.5, 0.1, 0.085, skin)
    pen.dome(0.5, 0.085, 0.25, 0.085, hair)
    _face(pen, 0.105)


def woman(pen: Pen, colour: Colour, variant: int) -> None:
    """A standing woman: long hair, wide coloured dress, bare legs."""
    skin, hair = SKIN[variant % 3], HAIR[variant // 3 % 3]
    pen.shadow(0.5, 0.985, 0.5, 0.025)
    pen.oval(0.5, 0.15, 0.25, 0.145, hair)
    pen.rect(0.36, 0.72, 0.46, 0.97, skin)
    pen.rect(0.54, 0.72, 0.64, 0.97, skin)
    pen.oval(0.39, 0.98, 0.1, 0.022, (150, 44, 60))
    pen.oval(0.61, 0.98, 0.1, 0.022, (150, 44, 60))
    pen.line([(0.3, 0.26), (0.13, 0.46)], 0.05, skin)
    pen.line([(0.7, 0.26), (0.87, 0.46)], 0.05, skin)
    pen.rect(0.43, 0.15, 0.57, 0.23, shade(skin, 0.86))
    pen.poly(
        [(0.33, 0.21), (0.67, 0.21), (0.71, 0.3), (0.64, 0.44), (0.96, 0.8), (0.04, 0.8), (0.36, 0.44), (0.29, 0.3)],
        colour,
        body=True,
    )
    pen.line([(0.36, 0.44), (0.64, 0.44)], 0.022, shade(colour, 0.6))
    pen.disc(0.5, 0.11, 0.08, skin)
    pen.dome(0.5, 0.095, 0.25, 0.092, hair)
    _face(pen, 0.12)


def _face(pen: Pen, v: float) -> None:
    for u in (0.42, 0.58):
        pen.disc(u, v, 0.011, INK)
    pen.line([(0.45, v + 0.034), (0.55, v + 0.034)], 0.009, (176, 74, 70))
