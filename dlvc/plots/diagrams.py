"""Diagrams of how parts are connected: a block with and without residuals, a receptive field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from dlvc.arguments import check_whole
from dlvc.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    VERMILLION,
    Picture,
    hide_axes,
    new_picture,
    set_description,
    styled,
)

CNN_LAYERS = (
    ("convolution", 5, 1),
    ("max-pooling", 2, 2),
    ("convolution", 3, 1),
    ("max-pooling", 2, 2),
    ("convolution", 3, 1),
    ("max-pooling", 2, 2),
)


@styled
def residual_block(parts: Sequence[str] = ("attention", "feed-forward")) -> Picture:
    """A block of `parts` drawn twice: each part replaces its input, or adds to it."""
    if not parts or isinstance(parts, str):
        raise ValueError(
            f"parts must be a list of one name at least; got {parts!r}. Try ['attention']."
        )
    picture = new_picture(9, 2.3 + 1.35 * len(parts), title="A block without and with residuals")
    for axes, residual in zip(picture.subplots(1, 2), (False, True), strict=True):
        _draw_block(axes, parts, residual=residual)
    return set_description(
        picture,
        "Without residuals each part replaces what came in, and the gradient must pass through "
        "every part; with them each part adds to its input, and the gradient has a straight way "
        "back along the sums.",
    )


def _draw_block(axes: Axes, parts: Sequence[str], *, residual: bool) -> None:
    hide_axes(axes)
    axes.set(xlim=(-2.1, 3.6), ylim=(2 * len(parts) + 0.75, -0.55))
    axes.set_title("with residuals" if residual else "without residuals")
    middle_of = {"ha": "center", "va": "center"}
    axes.text(0, -0.3, "$x$", fontsize=14, parse_math=True, **middle_of)
    top = 0.0
    for number, part in enumerate(parts, start=1):
        middle = 2 * number - 1.15
        end = middle + 0.9
        _draw_arrow(axes, (0, top), (0, middle - 0.38))
        box = {"facecolor": "#CDE7F7", "edgecolor": BLUE, "linewidth": 1.5}
        box["boxstyle"] = "round,pad=0,rounding_size=0.12"
        axes.add_patch(FancyBboxPatch((-1.25, middle - 0.38), 2.5, 0.76, **box))
        axes.text(0, middle, f"norm, {part}", **middle_of)
        formula = {"fontsize": 12, "color": BLUE, "parse_math": True}
        axes.text(-1.65, middle, f"$F_{number}$", **formula, **middle_of)
        if residual:
            _draw_arrow(axes, (0, middle + 0.38), (0, end - 0.17))
            axes.plot([0, 1.9, 1.9], [top + 0.16, top + 0.16, end], color=VERMILLION, linewidth=2)
            _draw_arrow(axes, (1.9, end), (0.2, end), color=VERMILLION)
            axes.plot(0, end, marker="o", markersize=15, color="white", markeredgecolor=INK)
            axes.text(0, end, "+", fontsize=13, **middle_of)
            top = end + 0.17
        else:
            top = middle + 0.38
    bottom = 2 * len(parts) + 0.1
    _draw_arrow(axes, (0, top), (0, bottom + 0.2))
    axes.text(0, bottom + 0.42, "$y$", fontsize=14, parse_math=True, **middle_of)
    added = ("x + ", "1 + ") if residual else ("", "")
    formula = {"fontsize": 11, "va": "center", "parse_math": True}
    axes.text(2.15, 0.9, f"part: $y = {added[0]}F(x)$", **formula)
    gradient = r"\dfrac{\partial F}{\partial x}"
    axes.text(2.15, 1.7, f"gradient: ${added[1]}{gradient}$", **formula)


def _draw_arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str = INK
) -> None:
    look = {"arrowstyle": "-|>", "mutation_scale": 13, "linewidth": 1.6, "color": color}
    axes.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))


def receptive_fields(layers: Sequence[tuple[str, int, int]]) -> list[tuple[int, int]]:
    """(receptive field, step) in input pixels of the input and after each layer (name, kernel, stride).

    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic", chapter 5 for the
    relation of strides; the field grows by (kernel - 1) steps of the layer below.
    """
    fields = [(1, 1)]
    for _, kernel, stride in layers:
        size, step = fields[-1]
        fields.append((size + (kernel - 1) * step, step * stride))
    return fields


@styled
def receptive_field(layers: Sequence[tuple[str, int, int]] = CNN_LAYERS) -> Picture:
    """A cut through a stack of layers (name, kernel, stride) and what one output sees.

    One dot is one value along a row of the image; the input is at the bottom.
    """
    if not layers:
        raise ValueError("layers must hold one at least; got none. Try ('convolution', 3, 1).")
    for _, kernel, stride in layers:
        check_whole("a layer's kernel", kernel, low=1, hint="Try 3.")
        check_whole("a layer's stride", stride, low=1, hint="Try 1.")
    sizes, steps = zip(*receptive_fields(layers), strict=True)
    height = len(layers)
    picture = new_picture(9.5, 1.9 + 0.62 * height, title="What one output value sees")
    axes = picture.subplots()
    hide_axes(axes)
    # Values of each layer lie over the middle of what they see, in input pixels around zero.
    inside = [np.zeros(1)]
    for level in reversed(range(height)):
        kernel = layers[level][1]
        below = inside[-1][:, None] + (np.arange(kernel) - (kernel - 1) / 2) * steps[level]
        ways = [
            ((x, level), (above, level + 1))
            for above, row in zip(inside[-1], below, strict=True)
            for x in row
        ]
        axes.add_collection(LineCollection(ways, colors=ORANGE, linewidths=0.7, zorder=1))
        inside.append(np.unique(np.round(below, 6)))
    inside.reverse()  # inside[0] are the input pixels that are seen
    edge = sizes[-1] / 2 + 2 * steps[-1]
    for level, seen in enumerate(inside):
        reach = int(edge / steps[level]) + 1
        around = seen[0] + steps[level] * np.arange(-reach, len(seen) + reach)
        around = around[np.abs(around) <= edge]
        axes.scatter(around, np.full(len(around), level), s=20, color="white", edgecolor="#AAAAAA")
        dots = {"s": 30, "color": GREEN if level == height else VERMILLION, "zorder": 3}
        axes.scatter(seen, np.full(len(seen), level), **dots)
    names = [
        "input",
        *(f"{name} {k} x {k}" + (f", stride {s}" if s > 1 else "") for name, k, s in layers),
    ]
    axes.set_yticks(range(height + 1), names)
    for level, size in enumerate(sizes):
        text = f"{size} pixel{'s' if size > 1 else ''}"
        where = {"transform": axes.get_yaxis_transform(), "va": "center"}
        axes.text(1.01, level, text, color=INK if level else MUTED, **where)
    axes.text(1.01, height + 0.6, "sees", transform=axes.get_yaxis_transform(), color=MUTED)
    axes.set_ylim(-0.5, height + 0.5)
    axes.tick_params(axis="y", length=0, labelsize=10)
    return set_description(
        picture,
        f"Receptive field along one row of the image: after {height} layers one output value "
        f"(top) depends on {sizes[-1]} x {sizes[-1]} input pixels; grey dots are not seen by it.",
    )
