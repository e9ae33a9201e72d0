"""How sure a number is, and whether two models can be told apart: intervals, paired tests, power.

There are two kinds of chance. Another test set would give another accuracy (images), and another training would give
another model (seeds). Each function says which of them it covers. Knows counts and arrays, no models and no records.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from dlvc.arguments import check_whole

RESAMPLES = 9_999  # the 250th and 9,750th of them are the ends of a 95 % interval
MOST_SEEDS = 1_000  # who needs more will not train them


class Interval(NamedTuple):
    """An estimate with its confidence interval."""

    mean: float
    low: float
    high: float

    def covers(self, value: float) -> bool:
        """Whether `value` lies in the interval, ends included."""
        return self.low <= value <= self.high


class PairedCounts(NamedTuple):
    """Two models on the same images: on how many both are right, only one of them, or neither."""

    both: int
    only_first: int
    only_second: int
    neither: int


def wilson_interval(right: int, images: int, *, confidence: float = 0.95) -> Interval:
    """The accuracy `right / images` with the interval for another test set of the same kind; no seeds in it.

    It never leaves 0 to 1, and is right also where all or none are. Source: Wilson 1927, by scipy.stats.binomtest.
    Raises ValueError unless 0 <= right <= images and images >= 1.
    """
    check_whole("images", images, low=1)
    check_whole("right", right, low=0, high=images)
    interval = stats.binomtest(right, images).proportion_ci(confidence, method="wilson")
    return Interval(right / images, float(interval.low), float(interval.high))


def difference_interval(
    first: tuple[int, int], second: tuple[int, int], *, confidence: float = 0.95
) -> Interval:
    """First accuracy minus second, each (right, images) on images of its own, such as validation and test.

    For two models on the same images use `compare`, which is much sharper. No seeds in it.
    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10.
    """
    a = wilson_interval(*first, confidence=confidence)
    b = wilson_interval(*second, confidence=confidence)
    difference = a.mean - b.mean
    return Interval(
        difference,
        difference - math.hypot(a.mean - a.low, b.high - b.mean),
        difference + math.hypot(a.high - a.mean, b.mean - b.low),
    )


def bootstrap_interval(
    values: Any, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The mean of `values` (n,) and its bootstrap confidence interval (bias-corrected and accelerated, BCa).

    For the difference between two orders or maps on the same images, pass the differences image by image.
    The interval covers the choice of images, not that of the training's seed. Equal values give an interval of no
    width. Source: Efron 1987, by scipy.stats.bootstrap.
    Raises ValueError for fewer than two values, or any that is not finite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) < 2 or not np.isfinite(numbers).all():
        raise ValueError(
            "values must be at least two finite numbers (n,), one for each image; "
            f"got shape {numbers.shape}, {int(np.isfinite(numbers).sum())} of {numbers.size} finite."
        )
    mean = float(numbers.mean())
    if np.ptp(numbers) == 0:  # BCa is not defined without spread
        return Interval(mean, mean, mean)
    interval = stats.bootstrap(
        (numbers,),
        np.mean,
        confidence_level=confidence,
        n_resamples=resamples,
        batch=max(1, 2_000_000 // len(numbers)),  # 16 MB at once, however many images
        vectorized=True,
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(interval.low), float(interval.high))


def paired_counts(first: Any, second: Any) -> PairedCounts:
    """The four counts of two models on the same images; each is whether an image was right, (N,) of True and False.

    Raises ValueError if they are not two such lists of one length.
    """
    a, b = as_right(first, "first"), as_right(second, "second")
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(
            f"first and second must be (N,) for the same images; got shapes {a.shape} and {b.shape}. "
            "Test both models on one split."
        )
    counts = (a & b, a & ~b, ~a & b, ~a & ~b)
    return PairedCounts(*(int(count.sum()) for count in counts))


def mcnemar_p(only_first: int, only_second: int) -> float:
    """How likely two equally good models differ by so much or more, for the images that only one gets right.

    The exact test: each such image is a toss of a fair coin. No seeds in it: it is about two trained models.
    Source: McNemar 1947, by scipy.stats.binomtest.
    """
    check_whole("only_first", only_first, low=0)
    check_whole("only_second", only_second, low=0)
    tosses = only_first + only_second
    return float(stats.binomtest(only_first, tosses).pvalue) if tosses else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, corrected for how many there are: below 0.05 is rare even for the luckiest of them.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none falls below one before it.
    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p_values must be numbers between 0 and 1; got {p_values!r}.")
    order = values.argsort()
    factors = np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return corrected.tolist()


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same images, second minus first.

    `difference` is of mean accuracies; `counts` and `p` are of the first run of each model.
    """

    difference: Interval
    counts: PairedCounts
    p: float
    seeds: tuple[int, int]  # runs of the first model, and of the second
    spreads: tuple[float, float]  # standard deviations over them, nan for a single run

    @property
    def images(self) -> int:
        """How many test images there were."""
        return sum(self.counts)

    @property
    def covers_seeds(self) -> bool:
        """Whether the interval covers the chance of training, which takes two runs of each model."""
        return min(self.seeds) > 1

    def distinguishable(self, p: float | None = None, *, level: float = 0.05) -> bool:
        """Whether p (corrected, if given) is below `level` and the interval leaves 0 out."""
        return (self.p if p is None else p) < level and not self.difference.covers(0)


def compare(
    first: Any, second: Any, *, confidence: float = 0.95, seed: int = 0
) -> PairedComparison:
    """Two models on the same test images, each (runs, N): was the image right?

    The interval is a bootstrap over images. For a model with several runs Student's t adds the chance of the seeds:
    two or three runs are too few to draw from, as their mean is off by more than they show. With 2 to 5 runs of each
    model it held the truth in 96 to 99 of 100 simulated comparisons (1,000 and 10,000 images, seeds that differ by one
    and two points; 150 to 400 each). With one run of each it did so in 41 of 100 on 10,000 images when seeds differed
    by one point, because it cannot know of them.
    Sources: Efron 1979, "Bootstrap methods"; Student 1908, "The probable error of a mean".
    Raises ValueError if the shapes do not fit together.
    """
    models = [np.atleast_2d(as_right(first, "first")), np.atleast_2d(as_right(second, "second"))]
    if models[0].shape[1] != models[1].shape[1] or 0 in (*models[0].shape, *models[1].shape):
        raise ValueError(
            f"first and second must be (runs, N) for the same images; got {models[0].shape} and "
            f"{models[1].shape}. Test both models on one split."
        )
    per_run = [model.mean(axis=1) for model in models]
    # Images with the same difference of the two shares of runs are alike, so drawing images is drawing differences.
    differences, counts = np.unique(
        models[1].mean(axis=0) - models[0].mean(axis=0), return_counts=True
    )
    images = counts.sum()
    draw = np.random.default_rng(seed)
    drawn = draw.multinomial(images, counts / images, size=RESAMPLES) @ differences / images
    drawn += seed_errors(per_run, draw)
    tail = 50 * (1 - confidence)  # in per cent
    low, high = np.percentile(drawn, (tail, 100 - tail))
    boxes = paired_counts(models[0][0], models[1][0])
    return PairedComparison(
        Interval(float(per_run[1].mean() - per_run[0].mean()), float(low), float(high)),
        boxes,
        mcnemar_p(boxes.only_first, boxes.only_second),
        (len(models[0]), len(models[1])),
        tuple(float(runs.std(ddof=1)) if len(runs) > 1 else math.nan for runs in per_run),
    )


def seed_errors(per_run: Sequence[np.ndarray], draw: np.random.Generator) -> np.ndarray:
    """How far seeds may have moved a difference of two means: draws (RESAMPLES,) of their t distribution.

    `per_run` has the accuracies of each model's runs. A model with one run adds nothing: its spread is unknown.
    Source of the degrees of freedom: Welch 1947, "The generalization of Student's problem".
    """
    parts = [
        (runs.var(ddof=1) / len(runs), len(runs) - 1)  # variance of the mean, degrees of freedom
        for runs in per_run
        if len(runs) > 1
    ]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return np.zeros(RESAMPLES)
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    return math.sqrt(variance) * draw.standard_t(freedom, size=RESAMPLES)


def images_needed(counts: PairedCounts, *, power: float = 0.8, level: float = 0.05) -> float:
    """How many test images would show this difference of two trained models with probability `power`; inf for none.

    Source: Connor 1987, "Sample size for testing differences in proportions for the paired-sample design".
    """
    images = sum(counts)
    differing = (counts.only_first + counts.only_second) / images
    difference = abs(counts.only_first - counts.only_second) / images
    if difference == 0:
        return math.inf
    sure, hit = stats.norm.ppf([1 - level / 2, power])
    root = sure * math.sqrt(differing) + hit * math.sqrt(differing - difference**2)
    return math.ceil((root / difference) ** 2)


def seeds_needed(
    difference: float, spread: float, *, power: float = 0.8, level: float = 0.05
) -> float:
    """How many runs of each model would show `difference` with probability `power`, by a t-test; inf above 1,000.

    `spread` is the standard deviation over seeds of one model. By the noncentral t distribution.
    """
    if not spread >= 0:
        raise ValueError(f"spread must be a number of at least 0; got {spread!r}. Train two seeds.")
    if difference == 0:
        return math.inf
    if spread == 0:
        return 2
    for runs in range(2, MOST_SEEDS + 1):
        freedom = 2 * (runs - 1)
        shift = abs(difference) / (spread * math.sqrt(2 / runs))
        bound = stats.t.ppf(1 - level / 2, freedom)
        if stats.nct.sf(bound, freedom, shift) >= power:
            return runs
    return math.inf


def as_right(values: Any, name: str) -> np.ndarray:
    """`values` as an array of True and False; raises ValueError for anything else, such as probabilities."""
    array = np.asarray(values)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"{name} must say for each image whether it was right, True or False; got {array.dtype}. "
            "A record has it: record.test.correct_images()."
        )
    return array.astype(bool)
