"""Random numbers and a pen for drawing many small images at once with NumPy.

Two things make the images of Sketch-10 the same everywhere. `Random` derives every random
number from (seed, index, name), so image 7 is the same alone and among a thousand. `Pen` and
the scenery use only +, -, *, / and sqrt on pixels, which IEEE 754 rounds the same way on every
machine; sines and cosines are taken once per image in float64.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Sequence

import numpy as np

Array = np.ndarray
FAR = 9.0  # a distance that no pixel of an image has
Range = tuple[float, float]
Value = float | Array  # one number for all images, or shape (n, 1, 1): one per image


def scramble(numbers: Array) -> Array:
    """Well-mixed uint64 numbers, one for each uint64 in an array of at least one dimension.

    Source: the output function of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable
    pseudorandom number generators", section 5).
    """
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@functools.lru_cache(maxsize=1024)
def _salt(name: str, count: int) -> Array:
    """uint64 numbers of shape (1, count) that stand for the draws called `name`."""
    places = np.arange(count, dtype=np.uint64)[None, :]
    return scramble(places + np.uint64(zlib.crc32(name.encode()) << 20))


class Random:
    """Named random numbers for a batch of images: each depends on (seed, index, name) alone.

    Names instead of a sequence: a new draw added to the code leaves all others as they were.
    """

    def __init__(self, seed: int, indices: Array) -> None:
        key = scramble(np.array([seed % 2**64], dtype=np.uint64))
        self.keys = scramble(key ^ scramble(indices.astype(np.uint64)))

    def bits(self, name: str, shape: tuple[int, ...] = ()) -> Array:
        """uint64 numbers of shape (n, *shape)."""
        return scramble(self.keys[:, None] ^ _salt(name, math.prod(shape))).reshape(-1, *shape)

    def uniform(
        self, name: str, low: float = 0.0, high: float = 1.0, shape: tuple[int, ...] = ()
    ) -> Array:
        """float32 numbers in [low, high] of shape (n, *shape)."""
        fraction = (self.bits(name, shape) >> np.uint64(40)).astype(np.float64) * 2.0**-24
        return (low + (high - low) * fraction).astype(np.float32)

    def choice(self, name: str, options: int) -> Array:
        """int64 numbers in 0 ... options - 1 of shape (n,)."""
        return ((self.bits(name) >> np.uint64(33)) % np.uint64(options)).astype(np.int64)

    def vary(self, name: str, low: float, high: float) -> Array:
        """float32 numbers in [low, high] of shape (n, 1, 1), ready to meet pixels."""
        return self.uniform(name, low, high)[:, None, None]

    def colours(self, name: str, *, saturation: Range, value: Range) -> Array:
        """Colours (n, 3) of any hue."""
        hues = self.uniform(f"{name} hue")
        saturations = self.uniform(f"{name} saturation", *saturation)
        return colours_from_hsv(hues, saturations, self.uniform(f"{name} value", *value))

    def noise(self, name: str, shape: tuple[int, ...]) -> Array:
        """float32 numbers of shape (n, *shape), nearly normal with mean 0 and variance 1.

        Each is the sum of the four bytes of one 32-bit hash (Irwin-Hall), so integers decide.
        """
        start = (self.bits(name) >> np.uint64(32)).astype(np.uint32)
        mixed = np.arange(math.prod(shape), dtype=np.uint32)
        mixed = start[:, None] + mixed * np.uint32(0x9E3779B1)
        # Multipliers of a 32-bit mixer found by search. Source: C. Wellons, "hash-prospector".
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            mixed ^= mixed >> np.uint32(shift)
            mixed *= np.uint32(factor)
        mixed ^= mixed >> np.uint32(16)
        pairs = (mixed & np.uint32(0x00FF00FF)) + ((mixed >> np.uint32(8)) & np.uint32(0x00FF00FF))
        total = (pairs & np.uint32(0xFFFF)) + (pairs >> np.uint32(16))
        spread = np.float32((4 * (256**2 - 1) / 12) ** 0.5)
        return ((total.astype(np.float32) - np.float32(510)) / spread).reshape(-1, *shape)


def colours_from_hsv(hue: Array, saturation: Array, value: Array) -> Array:
    """RGB colours in [0, 1], shape (n, 3), from three float arrays in [0, 1] of shape (n,)."""
    # The red, green and blue curves are one trapezoid at three phases of the colour circle.
    phase = (np.stack([hue + 5 / 6, hue + 3 / 6, hue + 1 / 6], axis=1) % 1.0) * 6.0
    lack = np.clip(np.minimum(phase, 4.0 - phase), 0.0, 1.0)
    return (value[:, None] * (1.0 - saturation[:, None] * lack)).astype(np.float32)


def mix(first: Array, second: Array | Sequence[float], share: float) -> Array:
    """The colours `first` (n, 3) moved by `share` towards `second` (n, 3) or (3,)."""
    return first + np.float32(share) * (np.asarray(second, dtype=np.float32) - first)


def coverage(distance: Array, pixels_per_unit: Value) -> Array:
    """Share of each pixel inside a shape, in [0, 1], from signed distances (negative inside)."""
    share = distance * -pixels_per_unit
    share += 0.5
    return np.clip(share, 0.0, 1.0, out=share)


def paint(canvas: Array, cover: Array, colour: Array | Sequence[float]) -> None:
    """Lay `colour`, (n, 3) or (3,), over `canvas` (n, 3, S, S) where `cover` (n, S, S) says."""
    colour = np.asarray(colour, dtype=np.float32)
    change = np.empty_like(cover)
    for channel in range(3):  # channel by channel: the arrays in work stay in the cache
        plane = canvas[:, channel]
        np.subtract(colour[..., channel].reshape(-1, 1, 1), plane, out=change)
        change *= cover
        plane += change


def box_distance(x: Array, y: Array, half_x: Value, half_y: Value, rounding: Value) -> Array:
    """Signed distance to a rounded box around the origin."""
    side_x = np.abs(x) - (half_x - rounding)
    side_y = np.abs(y) - (half_y - rounding)
    outside = np.sqrt(np.maximum(side_x, 0) ** 2 + np.maximum(side_y, 0) ** 2)
    return outside + np.minimum(np.maximum(side_x, side_y), 0) - rounding


class Pen:
    """Draws filled shapes onto a layer of its own, for n images of one class at a time.

    `x`, `y` (n, S, S) are each pixel's place in the object's own frame (x to the right, y down,
    the object within about [-1, 1]); `layer` (n, 3, S, S) holds the colours drawn so far and
    `distance` (n, S, S) the signed distance to all shapes together, from which the outline and
    the mask come. Source of the distance functions: I. Quilez, "2D distance functions".
    """

    def __init__(self, x: Array, y: Array, pixels_per_unit: Array, ink: Array) -> None:
        self.x, self.y, self.pixels_per_unit = x, y, pixels_per_unit
        self.layer = np.empty((len(x), 3, *x.shape[1:]), dtype=np.float32)
        self.layer[:] = ink[:, :, None, None]
        self.distance = np.full(x.shape, FAR, dtype=np.float32)

    def fill(self, distance: Array, colour: Array | Sequence[float], only: Array | None = None):
        """Fill where `distance` is negative; `only` (n, 1, 1) bool picks some of the images."""
        if only is not None:
            distance = np.where(only, distance, np.float32(FAR))
        np.minimum(self.distance, distance, out=self.distance)
        paint(self.layer, coverage(distance, self.pixels_per_unit), colour)

    def ellipse(self, cx, cy, rx, ry, colour, *, angle: float = 0.0, only=None) -> None:
        """Fill an ellipse turned clockwise by `angle` degrees."""
        x, y = self.x - cx, self.y - cy
        if angle:
            cos, sin = float(np.cos(np.deg2rad(angle))), float(np.sin(np.deg2rad(angle)))
            x, y = cos * x + sin * y, cos * y - sin * x
        x, y = x / rx, y / ry
        near = np.sqrt(x * x + y * y)
        x, y = x / rx, y / ry
        slope = np.sqrt(x * x + y * y)
        self.fill(near * (near - 1.0) / np.maximum(slope, 1e-3), colour, only)

    def disc(self, cx, cy, radius, colour, *, only=None) -> None:
        """Fill a disc."""
        x, y = self.x - cx, self.y - cy
        x *= x
        y *= y
        x += y
        np.sqrt(x, out=x)
        x -= radius
        self.fill(x, colour, only)

    def beads(self, cx, cy, radius, colour, *, gap, either_side, flat=1.0, only=None) -> None:
        """Fill a row of discs around (cx, cy), `either_side` of them left and right, `gap` apart.

        `flat` is their height over their width; `either_side` 1.5 makes a row of four.
        """
        x, y = self.x - cx, (self.y - cy) * (1.0 / flat)
        half = either_side % 1.0
        nearest = np.clip(np.rint(x * (1.0 / gap) - half) + half, -either_side, either_side)
        x -= gap * nearest
        self.fill((np.sqrt(x * x + y * y) - radius) * flat, colour, only)

    def limb(self, ax, ay, bx, by, start, end, colour, *, only=None) -> None:
        """Fill a round-ended limb from (ax, ay) with radius `start` to (bx, by) with `end`."""
        along_x, along_y = bx - ax, by - ay
        x, y = self.x - ax, self.y - ay
        scale = 1.0 / (along_x * along_x + along_y * along_y)
        step = np.clip(x * (along_x * scale) + y * (along_y * scale), 0.0, 1.0)
        x -= step * along_x
        y -= step * along_y
        self.fill(np.sqrt(x * x + y * y) - (start + step * (end - start)), colour, only)

    def box(self, cx, cy, half_x, half_y, colour, *, rounding=0.0, only=None) -> None:
        """Fill a rounded box."""
        distance = box_distance(self.x - cx, self.y - cy, half_x, half_y, rounding)
        self.fill(distance, colour, only)

    def polygon(self, corners, colour, *, rounding: float = 0.0, only=None) -> None:
        """Fill a convex polygon with the given (x, y) corners, in either order."""
        edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))
        turn = np.sign(sum(ax * by - bx * ay for (ax, ay), (bx, by) in edges))
        distance = None
        for (ax, ay), (bx, by) in edges:
            normal_x, normal_y = turn * (by - ay), turn * (ax - bx)
            length = np.sqrt(normal_x * normal_x + normal_y * normal_y)
            normal_x, normal_y = normal_x / length, normal_y / length
            offset = ax * normal_x + ay * normal_y + rounding
            if np.ndim(offset) == 0:  # a NumPy float64 scalar would make the pixels float64
                normal_x, normal_y, offset = float(normal_x), float(normal_y), float(offset)
            edge = self.x * normal_x + self.y * normal_y - offset
            distance = edge if distance is None else np.maximum(distance, edge)
        self.fill(distance, colour, only)
