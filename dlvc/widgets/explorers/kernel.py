"""A kernel of nine numbers on a small image, one position after the other: window, products, sum and output."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from dlvc.arguments import check_choice, check_whole
from dlvc.plots import BAR, LEFT_EDGE, Picture, convolution_step, set_description
from dlvc.widgets.explorers.explorer import Explorer, choice, slider

OWN = "own numbers"
LARGEST = 1000.0  # of these: the drawing has room for no larger ones
KERNELS = {
    "vertical edges": LEFT_EDGE,
    "horizontal edges": tuple(zip(*LEFT_EDGE, strict=True)),
    "blur": ((1 / 9,) * 3,) * 3,
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "nothing changes": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
}
IMAGES = {
    "bar": BAR,
    "one bright pixel": tuple(tuple(9 * (r == c == 2) for c in range(6)) for r in range(6)),
    "slanted edge": tuple(tuple(2 * (r + c > 5) for c in range(6)) for r in range(6)),
}


def draw_step(
    images: Mapping[str, Any], *, image: str, kernel: str, position: int, **numbers: float
) -> Picture:
    """One step of the convolution of an image, by its name, with the nine `numbers` w00 to w22.

    Positions count row by row, from 1; `kernel` only names the numbers. Raises ValueError for numbers beyond LARGEST.
    """
    check_choice("image", image, tuple(images))
    pixels = np.asarray(images[image])
    weights = np.array([[numbers[f"w{row}{column}"] for column in range(3)] for row in range(3)])
    if not (np.abs(weights) <= LARGEST).all():
        raise ValueError(
            f"The filter's numbers must be between -{LARGEST:g} and {LARGEST:g}; got "
            f"{', '.join(f'{number:g}' for number in weights.flat if not abs(number) <= LARGEST)}. Type a smaller one."
        )
    rows, columns = (side - 2 for side in pixels.shape)
    check_whole("position", position, low=1, high=rows * columns, hint="Choose an earlier one.")
    row, column = divmod(position - 1, columns)
    window = pixels[row : row + 3, column : column + 3]
    filter_text = "; ".join(" ".join(f"{number:.3g}" for number in line) for line in weights)
    picture = convolution_step(pixels, weights, row=row, column=column)
    return set_description(
        picture,
        f"Step {position} of {rows * columns}: the window at row {row}, column {column} times the filter "
        f"({kernel}: {filter_text}) adds up to {(window * weights).sum():.3g}.",
    )


def weights_by_name(kernel: str) -> dict[str, float]:
    """The nine numbers of a filter by the names of their controls."""
    return {
        f"w{row}{column}": float(KERNELS[kernel][row][column]) for row, column in np.ndindex(3, 3)
    }


def kernel_explorer(images: Mapping[str, Any] = IMAGES) -> Explorer:
    """A filter by name or by its nine numbers, and a position, above that step of the convolution.

    images: matrices of numbers (H, W) by name, all of one size and at least 3 x 3.
    """
    first, names = next(iter(KERNELS)), tuple(images)
    steps = int(np.prod([side - 2 for side in np.shape(images[names[0]])]))
    box = {"layout": ipywidgets.Layout(width="110px"), "disabled": True}
    cells = {
        name: ipywidgets.FloatText(value=value, description=name, **box)
        for name, value in weights_by_name(first).items()
    }
    controls = {
        "image": choice("Image", names, names[0]),
        "kernel": choice("Filter", (*KERNELS, OWN), first),
        "position": slider("Step", 1, 1, steps),
        **cells,
    }

    def arrange(shown: list[Any]) -> list[Any]:
        rows = [ipywidgets.HBox(shown[start : start + 3]) for start in (3, 6, 9)]
        return [ipywidgets.VBox(shown[:3]), ipywidgets.VBox(rows)]

    def take_numbers(change: Mapping[str, Any]) -> None:
        for cell in cells.values():
            cell.disabled = change["new"] != OWN
        if change["new"] != OWN:
            explorer.set(**weights_by_name(change["new"]))

    # Before the explorer observes it: the numbers are to be there when it draws.
    controls["kernel"].observe(take_numbers, names="value")
    explorer = Explorer("Filter explorer", controls, partial(draw_step, images), arrange=arrange)
    return explorer
