"""The receptive field of the drawing is the one that gradients find, and its padding is the network's."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from torch import nn

from dlvc.models.cnn import DeepCNN
from dlvc.plots import receptive_field_drawing
from dlvc.plots.parts import FROZEN, PLAIN, TENSOR
from dlvc.plots.receptive_fields import receptive_fields

DEEP_CNN = (
    ("convolution", 5, 1),
    ("pooling", 2, 2),
    *(("convolution", 3, 1), ("pooling", 2, 2)) * 2,
)


@pytest.mark.parametrize(
    "layers",
    [
        DEEP_CNN,
        (("convolution", 3, 1), ("convolution", 3, 1), ("convolution", 3, 1)),
        (("convolution", 5, 2), ("pooling", 3, 2), ("convolution", 3, 1)),
    ],
)
def test_receptive_fields_agree_with_the_gradient_of_one_output(layers):
    for depth in range(1, len(layers) + 1):
        # Mean-pooling sees what max-pooling sees, and gives every seen pixel a gradient.
        stack = [
            nn.Conv1d(1, 1, kernel, stride) if "conv" in name else nn.AvgPool1d(kernel, stride)
            for name, kernel, stride in layers[:depth]
        ]
        for layer in stack:
            for weight in layer.parameters():
                nn.init.ones_(weight)
        line = torch.zeros(1, 1, 64, requires_grad=True)
        output = nn.Sequential(*stack)(line)
        output[0, 0, output.shape[-1] // 2].backward()
        assert receptive_fields(layers)[depth][0] == int((line.grad != 0).sum())


def cells_of(figure) -> list[Counter]:
    """How many cells of each look there are in each row, from the image up."""
    looks = {
        to_hex(look.edge): name
        for name, look in (("seen", TENSOR), ("not seen", PLAIN), ("padding", FROZEN))
    }
    rows: dict[float, Counter] = {}
    for cell in figure.axes[0].artists + figure.axes[0].patches:
        if isinstance(cell, Rectangle):
            rows.setdefault(round(cell.get_y(), 3), Counter())[
                looks[to_hex(cell.get_edgecolor())]
            ] += 1
    return [rows[y] for y in sorted(rows, reverse=True)]


@pytest.mark.parametrize(
    ("network", "pixels", "last"),
    [
        # By hand: the middle number sees 5, 6, 14, 16 pixels of the unpadded simple CNN.
        ("simple-cnn", {"seen": 16, "not seen": 16}, {"seen": 1, "not seen": 4}),
        # And 5, 6, 10, 12, 20, 24 of the deep one, whose first layer pads two zeros at each end.
        ("deep-cnn-bn", {"seen": 24, "not seen": 8, "padding": 4}, {"seen": 1, "not seen": 3}),
        # Its single number sees all pixels, and less of them than the formula says: the rest is padding.
        (DeepCNN(depth=5), {"seen": 32, "padding": 4}, {"seen": 1}),
    ],
)
def test_pixels_are_drawn_one_by_one_with_those_that_are_seen_and_the_padding(
    network, pixels, last
):
    figure = receptive_field_drawing(network)
    rows = cells_of(figure)
    assert rows[0] == pixels
    assert rows[-1] == last
    assert f"depends on {pixels['seen']} of 32 pixels" in figure.description
    assert ("padding" in pixels) == ("Hatched cells are padding" in figure.description)


def test_the_table_beside_it_has_kernel_stride_step_and_field():
    words = [text.get_text() for text in receptive_field_drawing().axes[0].texts]
    assert words[:5] == ["image, 32 pixels", "1", "1 pixel", "conv 5×5, no padding", "5"]
    assert [word for word in words if "pixel" in word][1:6] == [
        "1 pixel",
        "5 pixels",
        "6 pixels",
        "14 pixels",
        "16 pixels",
    ]


@pytest.mark.parametrize("network", ["resnet18", "deep-vit"])
def test_what_is_no_stack_of_convolutions_is_refused(network):
    with pytest.raises(ValueError, match="stack of convolutions; got"):
        receptive_field_drawing(network)
