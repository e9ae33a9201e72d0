"""The attention viewer as one still picture: for paper, for pages without scripts, for runs with nobody watching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from dlvc.plots.attention_maps import ATTENTION_COLORS, DIFFERENCE_COLORS
from dlvc.plots.style import (
    MUTED,
    SKY,
    Picture,
    draw_frame,
    empty_axes,
    new_picture,
    set_description,
    styled,
)

# Inches: a map, a small map, between them, a line of text, a colour bar with its text.
SIDE, THUMB, GAP, LINE, BAR = 1.75, 0.42, 0.16, 0.24, 0.55


@dataclass(frozen=True)
class Pane:
    """One row of the viewer: an image (H, W, 3) of bytes and its maps (rows, columns of patches)."""

    image: np.ndarray
    name: str
    place: str  # model, layer and head, written above if two panes are compared
    given: np.ndarray
    taken: np.ndarray | None
    given_title: str = "Attends to"


@styled
def attention_view(
    panes: list[Pane],
    top: float,
    *,
    patch: tuple[int, int] | None,
    thumbs: np.ndarray,
    thumb_tops: np.ndarray,
    chosen: tuple[int, int] | None,
    columns: list[str],
    opacity: float,
    description: str,
) -> Picture:
    """The panes, their difference if there are two, and at the right a small map of each layer and head.

    `top` is the end of the colour scale. `thumbs` (layers, columns, rows, columns of patches) are the small maps, each
    in the scale up to `thumb_tops` (layers, columns); `chosen` is the one shown large. `patch` is (row, column) from 0.
    """
    ratio = panes[0].image.shape[0] / panes[0].image.shape[1]
    two = len(panes) == 2
    above = LINE if two else 0  # for the line that tells the panes apart
    tall, rows = SIDE * ratio + LINE + above + GAP, len(panes) + two
    left = 3 * (SIDE + GAP)
    across, down = thumbs.shape[1] * (THUMB + 0.05), thumbs.shape[0] * (THUMB * ratio + 0.05)
    wide = left + 0.55 + across
    high = max(rows * tall + len(panes) * BAR, down + 2 * LINE + 0.1)
    picture = new_picture(wide + 0.2, high + 0.95)
    axes = empty_axes(picture, wide, high, anchor="NW")
    drawing = _Drawing(axes, ratio, panes[0].given.shape, patch, opacity)
    for number, pane in enumerate(panes):
        y = number * tall + above
        if two:
            axes.text(0, y, pane.place, fontsize=9.5, color=MUTED)
        drawing.square(pane.image, 0, y, pane.name)
        for column, values, name in (
            (1, pane.given, pane.given_title),
            (2, pane.taken, "Is attended to by"),
        ):
            if values is not None:
                x = column * (SIDE + GAP)
                drawing.map(pane.image, values / top, x, y, name, ATTENTION_COLORS)
    if two:
        pairs = ((panes[0].given, panes[1].given), (panes[0].taken, panes[1].taken))
        for column, (first, second) in enumerate(pairs, start=1):
            if first is not None and second is not None:
                x, y = column * (SIDE + GAP), 2 * tall + BAR
                values = 0.5 + (second - first) / (2 * top)
                name = "Second minus first"
                drawing.map(panes[1].image, values, x, y, name, DIFFERENCE_COLORS)
    drawing.thumbs(thumbs / thumb_tops[..., None, None], left + 0.45, chosen, columns)
    wide = left - GAP
    drawing.bar(ATTENTION_COLORS, len(panes) * tall, 0, top, wide, "share of attention (%)")
    if two:
        drawing.bar(DIFFERENCE_COLORS, rows * tall + BAR, -top, top, wide, "difference (points)")
    return set_description(picture, description)


@dataclass(frozen=True)
class _Drawing:
    """Pictures at places in inches on one axes; the large ones have a frame around `patch` of their `grid`."""

    axes: Axes
    ratio: float
    grid: tuple[int, int]
    patch: tuple[int, int] | None
    opacity: float

    def image(self, pixels: np.ndarray, x: float, y: float, side: float, **look: object) -> None:
        extent = (x, x + side, y + side * self.ratio, y)
        self.axes.imshow(pixels, extent=extent, aspect="equal", **look)

    def square(self, pixels: np.ndarray, x: float, y: float, name: str) -> None:
        self.axes.text(x, y + LINE - 0.05, name, fontsize=9.5, fontweight="bold")
        self.image(pixels, x, y + LINE, SIDE)
        if self.patch is not None:
            width, height = SIDE / self.grid[1], SIDE * self.ratio / self.grid[0]
            corner = x + self.patch[1] * width, y + LINE + self.patch[0] * height
            draw_frame(self.axes, corner, width, height, color="white", line=1.5)

    def map(
        self, image: np.ndarray, values: np.ndarray, x: float, y: float, name: str, colors: str
    ) -> None:
        grey = image @ np.array([0.2126, 0.7152, 0.0722])
        self.image(grey, x, y + LINE, SIDE, cmap="gray", vmin=0, vmax=255)
        self.square(np.zeros((1, 1, 4)), x, y, name)
        self.image(values, x, y + LINE, SIDE, cmap=colors, vmin=0, vmax=1, alpha=self.opacity)

    def bar(self, colors: str, y: float, low: float, high: float, width: float, label: str) -> None:
        """A colour scale from `low` to `high`, both shares, with its numbers and what they mean."""
        scale, extent = np.linspace(0, 1, 256)[None], (0, width, y + 0.12, y)
        self.axes.imshow(scale, extent=extent, aspect="equal", cmap=colors)
        look = {"fontsize": 9, "va": "top"}
        for x, value, align in ((0, low, "left"), (width, high, "right")):
            self.axes.text(x, y + 0.17, f"{100 * value:.1f}", ha=align, **look)
        self.axes.text(width / 2, y + 0.17, label, ha="center", **look)

    def thumbs(
        self, maps: np.ndarray, x: float, chosen: tuple[int, int] | None, names: list[str]
    ) -> None:
        """The small maps, a row for each layer; the frame tells which one is shown large."""
        step, look = THUMB + 0.05, {"fontsize": 8, "color": MUTED}
        self.axes.text(x - 0.3, LINE - 0.05, "each layer and head", fontsize=9.5, fontweight="bold")
        for column, name in enumerate(names):
            middle = x + column * step + THUMB / 2
            self.axes.text(middle, 2 * LINE - 0.07, name, ha="center", **look)
        for layer, column in np.ndindex(maps.shape[:2]):
            y = 2 * LINE + layer * (THUMB * self.ratio + 0.05)
            if column == 0:
                middle = y + THUMB * self.ratio / 2
                self.axes.text(x - 0.1, middle, f"{layer + 1}", ha="right", va="center", **look)
            left = x + column * step
            self.image(maps[layer, column], left, y, THUMB, cmap=ATTENTION_COLORS, vmin=0, vmax=1)
            if (layer, column) == chosen:
                size = THUMB, THUMB * self.ratio
                draw_frame(self.axes, (left, y), *size, color=SKY, line=1.7)
