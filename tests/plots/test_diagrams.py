"""The receptive field of the drawing is the one that gradients find."""

from __future__ import annotations

import pytest
import torch
from matplotlib.collections import PathCollection
from torch import nn

from dlvc.plots import receptive_field, residual_block
from dlvc.plots.diagrams import CNN_LAYERS, receptive_fields


@pytest.mark.parametrize(
    "layers",
    [
        CNN_LAYERS,
        (("convolution", 3, 1), ("convolution", 3, 1), ("convolution", 3, 1)),
        (("convolution", 5, 2), ("max-pooling", 3, 2), ("convolution", 3, 1)),
    ],
)
def test_receptive_fields_agree_with_the_gradient_of_one_output(layers):
    for depth in range(1, len(layers) + 1):
        # Mean-pooling sees what max-pooling sees, and gives every seen pixel a gradient.
        stack = [
            nn.Conv1d(1, 1, kernel, stride) if "conv" in name else nn.AvgPool1d(kernel, stride)
            for name, kernel, stride in layers[:depth]
        ]
        for each in stack:
            for weight in each.parameters():
                nn.init.ones_(weight)
        line = torch.zeros(1, 1, 64, requires_grad=True)
        output = nn.Sequential(*stack)(line)
        output[0, 0, output.shape[-1] // 2].backward()
        assert receptive_fields(layers)[depth][0] == int((line.grad != 0).sum())


def test_the_drawing_marks_as_many_input_dots_as_are_seen():
    figure = receptive_field()
    seen = receptive_fields(CNN_LAYERS)[-1][0]
    dots = [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]
    assert len(dots[1].get_offsets()) == seen == 24  # dots[0] are the input pixels around
    assert "24 x 24 input pixels" in figure.description


def test_only_the_block_with_residuals_has_sums():
    plain, residual = residual_block(("attention", "feed-forward")).axes
    words = [[text.get_text() for text in axes.texts] for axes in (plain, residual)]
    assert "+" not in words[0]
    assert words[1].count("+") == 2
    assert "norm, attention" in words[0]
