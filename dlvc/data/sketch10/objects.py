"""How each of the ten classes of Sketch-10 is drawn: one function a class.

Every function paints one object facing right within about [-1, 1] x [-1, 1] (y down). `rng`
gives the numbers in which two objects of a class differ, `body` (n, 3) is the main colour, and
`second` (n, 3) a second colour for what people would paint differently (a cargo box, a sail).
Thicknesses stay above 0.06, about one pixel of a 32-pixel image.
"""

from __future__ import annotations

from dlvc.data.sketch10.drawing import Array, Pen, Random, mix

BLACK = (0.06, 0.06, 0.08)
WHITE = (0.96, 0.96, 0.94)
GLASS = (0.62, 0.80, 0.92)
GREY = (0.62, 0.63, 0.66)
ORANGE = (0.95, 0.60, 0.12)
PINK = (0.93, 0.55, 0.58)


def airplane(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """An airliner seen obliquely from above: swept wings, engines, tail, a row of windows."""
    far, near = rng.vary("far wing", 0.45, 0.85), rng.vary("near wing", 0.6, 0.95)
    sweep = rng.vary("sweep", 0.15, 0.5)
    shade = mix(body, BLACK, 0.25)
    for side, span in ((-1.0, far), (1.0, near)):
        tip = 0.1 - sweep
        wing = [(0.32, side * 0.05), (tip, side * span), (tip - 0.2, side * span)]
        pen.polygon([*wing, (-0.2, side * 0.05)], shade)
        stabiliser = [(-0.62, side * 0.04), (-0.84, side * 0.45 * span)]
        tail = [(-0.98, side * 0.45 * span), (-0.9, side * 0.04)]
        pen.polygon([*stabiliser, *tail], second)
        engine_x, engine_y = 0.24 - 0.45 * sweep, side * 0.45 * span
        pen.limb(engine_x - 0.12, engine_y, engine_x + 0.08, engine_y, 0.07, 0.08, second)
    pen.limb(-0.86, 0.0, 0.8, 0.0, 0.07, 0.14, body)
    pen.polygon([(-0.6, -0.03), (-0.98, -0.12), (-1.0, 0.04), (-0.7, 0.04)], second)
    pen.limb(-0.45, -0.03, 0.5, -0.03, 0.03, 0.03, mix(body, WHITE, 0.75))
    pen.beads(0.0, -0.03, 0.045, BLACK, gap=0.2, either_side=2)
    pen.ellipse(0.76, -0.03, 0.11, 0.07, GLASS)


def wheel(pen: Pen, x, y, radius) -> None:
    """A tyre with a hub."""
    pen.disc(x, y, radius, BLACK)
    pen.disc(x, y, 0.5 * radius, GREY)


def automobile(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A car from the side: low body, cabin with two windows, two wheels, lights."""
    back, front = rng.vary("back", -0.88, -0.5), rng.vary("bonnet", 0.35, 0.62)
    roof, wheels = rng.vary("roof", -0.5, -0.36), rng.vary("wheel", 0.19, 0.24)
    slant = rng.vary("slant", 0.1, 0.25)
    cabin = [(back, 0.05), (back + slant, roof), (front - 0.32, roof), (front, 0.05)]
    pen.polygon(cabin, body, rounding=0.0)
    pen.box(0.0, 0.17, 0.97, 0.21, body, rounding=0.12)
    pen.box(0.0, 0.33, 0.9, 0.06, mix(body, BLACK, 0.45), rounding=0.05)
    middle = 0.5 * (back + front) - 0.06
    top, low = roof + 0.08, 0.0
    rear_glass = [(back + 0.14, low), (back + slant + 0.06, top), (middle - 0.04, top)]
    pen.polygon([*rear_glass, (middle - 0.04, low)], GLASS)
    front_glass = [(middle + 0.05, low), (middle + 0.05, top), (front - 0.36, top)]
    pen.polygon([*front_glass, (front - 0.12, low)], GLASS)
    pen.limb(middle, 0.05, middle, 0.3, 0.02, 0.02, mix(body, BLACK, 0.5))
    pen.limb(middle + 0.1, 0.12, middle + 0.18, 0.12, 0.025, 0.025, BLACK)
    pen.ellipse(0.9, 0.1, 0.08, 0.06, (1.0, 0.93, 0.5))
    pen.ellipse(-0.92, 0.1, 0.06, 0.07, (0.85, 0.1, 0.1))
    wheel(pen, -0.56, 0.37, wheels)
    wheel(pen, 0.56, 0.37, wheels)


def truck(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A lorry from the side: tall cargo box with ribs, a cab with a window, three wheels."""
    top, end = rng.vary("box top", -0.72, -0.52), rng.vary("box end", 0.22, 0.36)
    cab_top = rng.vary("cab top", -0.4, -0.26)
    pen.box(0.0, 0.42, 0.92, 0.07, BLACK)
    pen.polygon([(-0.96, top), (end, top), (end, 0.38), (-0.96, 0.38)], second)
    for part in (0.2, 0.4, 0.6, 0.8):
        rib = -0.96 + part * (end + 0.96)
        pen.limb(rib, top + 0.08, rib, 0.3, 0.022, 0.022, mix(second, BLACK, 0.4))
    pen.limb(-0.93, 0.35, end - 0.03, 0.35, 0.03, 0.03, mix(second, BLACK, 0.4))
    cab = [(end + 0.06, cab_top), (0.72, cab_top), (0.86, 0.02), (0.96, 0.08), (0.96, 0.44)]
    pen.polygon([*cab, (end + 0.06, 0.44)], body)
    window = [(end + 0.16, cab_top + 0.09), (0.68, cab_top + 0.09), (0.79, 0.03)]
    pen.polygon([*window, (end + 0.16, 0.03)], GLASS)
    pen.disc(0.91, 0.24, 0.06, (1.0, 0.93, 0.5))
    for place in (-0.7, -0.3, 0.64):
        wheel(pen, place, 0.5, 0.18)


def ship(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A steamer (deck house, funnel, mast) or a sailing boat, with foam at the waterline."""
    sails = rng.vary("sails", 0.0, 1.0) < 0.45
    steam = ~sails
    deck, bow = rng.vary("deck", 0.1, 0.22), rng.vary("bow", 0.86, 0.99)
    house = rng.vary("house", -0.38, -0.05)
    mast = rng.vary("mast", -0.12, 0.1)
    # The sailing boat: mast, main sail behind it, a smaller sail before it.
    pen.limb(mast, -0.93, mast, deck, 0.035, 0.035, (0.35, 0.22, 0.12), only=sails)
    main = [(mast - 0.07, -0.88), (mast - 0.07, 0.02), (mast - 0.68, 0.02)]
    pen.polygon(main, mix(second, WHITE, 0.55), only=sails)
    fore = [(mast + 0.07, -0.72), (mast + 0.6, 0.02), (mast + 0.07, 0.02)]
    pen.polygon(fore, mix(second, WHITE, 0.25), only=sails)
    # The steamer: mast at the bow, funnel with a band, two decks with windows.
    pen.limb(0.58, -0.62, 0.58, deck, 0.025, 0.025, BLACK, only=steam)
    pen.polygon([(0.58, -0.66), (0.86, -0.54), (0.58, -0.42)], second, only=steam)
    pen.limb(0.58, -0.4, 0.34, deck, 0.012, 0.012, BLACK, only=steam)
    pen.box(house - 0.08, -0.5, 0.12, 0.28, second, only=steam)
    pen.box(house - 0.08, -0.72, 0.12, 0.06, BLACK, only=steam)
    pen.box(house, -0.24, 0.3, 0.14, WHITE, rounding=0.03, only=steam)
    pen.box(house, 0.0, 0.46, 0.18, WHITE, rounding=0.03, only=steam)
    pane = (0.2, 0.35, 0.5)
    pen.beads(house, -0.25, 0.05, pane, gap=0.14, either_side=1.5, only=steam)
    pen.beads(house, 0.01, 0.055, pane, gap=0.2, either_side=1.5, only=steam)
    pen.polygon([(-0.9, deck), (bow, deck - 0.06), (0.62, 0.6), (-0.74, 0.6)], body)
    pen.polygon([(-0.79, 0.44), (0.74, 0.44), (0.62, 0.6), (-0.74, 0.6)], mix(body, BLACK, 0.5))
    pen.limb(-0.84, deck + 0.06, bow - 0.1, deck + 0.02, 0.03, 0.03, mix(body, WHITE, 0.7))
    pen.beads(0.0, 0.64, 0.17, (0.88, 0.95, 1.0), gap=0.29, either_side=2.5, flat=0.4)


def bird(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A song bird from the side: round body, beak, folded or raised wing, tail, thin legs."""
    lift = rng.vary("wing lift", 0.0, 1.0)
    raised = lift > 0.55
    folded = ~raised
    head = rng.vary("head height", -0.5, -0.36)
    tail = rng.vary("tail", -0.15, 0.25)
    wing = mix(body, BLACK, 0.4)
    for hip in (-0.1, 0.12):
        pen.limb(hip, 0.4, hip + 0.06, 0.86, 0.035, 0.03, ORANGE)
        pen.limb(hip - 0.04, 0.9, hip + 0.2, 0.9, 0.03, 0.03, ORANGE)
    pen.polygon([(-0.4, 0.05), (-0.98, tail - 0.08), (-0.95, tail + 0.14), (-0.3, 0.3)], wing)
    pen.polygon([(0.62, head - 0.1), (0.98, head + 0.06), (0.62, head + 0.12)], ORANGE)
    pen.ellipse(-0.05, 0.14, 0.52, 0.34, body, angle=-18.0)
    pen.limb(0.28, 0.0, 0.44, head, 0.24, 0.24, body)
    pen.ellipse(0.1, 0.28, 0.34, 0.17, mix(second, WHITE, 0.5), angle=-18.0)
    pen.ellipse(-0.16, 0.1, 0.36, 0.17, wing, angle=-20.0, only=folded)
    pen.limb(-0.3, 0.14, -0.05, 0.12, 0.02, 0.03, mix(body, WHITE, 0.4), only=folded)
    top = -0.35 - 0.6 * lift
    pen.polygon([(0.2, -0.05), (-0.25, top), (-0.6, top + 0.1), (-0.3, 0.2)], wing, only=raised)
    feather = mix(body, WHITE, 0.3)
    pen.limb(-0.1, 0.0, -0.42, top + 0.18, 0.035, 0.03, feather, only=raised)
    pen.disc(0.5, head - 0.05, 0.075, WHITE)
    pen.disc(0.52, head - 0.05, 0.05, BLACK)


def cat(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A sitting cat from the front: pointed ears, slit pupils, whiskers, stripes, curled tail."""
    look = rng.vary("look", -0.16, 0.16)
    ears = rng.vary("ears", -1.0, -0.86)
    tail = rng.vary("tail", -0.2, 0.3)
    iris = mix(mix(second, (0.75, 0.9, 0.2), 0.75), WHITE, 0.1)
    dark, light = mix(body, BLACK, 0.45), mix(body, WHITE, 0.6)
    pen.limb(0.3, 0.84, 0.7, 0.7, 0.09, 0.09, dark)
    pen.limb(0.7, 0.7, 0.76, tail, 0.09, 0.07, dark)
    pen.limb(0.0, 0.64, 0.0, 0.1, 0.36, 0.26, body)
    pen.ellipse(0.0, 0.42, 0.17, 0.28, light)
    for side in (-1.0, 1.0):
        pen.limb(side * 0.14, 0.5, side * 0.15, 0.84, 0.09, 0.1, body)
        pen.limb(side * 0.36, 0.5, side * 0.25, 0.52, 0.03, 0.03, dark)
        pen.ellipse(side * 0.17, 0.9, 0.14, 0.08, light)
        ear = [(look + side * 0.42, -0.3), (look + side * 0.4, ears)]
        pen.polygon([*ear, (look + side * 0.04, -0.55)], body)
        inner = [(look + side * 0.34, -0.5), (look + side * 0.34, ears + 0.16)]
        pen.polygon([*inner, (look + side * 0.16, -0.58)], PINK)
    pen.ellipse(look, -0.26, 0.46, 0.36, body)
    for stripe in (-0.13, 0.0, 0.13):
        pen.limb(look + stripe, -0.58, look + 0.7 * stripe, -0.44, 0.03, 0.025, dark)
    face = 1.25 * look
    pen.ellipse(face, -0.1, 0.18, 0.12, light)
    for side in (-1.0, 1.0):
        pen.ellipse(face + side * 0.2, -0.3, 0.115, 0.1, iris)
        pen.ellipse(face + side * 0.2, -0.3, 0.04, 0.095, BLACK)
        for height in (-0.14, 0.0):
            start, end = face + side * 0.18, face + side * 0.68
            pen.limb(start, -0.1, end, height - 0.04, 0.02, 0.015, WHITE)
    pen.polygon([(face - 0.08, -0.18), (face + 0.08, -0.18), (face, -0.09)], PINK)
    pen.limb(face, -0.08, face, -0.01, 0.02, 0.02, BLACK)


def four_legs(pen: Pen, rng: Random, *, front, back, hip, foot, width, colour, hoof) -> None:
    """Four legs of a walking animal; the far pair is darker."""
    for name, x, far in (
        ("far front", front - 0.1, True),
        ("far back", back + 0.1, True),
        ("near front", front + 0.05, False),
        ("near back", back - 0.05, False),
    ):
        shade = mix(colour, BLACK, 0.4) if far else colour
        swing = rng.vary(f"{name} leg", -0.16, 0.16)
        knee_x, knee_y = x + 0.6 * swing, 0.5 * (hip + foot)
        pen.limb(x, hip, knee_x, knee_y, 1.6 * width, width, shade)
        pen.limb(knee_x, knee_y, x + swing, foot, width, 0.9 * width, shade)
        pen.limb(x + swing, foot, x + swing + 0.05, foot + 0.01, 1.1 * width, width, hoof)


def dog(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A dog from the side: floppy ear, snout with a black nose, tongue, collar, raised tail."""
    head = rng.vary("head height", -0.52, -0.34)
    wag = rng.vary("wag", -1.0, -0.62)
    dark = mix(body, BLACK, 0.5)
    pen.limb(-0.6, 0.05, wag, -0.42, 0.09, 0.06, body)
    four_legs(
        pen, rng, front=0.2, back=-0.48, hip=0.3, foot=0.84, width=0.075, colour=body, hoof=body
    )
    pen.limb(-0.44, 0.14, 0.24, 0.12, 0.24, 0.26, body)
    pen.ellipse(-0.28, 0.06, 0.2, 0.14, dark)
    pen.limb(0.28, 0.04, 0.44, head, 0.19, 0.17, body)
    pen.limb(0.28, -0.16, 0.52, -0.02, 0.05, 0.05, (0.85, 0.12, 0.15))
    pen.limb(0.78, head + 0.18, 0.79, head + 0.38, 0.07, 0.06, (0.95, 0.35, 0.42))
    pen.limb(0.6, head + 0.1, 0.84, head + 0.12, 0.15, 0.11, mix(body, WHITE, 0.35))
    pen.disc(0.48, head, 0.25, body)
    pen.disc(0.93, head + 0.06, 0.075, BLACK)
    pen.limb(0.66, head + 0.2, 0.86, head + 0.18, 0.02, 0.02, BLACK)
    pen.limb(0.36, head - 0.12, 0.28, head + 0.26, 0.1, 0.13, dark)
    pen.disc(0.6, head - 0.06, 0.065, WHITE)
    pen.disc(0.61, head - 0.06, 0.045, BLACK)


def horse(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A horse from the side: long neck with a mane, long head, flowing tail, long legs."""
    reach, height = rng.vary("reach", 0.5, 0.72), rng.vary("neck", -0.72, -0.46)
    nod = rng.vary("nod", 0.1, 0.3)
    sweep = rng.vary("tail", -1.0, -0.82)
    hair = mix(mix(second, BLACK, 0.55), body, 0.15)
    four_legs(
        pen, rng, front=0.28, back=-0.48, hip=0.22, foot=0.9, width=0.06, colour=body, hoof=BLACK
    )
    pen.limb(-0.62, -0.06, sweep + 0.04, 0.2, 0.1, 0.12, hair)
    pen.limb(sweep + 0.04, 0.2, sweep + 0.06, 0.56, 0.11, 0.05, hair)
    pen.limb(-0.44, 0.02, 0.26, 0.04, 0.25, 0.24, body)
    pen.limb(0.3, -0.04, reach, height, 0.2, 0.13, body)
    low, tip = height - 0.1, height - 0.3
    pen.polygon([(reach - 0.1, low), (reach - 0.03, tip), (reach + 0.08, low)], body)
    pen.limb(reach, height, reach + 0.27, height + nod, 0.14, 0.09, body)
    mouth_x, mouth_y, muzzle = reach + 0.25, height + nod, mix(body, BLACK, 0.4)
    pen.limb(mouth_x, mouth_y, reach + 0.3, mouth_y + 0.02, 0.09, 0.08, muzzle)
    pen.limb(0.1, -0.2, reach - 0.14, height - 0.02, 0.09, 0.09, hair)
    pen.limb(reach - 0.14, height - 0.02, reach - 0.02, height - 0.14, 0.08, 0.06, hair)
    pen.disc(reach + 0.06, height - 0.01, 0.045, BLACK)
    pen.disc(reach + 0.29, height + nod + 0.01, 0.03, BLACK)


def deer(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A stag from the side: branched antlers, slender neck and legs, white rump, short tail."""
    reach, height = rng.vary("reach", 0.42, 0.62), rng.vary("neck", -0.4, -0.24)
    spread = rng.vary("antlers", 0.2, 0.34)
    bone = mix(mix(second, (0.88, 0.78, 0.58), 0.85), WHITE, 0.1)
    four_legs(
        pen, rng, front=0.24, back=-0.46, hip=0.26, foot=0.92, width=0.05, colour=body, hoof=BLACK
    )
    pen.limb(-0.6, 0.0, -0.74, -0.06, 0.07, 0.05, WHITE)
    pen.limb(-0.42, 0.12, 0.22, 0.12, 0.2, 0.19, body)
    pen.ellipse(-0.56, 0.12, 0.07, 0.13, WHITE)
    pen.limb(0.26, 0.08, reach, height, 0.15, 0.1, body)
    for side, tilt in ((-1.0, -0.06), (1.0, 0.06)):
        root_x, root_y = reach + tilt, height - 0.1
        elbow_x, elbow_y = root_x + side * spread, height - 0.32
        pen.limb(root_x, root_y, elbow_x, elbow_y, 0.045, 0.04, bone)
        pen.limb(elbow_x, elbow_y, elbow_x - side * 0.02, height - 0.6, 0.04, 0.03, bone)
        pen.limb(elbow_x, elbow_y, elbow_x + side * 0.16, height - 0.5, 0.04, 0.03, bone)
        middle_x = root_x + side * 0.55 * spread
        pen.limb(middle_x, height - 0.22, middle_x - side * 0.04, height - 0.5, 0.04, 0.03, bone)
    pen.limb(reach - 0.06, height - 0.04, reach - 0.26, height - 0.1, 0.06, 0.03, body)
    pen.limb(reach, height, reach + 0.27, height + 0.15, 0.12, 0.075, body)
    pen.disc(reach + 0.31, height + 0.16, 0.06, BLACK)
    pen.disc(reach + 0.08, height, 0.045, BLACK)
    for x, y in ((-0.34, 0.02), (-0.16, 0.1), (0.0, 0.0), (-0.3, 0.18), (0.12, 0.12)):
        pen.disc(x, y, 0.045, mix(body, WHITE, 0.7))


def frog(pen: Pen, rng: Random, body: Array, second: Array) -> None:
    """A sitting frog from the front: bulging eyes, wide mouth, folded hind legs, long toes."""
    look = rng.vary("look", -0.1, 0.1)
    crouch = rng.vary("crouch", 0.0, 0.14)
    apart = rng.vary("eyes", 0.27, 0.36)
    dark, light = mix(body, BLACK, 0.45), mix(body, WHITE, 0.55)
    for side in (-1.0, 1.0):
        pen.ellipse(side * 0.6, 0.36 + crouch, 0.24, 0.3, mix(body, BLACK, 0.2), angle=side * 25.0)
        for toe in (0.06, 0.2, 0.34):
            pen.limb(side * 0.56, 0.62, side * (0.62 + toe), 0.74 - 0.1 * toe, 0.07, 0.05, dark)
    pen.ellipse(0.0, 0.28 + crouch, 0.55, 0.4, body)
    pen.ellipse(0.0, 0.38 + crouch, 0.34, 0.28, light)
    for side in (-1.0, 1.0):
        pen.limb(side * 0.34, 0.3 + crouch, side * 0.28, 0.72, 0.09, 0.07, body)
        for toe in (-0.12, 0.0, 0.12):
            pen.limb(side * 0.28, 0.72, side * 0.28 + toe, 0.82, 0.045, 0.04, dark)
    pen.ellipse(look, 0.0 + crouch, 0.58, 0.34, body)
    for side in (-1.0, 1.0):
        eye_x, eye_y = look + side * apart, crouch - 0.32
        pen.disc(eye_x, eye_y, 0.21, body)
        pen.disc(eye_x, eye_y, 0.14, (0.98, 0.9, 0.5))
        pen.ellipse(eye_x, eye_y, 0.1, 0.06, BLACK)
        pen.disc(look + side * 0.05, crouch - 0.02, 0.025, BLACK)
        pen.limb(look, 0.17 + crouch, look + side * 0.44, 0.06 + crouch, 0.028, 0.028, BLACK)
    for x, y in ((-0.3, -0.1), (0.28, -0.08), (0.02, -0.2)):
        pen.disc(look + x, y + crouch, 0.05, dark)


# Natural ranges of the body's colour: hue from, hue to (in turns), saturation and value ranges.
FUR = (0.04, 0.12, 0.1, 0.75, 0.3, 0.95)
PAINT = (0.0, 1.0, 0.2, 0.9, 0.45, 0.98)
# How each class is drawn, and the range of its colours.
PAINTERS = {
    "airplane": (airplane, (0.0, 1.0, 0.0, 0.5, 0.6, 1.0)),
    "automobile": (automobile, PAINT),
    "bird": (bird, (0.0, 1.0, 0.2, 0.9, 0.35, 0.9)),
    "cat": (cat, FUR),
    "deer": (deer, FUR),
    "dog": (dog, FUR),
    "frog": (frog, (0.17, 0.42, 0.4, 0.9, 0.4, 0.85)),
    "horse": (horse, FUR),
    "ship": (ship, PAINT),
    "truck": (truck, PAINT),
}
