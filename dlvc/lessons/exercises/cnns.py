"""How the answers to the exercises of notebook 02 are judged; each judge has the name of its exercise."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d

from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.judges import random_numbers

stem_shape = judges.shape(
    (64, 64, 16, 16),
    {
        (64, 3, 16, 16): "the result's channels are the filters of the layer, not its input's.",
        (64, 64, 14, 14): "the padding lies on both sides: it counts twice.",
        (64, 64, 13, 13): "padding 3 adds 3 pixels on each side, and you left it out.",
        (64, 64, 15, 15): "the last + 1 is missing: a filter that just fits gives one value.",
        (64, 64, 17, 17): "round down: a filter that does not fit wholly is not applied.",
        (64, 64, 32, 32): "with stride 2 the filter moves two pixels at a time.",
        (64, 16, 16, 64): "torch keeps the channels in second place, before rows and columns.",
    },
)
stem_parameters = judges.number(
    7 * 7 * 3 * 64,
    {
        (7 * 7 * 3 + 1) * 64: "you counted a bias for each filter, and this layer has none.",
        7 * 7 * 64: "a filter has weights for each of the three colours.",
        7 * 7 * 3: "that is one filter; there are 64.",
        7 * 3 * 64: "a filter has 7 x 7 weights for each colour, not 7.",
        7 * 7 * 3 * 64 * 16 * 16: "the same weights are used at each place: count them once.",
    },
)
single_value = judges.choice(
    "error",
    unchanged="the mean of a single number is the number itself, and it is taken away.",
    shift="that is what the formula gives, but torch refuses to compute it. Run it and read what it says.",
)
forgotten_255 = judges.choice(
    "deep-cnn-bn",
    **{
        "simple-cnn": "its layers multiply and add: inputs 255 times as large make logits about as much larger.",
        "deep-cnn": "nothing in it takes the scale away: its first loss is far above ln 10.",
    },
)
only_depth = judges.parts(
    {
        "filters in the first layer": judges.choice("changes", same="it is 6 against 16."),
        "padding": judges.choice("changes", same="only one of the two keeps the size."),
        "number of parameters": judges.choice(
            "changes", same="it is 62,006 against 289,322, nearly five times as many."
        ),
        "fully connected layers": judges.choice(
            "changes",
            same="count the arrows between 400, 120, 84 and 10, and between 1024, 256 and 10.",
        ),
        "training images and settings": judges.choice(
            "same", changes="both learn from the same images with the same optimizer and epochs."
        ),
    }
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


def _convolve(image: Tensor, filter: Tensor) -> Tensor:
    return conv2d(image[None, None], filter[None, None])[0, 0]


convolve = judges.function(
    _convolve,
    {
        "you turned the filter round: that is the convolution of mathematics. Here it is laid on as it is.": (
            lambda x, w: _convolve(x, w.flip(0, 1))
        ),
        "rows and columns of the filter are exchanged.": lambda x, w: _convolve(x, w.T),
        "rows and columns of the result are exchanged.": lambda x, w: _convolve(x, w).T,
        "the last row and column are missing: the filter also fits at the end, H - k + 1 times.": (
            lambda x, w: _convolve(x, w)[:-1, :-1]
        ),
        "you padded the image: without padding the result is smaller than the image.": lambda x, w: (
            conv2d(x[None, None], w[None, None], padding=len(w) // 2)[0, 0]
        ),
        "you took the mean of the products, not their sum.": lambda x, w: (
            _convolve(x, w) / w.numel()
        ),
    },
    [
        (random_numbers(5, 7, seed=1), random_numbers(3, 3, seed=2)),
        (random_numbers(6, 4, seed=3), random_numbers(2, 2, seed=4)),
    ],
)


def _normalised(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    *,
    axes: tuple[int, ...] = (0, 2, 3),
    correction: int = 0,
    epsilon: float = 1e-5,
    power: float = 0.5,
    outside: float = 0.0,
) -> Tensor:
    """Batch normalisation, or what it becomes over other axes, of another variance, or with another denominator."""
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=correction)
    y = (x - mean) / ((variance + epsilon) ** power + outside)
    return scale[:, None, None] * y + shift[:, None, None]


normalise_batch = judges.function(
    lambda x, scale, shift: batch_norm(x, None, None, scale, shift, training=True),
    {
        "that is the sample variance, divided by the count less 1. Divide by the count: `correction=0`.": (
            partial(_normalised, correction=1)
        ),
        "epsilon is missing under the root: a channel that hardly varies would blow up.": (
            partial(_normalised, epsilon=0.0)
        ),
        "epsilon is added to the variance, before the root.": (
            partial(_normalised, epsilon=0.0, outside=1e-5)
        ),
        "divide by the standard deviation, not by the variance: the root is missing.": (
            partial(_normalised, power=1)
        ),
        "scale and shift are missing.": lambda x, *_: batch_norm(x, None, None, training=True),
        "you normalised each image by itself (instance norm): the mean goes over the batch, too.": (
            partial(_normalised, axes=(2, 3))
        ),
        "you took one mean over all channels (of one image: layer norm). Each channel has its own.": (
            partial(_normalised, axes=(1, 2, 3))
        ),
        "you took one mean over everything. Each channel has its own.": (
            partial(_normalised, axes=(0, 1, 2, 3))
        ),
        "you took the mean over the batch only: it goes over all pixels, too.": (
            partial(_normalised, axes=(0,))
        ),
    },
    [
        (
            factor * random_numbers(*shape, seed=1),
            random_numbers(shape[1], seed=2),
            random_numbers(shape[1], seed=3),
        )
        # The last images are so faint that epsilon matters.
        for factor, shape in ((1, (4, 3, 2, 5)), (10, (3, 2, 4, 4)), (0.01, (3, 2, 4, 4)))
    ],
)
