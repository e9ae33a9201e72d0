"""Many small pictures in columns and rows on one axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.image import AxesImage

from dlvc.plots.style import ORANGE, draw_frame, empty_axes, new_picture

GAP = 0.08  # between pictures, in widths of one


class Tiling:
    """A picture with `columns` x `rows` places for small pictures, each one unit wide.

    All lie on one axes, because laying out an axes for each of 64 pictures takes seconds.
    `inches` is the width of a unit, `ratio` the height of a small picture over its width,
    `heading` the lines of text that have space above each, `side` the space at the right in inches.
    """

    def __init__(
        self,
        columns: float,
        rows: int,
        *,
        inches: float = 1.0,
        title: str = "",
        ratio: float = 1.0,
        heading: int = 0,
        side: float = 0.0,
    ) -> None:
        self.ratio = ratio
        self.heading = heading * 0.2 / inches  # 0.2 inches for a line of text, in units
        self.pitch = 1 + GAP, ratio + GAP + self.heading
        wide, high = columns * self.pitch[0] - GAP, rows * self.pitch[1] - GAP
        width = max(wide * inches + 0.4 + side, 5.0)
        self.picture = new_picture(
            width, high * inches + 0.75 + (0.35 if title else 0), title=title
        )
        self.axes = empty_axes(self.picture, wide, high)

    def corner(self, column: float, row: int) -> tuple[float, float]:
        """The upper left corner of a place."""
        return column * self.pitch[0], row * self.pitch[1] + self.heading

    def draw(self, pixels: np.ndarray, column: float, row: int, **options: Any) -> AxesImage:
        """Draw an image (H, W) or (H, W, 3) in its place, each value as one rectangle."""
        x, y = self.corner(column, row)
        extent = (x, x + 1, y + self.ratio, y)
        return self.axes.imshow(pixels, extent=extent, aspect="equal", **options)

    def write_above(self, text: str, column: float, row: int) -> None:
        """Write `text` over a place, starting at its left edge."""
        x, y = self.corner(column, row)
        look = {"fontsize": 9, "va": "bottom", "textcoords": "offset points"}
        self.axes.annotate(text, (x, y), (0, 2), **look)

    def write_left(self, text: str, column: float, row: int) -> None:
        """Write `text` upwards along the left edge of a place."""
        x, y = self.corner(column, row)
        look = {"ha": "right", "va": "center", "rotation": 90, "textcoords": "offset points"}
        self.axes.annotate(text, (x, y + self.ratio / 2), (-3, 0), fontsize=9, **look)

    def frame_patch(
        self, patch: tuple[int, int], grid: tuple[int, int], column: float, row: int
    ) -> None:
        """Draw a frame around the patch (row, column) of a grid (rows, columns) in a place."""
        x, y = self.corner(column, row)
        width, height = 1 / grid[1], self.ratio / grid[0]
        corner = x + patch[1] * width, y + patch[0] * height
        draw_frame(self.axes, corner, width, height, color=ORANGE)

    def draw_outline(self, mask: np.ndarray, column: float, row: int) -> None:
        """Draw the border of a mask (H, W) in a place; there is none if it is empty or full."""
        if not mask.any() or mask.all():
            return
        x, y = self.corner(column, row)
        rows, columns = mask.shape
        across = x + (np.arange(columns) + 0.5) / columns
        down = y + (np.arange(rows) + 0.5) / rows * self.ratio
        for color, line in (("black", 2.6), (ORANGE, 1.4)):
            self.axes.contour(across, down, mask, levels=[0.5], colors=color, linewidths=line)

    def color_bar(self, drawn: AxesImage, label: str) -> None:
        """Add the scale of `drawn` at the right."""
        self.picture.colorbar(drawn, ax=self.axes, label=label, pad=0.02, aspect=25, shrink=0.9)
