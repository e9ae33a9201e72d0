"""The ten backgrounds of Sketch-10: two colours, a horizon or gradient, texture, loose shapes.

One scene for each class, in the order of the classes, but which scene an image gets has nothing
to do with its class unless `background_signal` says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlvc.data.sketch10.drawing import (
    Array,
    Random,
    box_distance,
    coverage,
    paint,
)


@dataclass(frozen=True)
class Scene:
    """One kind of background: two colours with a border between them, and a texture."""

    top: tuple[float, float, float]
    bottom: tuple[float, float, float]
    sharpness: float  # of the border: 1 is a gradient over the whole image, 30 a horizon
    grain: float  # strength of the texture
    grain_x: float  # texture cells across and down the image, at most 10
    grain_y: float
    bricks: bool = False


SCENES = (
    Scene((0.42, 0.68, 0.95), (0.78, 0.90, 0.98), 1.0, 0.16, 3.0, 4.0),  # sky: airplane
    Scene((0.66, 0.66, 0.68), (0.36, 0.36, 0.39), 20.0, 0.22, 10.0, 10.0),  # road: automobile
    Scene((0.98, 0.58, 0.30), (0.86, 0.42, 0.55), 1.5, 0.16, 2.0, 7.0),  # sunset: bird
    Scene((0.66, 0.30, 0.22), (0.56, 0.25, 0.20), 1.0, 0.18, 6.0, 6.0, bricks=True),  # wall: cat
    Scene((0.16, 0.34, 0.20), (0.12, 0.22, 0.10), 2.0, 0.60, 10.0, 1.5),  # forest: deer
    Scene((0.70, 0.86, 0.92), (0.45, 0.72, 0.25), 20.0, 0.25, 10.0, 5.0),  # meadow: dog
    Scene((0.20, 0.48, 0.42), (0.28, 0.55, 0.52), 1.0, 0.30, 4.0, 8.0),  # pond: frog
    Scene((0.93, 0.85, 0.66), (0.85, 0.70, 0.45), 4.0, 0.16, 3.0, 10.0),  # sand: horse
    Scene((0.55, 0.72, 0.90), (0.08, 0.25, 0.58), 25.0, 0.30, 3.0, 10.0),  # sea: ship
    Scene((0.80, 0.82, 0.90), (0.95, 0.96, 1.00), 10.0, 0.10, 8.0, 8.0),  # snow: truck
)


def draw_scene(rng: Random, kinds: Array, clutter: Array, across, down) -> Array:
    """Backgrounds (n, 3, S, S) of the given kinds, independent of the class in all but `kinds`."""
    scenes = [SCENES[kind] for kind in kinds]

    def column(name: str) -> Array:
        return np.array([getattr(scene, name) for scene in scenes], dtype=np.float32)

    shift = rng.uniform("scene colour", -0.08, 0.08, (2, 3))
    top, bottom = column("top") + shift[:, 0], column("bottom") + shift[:, 1]
    slope = rng.vary("slope", -0.25, 0.25)
    border = rng.vary("horizon", -0.2, 0.2) + slope * across
    blend = np.clip((down - border) * column("sharpness")[:, None, None] + 0.5, 0.0, 1.0)
    grain = _grain(rng, column("grain_x"), column("grain_y"), across, down)
    grain *= (column("grain") * clutter)[:, None, None]
    walls = column("bricks") > 0
    if walls.any():
        grain[walls] -= 0.3 * _mortar(rng.vary("bricks", 0.0, 1.0)[walls], across, down)
    canvas = np.empty((len(kinds), 3, *blend.shape[1:]), dtype=np.float32)
    for channel in range(3):
        first, last = top[:, channel, None, None], bottom[:, channel, None, None]
        canvas[:, channel] = (first + blend * (last - first)) * (1.0 + grain)
    for number in range(4):
        _draw_clutter(rng, f"clutter {number}", canvas, clutter, across, down)
    return canvas


def _grain(rng: Random, cells_x: Array, cells_y: Array, across, down) -> Array:
    """Smooth random texture (n, S, S) in [-1, 1]: random values on a grid, interpolated."""
    heights = rng.uniform("grain", -1.0, 1.0, (12, 12))
    for axis, places, cells, name in ((1, down, cells_y, "y"), (2, across, cells_x, "x")):
        offset = rng.uniform(f"grain {name}", 0.0, 1.0)
        position = (places + 0.5) * cells[:, None, None] + offset[:, None, None]
        cell = np.floor(position)
        step = position - cell
        step *= step * (3.0 - 2.0 * step)
        cell = cell.astype(np.int64)
        low = np.take_along_axis(heights, cell, axis=axis)
        heights = low + step * (np.take_along_axis(heights, cell + 1, axis=axis) - low)
    return heights


def _mortar(offset: Array, across, down) -> Array:
    """1 on the joints of a brick wall and 0 on the bricks, shape (n, S, S)."""
    course = (down + 0.5) * 7.0 + offset
    row = np.floor(course)
    brick = (across + 0.5) * 3.5 + offset + 0.5 * row
    return ((course - row < 0.2) | (brick - np.floor(brick) < 0.1)).astype(np.float32)


def _draw_clutter(rng: Random, name: str, canvas: Array, clutter: Array, across, down) -> None:
    """Paint one rounded shape per image, anything between a bar and a disc, at its strength."""
    turn = rng.uniform(f"{name} turn", 0.0, math.pi).astype(np.float64)
    cos = np.cos(turn).astype(np.float32)[:, None, None]
    sin = np.sin(turn).astype(np.float32)[:, None, None]
    x = across - rng.vary(f"{name} x", -0.5, 0.5)
    y = down - rng.vary(f"{name} y", -0.5, 0.5)
    half_x, half_y = rng.vary(f"{name} width", 0.04, 0.2), rng.vary(f"{name} height", 0.03, 0.1)
    rounding = np.minimum(half_x, half_y) * rng.vary(f"{name} rounding", 0.0, 1.0)
    distance = box_distance(cos * x + sin * y, cos * y - sin * x, half_x, half_y, rounding)
    colour = rng.colours(name, saturation=(0.0, 0.8), value=(0.1, 1.0))
    strength = (0.8 * clutter)[:, None, None]
    paint(canvas, strength * coverage(distance, across.shape[2]), colour)
