"""The exercises of notebook 01 name the likely mistake behind a wrong answer."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import avg_pool2d
from wrong_answers import Table, both_tests

LOSS = -0.95 * math.log(0.95) - 0.05 * math.log(0.05)


def small(images: torch.Tensor, size: int = 4) -> torch.Tensor:
    return avg_pool2d(images, size).flatten(1)


WRONG: Table = {
    "repair": [
        (lambda x: x.reshape(len(x), 3, x.shape[1], x.shape[2]).float() / 255, "`permute` moves"),
        (lambda x: x.permute(0, 3, 1, 2).float(), "still lie in 0 to 255"),
        (lambda x: x.permute(0, 3, 2, 1).float() / 255, "rows and columns are exchanged"),
        (lambda x: x.permute(0, 3, 1, 2) / 255, "their type is torch.float64"),
        (lambda x: x.float() / 255, "channels are still the last axis"),
        (lambda x: x.permute(0, 3, 1, 2).float() / x.max(), "divide by 255, whatever"),
        (lambda x: x.permute(0, 3, 1, 2).numpy() / 255, "a model wants a tensor"),
        (lambda x: x.permute(0, 3, 1, 2).long() // 255, "of the numbers are not"),
    ],
    "which_part": [
        ({"choose the learning rate": "test"}, "has helped to choose"),
        ({"count for the majority model": "Validation"}, "trained like any other"),
        ({"state the result": "validation"}, "slightly too good"),
        ({"study the errors": "test"}, "study the errors: if you then change"),
        ({"study the errors": "none"}, "answer with one of 'test', 'train', 'validation'"),
    ],
    "doctor": [
        ({"accuracy": 95}, "per cent"),
        ({"mean per-class accuracy": 0.95}, "share within each class first"),
        ({"cross-entropy": 0.051}, "left out the ill ones"),
        ({"cross-entropy": -LOSS}, "the sign"),
        ({"cross-entropy": LOSS / math.log(2)}, "to the base 2"),
        ({"cross-entropy of guessing": math.log(10)}, "two classes here"),
    ],
    "may_mirror": [
        ({"the ten classes of CIFAR-10": "both"}, "on their roofs"),
        ({"house numbers": "left-right"}, "no digit"),
        ({"left shoes and right shoes": "both"}, "is a right shoe"),
        ({"cells under a microscope": "left-right"}, "where up is"),
    ],
    "class_mean": [
        (lambda n: n.diagonal().sum() / n.sum(), "that is the accuracy"),
        (lambda n: (n.diagonal() / n.sum(0)).mean(), "called precision"),
        (lambda n: sum(n[i, i] / n[i].sum() for i in range(len(n))), "the mean of the shares"),
        (lambda n: n.diagonal() / n.sum(1), "not one share for each class"),
        (lambda n: n[0, 0], "it should return 0.896"),
    ],
    "nearest": [
        (lambda a, b: torch.cdist(small(a), small(b)).argmin(0), "along the other axis"),
        (lambda a, b: torch.cdist(small(a), small(b)).argmax(1), "farthest away"),
        (lambda a, b: torch.cdist(small(a), small(b)).min(1).values, "not its distance"),
        (lambda a, b: torch.cdist(a.flatten(1), b.flatten(1)).argmin(1), "shrink the pictures"),
        (lambda a, b: torch.cdist(small(a, 32), small(b, 32)).argmin(1), "mean colours"),
        (lambda a, b: torch.cdist(a, b).argmin(1), "stopped with"),
    ],
}


test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "01_data", WRONG
)
