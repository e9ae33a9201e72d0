"""Diagrams that explain an idea, drawn by code: every number on them is computed, none typed in."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from dlvc.arguments import check_whole
from dlvc.plots.arrays import as_array, as_picture
from dlvc.plots.style import (
    BLUE,
    GREEN,
    INK,
    VERMILLION,
    Picture,
    empty_axes,
    new_picture,
    set_description,
    styled,
)

# A bright vertical bar on a dark ground, and a filter that answers to a left edge.
BAR = ((0, 0, 2, 2, 0, 0),) * 6
LEFT_EDGE = ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1))


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def _draw_numbers(
    axes: Axes,
    values: np.ndarray,
    corner: tuple[float, float],
    *,
    shown: np.ndarray | None = None,
    fills: Any = None,
) -> None:
    """Draw a matrix as unit squares with numbers; cells that are not `shown` stay empty."""
    for row, column in np.ndindex(*values.shape):
        x, y = corner[0] + column, corner[1] + row
        fill = "white" if fills is None else str(fills[row][column])
        square = {"facecolor": fill, "edgecolor": "#AAAAAA", "linewidth": 0.9}
        # add_patch would find new limits each time.
        axes.add_artist(Rectangle((x, y), 1, 1, **square))
        if shown is None or shown[row, column]:
            text = _number(values[row, column])
            look = {"ha": "center", "va": "center", "fontsize": 11 if len(text) < 5 else 8.5}
            # Not the colour of other text: a fill stays as it is where a page is dark.
            color = "white" if sum(to_rgb(fill)) < 1.5 else "black"
            axes.text(x + 0.5, y + 0.5, text, color=color, **look)


def _frame(
    axes: Axes, corner: tuple[float, float], shape: tuple[int, int], color: str = INK
) -> None:
    frame = {"fill": False, "edgecolor": color, "linewidth": 3, "zorder": 3}
    axes.add_patch(Rectangle(corner, shape[1], shape[0], **frame))


@styled
def convolution_step(
    image: Any = BAR, kernel: Any = LEFT_EDGE, *, row: int = 1, column: int = 1
) -> Picture:
    """One step of a convolution: the window on the image, the filter, and their sum.

    `image` (H, W) and `kernel` (k, k) are small matrices of numbers; `row` and `column` place the
    window's upper left corner. Outputs up to this step are filled in.
    Raises ValueError if the window leaves the image.
    """
    values, weights = as_array(image), as_array(kernel)
    if values.ndim != 2 or weights.ndim != 2 or not all(np.less_equal(weights.shape, values.shape)):
        raise ValueError(
            f"image and kernel must be matrices, the kernel no larger; got {values.shape} and {weights.shape}. "
            "Pass one channel of a small image."
        )
    windows = np.lib.stride_tricks.sliding_window_view(values, weights.shape)
    rows, columns = windows.shape[:2]
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(
            f"row must lie between 0 and {rows - 1} and column between 0 and {columns - 1}, so "
            f"that the window stays on the image; got {row} and {column}."
        )
    output = (windows * weights).sum(axis=(2, 3))
    done = np.arange(output.size).reshape(output.shape) <= row * columns + column
    # From left to right: the image, the filter, the output; the sum is written below the filter.
    filter_x = values.shape[1] + 1.4
    output_x = filter_x + weights.shape[1] + 1.4
    top = 0.6
    bottom = top + max(values.shape[0], weights.shape[0] + 2.6, rows)
    picture = new_picture(9.2, 1.1 + 0.56 * bottom, title="One step of a convolution")
    axes = empty_axes(picture, output_x + columns, bottom, margin=0.05)
    brightness = 0.25 + 0.75 * (values - values.min()) / (np.ptp(values) or 1)
    _draw_numbers(axes, values, (0, top), fills=brightness)
    _frame(axes, (column, top + row), weights.shape, VERMILLION)
    _draw_numbers(axes, weights, (filter_x, top))
    _frame(axes, (filter_x, top), weights.shape, BLUE)
    _draw_numbers(axes, output, (output_x, top), shown=done)
    _frame(axes, (output_x + column, top + row), (1, 1), GREEN)
    size = f"{weights.shape[0]} x {weights.shape[1]}"
    for x, name in ((0, "image"), (filter_x, f"filter, {size}"), (output_x, "output")):
        axes.text(x, top - 0.2, name, fontsize=10.5)
    middle = top + weights.shape[0] / 2
    signs = ((filter_x, "\N{ASTERISK OPERATOR}"), (output_x, "="))
    for x, sign in signs:
        axes.text(x - 0.7, middle, sign, ha="center", va="center", fontsize=20)
    lines = _sum_lines(windows[row, column], weights)
    lines[-1] += f"  =  {_number(output[row, column])}"
    below = {"va": "top", "fontsize": 11, "linespacing": 1.5}
    axes.text(filter_x - 0.35, top + weights.shape[0] + 0.5, "\n".join(lines), **below)
    return set_description(
        picture,
        "The filter's weights are multiplied with the framed window of the image and added up to "
        "one number of the output; then the window moves on by one pixel.",
    )


def _sum_lines(window: np.ndarray, weights: np.ndarray) -> list[str]:
    """The products of a window's pixels and the weights, one line per row."""
    lines = []
    for pixels, factors in zip(window, weights, strict=True):
        terms = [
            f"{_number(pixel)} · {_number(weight) if weight >= 0 else f'({_number(weight)})'}"
            for pixel, weight in zip(pixels, factors, strict=True)
        ]
        lines.append(("+ " if lines else "   ") + " + ".join(terms))
    return lines


@styled
def image_patches(image: Any, *, patch_size: int = 4) -> Picture:
    """An image cut into square patches, as a transformer sees it: a list of tokens.

    `image` (3, H, W) is uint8 or floats in [0, 1].
    Raises ValueError if `patch_size` does not divide height and width.
    """
    pixels = as_picture(image)
    check_whole("patch_size", patch_size, low=1, hint="Try 4.")
    height, width = pixels.shape[:2]
    if height % patch_size or width % patch_size:
        raise ValueError(f"patch_size must divide {height} and {width}; got {patch_size}. Try 4.")
    rows, columns = height // patch_size, width // patch_size
    count, numbers = rows * columns, 3 * patch_size**2
    # In units of a tenth of the picture's width: the image, its patches apart, and the list.
    size, right, top = 4.4, 5.3, 0.35
    below = top + size * height / width + 0.75
    picture = new_picture(9.2, 1.0 + 0.9 * (below + 1.15), title="From image to tokens")
    axes = empty_axes(picture, 10, below + 1.15, margin=0.05)
    step = size / columns
    axes.imshow(pixels, extent=(0, size, top + rows * step, top))
    lines = {"colors": "white", "linewidth": 0.9}
    axes.hlines(top + step * np.arange(1, rows), 0, size, **lines)
    axes.vlines(step * np.arange(1, columns), top, top + rows * step, **lines)
    for index in range(count):
        row, column = divmod(index, columns)
        corner = right + column * step * 1.06, top + row * step
        _draw_patch(axes, pixels, patch_size, index, corner, 0.9 * step)
    shown = list(range(count)) if count <= 11 else [*range(10), count - 1]
    for place, index in enumerate(shown):
        x = place * 0.87 + (0.4 if index != place else 0)
        _draw_patch(axes, pixels, patch_size, index, (x, below), 0.78)
        axes.text(x + 0.39, below + 1.02, str(index), ha="center", fontsize=9)
    if count > len(shown):
        axes.text(8.86, below + 0.45, "...", ha="center", fontsize=14)
    sizes = f"{patch_size} x {patch_size} x 3 = {numbers} numbers"
    texts = (
        (0, top, f"image of {height} x {width} pixels"),
        (right, top, f"{rows} x {columns} = {count} patches"),
        (0, below, f"list of {count} tokens, row by row, each {sizes}"),
    )
    for x, y, text in texts:
        axes.text(x, y - 0.12, text, fontsize=10.5)
    return set_description(
        picture,
        f"An image of {height} x {width} pixels is cut into {count} patches of {patch_size} x "
        f"{patch_size} pixels; listed row by row, each is one token of {numbers} numbers.",
    )


def _draw_patch(
    axes: Axes,
    pixels: np.ndarray,
    patch_size: int,
    index: int,
    corner: tuple[float, float],
    side: float,
) -> None:
    """Draw the patch with that index, counted row by row, as a square at `corner`."""
    row, column = divmod(index, pixels.shape[1] // patch_size)
    down = slice(row * patch_size, (row + 1) * patch_size)
    across = slice(column * patch_size, (column + 1) * patch_size)
    x, y = corner
    axes.imshow(pixels[down, across], extent=(x, x + side, y + side, y))
