"""Figures of maps put to the test: over images, against deletion, and against the object's mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlvc.plots.arrays import as_pictures, as_shaped
from dlvc.plots.attention_maps import ATTENTION_COLORS, DIFFERENCE_COLORS, patch_grid
from dlvc.plots.style import (
    BLUE,
    INK,
    MUTED,
    VERMILLION,
    Picture,
    new_picture,
    plot_grid,
    set_description,
    styled,
)
from dlvc.plots.tiling import Tiling

ORDER_LOOKS = {
    "lowest first": {"color": BLUE, "marker": "o", "linestyle": "--"},
    "random": {"color": MUTED, "marker": "s", "linestyle": ":"},
    "highest first": {"color": VERMILLION, "marker": "v", "linestyle": "-"},
}


@styled
def map_mosaic(images: Any, maps: Mapping[str, Any], *, title: str = "") -> Picture:
    """A row for each image: the image, then each of its maps, black for 0 and bright for its largest number.

    `images` (N, 3, H, W) are uint8 or floats in [0, 1]; `maps` holds (N, patches) by name, numbers from 0 up. Each map
    has a scale of its own, for maps of different kinds have no common one.
    Raises ValueError for another shape.
    """
    pictures = as_pictures(images)
    shape = f"({len(pictures)}, patches)"
    arrays = {
        name: as_shaped(values, shape, name=f"the map {name}").astype(float)
        for name, values in maps.items()
    }
    first = 1.15  # a gap sets the images apart
    ratio = pictures.shape[1] / pictures.shape[2]
    tiling = Tiling(
        first + len(arrays), len(pictures), inches=1.15, ratio=ratio, title=title, side=0.2
    )
    for row, picture in enumerate(pictures):
        tiling.draw(picture, 0, row)
        for column, values in enumerate(arrays.values()):
            grid = patch_grid(values.shape[1], picture)
            largest = values[row].max() or 1.0
            look = {"cmap": ATTENTION_COLORS, "vmin": 0, "vmax": largest}
            tiling.draw(values[row].reshape(grid), first + column, row, **look)
    tiling.write_above("image", 0, 0)
    for column, name in enumerate(arrays):
        tiling.write_above(name, first + column, 0)
    return set_description(
        tiling.picture,
        f"{len(pictures)} images and beside each {len(arrays)} maps of it: {', '.join(arrays)}; the brightest patch of "
        f"each map has its largest number.",
    )


@styled
def deletion_curves(
    hidden: Sequence[float],
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    columns: int = 3,
    title: str = "What happens to the prediction when patches are hidden",
) -> Picture:
    """A plot for each map: the mean probability against the share of hidden patches, a line for each order.

    `hidden` are shares from 0 to 1; `curves[map][order]` as many probabilities, or a row of them for each network: then
    the line is their mean, and a band goes from the lowest to the highest.
    Raises ValueError for an order of another name.
    """
    labels = ("patches hidden (%)", "probability (%)")
    picture, grid = plot_grid(
        len(curves), columns, (3.0, 2.45), (0.6, 1.2), title=title, labels=labels
    )
    for axes, (name, orders) in zip(grid.flat, curves.items(), strict=False):
        if not set(orders) <= set(ORDER_LOOKS):
            raise ValueError(f"orders are {', '.join(ORDER_LOOKS)}; got {', '.join(orders)}.")
        for order, look in ORDER_LOOKS.items():
            if order in orders:
                values, shares = 100 * np.atleast_2d(orders[order]), 100 * np.asarray(hidden)
                axes.plot(shares, values.mean(axis=0), label=order, markersize=4.5, **look)
                band = {"color": look["color"], "alpha": 0.2, "linewidth": 0}
                axes.fill_between(shares, values.min(axis=0), values.max(axis=0), **band)
        axes.set_title(name)
    grid[0, 0].set_ylim(0, None)
    grid[0, -1].legend(loc="upper right")
    return set_description(
        picture,
        "Mean probability of the class that the model says for the whole image, while its patches are hidden in the "
        "order of a map: the further the solid line falls below the dotted one, the more the model needs what the map "
        "marks.",
    )


@styled
def interval_rows(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    label: str,
    scale: float = 1.0,
    title: str = "",
    says: str,
) -> Picture:
    """A stroke on its interval for each row, the rows below the name of their group.

    `groups[group][row]` is (mean, low, high), all multiplied by `scale`, or several of these, such as one for each
    network: they stand close together. A line marks zero. `says` is the description.
    """
    rows = sum(len(group) + 1 for group in groups.values())
    most = max(len(np.atleast_2d(row)) for group in groups.values() for row in group.values())
    picture = new_picture(8, (0.2 + 0.04 * most) * rows + 1.4, title=title)
    axes = picture.subplots()
    place, ticks = 0, {}
    for group, intervals in groups.items():
        if group:
            look = {"fontweight": "bold", "fontsize": 9, "va": "center", "ha": "right"}
            axes.text(-0.015, place, group, transform=axes.get_yaxis_transform(), **look)
            place += 1
        for name, numbers in intervals.items():
            several = scale * np.atleast_2d(numbers)
            for number, (mean, *ends) in enumerate(several):
                height = place + 0.25 * (number - (len(several) - 1) / 2)
                width, size = (5, 11) if len(several) == 1 else (3, 6)
                axes.plot(
                    ends, [height, height], color=BLUE, linewidth=width, solid_capstyle="butt"
                )
                # A stroke: a dot would hide a short interval.
                axes.plot(mean, height, "|", color=INK, markersize=size, markeredgewidth=1.3)
            ticks[place] = name
            place += 1
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set(ylim=(place - 0.4, -0.6), xlabel=label)
    axes.grid(visible=False, axis="y")
    return set_description(picture, says)


@styled
def head_points(tables: Mapping[str, Any], *, title: str, says: str) -> Picture:
    """A table of colours for each entry: layers down, heads across, the number in percentage points.

    `tables[name]` (layers, heads) are shares, not points; `says` is the description. Raises ValueError for another
    shape.
    """
    import seaborn as sns  # half a second, which few notebooks need

    points = {
        name: 100 * as_shaped(values, "(layers, heads)", name=name).astype(float)
        for name, values in tables.items()
    }
    largest = max(np.abs(values).max() for values in points.values()) or 1.0
    height = max(len(values) for values in points.values())
    picture = new_picture(2.6 * len(points) + 1.4, 0.42 * height + 1.7, title=title)
    grid = picture.subplots(1, len(points), squeeze=False)[0]
    scale = {"cmap": DIFFERENCE_COLORS, "vmin": -largest, "vmax": largest, "cbar": False}
    for axes, (name, values) in zip(grid, points.items(), strict=True):
        texts = [[f"{round(value):+d}" if round(value) else "0" for value in row] for row in values]
        heads, layers = (range(1, count + 1) for count in values.shape[::-1])
        look = {"annot": texts, "fmt": "", "annot_kws": {"fontsize": 8.5}}
        sns.heatmap(values, ax=axes, xticklabels=heads, yticklabels=layers, **scale, **look)
        for text, value in zip(axes.texts, values.flat, strict=True):
            text.set_color("white" if abs(value) > 0.6 * largest else INK)
        axes.set(title=name, xlabel="head")
        axes.tick_params(axis="y", rotation=0)
    grid[0].set_ylabel("layer")
    picture.colorbar(axes.collections[0], ax=list(grid), label="points")
    return set_description(picture, says)
