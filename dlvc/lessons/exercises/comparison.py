"""How the answers to the exercises of notebook 05 are judged; each judge has the name of its exercise."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from scipy import stats

from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.answers import Judge

Array = np.ndarray


def _half_width(share: float, images: int = 10_000) -> float:
    return 1.96 * math.sqrt(share * (1 - share) / images)


def _judge_half_width(share: float) -> Judge:
    mistakes = {
        _half_width(share) / 1.96: "that is one standard deviation: times 1.96 for 95 %.",
        2 * _half_width(share): "that is the whole width of the interval.",
        1.96 * share * (1 - share) / 100: "take the root of a (1 - a), too.",
        1.96 * math.sqrt(share / 10_000): "the factor 1 - a is missing.",
    }
    return judges.number(_half_width(share), mistakes, within=0.0001)


two_accuracies = judges.parts(
    {
        "half-width of A": _judge_half_width(0.686),
        "half-width of B": _judge_half_width(0.692),
        "verdict": judges.choice(
            "not decided",
            **{
                "b is better": "the difference of 0.006 is smaller than either half-width.",
                "a is better": "A has the smaller number; and the difference is smaller than either half-width.",
            },
        ),
    }
)
four_boxes = judges.parts(
    {
        "accuracy of A": judges.number(
            0.896,
            {
                0.006: "A is right on those that both get right, too.",
                0.89: "the 60 images that only A gets right are missing.",
                0.893: "that is B.",
            },
            within=0.0001,
        ),
        "accuracy of B": judges.number(
            0.893,
            {
                0.003: "B is right on those that both get right, too.",
                0.89: "the 30 images that only B gets right are missing.",
                0.896: "that is A.",
            },
            within=0.0001,
        ),
        "largest difference": judges.number(
            0.009,
            {
                0.003: "that is the difference here; if you know only the 90, it could be more.",
                0.006: "all 90 images could go to the same model.",
                90: "divide by the number of images.",
            },
            within=0.0001,
        ),
    }
)
epoch_mean = judges.parts(
    {
        "above the test accuracy of the best epoch": judges.choice(
            "possible",
            impossible="the test images are others, and may be harder; then it can, if the model learns fast.",
        ),
        "above the validation accuracy of the best epoch": judges.choice(
            "impossible", possible="a mean is never larger than the largest of its terms."
        ),
        "closest to its best epoch": judges.choice(
            "deep-vit",
            **{
                "deep-cnn": "it learns over several epochs, so its early ones pull the mean down.",
                "resnet18": "it learns over several epochs, so its early ones pull the mean down.",
            },
        ),
    }
)


def _only_one_right(first: Array, second: Array) -> tuple[int, int]:
    return int((first & ~second).sum()), int((~first & second).sum())


RIGHT = [np.random.default_rng(seed).random(40) < share for seed, share in ((1, 0.7), (2, 0.5))]
only_one_right = judges.function(
    _only_one_right,
    {
        "exchanged: b is where only the first is right.": lambda x, y: _only_one_right(y, x),
        "these are all images that each gets right, including those that both do.": lambda x, y: (
            int(x.sum()),
            int(y.sum()),
        ),
        "these are the images that both get right, and both get wrong.": lambda x, y: (
            int((x & y).sum()),
            int((~x & ~y).sum()),
        ),
        "return counts, not shares.": lambda x, y: tuple(n / len(x) for n in _only_one_right(x, y)),
        "return how many there are, not which ones: `.sum()` counts True.": lambda x, y: (
            x & ~y,
            ~x & y,
        ),
    },
    [tuple(RIGHT), (RIGHT[0][:9], RIGHT[1][:9])],
)


def _wilson(
    right: int,
    images: int,
    *,
    shift: int = 1,
    middle: int = 1,
    half: int = 1,
    root: int = 1,
    z: float = 1.96,
) -> tuple[float, float]:
    """Wilson's interval, or what it becomes without (0) the middle's shift, a divisor, or the root's second term."""
    share, q = right / images, 1.96**2 / images
    centre = (share + shift * q / 2) / (1 + middle * q)
    width = z / (1 + half * q) * math.sqrt((share * (1 - share) + root * q / 4) / images)
    return centre - width, centre + width


wilson = judges.function(
    lambda right, images: tuple(stats.binomtest(right, images).proportion_ci(method="wilson")),
    {
        "that is the simple interval, which has no width for 50 of 50.": (
            partial(_wilson, shift=0, middle=0, half=0, root=0)
        ),
        "the middle is moved a little towards one half: it is not a itself.": (
            partial(_wilson, shift=0, middle=0)
        ),
        "the middle is divided by 1 + z²/n, too.": partial(_wilson, middle=0),
        "the half-width is divided by 1 + z²/n, too.": partial(_wilson, half=0),
        "z²/4n² is missing under the root.": partial(_wilson, root=0),
        "the factor z of the half-width is missing.": partial(_wilson, z=1.0),
        "return the two ends: middle minus and middle plus half-width.": lambda k, n: (
            sum(_wilson(k, n)) / 2,
            (_wilson(k, n)[1] - _wilson(k, n)[0]) / 2,
        ),
    },
    [(50, 50), (3, 20), (700, 1_000)],
)


def _mcnemar(b: int, c: int) -> float:
    return float(stats.binomtest(b, b + c).pvalue) if b + c else 1.0


def _tail(b: int, c: int) -> float:
    return float(stats.binom.cdf(min(b, c), b + c, 0.5))


def _chi_square(b: int, c: int, *, corrected: int) -> float:
    return float(stats.chi2.sf(max(abs(b - c) - corrected, 0) ** 2 / (b + c), 1)) if b + c else 1.0


mcnemar = judges.function(
    _mcnemar,
    {
        "that is one direction only: c against b would be as uneven.": _tail,
        "a probability is never more than 1: cut it, for b = c.": lambda b, c: 2 * _tail(b, c),
        "that is the probability of exactly this result: add all that are at least as uneven.": (
            lambda b, c: float(stats.binom.pmf(b, b + c, 0.5))
        ),
        "leave out none: results as uneven as this one count, too.": lambda b, c: min(
            1.0, 2 * float(stats.binom.cdf(min(b, c) - 1, b + c, 0.5))
        ),
        "that is the approximation with chi square: count the tosses exactly.": (
            partial(_chi_square, corrected=0)
        ),
        "that is the approximation with chi square and a correction: count the tosses exactly.": (
            partial(_chi_square, corrected=1)
        ),
        "that is the probability of the opposite, 1 - p.": lambda b, c: 1 - _mcnemar(b, c),
    },
    [(5, 0), (3, 9), (12, 10), (4, 4), (0, 0)],
)


def _gains(before: Array, after: Array) -> Array:
    first, second = (counts.diagonal() / counts.sum(axis=1) for counts in (before, after))
    return 100 * (second - first)


COUNTS = (
    np.array([[6, 3, 1], [2, 7, 1], [4, 4, 12]]),
    np.array([[8, 1, 1], [3, 5, 2], [0, 1, 19]]),
)
class_gains = judges.function(
    _gains,
    {
        "these are shares: percentage points are 100 times as many.": (
            lambda x, y: _gains(x, y) / 100
        ),
        "the sign: a gain is after minus before.": lambda x, y: _gains(y, x),
        "you divided by the columns: how often each answer was given. A row holds the images of a class.": (
            lambda x, y: _gains(x.T, y.T)
        ),
        "divide by the images of the class, not by all images.": lambda x, y: (
            100 * (y.diagonal() - x.diagonal()) / x.sum()
        ),
        "these are images, not percentage points: divide by the images of the class.": lambda x, y: (
            y.diagonal() - x.diagonal()
        ),
        "a difference in points, not a ratio: do not divide by the accuracy before.": lambda x, y: (
            _gains(x, y) / (x.diagonal() / x.sum(axis=1))
        ),
    },
    [COUNTS],
)
