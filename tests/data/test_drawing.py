from __future__ import annotations

import colorsys

import numpy as np
import pytest

from dlvc.data.sketch10.drawing import Pen, Random, colours_from_hsv, coverage

WHITE = (1.0, 1.0, 1.0)


def a_pen(pixels: int = 200) -> Pen:
    """A pen over [-1, 1] x [-1, 1] on one black picture."""
    middles = ((np.arange(pixels) + 0.5) / pixels * 2 - 1).astype(np.float32)
    x, y = np.broadcast_arrays(middles[None, None, :], middles[None, :, None])
    per_unit = np.full((1, 1, 1), pixels / 2, dtype=np.float32)
    return Pen(x, y, per_unit, np.zeros((1, 3), dtype=np.float32))


SHAPES = {
    "ellipse": (lambda pen: pen.ellipse(0.1, 0, 0.6, 0.3, WHITE, angle=30.0), np.pi * 0.6 * 0.3),
    "disc": (lambda pen: pen.disc(0, 0.2, 0.5, WHITE), np.pi * 0.25),
    "limb": (lambda pen: pen.limb(-0.4, 0, 0.4, 0, 0.1, 0.1, WHITE), 0.8 * 0.2 + np.pi * 0.01),
    "box": (lambda pen: pen.box(0, 0, 0.5, 0.2, WHITE), 1.0 * 0.4),
    "triangle": (lambda pen: pen.polygon([(0, 0), (0.6, 0), (0, 0.5)], WHITE), 0.5 * 0.6 * 0.5),
    "four beads": (
        lambda pen: pen.beads(0, 0, 0.1, WHITE, gap=0.3, either_side=1.5, flat=0.5),
        4 * np.pi * 0.1 * 0.05,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_covers_the_area_that_geometry_gives_it(shape):
    draw, area = SHAPES[shape]
    pen = a_pen()
    draw(pen)
    assert pen.layer[0, 0].mean() * 4 == pytest.approx(area, rel=0.02)
    assert coverage(pen.distance, pen.pixels_per_unit).mean() * 4 == pytest.approx(area, rel=0.02)


def test_a_polygon_is_the_same_with_its_corners_in_the_other_order():
    corners = [(-0.5, -0.3), (0.6, -0.1), (0.2, 0.7)]
    pens = a_pen(), a_pen()
    pens[0].polygon(corners, WHITE)
    pens[1].polygon(corners[::-1], WHITE)
    assert np.allclose(pens[0].layer, pens[1].layer, atol=1e-4)


def test_hsv_colours_agree_with_the_standard_library():
    hue, saturation, value = np.random.default_rng(0).random((3, 50))
    expected = [colorsys.hsv_to_rgb(*parts) for parts in zip(hue, saturation, value, strict=True)]
    assert np.allclose(colours_from_hsv(hue, saturation, value), expected, atol=1e-6)


def test_draws_are_even_and_differ_between_names_seeds_and_indices():
    indices = np.arange(4000)
    first = Random(0, indices).uniform("one", -1, 3)
    assert first.min() >= -1
    assert first.max() <= 3
    counts = np.histogram(first, bins=8, range=(-1, 3))[0]
    assert np.abs(counts - 500).max() < 100  # 4.5 standard deviations
    for other in (
        Random(0, indices).uniform("two", -1, 3),
        Random(1, indices).uniform("one", -1, 3),
        Random(0, indices + 1).uniform("one", -1, 3),
    ):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.08


def test_noise_has_mean_0_and_variance_1_and_no_pattern_between_neighbours():
    noise = Random(3, np.arange(4)).noise("noise", (3, 64, 64))
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.var() == pytest.approx(1, abs=0.03)
    for axis in range(4):
        assert abs((noise * np.roll(noise, 1, axis=axis)).mean()) < 0.03
