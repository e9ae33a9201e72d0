"""Figures of images and of what a convolution makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle

from dlvc.arguments import check_whole
from dlvc.plots.arrays import as_array, as_picture, as_pictures, as_shaped
from dlvc.plots.attention_maps import DIFFERENCE_COLORS
from dlvc.plots.style import Picture, new_picture, set_description, styled
from dlvc.plots.tiling import Tiling


def _columns_for(count: int) -> int:
    """A number of columns that leaves no gap in the last row if one from 5 to 10 does."""
    return next((n for n in range(10, 4, -1) if count % n == 0), min(count, 8))


def _check_titles(titles: Sequence[str] | None, allowed: dict[int, str]) -> None:
    if titles is not None and len(titles) not in allowed:
        choices = " or ".join(f"{count} ({meaning})" for count, meaning in allowed.items())
        raise ValueError(f"the number of titles must be {choices}; got {len(titles)}.")


@styled
def show_images(
    images: Any,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    outlines: Any = None,
    title: str = "",
    says: str = "",
) -> Picture:
    """A grid of images (N, 3, H, W), uint8 or floats in [0, 1], with a title above each.

    `titles` are as many as images, or as many as columns: then they stand above the first row.
    `outlines` (N, H, W) bool draws the border of each image's mask; `says` is the description.
    Raises ValueError for another shape, type or range.
    """
    pictures = as_pictures(images)
    count, height, width, _ = pictures.shape
    if columns is not None:
        check_whole("columns", columns, low=1, hint="Leave it out to have it chosen.")
    if outlines is not None:
        hint = "Pass the masks of the same images."
        outlines = as_shaped(outlines, f"{count, height, width}", name="outlines", hint=hint)
    columns = min(columns or _columns_for(count), count)
    _check_titles(titles, {columns: "one per column", count: "one per image"})
    inches = 0.95 if columns > 6 else 1.3
    one_each = titles is not None and len(titles) == count
    lines = max(str(name).count("\n") + 1 for name in titles) if one_each else 0
    options = {"inches": inches, "ratio": height / width, "heading": lines}
    tiling = Tiling(columns, -(-count // columns), title=title, **options)
    for index, pixels in enumerate(pictures):
        row, column = divmod(index, columns)
        tiling.draw(pixels, column, row)
        if titles is not None and index < len(titles):
            tiling.write_above(str(titles[index]), column, row)
        if outlines is not None:
            tiling.draw_outline(outlines[index], column, row)
    named = "" if titles is None else ", each named above" if one_each else " in named columns"
    drawn = ", with the outline of each object" if outlines is not None else ""
    what = f"{count} images" if count > 1 else "An image"
    text = f"{what} of {width} x {height} pixels{named}{drawn}."
    return set_description(tiling.picture, says or text)


@styled
def filters_grid(weights: Any, *, title: str = "First-layer filters") -> Picture:
    """The filters (F, 3, k, k) of a first convolution as small colour images.

    `weights` may also name several of them, which are drawn below one another. All share one scale, symmetric around
    zero: middle grey is a weight of zero. Raises ValueError for another shape.
    """
    hint = "Only a first layer sees three colours."
    groups = {
        name: as_shaped(values, "(filters, 3, k, k)", name="weights", hint=hint).astype(np.float64)
        for name, values in (weights if isinstance(weights, Mapping) else {"": weights}).items()
    }
    largest = max(np.abs(filters).max() for filters in groups.values()) or 1.0
    columns = min(max(map(len, groups.values())), 8)
    rows = [-(-len(filters) // columns) for filters in groups.values()]
    tiling = Tiling(columns, sum(rows), inches=0.85, title=title)
    for group, (name, filters) in enumerate(groups.items()):
        first = sum(rows[:group])
        for index, weight in enumerate(filters):
            row, column = divmod(index, columns)
            tiling.draw(0.5 + weight.transpose(1, 2, 0) / (2 * largest), column, first + row)
        if name:
            tiling.write_left(name, 0, first)
    sizes = {
        f"{len(filters)} filters of {filters.shape[-1]} x {filters.shape[-1]} pixels"
        for filters in groups.values()
    }
    order = f", {', then '.join(groups)}" if len(groups) > 1 else ""
    return set_description(
        tiling.picture,
        f"The {' and '.join(sizes)} in one scale{order}: middle grey is a weight of zero, brighter is "
        "positive, darker negative.",
    )


@styled
def feature_maps(
    maps: Any, *, image: Any = None, names: Sequence[str] = (), title: str = "Feature maps"
) -> Picture:
    """The channels (C, H, W) of one layer's output for one image, in one shared scale.

    `image` (3, H, W), uint8 or floats in [0, 1], is drawn first; `names` stand above the channels of the first row.
    Raises ValueError for another shape.
    """
    channels = as_shaped(maps, "(channels, H, W)", name="maps")
    count, height, width = channels.shape
    first = 0 if image is None else 1.25
    columns = min(count, 8)
    rows = -(-count // columns)
    inches = 1.0 if columns > 4 else 1.8
    look = {"inches": inches, "ratio": height / width, "title": title, "side": 0.9}
    tiling = Tiling(columns + first, rows, **look)
    if image is not None:
        tiling.draw(as_picture(image), 0, 0)
        tiling.write_above("image", 0, 0)
    scale = {"vmin": channels.min(), "vmax": channels.max(), "cmap": "magma"}
    if channels.min() < 0:  # zero in the middle, in a colour of its own
        largest = np.abs(channels).max()
        scale = {"vmin": -largest, "vmax": largest, "cmap": DIFFERENCE_COLORS}
    for index, channel in enumerate(channels):
        row, column = divmod(index, columns)
        drawn = tiling.draw(channel, first + column, row, **scale)
    for column, name in enumerate(names[:columns]):
        tiling.write_above(name, first + column, 0)
    tiling.color_bar(drawn, "output")
    return set_description(
        tiling.picture,
        f"The {count} channels of a layer's output for one image, {width} x {height} values each, "
        "in one scale.",
    )


@styled
def field_maps(fields: Mapping[str, Any], *, says: str, title: str = "") -> Picture:
    """How much an output depends on each pixel, a square for each name, all in one scale.

    `fields[name]` is (H, W), as `inspection.effective_field` gives it: brighter counts more, black hardly, and a dashed
    line goes around all pixels that count at all.
    """
    picture = new_picture(max(5.0, 2.6 * len(fields)), 3.5, title=title)
    grid = picture.subplots(1, len(fields), squeeze=False)[0]
    shares = {name: 100 * as_array(field) for name, field in fields.items()}
    # The square root: otherwise the bright middle would hide how far the field goes.
    norm = PowerNorm(0.5, vmin=0, vmax=max(share.max() for share in shares.values()))
    for axes, (name, share) in zip(grid, shares.items(), strict=True):
        drawn = axes.imshow(share, cmap="inferno", norm=norm)
        rows, columns = (np.flatnonzero(share.any(axis=axis)) for axis in (1, 0))
        if len(rows):
            size = np.ptp(columns) + 1, np.ptp(rows) + 1
            frame = {"fill": False, "edgecolor": "white", "linestyle": "--"}
            axes.add_patch(Rectangle((columns[0] - 0.5, rows[0] - 0.5), *size, **frame))
        axes.set(title=name, xlabel="column (pixels)")
        axes.grid(visible=False)
    grid[0].set_ylabel("row (pixels)")
    picture.colorbar(drawn, ax=grid, label="share of the gradient (%), root scale", shrink=0.9)
    return set_description(picture, says)
