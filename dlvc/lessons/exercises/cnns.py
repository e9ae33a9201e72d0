"""How the answers to the exercises of notebook 02 are judged; each judge has the name of its exercise."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from dlvc.lessons.exercises import batch_norm, judges, networks
from dlvc.lessons.exercises.judges import random_numbers

DeepCNN = networks.judge_deep_cnn
training_loop = networks.judge_loop
small_cnn = networks.judge_small_cnn
BatchNorm = batch_norm.judge_batch_norm

# How far a stack sees.


def _field(
    layers: list[tuple[int, int]],
    *,
    size: int = 1,
    use: Callable[[int, int], int] = lambda jump, stride: jump,
) -> int:
    """The side of the receptive field; `use` says how far apart neighbours are taken to be."""
    jump = 1
    for kernel, stride in layers:
        size += (kernel - 1) * use(jump, stride)
        jump *= stride
    return size


field_size = judges.function(
    _field,
    {
        "the strides are missing: after a stride of 2, neighbours lie two input pixels apart.": partial(
            _field, use=lambda jump, stride: 1
        ),
        "a layer's stride moves only the layers after it: widen the field first, then the jump.": partial(
            _field, use=lambda jump, stride: jump * stride
        ),
        "only the stride of the layer itself counts for you: the jump is the product of all strides before it.": (
            lambda layers: 1 + sum((kernel - 1) * stride for kernel, stride in layers)
        ),
        "without any layer a value sees its own pixel: start at 1, not at 0.": partial(
            _field, size=0
        ),
        "that is the product of the windows: each layer adds k - 1 jumps.": (
            lambda layers: math.prod(kernel for kernel, _ in layers)
        ),
        "a window of k values reaches over k - 1 gaps, not k.": (
            lambda layers: _field([(kernel + 1, stride) for kernel, stride in layers])
        ),
        "that is the jump after the last layer, not the field.": (
            lambda layers: math.prod(stride for _, stride in layers)
        ),
    },
    [
        ([(5, 1), (2, 2), (3, 1), (2, 2), (3, 1), (2, 2)],),
        ([(7, 2), (3, 2), (3, 1), (3, 2)],),
        ([(3, 1), (3, 1)],),
    ],
)

# Filters.


def _convolve(image: Tensor, filters: Tensor, biases: Tensor) -> Tensor:
    return conv2d(image[None], filters, biases)[0]


convolve = judges.without(
    judges.function(
        _convolve,
        {
            "the bias of each filter is missing.": lambda x, w, b: _convolve(x, w, 0 * b),
            "add the bias once, not for each channel.": lambda x, w, b: _convolve(x, w, len(x) * b),
            "you turned the filters round, as mathematics does: here they are laid on as they are.": (
                lambda x, w, b: _convolve(x, w.flip(2, 3), b)
            ),
            "rows and columns of the filters are exchanged.": lambda x, w, b: _convolve(x, w.mT, b),
            "rows and columns of the result are exchanged.": lambda x, w, b: _convolve(x, w, b).mT,
            "the last row and column are missing: the filter also fits at the end, H - k + 1 times.": (
                lambda x, w, b: _convolve(x, w, b)[:, :-1, :-1]
            ),
            "all channels count, not only the first.": lambda x, w, b: _convolve(
                x[:1], w[:, :1], b
            ),
            "a filter adds up its channels; you took their mean.": (
                lambda x, w, b: _convolve(x, w / len(x), b)
            ),
        },
        [
            (
                random_numbers(*image, seed=1),
                random_numbers(*filters, seed=2),
                random_numbers(filters[0]),
            )
            for image, filters in (((2, 5, 7), (4, 2, 3, 3)), ((3, 6, 4), (2, 3, 2, 2)))
        ],
    ),
    {"conv": "multiply the windows by the filters and add up."},
)


def _respond(first: Tensor, second: Tensor) -> Tensor:
    """What two filters make of a single bright pixel."""
    pixel = torch.zeros(1, 1, 9, 9)
    pixel[0, 0, 4, 4] = 1
    return conv2d(conv2d(pixel, first), second)


combined_filter = judges.function(
    lambda first, second: _respond(first, second).flip(2, 3),
    {
        "this is the answer to a single bright pixel, which is the filter upside down and mirrored.": _respond,
        "you mirrored it only from left to right: it is upside down, too.": (
            lambda a, b: _respond(a, b).flip(3)
        ),
        "the shape is that of the answer without its border: use a larger image around the bright pixel.": conv2d,
        "one filter after the other is not their sum.": lambda a, b: a + b,
        "one filter after the other is not their product.": lambda a, b: a * b,
    },
    [
        (random_numbers(1, 1, 3, 3, seed=seed), random_numbers(1, 1, 3, 3, seed=9 + seed))
        for seed in (1, 2)
    ],
)
