"""Figures of attention between the patches of an image, and of the patches' position codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlvc.arguments import check_whole
from dlvc.plots.arrays import as_picture, as_shaped
from dlvc.plots.style import Picture, set_description, styled
from dlvc.plots.tiling import Tiling

ATTENTION_COLORS = "magma"
DIFFERENCE_COLORS = "PuOr_r"  # two hues that stay apart for colour-blind eyes


def patch_grid(tokens: int, image: np.ndarray | None = None) -> tuple[int, int]:
    """Rows and columns of the patches, in the shape of `image` (square without one)."""
    height, width = image.shape[:2] if image is not None else (1, 1)
    rows = round((tokens * height / width) ** 0.5)
    if rows == 0 or tokens % rows or rows * width != (tokens // rows) * height:
        raise ValueError(
            f"{tokens} tokens are no grid of square patches; leave the class token out with "
            "maps[..., 1:, 1:] if there is one."
        )
    return rows, tokens // rows


@styled
def attention_overlay(image: Any, maps: Any, *, query: int, title: str = "") -> Picture:
    """Where one query patch looks: for each head its weights, and the image lit by them.

    `image` (3, H, W) is uint8 or floats in [0, 1]; `maps` (heads, N, N) hold the attention of one
    layer, row = query; `query` counts patches row by row from 0.
    Raises ValueError for another shape or a query that does not exist.
    """
    pixels = as_picture(image)
    hint = "Take one image of attention_maps(model, images)."
    weights = as_shaped(maps, "(heads, N, N)", name="maps", hint=hint)
    heads, tokens, _ = weights.shape
    check_whole("query", query, low=0, high=tokens - 1, hint="It counts patches row by row.")
    grid = patch_grid(tokens, pixels)
    patch = pixels.shape[0] // grid[0], pixels.shape[1] // grid[1]
    here = divmod(query, grid[1])
    lit = pixels / 255 if pixels.dtype == np.uint8 else pixels
    title = title or f"Where patch {query} (row {here[0] + 1}, column {here[1] + 1}) looks"
    ratio = pixels.shape[0] / pixels.shape[1]
    first = 1.2  # a gap sets the image apart
    options = {"ratio": ratio, "title": title, "heading": 1, "side": 0.9}
    tiling = Tiling(heads + first, 2, inches=1.6, **options)
    tiling.draw(pixels, 0, 0)
    tiling.write_above("image and query", 0, 0)
    tiling.frame_patch(here, grid, 0, 0)
    largest = weights[:, query].max()
    scale = {"cmap": ATTENTION_COLORS, "vmin": 0, "vmax": 100 * largest}
    for head, attention in enumerate(weights[:, query].reshape(heads, *grid)):
        drawn = tiling.draw(100 * attention, first + head, 0, **scale)
        text = f"head {head + 1}: up to {100 * attention.max():.1f} %"
        tiling.write_above(text, first + head, 0)
        # The eye sees the root of a light's strength better than the strength itself.
        light = 0.2 + 0.8 * np.sqrt(np.kron(attention / largest, np.ones(patch)))
        tiling.draw(lit * light[..., None], first + head, 1)
        for row in range(2):
            tiling.frame_patch(here, grid, first + head, row)
    tiling.color_bar(drawn, "attention weight (%)")
    return set_description(
        tiling.picture,
        f"Attention of the framed query patch over all {tokens} patches in each head: weights "
        f"above (equal attention would be {100 / tokens:.1f} % everywhere), below the image lit "
        "by them, in one scale.",
    )


@styled
def position_similarity(positions: Any) -> Picture:
    """For each patch a small map: the cosine of its position code with all the others.

    `positions` is (N, embed_dim) for a square grid of patches, row by row.
    Raises ValueError for another shape.
    """
    codes = as_shaped(positions, "(N, embed_dim)", name="positions").astype(np.float64)
    rows, columns = patch_grid(len(codes))
    codes = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    cosine = (codes @ codes.T).reshape(rows, columns, rows, columns)
    title = "How similar the position codes of patches are"
    tiling = Tiling(columns, rows, inches=0.68, title=title, side=1.1)
    # Without negative values a scale from -1 would hide most of the differences.
    scale = {"cmap": "viridis", "vmin": 0 if cosine.min() > -0.05 else -1, "vmax": 1}
    for row, column in np.ndindex(rows, columns):
        drawn = tiling.draw(cosine[row, column], column, row, **scale)
        x, y = tiling.corner(column, row)
        center = x + (column + 0.5) / columns, y + (row + 0.5) / rows
        tiling.axes.plot(*center, marker="o", markersize=3.5, color="white", mec="black")
    for row in range(rows):
        tiling.write_left(f"row {row + 1}", 0, row)
    for column in range(columns):
        tiling.write_above(f"col. {column + 1}", column, 0)
    tiling.color_bar(drawn, "cosine similarity")
    return set_description(
        tiling.picture,
        "Cosine similarity of position codes: each small map compares the code of one patch, at "
        "the white dot, with the codes of all patches.",
    )
