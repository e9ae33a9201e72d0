"""How the answers to the exercises of notebook 01 are judged; each judge has the name of its exercise."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.answers import call
from dlvc.lessons.exercises.judges import random_numbers


def _repaired(pictures: Tensor) -> Tensor:
    return pictures.permute(0, 3, 1, 2).float() / 255


PICTURES = 255 * random_numbers(2, 4, 5, 3).double()
_repaired_values = judges.function(
    _repaired,
    {
        "the shape is right and the picture is not: `reshape` keeps the order of the numbers, and so mixes rows, "
        "columns and colours. `permute` moves the axes.": lambda x: x.reshape(2, 3, 4, 5) / 255,
        "the values still lie in 0 to 255: divide.": lambda x: x.permute(0, 3, 1, 2),
        "divide by 255, whatever the largest value of these pictures is: else a dark picture becomes a bright one.": (
            lambda x: x.permute(0, 3, 1, 2).float() / x.max()
        ),
        "rows and columns are exchanged: the order of the axes is pictures, channels, rows, columns.": lambda x: (
            _repaired(x).transpose(2, 3)
        ),
        "the channels are still the last axis.": lambda x: x.float() / 255,
        "do not normalise here: each model does that itself.": lambda x: (
            (_repaired(x) - _repaired(x).mean((0, 2, 3), keepdim=True))
            / _repaired(x).std((0, 2, 3), keepdim=True)
        ),
    },
    [(PICTURES,)],
)


def repair(answer: Any) -> str | None:
    """Judge the values, then the type, which comparing numbers does not look at."""
    reason = _repaired_values(answer)
    if reason:
        return reason
    result = call(answer, PICTURES)
    if not isinstance(result, Tensor):
        return "the values are right, but a model wants a tensor: `torch.from_numpy` makes one of an array."
    if result.dtype != torch.float32:
        return f"the values are right, but their type is {result.dtype}; the models want torch.float32."
    return None


def _shares(counts: Tensor, dim: int = 1) -> Tensor:
    return counts.diagonal() / counts.sum(dim=dim)


def _distances(test: Tensor, train: Tensor, *, size: int = 4) -> Tensor:
    """The distances (M, N) of the pictures' means over blocks of `size` x `size` pixels."""
    return torch.cdist(avg_pool2d(test, size).flatten(1), avg_pool2d(train, size).flatten(1))


which_part = judges.parts(
    {
        "choose the learning rate": judges.choice(
            "validation",
            train="the training part favours the rate that learns it by heart.",
            test="then the test part has helped to choose, and its number is too good.",
        ),
        "count for the majority model": judges.choice(
            "train",
            validation="the majority model is trained like any other.",
            test="the majority model is trained like any other, and never sees the test part.",
        ),
        "state the result": judges.choice(
            "test",
            train="that measures how much was learned by heart.",
            validation="the epoch was chosen by this number, so it is slightly too good.",
        ),
        "study the errors": judges.choice(
            "validation",
            train="there are few errors left to study on pictures it was trained on.",
            test="if you then change the model, the test part has been used to choose.",
        ),
    }
)
doctor = judges.parts(
    {
        "accuracy": judges.number(
            0.95, {0.05: "count the healthy ones: on these it is right."}, within=0.001
        ),
        "mean per-class accuracy": judges.number(
            0.5,
            {
                0.95: "that is the accuracy. Take the share within each class first.",
                0.475: "of the healthy ones all are right, a share of 1.",
            },
            within=0.001,
        ),
        "cross-entropy": judges.number(
            -0.95 * math.log(0.95) - 0.05 * math.log(0.05),
            {
                -math.log(0.95): "you left out the ill ones, which got 0.05.",
                -0.95 * math.log(0.95): "you left out the ill ones, which got 0.05.",
                -math.log(0.95) - math.log(0.05): "weigh the two losses by how often they occur.",
                0.2864: "take the natural logarithm (`math.log`), not that to the base 2.",
                0.0862: "take the natural logarithm (`math.log`), not that to the base 10.",
                -0.1985: "the sign: a loss is -ln p, and not negative.",
            },
            within=0.001,
        ),
        "cross-entropy of guessing": judges.number(
            math.log(2),
            {
                math.log(10): "there are two classes here, not ten.",
                0.5: "that is the probability; the loss is its negative logarithm.",
                1: "take the natural logarithm (`math.log`), not that to the base 2.",
            },
            within=0.001,
        ),
    }
)
may_mirror = judges.parts(
    {
        "the ten classes of CIFAR-10": judges.choice(
            "left-right",
            both="the label would stay, but the test part has no trucks on their roofs.",
            neither="a horse that looks to the left is as good as one that looks to the right.",
        ),
        "house numbers": judges.choice(
            "neither",
            **dict.fromkeys(("left-right", "both"), "a mirrored 2 is no digit."),
        ),
        "left shoes and right shoes": judges.choice(
            "neither",
            **dict.fromkeys(
                ("left-right", "both"),
                "a mirrored left shoe is a right shoe, and its label is wrong.",
            ),
        ),
        "cells under a microscope": judges.choice(
            "both",
            **{
                "left-right": "nothing in the picture says where up is.",
                "neither": "nothing in the picture says where up or left is.",
            },
        ),
    }
)
class_mean = judges.function(
    lambda n: _shares(n).mean(),
    {
        "that is the accuracy: it weighs each picture equally, not each class.": lambda n: (
            n.diagonal().sum() / n.sum()
        ),
        "you divided by the columns: how often each answer was given (this is called precision). "
        "Row i holds the pictures of class i.": lambda n: _shares(n, dim=0).mean(),
        "return the mean of the shares, not one share for each class.": _shares,
        "divide by the number of classes as well: the mean of the shares, not their sum.": (
            lambda n: _shares(n).sum()
        ),
        "divide by the pictures of the class, not by all pictures.": lambda n: (
            n.diagonal() / n.sum()
        ).mean(),
    },
    [(torch.tensor([[72, 18, 0], [1, 8, 0], [0, 0, 1]]),), (torch.tensor([[3, 1], [4, 5]]),)],
)
nearest = judges.function(
    lambda a, b: _distances(a, b).argmin(dim=1),
    {
        "you return the picture that is farthest away.": (
            lambda a, b: _distances(a, b).argmax(dim=1)
        ),
        "for each training picture you return a test picture: take the smallest along the other axis.": (
            lambda a, b: _distances(a, b).argmin(dim=0)
        ),
        "return the number of the picture, not its distance.": (
            lambda a, b: _distances(a, b).amin(dim=1)
        ),
        "shrink the pictures before you compare them: a small shift changes nearly every single pixel.": (
            lambda a, b: _distances(a, b, size=1).argmin(dim=1)
        ),
        "you compare only the mean colours: shrink by 4, not by 32.": (
            lambda a, b: _distances(a, b, size=32).argmin(dim=1)
        ),
    },
    [(random_numbers(6, 3, 32, 32, seed=1), random_numbers(9, 3, 32, 32, seed=2))],
)
