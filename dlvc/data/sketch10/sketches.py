"""Sketch-10: ten drawn classes with CIFAR-10's names, made from a seed in seconds.

No download, no licence question, and two things CIFAR-10 cannot give: the mask of the object in
every image, and factors (pose, size, colour, background, occlusion, noise) that can be set.
How an object looks is in `objects`, what is behind it in `scenes`; this module puts both together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor

from dlvc.arguments import check_kind, check_whole
from dlvc.data.sketch10.drawing import Array, Pen, Random, colours_from_hsv, coverage, mix, paint
from dlvc.data.sketch10.objects import BLACK, PAINTERS
from dlvc.data.sketch10.scenes import SCENES, draw_scene
from dlvc.data.splits import CLASSES

SMALLEST_SIZE = 8
OUTLINE = 0.045  # width of the dark line around an object, in units of half its length
PIXELS_AT_ONCE = 2**16  # what is drawn together, so that the arrays in work stay in the cache


def _range(low: float, high: float, least: float, most: float, meaning: str):
    limits = {"least": least, "most": most, "meaning": meaning}
    return field(default=(low, high), metadata=limits)


def _share(value: float, meaning: str):
    return field(default=value, metadata={"least": 0.0, "most": 1.0, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Factors:
    """What varies from image to image, and how much.

    A pair (low, high) is a range from which each image draws evenly; (0.1, 0.1) fixes the
    value. A single number is the share of images to which something happens.
    """

    rotation: tuple[float, float] = _range(-20, 20, -180, 180, "turn clockwise, in degrees")
    scale: tuple[float, float] = _range(0.65, 0.95, 0.4, 1.2, "object's length / image's side")
    position: tuple[float, float] = _range(-0.1, 0.1, -0.5, 0.5, "shift / image's side")
    clutter: tuple[float, float] = _range(0.2, 1.0, 0, 1, "strength of background shapes, texture")
    occlusion: tuple[float, float] = _range(
        0.02, 0.2, 0, 0.6, "hidden share of the object, where occluded"
    )
    noise: tuple[float, float] = _range(0.0, 0.06, 0, 0.5, "deviation of pixel noise; white is 1")
    brightness: tuple[float, float] = _range(0.75, 1.15, 0.2, 2, "all pixels are multiplied by it")
    occluded: float = _share(0.5, "share of images with something in front of the object")
    mirror: float = _share(0.5, "share of images with the object facing left")
    colour: float = _share(0.35, "share of objects in any colour, not in their class's own range")
    background_signal: float = _share(0.0, "share of images with their class's own scene")

    def __post_init__(self) -> None:
        for setting in fields(self):
            value, limits = getattr(self, setting.name), setting.metadata
            least, most = limits["least"], limits["most"]
            pair = isinstance(setting.default, tuple)
            numbers = value if pair and isinstance(value, (tuple, list)) else (value,)
            fits = len(numbers) == (2 if pair else 1) and all(map(_is_number, numbers))
            if not fits or not (least <= numbers[0] <= numbers[-1] <= most):
                wanted = f"be between {least:g} and {most:g}"
                if pair:
                    wanted = f"be a pair (low, high) with {least:g} <= low <= high <= {most:g}"
                raise ValueError(
                    f"{setting.name} must {wanted} ({limits['meaning']}); got {value!r}. "
                    f"Try {setting.default!r}."
                )
            # Equal settings must be equal objects and must not be changed from outside.
            frozen = tuple(map(float, numbers)) if pair else float(value)
            object.__setattr__(self, setting.name, frozen)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Sketches:
    """Drawn images: `images` uint8 (N, 3, S, S), `labels` int64 (N,), `masks` bool (N, S, S).

    A mask is True where the object is seen (outline included, hidden parts not). `factors` holds
    what each image drew, as tensors of shape (N,): the fields of `Factors` with `position_x`,
    `position_y` for the shift, `mirror` and `colour` as 0 or 1, `occlusion` as measured in pixels,
    and instead of `background_signal` the `scene` (0 to 9; scene 3 is class 3's own).
    """

    images: Tensor
    labels: Tensor
    masks: Tensor
    factors: dict[str, Tensor]


def draw_sketches(
    count: int,
    *,
    seed: int = 0,
    size: int = 32,
    first_index: int = 0,
    factors: Factors | None = None,
) -> Sketches:
    """`count` drawn images of `size` x `size` pixels, with labels, masks and factors.

    Image i depends on (seed, first_index + i, factors, size) alone: a slice drawn by itself
    equals the slice of the whole, and another size shows the same scene. Each ten indices
    starting at a multiple of ten hold every class once, in shuffled order.

    Raises ValueError for a count below 1, a size below 8, a negative seed or first_index.
    """
    check_whole("count", count, low=1, hint="Try 1000.")
    check_whole("seed", seed, low=0, hint="Try 0.")
    check_whole("size", size, low=SMALLEST_SIZE, hint="Try 32.")
    check_whole("first_index", first_index, low=0, hint="Try 0.")
    check_whole(
        "first_index + count", first_index + count, low=1, high=2**62, hint="Try 0 and 1000."
    )
    factors = Factors() if factors is None else factors
    check_kind("factors", factors, Factors, "Make one with Factors(rotation=(-5, 5)).")
    indices = np.arange(first_index, first_index + count, dtype=np.int64)
    labels = _shuffled_labels(indices, seed)
    images = np.empty((count, 3, size, size), dtype=np.uint8)
    masks = np.empty((count, size, size), dtype=bool)
    realised: dict[str, Array] = {}
    for label, rows in _groups(labels, max(1, PIXELS_AT_ONCE // size**2)):
        rng = Random(seed, indices[rows])
        images[rows], masks[rows], values = _draw_group(label, rng, size, factors)
        for name, column in values.items():
            realised.setdefault(name, np.empty(count, dtype=column.dtype))[rows] = column
    return Sketches(
        images=torch.from_numpy(images),
        labels=torch.from_numpy(labels),
        masks=torch.from_numpy(masks),
        factors={name: torch.from_numpy(column) for name, column in realised.items()},
    )


def _shuffled_labels(indices: Array, seed: int) -> Array:
    """int64 labels: every block of ten indices is a permutation of the ten classes."""
    rng = Random(seed, indices // len(CLASSES))
    order = np.argsort(rng.bits("class order", (len(CLASSES),)), axis=1)
    return np.take_along_axis(order, (indices % len(CLASSES))[:, None], axis=1)[:, 0]


def _groups(labels: Array, most: int) -> Iterator[tuple[int, Array]]:
    """(label, positions) pairs that cover all images, at most `most` positions each."""
    for label in range(len(CLASSES)):
        positions = np.flatnonzero(labels == label)
        for start in range(0, len(positions), most):
            yield label, positions[start : start + most]


def _draw_group(
    label: int, rng: Random, size: int, factors: Factors
) -> tuple[Array, Array, dict[str, Array]]:
    """uint8 images, bool masks and factor values for images of one class."""
    ranges = ("rotation", "scale", "clutter", "noise", "brightness")
    values = {name: rng.uniform(name, *getattr(factors, name)) for name in ranges}
    values["position_x"] = rng.uniform("position x", *factors.position)
    values["position_y"] = rng.uniform("position y", *factors.position)
    values["mirror"] = (rng.uniform("mirror") < factors.mirror).astype(np.int64)
    values["colour"] = (rng.uniform("colour") < factors.colour).astype(np.int64)
    own_scene = rng.uniform("background signal") < factors.background_signal
    values["scene"] = np.where(own_scene, label, rng.choice("scene", len(SCENES)))

    middles = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    across, down = middles[None, None, :], middles[None, :, None]
    canvas = draw_scene(rng, values["scene"], values["clutter"], across, down)

    pen = _pen_at(rng, values, across, down, label)
    outside = coverage(pen.distance - OUTLINE, pen.pixels_per_unit)
    shading = 1.06 - 0.24 * down
    for channel in range(3):
        plane = canvas[:, channel]
        plane += outside * (pen.layer[:, channel] * shading - plane)
    seen = outside >= 0.5
    masks = _hide_part(rng, canvas, seen, factors, values, across, down)
    areas = seen.sum(axis=(1, 2))
    values["occlusion"] = (1 - masks.sum(axis=(1, 2)) / np.maximum(areas, 1)).astype(np.float32)

    canvas *= values["brightness"][:, None, None, None]
    canvas += rng.noise("noise", canvas.shape[1:]) * values["noise"][:, None, None, None]
    images = (np.clip(canvas, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return images, masks, values


def _body_colours(rng: Random, natural: tuple[float, ...], free: Array) -> Array:
    """Main colours (n, 3): any colour where `free`, elsewhere in the class's `natural` range."""
    parts = []
    for name, low, high, free_low, free_high in (
        ("hue", *natural[0:2], 0.0, 1.0),
        ("saturation", *natural[2:4], 0.05, 0.9),
        ("value", *natural[4:6], 0.3, 1.0),
    ):
        anything = rng.uniform(f"free {name}", free_low, free_high)
        parts.append(np.where(free == 1, anything, rng.uniform(name, low, high)))
    return colours_from_hsv(*parts)


def _pen_at(rng: Random, values: dict[str, Array], across, down, label: int) -> Pen:
    """A pen that has drawn the objects where `values` place them."""
    turn = np.deg2rad(values["rotation"].astype(np.float64))
    cos = np.cos(turn).astype(np.float32)[:, None, None]
    sin = np.sin(turn).astype(np.float32)[:, None, None]
    half_length = 0.5 * values["scale"][:, None, None]
    x = across - values["position_x"][:, None, None]
    y = down - values["position_y"][:, None, None]
    facing = (1 - 2 * values["mirror"]).astype(np.float32)[:, None, None]
    stretch = rng.vary("stretch", 0.88, 1.0)
    own_x = (cos * x + sin * y) * (facing / half_length)
    own_y = (cos * y - sin * x) / (half_length * stretch)
    painter, natural_colours = PAINTERS[CLASSES[label]]
    body = _body_colours(rng, natural_colours, values["colour"])
    second = rng.colours("second", saturation=(0.05, 0.85), value=(0.4, 1.0))
    pen = Pen(own_x, own_y, half_length * across.shape[2], mix(body, BLACK, 0.85))
    painter(pen, rng, body, second)
    return pen


def _hide_part(
    rng: Random, canvas: Array, seen: Array, factors: Factors, values, across, down
) -> Array:
    """Masks of what stays visible after painting something over a share of each object.

    It is a bar across the object or a disc reaching in from outside, and just so large that the
    drawn share of the object's pixels lies under it.
    """
    share = rng.uniform("occlusion", *factors.occlusion)
    share = np.where(rng.uniform("occluded") < factors.occluded, share, np.float32(0.0))
    turn = rng.uniform("occluder turn", 0.0, 2 * math.pi).astype(np.float64)
    cos = np.cos(turn).astype(np.float32)[:, None, None]
    sin = np.sin(turn).astype(np.float32)[:, None, None]
    x = across - values["position_x"][:, None, None]
    y = down - values["position_y"][:, None, None]
    bar = np.abs(cos * x + sin * y - rng.vary("occluder shift", -0.25, 0.25))
    disc = np.sqrt((x - 0.5 * cos) ** 2 + (y - 0.5 * sin) ** 2)
    reach = np.where(rng.vary("occluder", 0.0, 1.0) < 0.5, bar, disc)
    # The reach at which the wanted number of object pixels is covered.
    ordered = np.sort(np.where(seen, reach, np.float32(9.0)).reshape(len(seen), -1), axis=1)
    wanted = (share * seen.sum(axis=(1, 2))).astype(np.int64)
    edge = np.take_along_axis(ordered, wanted[:, None], axis=1)[:, :, None]
    edge = np.where(wanted[:, None, None] > 0, edge, np.float32(-9.0))
    colour = rng.colours("occluder", saturation=(0.0, 0.6), value=(0.1, 0.9))
    paint(canvas, coverage(reach - edge, across.shape[2]), colour)
    return seen & (reach >= edge)
