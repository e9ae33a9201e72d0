"""What a convolution or a pooling makes of an image: size, parameters and work, with the formula filled in."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dlvc.checks import check_choice, check_whole
from dlvc.plots import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    VERMILLION,
    Picture,
    hide_axes,
    new_picture,
    set_description,
    styled,
)
from dlvc.widgets.explorers.explorer import Explorer, choice, slider

KINDS = ("convolution", "max-pooling")


@dataclass(frozen=True)
class LayerSize:
    """The numbers of one layer on square images; `unused` rows below and columns at the right no window reaches."""

    size: int
    channels: int
    parameters: int
    multiply_adds: int
    unused: int


def layer_size(
    *, kind: str, size: int, channels: int, filters: int, kernel: int, stride: int, padding: int
) -> LayerSize:
    """The layer's output for `channels` channels of size x size pixels; `filters` means nothing to a pooling.

    Multiply-adds are of one image, without biases. Raises ValueError, in words, for a layer that cannot be.
    """
    check_choice("kind", kind, KINDS)
    numbers = {
        "size": size,
        "channels": channels,
        "filters": filters,
        "kernel": kernel,
        "stride": stride,
    }
    for name, value in numbers.items():
        check_whole(name, value, low=1, hint="Try 1.")
    check_whole("padding", padding, low=0, hint="Try 0.")
    padded = size + 2 * padding
    if kernel > padded:
        raise ValueError(
            f"The window of {kernel} x {kernel} is larger than the padded image of {padded} x {padded} "
            f"({size} + 2 · {padding}): it fits nowhere. Make the window smaller or the padding larger."
        )
    pooling = kind == KINDS[1]
    if pooling and padding > kernel / 2:
        raise ValueError(
            f"A padding of {padding} is more than half of the pooling window of {kernel}: some windows would hold "
            f"nothing but padding, which has no largest value. Use at most {kernel // 2}."
        )
    output, unused = (padded - kernel) // stride + 1, (padded - kernel) % stride
    weights = 0 if pooling else kernel * kernel * channels * filters
    return LayerSize(
        size=output,
        channels=channels if pooling else filters,
        parameters=0 if pooling else weights + filters,
        multiply_adds=weights * output * output,
        unused=unused,
    )


@styled
def draw_layer(
    *, kind: str, size: int, channels: int, filters: int, kernel: int, stride: int, padding: int
) -> Picture:
    """The padded image with its first, second and last window, the output beside it, and the numbers."""
    made = layer_size(
        kind=kind,
        size=size,
        channels=channels,
        filters=filters,
        kernel=kernel,
        stride=stride,
        padding=padding,
    )
    padded = size + 2 * padding
    picture = new_picture(9.2, 4.4, title=f"{kind.capitalize()} on {channels} x {size} x {size}")
    left, right = picture.subplots(1, 2, width_ratios=(1, 1.4))
    for axes in (left, right):
        hide_axes(axes)
    left.set(
        xlim=(-0.02 * padded, 1.02 * padded), ylim=(1.02 * padded, -0.02 * padded), aspect="equal"
    )
    _draw_windows(left, made, size=size, kernel=kernel, stride=stride, padding=padding)
    last = padded - kernel - made.unused
    lines = [
        f"side:  floor(({size} + 2 · {padding} \N{MINUS SIGN} {kernel}) / {stride}) + 1 = {made.size}",
        f"output:  {made.channels} x {made.size} x {made.size} = {made.channels * made.size**2:,} numbers",
    ]
    if kind == KINDS[0]:
        weights = f"{kernel} · {kernel} · {channels}"
        lines += [
            f"parameters:  ({weights} + 1) · {filters} = {made.parameters:,}",
            f"multiply-adds:  {weights} · {filters} · {made.size} · {made.size} = {made.multiply_adds:,}",
        ]
    else:
        lines.append("parameters and multiply-adds:  none, it only compares")
    lines.append(f"windows begin at:  {_starts(stride, last)}")
    edge = "every pixel is used"
    if made.unused:
        edge = (
            f"not used:  the last {made.unused} of {padded} rows and columns, as\n"
            f"{stride} does not divide {padded} \N{MINUS SIGN} {kernel} = {padded - kernel}"
        )
    elif stride > kernel and made.size > 1:
        edge = f"not used:  the {stride - kernel} between two windows"
    right.text(0, 1, "\n".join([*lines, edge]), va="top", fontsize=11, linespacing=1.9)
    return set_description(
        picture,
        f"{kind.capitalize()} with windows of {kernel} x {kernel}, stride {stride} and padding {padding} turns "
        f"{channels} x {size} x {size} into {made.channels} x {made.size} x {made.size}: "
        f"{made.parameters:,} parameters, {made.multiply_adds:,} multiply-adds, "
        f"{made.unused} rows and columns at the edge not used.",
    )


def _starts(stride: int, last: int) -> str:
    starts = list(range(0, last + 1, stride))
    shown = starts if len(starts) <= 6 else [*starts[:3], "...", starts[-1]]
    return ", ".join(map(str, shown))


def _draw_windows(
    axes: Axes, made: LayerSize, *, size: int, kernel: int, stride: int, padding: int
) -> None:
    """Draw the image in its padding, the first, the second and the last window, and what is left over."""
    padded = size + 2 * padding
    last = padded - kernel - made.unused

    def square(corner: float, side: float, **look: object) -> None:
        axes.add_patch(Rectangle((corner, corner), side, side, **look))

    square(
        0, padded, fill=False, edgecolor=MUTED, linestyle=":", linewidth=1.5, label="padded image"
    )
    square(padding, size, facecolor=MUTED, alpha=0.25, label="image")
    if made.unused:
        reach = padded - made.unused
        look = {"fill": False, "hatch": "xx", "edgecolor": VERMILLION, "linewidth": 0}
        axes.add_patch(Rectangle((reach, 0), made.unused, padded, **look, label="not used"))
        axes.add_patch(Rectangle((0, reach), reach, made.unused, **look))
    if made.size > 1:
        second = {"fill": False, "edgecolor": BLUE, "linewidth": 1.5, "linestyle": "--"}
        axes.add_patch(Rectangle((stride, 0), kernel, kernel, **second, label="second window"))
        square(
            last,
            kernel,
            fill=False,
            edgecolor=GREEN,
            linewidth=2.5,
            linestyle="-.",
            label="last window",
        )
    square(0, kernel, fill=False, edgecolor=BLUE, linewidth=2.5, label="first window")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, labelcolor=INK, fontsize=8.5)


def layer_explorer() -> Explorer:
    """All settings of a convolution or pooling, above the layer and its numbers."""
    controls = {
        "kind": choice("Layer", KINDS, KINDS[0]),
        "size": slider("Image size", 32, 1, 64),
        "channels": slider("Input channels", 3, 1, 64),
        "filters": slider("Filters", 6, 1, 64),
        "kernel": slider("Window (kernel)", 5, 1, 15),
        "stride": slider("Stride", 1, 1, 8),
        "padding": slider("Padding", 0, 0, 8),
    }

    def no_filters_in_a_pooling(change: dict) -> None:
        controls["filters"].disabled = change["new"] == KINDS[1]

    controls["kind"].observe(no_filters_in_a_pooling, names="value")
    return Explorer("Layer calculator", controls, draw_layer)
