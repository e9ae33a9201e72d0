"""The fixed position codes of a vision transformer: their waves, and which positions they make alike."""

from __future__ import annotations

import torch
from torch import Tensor

from dlvc.arguments import check_whole
from dlvc.models import sinusoidal_positions
from dlvc.plots import Picture, as_array, new_picture, set_description, styled
from dlvc.widgets.explorers.explorer import Explorer, slider, steps


def code_similarity(codes: Tensor, position: int) -> Tensor:
    """The cosine similarity (N,) of the code at `position` with each of the codes (N, D)."""
    check_whole("position", position, low=0, high=len(codes) - 1, hint="Choose an earlier one.")
    return torch.cosine_similarity(codes[position][None], codes, dim=1)


@styled
def draw_positions(*, side: int, embed_dim: int, base: float, position: int) -> Picture:
    """The codes of side x side patches as a heat map, and the similarity of one of them to all on the image's grid."""
    codes = sinusoidal_positions(side * side, embed_dim, base=base)
    similarity = code_similarity(codes, position)
    picture = new_picture(
        9, 4.2, title=f"Codes of {side * side} patches, {embed_dim} numbers each, base {base:,.0f}"
    )
    left, right = picture.subplots(1, 2, width_ratios=(3, 2))
    colors = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
    left.imshow(as_array(codes), aspect="auto", **colors)
    left.axhline(position, color="black", linewidth=1, linestyle="--")
    left.set(xlabel="place in the code", ylabel="number of the patch")
    # With a fixed height matplotlib need not measure each tick's label to place the title.
    left.set_title("codes (dashed: the chosen patch)", y=1)
    drawn = right.imshow(as_array(similarity.view(side, side)), **colors)
    row, column = divmod(position, side)
    right.plot(column, row, "o", color="white", markeredgecolor="black", markersize=9)
    ticks = range(0, side, 1 + side // 9)
    for axis in (right.xaxis, right.yaxis):
        axis.set_ticks(ticks, [tick + 1 for tick in ticks])  # counted from 1, as in the viewer
    right.set(xlabel="column", ylabel="row")
    right.set_title(f"similarity to patch {position} (the dot)", y=1)
    for axes in (left, right):
        axes.grid(visible=False)
    for axis in (left.xaxis, left.yaxis):
        axis.get_major_locator().set_params(integer=True)
    picture.colorbar(
        drawn, ax=right, label="value, or cosine similarity", ticks=(-1, -0.5, 0, 0.5, 1)
    )
    of = f"{side * side} codes of {embed_dim} numbers with base {base:,.0f}"
    return set_description(picture, f"{of}. {_in_words(similarity, position, side)}")


def _in_words(similarity: Tensor, position: int, side: int) -> str:
    row, column = divmod(position, side)
    beside, below = (
        position + (1 if place < side - 1 else -1) * step
        for place, step in ((column, 1), (row, side))
    )
    return (
        f"The code of patch {position} (row {row + 1}, column {column + 1}) has a cosine similarity of "
        f"{similarity[beside]:.2f} with patch {beside} beside it and of {similarity[below]:.2f} with patch {below} "
        f"{'below' if below > position else 'above'} it."
    )


def position_explorer() -> Explorer:
    """Size of the grid of patches, numbers in a code, base of the waves and a chosen patch, above the codes."""
    controls = {
        "side": slider("Patches in a row", 8, 2, 16),
        "embed_dim": slider("Numbers in a code", 128, 2, 256),
        "base": steps("Base", [2, 10, 100, 1_000, 10_000, 100_000], 10_000),
        "position": slider("Chosen patch", 27, 0, 255),
    }
    return Explorer("Position explorer", controls, draw_positions)
