"""What a convolution or a pooling makes of an image: size, parameters and work, with the formula filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dlvc.arguments import check_choice, check_whole
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


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer on `channels` channels of size x size pixels, and the sizes that follow; a pooling has no `filters`.

    Multiply-adds are of one image, without biases. Raises ValueError, in words, for a layer that cannot be.
    """

    kind: str
    size: int
    channels: int
    filters: int
    kernel: int
    stride: int
    padding: int

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        for name in ("size", "channels", "filters", "kernel", "stride"):
            check_whole(name, getattr(self, name), low=1, hint="Try 1.")
        check_whole("padding", self.padding, low=0, hint="Try 0.")
        if self.kernel > self.padded:
            raise ValueError(
                f"The window of {self.kernel} x {self.kernel} is larger than the padded image of "
                f"{self.padded} x {self.padded} ({self.size} + 2 · {self.padding}): it fits nowhere. "
                "Make the window smaller or the padding larger."
            )
        if self.is_pooling and self.padding > self.kernel / 2:
            raise ValueError(
                f"A padding of {self.padding} is more than half of the pooling window of {self.kernel}: some windows "
                f"would hold nothing but padding, which has no largest value. Use at most {self.kernel // 2}."
            )

    @property
    def is_pooling(self) -> bool:
        """Whether it compares instead of multiplying."""
        return self.kind == KINDS[1]

    @property
    def padded(self) -> int:
        """The side of the padded image."""
        return self.size + 2 * self.padding

    @property
    def output(self) -> int:
        """The side of the output."""
        return (self.padded - self.kernel) // self.stride + 1

    @property
    def output_channels(self) -> int:
        """The channels of the output."""
        return self.channels if self.is_pooling else self.filters

    @property
    def unused(self) -> int:
        """The rows below, and the columns at the right, that no window reaches."""
        return (self.padded - self.kernel) % self.stride

    @property
    def last(self) -> int:
        """Where the last window begins."""
        return self.padded - self.kernel - self.unused

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return 0 if self.is_pooling else (self.kernel**2 * self.channels + 1) * self.filters

    @property
    def multiply_adds(self) -> int:
        """The products that are summed up."""
        weights = 0 if self.is_pooling else self.kernel**2 * self.channels * self.filters
        return weights * self.output**2


@styled
def draw_layer(**settings: Any) -> Picture:
    """The padded image with its first, second and last window, the output beside it, and the numbers of a `Layer`."""
    layer = Layer(**settings)
    size, kernel, stride, padding = layer.size, layer.kernel, layer.stride, layer.padding
    channels, filters, padded = layer.channels, layer.filters, layer.padded
    name = layer.kind.capitalize()
    picture = new_picture(9.2, 4.4, title=f"{name} on {channels} x {size} x {size}")
    left, right = picture.subplots(1, 2, width_ratios=(1, 1.4))
    for axes in (left, right):
        hide_axes(axes)
    left.set(
        xlim=(-0.02 * padded, 1.02 * padded), ylim=(1.02 * padded, -0.02 * padded), aspect="equal"
    )
    _draw_windows(left, layer)
    shape = f"{layer.output_channels} x {layer.output} x {layer.output}"
    lines = [
        f"side:  floor(({size} + 2 · {padding} \N{MINUS SIGN} {kernel}) / {stride}) + 1 = {layer.output}",
        f"output:  {shape} = {layer.output_channels * layer.output**2:,} numbers",
    ]
    if not layer.is_pooling:
        weights = f"{kernel} · {kernel} · {channels}"
        lines += [
            f"parameters:  ({weights} + 1) · {filters} = {layer.parameters:,}",
            f"multiply-adds:  {weights} · {filters} · {layer.output} · {layer.output} = {layer.multiply_adds:,}",
        ]
    else:
        lines.append("parameters and multiply-adds:  none, it only compares")
    lines.append(f"windows begin at:  {_starts(stride, layer.last)}")
    edge = "every pixel is used"
    if layer.unused:
        edge = (
            f"not used:  the last {layer.unused} of {padded} rows and columns, as\n"
            f"{stride} does not divide {padded} \N{MINUS SIGN} {kernel} = {padded - kernel}"
        )
    elif stride > kernel and layer.output > 1:
        edge = f"not used:  the {stride - kernel} between two windows"
    right.text(0, 1, "\n".join([*lines, edge]), va="top", fontsize=11, linespacing=1.9)
    return set_description(
        picture,
        f"{name} with windows of {kernel} x {kernel}, stride {stride} and padding {padding} turns "
        f"{channels} x {size} x {size} into {shape}: "
        f"{layer.parameters:,} parameters, {layer.multiply_adds:,} multiply-adds, "
        f"{layer.unused} rows and columns at the edge not used.",
    )


def _starts(stride: int, last: int) -> str:
    starts = list(range(0, last + 1, stride))
    shown = starts if len(starts) <= 6 else [*starts[:3], "...", starts[-1]]
    return ", ".join(map(str, shown))


def _draw_windows(axes: Axes, layer: Layer) -> None:
    """Draw the image in its padding, the first, the second and the last window, and what is left over."""
    padded, kernel = layer.padded, layer.kernel

    def frame(
        corner: tuple[float, float], side: float, color: str, label: str, **look: Any
    ) -> None:
        look = {"fill": False, "edgecolor": color, "linewidth": 2.5, "label": label, **look}
        axes.add_patch(Rectangle(corner, side, side, **look))

    frame((0, 0), padded, MUTED, "padded image", linestyle=":", linewidth=1.5)
    start, image = (layer.padding, layer.padding), {"facecolor": MUTED, "alpha": 0.25}
    axes.add_patch(Rectangle(start, layer.size, layer.size, label="image", **image))
    if layer.unused:
        reach = padded - layer.unused
        look = {"fill": False, "hatch": "xx", "edgecolor": VERMILLION, "linewidth": 0}
        axes.add_patch(Rectangle((reach, 0), layer.unused, padded, **look, label="not used"))
        axes.add_patch(Rectangle((0, reach), reach, layer.unused, **look))
    if layer.output > 1:
        frame((layer.stride, 0), kernel, BLUE, "second window", linestyle="--", linewidth=1.5)
        frame((layer.last, layer.last), kernel, GREEN, "last window", linestyle="-.")
    frame((0, 0), kernel, BLUE, "first window")
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
