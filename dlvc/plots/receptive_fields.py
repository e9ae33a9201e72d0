"""The receptive field, drawn: which pixels one output of a convolutional network depends on."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Polygon, Rectangle
from torch import nn

from dlvc.arguments import brief
from dlvc.plots.networks import SUMS, forward_pass, operation_of, outline, window_of
from dlvc.plots.parts import FROZEN, PLAIN, TENSOR, new_drawing, write
from dlvc.plots.style import Picture, styled


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
def receptive_field_drawing(network: str | nn.Module = "simple-cnn") -> Picture:
    """A cut through a CNN along one row of the image: what the middle output sees, with padding and the formula.

    `network` is the key of an experiment, or a model of one's own. Raises ValueError for one that is no stack of
    convolutions and poolings.
    """
    passed = forward_pass(outline(network))
    layers = [row for row in passed if isinstance(row[0], (nn.Conv2d, nn.MaxPool2d))]
    if not layers or any(type(layer).__name__ in SUMS for layer, *_ in passed):
        raise ValueError(
            f"network must be a stack of convolutions; got {brief(network)}. Try 'simple-cnn'."
        )
    windows = [window_of(layer) for layer, *_ in layers]
    names, sizes = [f"image, {layers[0][1][-1]} pixels"], [layers[0][1][-1]]
    for (layer, _, after), (*_, padding) in zip(layers, windows, strict=True):
        border = f"padding {padding}" if padding else "no padding"
        words = operation_of(layer).name.replace("\n", ", ")
        names.append(f"{words}, {border}" if isinstance(layer, nn.Conv2d) else words)
        sizes.append(after[-1])
    fields = receptive_fields([("", kernel, stride) for kernel, stride, _ in windows])
    first = last = sizes[-1] // 2  # of the cells of a row that are seen, from the top down
    seen = [(first, last)]
    for (kernel, stride, padding), size in reversed([*zip(windows, sizes, strict=False)]):
        seen.insert(0, (first * stride - padding, last * stride - padding + kernel - 1))
        first, last = max(seen[0][0], 0), min(seen[0][1], size - 1)  # padding sees nothing
    padded = any(padding for *_, padding in windows)
    border = (
        "Hatched cells are padding, zeros beyond the border." if padded else "Nothing is padded."
    )
    picture, axes = new_drawing(
        9.4,
        1.05 + 0.55 * len(layers),
        title="What one number sees: the receptive field",
        says="Along one row of the image: the blue number at the top depends on "
        f"{last - first + 1} of {sizes[0]} pixels. {border}",
    )
    unit = 4.5 / (sizes[0] + 2 * windows[0][2])  # inches for a pixel
    middle = 1.9 + unit * (0.5 + windows[0][2])  # of the first cell of a row
    rows = []  # the height of each, the middles of its cells, and half the width of a cell
    for level, (field, step) in enumerate(fields):
        kernel, _, padding = windows[level] if level < len(windows) else (1, 1, 0)
        y, half = 0.4 + 0.55 * (len(layers) - level), 0.42 * unit * step
        cells = {i: middle + unit * i * step for i in range(-padding, sizes[level] + padding)}
        rows.append((y, cells, half))
        for cell, x in cells.items():
            look = TENSOR if seen[level][0] <= cell <= seen[level][1] else PLAIN
            look = look if 0 <= cell < sizes[level] else FROZEN
            colors = {"facecolor": look.fill, "edgecolor": look.edge, "hatch": 2 * look.hatch}
            axes.add_artist(Rectangle((x - half, y - 0.09), 2 * half, 0.18, zorder=2, **colors))
        write(axes, 0, y, names[level], ha="left")
        for x, number in zip((6.95, 7.4), windows[level - 1] if level else (), strict=False):
            write(axes, x, y, str(number))
        write(axes, 7.85, y, str(step))
        write(axes, 8.3, y, f"{field} pixel{'s'[: field - 1]}", ha="left", fontweight="bold")
        middle += unit * step * ((kernel - 1) / 2 - padding)
    for level, (kernel, *_) in enumerate(windows):
        (low, below, narrow), (y, above, wide) = rows[level : level + 2]
        (first, last), (left, right) = seen[level + 1], seen[level]
        first, last = max(first, 0), min(last, sizes[level + 1] - 1)
        # All that is seen, and darker what its first cell sees.
        for end, far, alpha in ((last, right, 0.12), (first, left + kernel - 1, 0.2)):
            corners = [(above[first] - wide, y), (above[end] + wide, y)]
            corners += [(below[far] + narrow, low), (below[left] - narrow, low)]
            axes.add_patch(Polygon(corners, color=TENSOR.edge, alpha=alpha, linewidth=0, zorder=1))
    for x, head in ((6.95, "$k$"), (7.4, "$s$"), (7.85, "$j$"), (8.3, "sees $r$")):
        write(axes, x, 0.16, head, ha="left" if "sees" in head else "center", va="baseline")
    formula = "$r_l = r_{l-1} + (k_l - 1)\\,j_{l-1}, \\quad j_l = j_{l-1}\\,s_l$"
    words = "kernel size $k$, stride $s$; neighbours in layer $l$ are $j$ pixels apart"
    write(axes, 0, 0.85 + 0.55 * len(layers), f"{formula}     {words}", ha="left")
    return picture
