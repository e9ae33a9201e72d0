"""The exercises of notebook 02 name the likely mistake behind a wrong answer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from wrong_answers import Table, both_tests


def respond(first: Tensor, second: Tensor) -> Tensor:
    pixel = torch.zeros(1, 1, 11, 11)
    pixel[0, 0, 5, 5] = 1
    return torch.conv2d(torch.conv2d(pixel, first), second)[:, :, 1:-1, 1:-1]


def slide(image: Tensor, filter: Tensor, *, rows: int, columns: int) -> Tensor:
    k = len(filter)
    return torch.stack(
        [
            torch.stack([(image[i : i + k, j : j + k] * filter).sum() for j in range(columns)])
            for i in range(rows)
        ]
    )


def full(image: Tensor, filter: Tensor) -> Tensor:
    k = len(filter)
    return slide(image, filter, rows=image.shape[0] - k + 1, columns=image.shape[1] - k + 1)


def normalised(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    *axes: int,
    correction: int = 0,
    epsilon: float = 1e-5,
) -> Tensor:
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=correction)
    deviation = torch.sqrt(variance + epsilon)
    return scale.view(1, -1, 1, 1) * (x - mean) / deviation + shift.view(1, -1, 1, 1)


WRONG: Table = {
    "stem_shape": [
        ((64, 3, 16, 16), "the filters of the layer"),
        ((64, 64, 14, 14), "counts twice"),
        ((64, 64, 15, 15), "the last + 1"),
        ([64, 64, 17, 17], "round down"),
        (np.array([64, 64, 17, 17]), "round down"),
        ((64, 16, 16), "has 4 axes; yours has 3"),
        ((64, 64, 16, 8), "axis 3 is not 8"),
        ((64, 64, 16.5, 16.5), "whole number"),
    ],
    "single_value": [
        ("unchanged", "taken away"),
        ("shift", "torch refuses"),
        (0, "answer with one of 'error', 'shift', 'unchanged'"),
    ],
    "forgotten_255": [
        ("simple-cnn", "multiply and add"),
        ("deep-cnn", "far above ln 10"),
        ("resnet18", "answer with one of"),
    ],
    "combined_filter": [
        (respond, "upside down and mirrored"),
        (lambda a, b: respond(a, b).flip(3), "only from left to right"),
        (lambda a, b: a + b, "not their sum"),
        (lambda a, b: a * b, "not their product"),
        (lambda a, b: torch.conv2d(a, b), "without its border"),
        (lambda a, b: respond(a, b).flip(2, 3)[0, 0], "the shape (1, 1, 5, 5)"),
    ],
    "only_depth": [
        ({"filters in the first layer": "same"}, "6 against 16"),
        ({"number of parameters": "same"}, "62,006"),
        ({"padding": "same"}, "keeps the size"),
        ({"training images and settings": "changes"}, "the same images"),
        (["changes"] * 5, "keep the dictionary"),
    ],
    "stem_parameters": [
        (9_472, "bias"),
        (3_136, "three colours"),
        (147, "there are 64"),
        (9_409, "count once more"),
        (10, "too small"),
    ],
    "convolve": [
        (lambda x, w: full(x, w.flip(0, 1)), "turned the filter round"),
        (lambda x, w: full(x, w.T), "rows and columns of the filter"),
        (lambda x, w: full(x, w).T, "rows and columns of the result"),
        (
            lambda x, w: slide(x, w, rows=len(x) - len(w), columns=x.shape[1] - len(w)),
            "the last row and column",
        ),
        (lambda x, w: full(x, w) / len(w) ** 2, "the mean of the products"),
        (lambda x, w: full(x, w).tolist(), "should return a tensor"),
        (
            lambda x, w: x @ w,
            "called with Tensor of shape (5, 7), Tensor of shape (3, 3), your function stopped with RuntimeError",
        ),
        (lambda x, w: full(x, w) / 0, "nan or an infinite"),
    ],
    "normalise_batch": [
        (lambda x, g, b: normalised(x, g, b, 0, 2, 3, correction=1), "sample variance"),
        (lambda x, g, b: normalised(x, g, b, 2, 3), "instance norm"),
        (lambda x, g, b: normalised(x, g, b, 1, 2, 3), "layer norm"),
        (lambda x, g, b: normalised(x, g, b, 0), "over all pixels, too"),
        (lambda x, g, b: normalised(x, g, b, 0, 1, 2, 3), "one mean over everything"),
        (
            lambda x, g, b: normalised(x, torch.ones_like(g), 0 * b, 0, 2, 3),
            "scale and shift are missing",
        ),
        (lambda x, g, b: normalised(x, g, b, 0, 2, 3, epsilon=0.0), "epsilon is missing"),
    ],
}


test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "02_cnns", WRONG
)
