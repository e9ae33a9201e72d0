"""What the explaining drawings share: one colour code, and the boxes, tensors and arrows that they are made of.

One unit is an inch, and (0, 0) is at the upper left.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from dlvc.plots.style import (
    BLUE,
    INK,
    MUTED,
    VERMILLION,
    Picture,
    empty_axes,
    new_picture,
    set_description,
)


class Look(NamedTuple):
    """How one kind of thing is drawn; hatching tells frozen from learned in grey, too."""

    fill: str
    edge: str
    hatch: str = ""


TENSOR = Look("#D8EAF8", BLUE)
OPERATION = Look("#F3F3F3", "#767676")
LEARNED = Look("#FCE3B4", "#8F5A00")
FROZEN = Look("#FFFFFF", "#7D8794", "////")
PLAIN = Look("#FFFFFF", "#9A9A9A")
GRADIENT = "#9B3B78"
FORBIDDEN = VERMILLION
KINDS = {
    "tensor": TENSOR,
    "operation": OPERATION,
    "parameters that learn": LEARNED,
    "frozen parameters": FROZEN,
}

PIXEL = 1.15 / 32  # inches for a row or a column of an image
LINE = 0.16  # inches for a line of a label
SMALL, MIDDLE = 8.5, 9.5  # points


def new_drawing(width: float, height: float, *, title: str, says: str) -> tuple[Picture, Axes]:
    """A picture with room for a drawing of that size in inches, its title and its caption, and its axes."""
    picture = set_description(new_picture(width + 0.3, 1, title=title), says)
    picture.set_figheight(height + 0.55 + LINE * (1 + picture.get_supxlabel().count("\n")))
    return picture, empty_axes(picture, width, height, margin=0.05)


def write(axes: Axes, x: float, y: float, words: str, **look: Any) -> None:
    """Write `words` around (x, y); formulas stand between dollar signs."""
    look = {"ha": "center", "va": "center", "fontsize": MIDDLE, "linespacing": 1.25, **look}
    axes.text(x, y, words, parse_math="$" in words, **look)


def text_width(words: str, size: float = SMALL) -> float:
    """The width in inches of the longest line of `words`, at that size in points."""
    font = FontProperties(size=size)
    sizes = (
        text_to_path.get_text_width_height_descent(line, font, False) for line in words.split("\n")
    )
    return max(width for width, *_ in sizes) / 72


def draw_box(
    axes: Axes,
    ends: Sequence[float],
    y: float,
    height: float,
    look: Look,
    words: str = "",
    **text: Any,
) -> None:
    """Draw a rounded box from `ends[0]` to `ends[1]` around the height `y`, with `words` in it."""
    shape = {"boxstyle": "round,pad=0,rounding_size=0.05", "linewidth": 1.0, "hatch": look.hatch}
    corner = (ends[0], y - height / 2)
    colors = {"facecolor": look.fill, "edgecolor": look.edge, "zorder": 2}
    axes.add_patch(FancyBboxPatch(corner, ends[1] - ends[0], height, **shape, **colors))
    if look.hatch:  # letters cannot be read on hatching
        text["bbox"] = {"facecolor": look.fill, "edgecolor": "none", "pad": 1.5}
    write(axes, sum(ends) / 2, y, words, **{"fontsize": SMALL, **text})


def draw_arrow(
    axes: Axes, *points: tuple[float, float], color: str = INK, dashed: bool = False
) -> None:
    """Draw an arrow along straight lines through `points`."""
    line = {"linewidth": 1.3, "color": color, "zorder": 1}
    if dashed:  # but for the head, which would be frayed
        (*_, before), end = np.array(points)[:-1], np.array(points)[-1]
        neck = end + 0.1 * (before - end) / np.hypot(*(before - end))
        axes.plot(*zip(*points[:-1], neck, strict=True), linestyle=(0, (3, 2)), **line)
        points = (neck, end)
    head = {"arrowstyle": "-|>,head_width=2.6,head_length=5", "mutation_scale": 1}
    axes.add_patch(FancyArrowPatch(path=Path(points), joinstyle="miter", **head, **line))


def draw_key(axes: Axes, y: float, looks: Container[Look]) -> None:
    """Draw a line that says what each of `looks` means."""
    x = 0.0
    for kind, look in KINDS.items():
        if look in looks:
            draw_box(axes, (x, x + 0.26), y, 0.16, look)
            write(axes, x + 0.34, y, kind, ha="left", fontsize=SMALL, color=MUTED)
            x += 0.6 + text_width(kind)


def tensor_size(shape: Sequence[int]) -> tuple[float, float]:
    """Width and height in inches of what `draw_tensor` draws.

    Rows and columns are drawn to scale; channels and long columns by their square root, so that 3 and 512 fit.
    """
    depth = 0.03 * shape[-1] ** 0.5
    if len(shape) == 3:
        height, width = (max(PIXEL * side, 0.07) for side in shape[:2])
        return depth + 0.3 * width, height + 0.3 * width
    if len(shape) == 2:
        return depth, 1.15 * shape[0] / 64
    return 0.12, max(1.5 * depth, 0.4)


def draw_tensor(axes: Axes, x: float, y: float, shape: Sequence[int]) -> None:
    """Draw a tensor, its left end at x, its middle at y: a block (H, W, C), tokens (N, D) or a column (D,)."""
    width, height = tensor_size(shape)
    top = y - height / 2
    look = {"edgecolor": TENSOR.edge, "linewidth": 0.9, "joinstyle": "round", "zorder": 2}
    if len(shape) == 3:
        slant = 0.3 * max(PIXEL * shape[1], 0.07)
        depth = width - slant
        front = [(0, slant), (depth, slant), (depth, height), (0, height)]
        above = [(0, slant), (slant, 0), (width, 0), (depth, slant)]
        beside = [(depth, slant), (width, 0), (width, height - slant), (depth, height)]
        for corners, fill in ((front, TENSOR.fill), (above, "#EEF6FC"), (beside, "#AFD2EE")):
            axes.add_patch(Polygon(np.add(corners, (x, top)), facecolor=fill, **look))
        return
    axes.add_patch(Rectangle((x, top), width, height, facecolor=TENSOR.fill, **look))
    lines = min(shape[0], 16) if len(shape) == 2 else shape[0] if shape[0] <= 10 else 1
    rows = top + height * np.arange(1, lines) / lines
    axes.hlines(rows, x, x + width, color=TENSOR.edge, linewidth=0.5, zorder=3)
