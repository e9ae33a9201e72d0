"""The exercises of notebook 05 name the likely mistake behind a wrong answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from wrong_answers import Table, both_tests, right_answer

Z = 1.96


def tail(b: int, c: int) -> float:
    return sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)


def chi_square(b: int, c: int) -> float:
    return math.erfc(abs(b - c) / math.sqrt(2 * (b + c))) if b + c else 1.0


def simple(right: int, images: int) -> tuple[float, float]:
    share = right / images
    half = Z * math.sqrt(share * (1 - share) / images)
    return share - half, share + half


def wilson(right: int, images: int, *, middle: bool = True, root: bool = True) -> tuple:
    """Wilson's interval, or what it becomes without its middle or the second term of its root."""
    share, below = right / images, 1 + Z**2 / images
    centre = (share + Z**2 / (2 * images)) / below if middle else share
    second = Z**2 / (4 * images**2) if root else 0
    half = Z / below * math.sqrt(share * (1 - share) / images + second)
    return centre - half, centre + half


def shares(counts: np.ndarray, axis: int = 1) -> np.ndarray:
    return counts.diagonal() / counts.sum(axis=axis)


WRONG: Table = {
    "two_accuracies": [
        ({"half-width of A": 0.00464}, "one standard deviation"),
        ({"half-width of A": 0.0182}, "the whole width"),
        ({"half-width of A": 0.91}, "per cent"),
        ({"half-width of B": 0.0163}, "the factor 1 - a"),
        ({"verdict": "B is better"}, "smaller than either half-width"),
    ],
    "four_boxes": [
        ({"accuracy of A": 0.006}, "both get right, too"),
        ({"accuracy of A": 0.893}, "that is B"),
        ({"accuracy of B": 89.3}, "per cent"),
        ({"largest difference": 0.003}, "it could be more"),
        ({"largest difference": 90}, "divide by the number"),
    ],
    "epoch_mean": [
        ({"above the test accuracy of the best epoch": "impossible"}, "may be harder"),
        ({"above the validation accuracy of the best epoch": "possible"}, "of its terms"),
        ({"closest to its best epoch": "resnet18"}, "pull the mean down"),
    ],
    "only_one_right": [
        (lambda x, y: ((~x & y).sum(), (x & ~y).sum()), "exchanged"),
        (lambda x, y: (x.sum(), y.sum()), "all images that each gets right"),
        (lambda x, y: ((x & ~y).mean(), (y & ~x).mean()), "counts, not shares"),
        (lambda x, y: (x & ~y, ~x & y), "not which ones"),
        (lambda x, y: (x != y).sum(), "it should return 2 values"),
    ],
    "wilson": [
        (simple, "no width for 50 of 50"),
        (lambda k, n: wilson(k, n, middle=False), "moved a little towards one half"),
        (lambda k, n: wilson(k, n, root=False), "missing under the root"),
        (lambda k, n: sum(wilson(k, n)) / 2, "it should return 2 values"),
        (
            lambda k, n: (sum(wilson(k, n)) / 2, (wilson(k, n)[1] - wilson(k, n)[0]) / 2),
            "the two ends",
        ),
        (lambda k, n: wilson(n, k), "ValueError: math domain error"),
    ],
    "mcnemar": [
        (tail, "one direction only"),
        (lambda b, c: 2 * tail(b, c), "never more than 1"),
        (chi_square, "approximation with chi square"),
        (lambda b, c: math.comb(b + c, b) / 2 ** (b + c), "exactly this result"),
        (lambda b, c: 1 - min(1, 2 * tail(b, c)), "the opposite"),
        (lambda b, c: abs(b - c) / (b + c), "ZeroDivisionError"),
    ],
    "class_gains": [
        (lambda x, y: shares(y) - shares(x), "100 times as many"),
        (lambda x, y: 100 * (shares(x) - shares(y)), "the sign"),
        (lambda x, y: 100 * (shares(y, 0) - shares(x, 0)), "divided by the columns"),
        (lambda x, y: y.diagonal() - x.diagonal(), "these are images"),
        (lambda x, y: 100 * (shares(y) / shares(x) - 1), "not a ratio"),
        (lambda x, y: 100 * (y.diagonal() - x.diagonal()) / x.sum(), "not by all images"),
        (lambda x, y: (100 * (shares(y) - shares(x))).tolist(), "should return an array"),
    ],
}


test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "05_comparison", WRONG
)


def test_the_numbers_told_after_mcnemars_test_are_those_of_the_test() -> None:
    mcnemar = right_answer("mcnemar")
    assert mcnemar(5, 0) == pytest.approx(0.0625)
    assert mcnemar(50, 0) < 1e-6
    assert mcnemar(1_000, 1_050) == pytest.approx(0.28, abs=0.005)
