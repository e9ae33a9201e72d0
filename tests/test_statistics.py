"""Intervals hold the truth as often as they say, tests agree with counting, and planned sizes are enough."""

import dataclasses
import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from must_fail import must_fail
from scipy import stats
from torch.testing import assert_close

import dlvc.statistics
from dlvc.statistics import (
    Interval,
    PairedCounts,
    bootstrap_interval,
    compare,
    difference_interval,
    holm,
    images_needed,
    mcnemar_p,
    paired_counts,
    seed_errors,
    seeds_needed,
    wilson_interval,
)

# One accuracy, and two on different images


def test_the_wilson_interval_is_the_solution_of_its_equation():
    """Its ends are the accuracies p with |a - p| = z sqrt(p (1 - p) / n): Wilson's definition."""
    for right, images in [(7, 10), (0, 20), (20, 20), (6_900, 10_000)]:
        found = wilson_interval(right, images)
        z = stats.norm.ppf(0.975)
        for end in found[1:]:
            assert math.isclose(
                abs(right / images - end), z * math.sqrt(end * (1 - end) / images), abs_tol=1e-9
            )
        assert found.covers(found.mean) and found.low >= 0 and found.high <= 1


def test_on_many_images_the_wilson_interval_is_the_half_width_of_the_lesson():
    found = wilson_interval(7_000, 10_000)
    assert math.isclose(found.high - found.mean, 1.96 * math.sqrt(0.7 * 0.3 / 10_000), rel_tol=0.02)


def test_the_difference_of_two_splits_agrees_with_newcombes_published_example():
    """Newcombe 1998, table II, (a): 56/70 - 48/80 = 0.2, method 10: 0.0524 to 0.3339."""
    found = difference_interval((56, 70), (48, 80))
    assert_close(list(found), [0.2, 0.0524, 0.3339], atol=5e-5, rtol=0)


# The bootstrap interval


def check_interval(interval_of: Callable) -> None:
    """Of 200 samples of 30 numbers each, about 190 of their 95 % intervals hold the true mean."""
    draws = np.random.default_rng(0).exponential(size=(200, 30))
    intervals = [interval_of(sample, resamples=999) for sample in draws]
    assert_close([each.mean for each in intervals], draws.mean(axis=1).tolist())
    held = sum(each.low <= 1 <= each.high for each in intervals)
    assert 178 <= held <= 198


def test_the_interval_holds_the_true_mean_in_about_95_of_100_cases():
    def too_narrow(sample, *, resamples):
        return bootstrap_interval(sample, resamples=resamples, confidence=0.8)

    def deviation_for_error(sample, *, resamples):
        found = bootstrap_interval(sample, resamples=resamples)
        wide = 1.96 * sample.std()
        return found._replace(low=found.mean - wide, high=found.mean + wide)

    check_interval(bootstrap_interval)
    must_fail(check_interval, too_narrow)
    must_fail(check_interval, deviation_for_error)


def test_an_interval_depends_on_its_seed_alone_and_equal_values_have_no_width():
    values = torch.rand(30, generator=torch.Generator().manual_seed(0))
    assert bootstrap_interval(values) == bootstrap_interval(values.tolist())
    assert bootstrap_interval(values) != bootstrap_interval(values, seed=1)
    assert bootstrap_interval([0.25, 0.25]) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("values", "message"),
    [([1.0], r"got shape \(1,\)"), ([[1.0, 2.0]], r"\(1, 2\)"), ([1.0, np.nan], "1 of 2 finite")],
)
def test_values_without_an_interval_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values)


# Pairs


def test_paired_counts_are_those_of_a_count_by_hand():
    first = [True, True, False, False, True]
    second = [True, False, True, False, False]
    assert paired_counts(first, second) == PairedCounts(1, 2, 1, 1)


def test_mcnemar_is_the_share_of_all_coin_tosses_that_are_as_uneven():
    for tosses in (1, 5, 9):
        heads = [sum(each) for each in product((0, 1), repeat=tosses)]
        for only_first in range(tosses + 1):
            far = abs(2 * only_first - tosses)
            expected = np.mean([abs(2 * each - tosses) >= far for each in heads])
            assert math.isclose(mcnemar_p(only_first, tosses - only_first), expected)
    assert mcnemar_p(0, 0) == 1.0


def test_holm_agrees_with_an_example_worked_by_hand_and_keeps_the_order():
    """0.01 * 4, 0.02 * 3 = 0.06, 0.03 * 2 = 0.06, 0.04 * 1 = 0.04, which may not be below 0.06."""
    assert_close(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_of_five_true_nothings_holm_finds_something_in_at_most_one_study_of_twenty():
    draws = np.random.default_rng(0).random((2_000, 5))
    share = np.mean([min(holm(each)) < 0.05 for each in draws])
    assert 0.035 < share <= 0.06  # uncorrected: 0.23
    assert np.mean(draws.min(axis=1) < 0.05) > 0.2


# Two models


def answers(accuracies: list[float], *, images: int, seed: int) -> np.ndarray:
    """Runs (len(accuracies), images) that find the same images hard."""
    draw = np.random.default_rng(seed)
    ease = draw.uniform(size=images)
    noise = draw.normal(scale=0.05, size=(len(accuracies), images))
    return ease + noise < np.array(accuracies)[:, None]


def test_with_one_run_each_the_interval_is_scipys_bootstrap_of_the_paired_differences():
    first, second = answers([0.6, 0.63], images=2_000, seed=0)
    found = compare(first, second)
    difference = second.astype(float) - first
    expected = stats.bootstrap((difference,), np.mean, method="percentile", random_state=1)
    assert math.isclose(found.difference.mean, difference.mean())
    assert_close(found.difference.low, expected.confidence_interval.low, atol=0.001, rtol=0)
    assert_close(found.difference.high, expected.confidence_interval.high, atol=0.001, rtol=0)
    assert not found.covers_seeds
    assert found.images == 2_000 and sum(found.counts) == 2_000


def test_seeds_that_differ_make_the_interval_wider_than_images_alone():
    steady = compare(
        answers([0.6] * 3, images=5_000, seed=0), answers([0.65] * 3, images=5_000, seed=0)
    )
    varied = compare(
        answers([0.55, 0.6, 0.65], images=5_000, seed=0),
        answers([0.6, 0.65, 0.7], images=5_000, seed=0),
    )
    widths = [each.difference.high - each.difference.low for each in (steady, varied)]
    # Two means of three runs with a deviation of 0.05: their difference has one of 0.05 sqrt(2 / 3) = 0.041.
    assert widths[0] < 0.03 < 0.1 < widths[1]
    assert steady.distinguishable() and steady.covers_seeds
    assert not varied.distinguishable(), "McNemar alone, of one pair of runs, would call it certain"
    assert varied.p < 0.001
    assert_close(varied.spreads, (0.05, 0.05), atol=0.01, rtol=0)


def check_coverage(compared: Callable) -> None:
    """Of 100 comparisons of two or three runs each, at least 91 intervals hold the true difference of 0.

    On 10,000 images, where the chance of the seeds is the larger one.
    """
    for runs in (2, 3):
        draw = np.random.default_rng(runs)
        held = 0
        for seed in range(100):
            accuracies = draw.normal(0.7, 0.02, size=2 * runs)
            found = answers(accuracies.tolist(), images=10_000, seed=seed)
            held += compared(found[:runs], found[runs:]).difference.covers(0)
        assert held >= 91


def test_the_interval_over_images_and_seeds_holds_the_truth(monkeypatch):
    """One over images alone does not, nor does one that draws from the few runs there are."""

    def images_only(first, second):
        return compare(first[0], second[0])

    def runs_drawn(first, second):
        draw = np.random.default_rng(0)
        means = [
            draw.choice(model.mean(axis=1), size=(999, len(model) - 1)).mean(axis=1)
            for model in (first, second)
        ]
        low, high = np.percentile(means[1] - means[0], (2.5, 97.5))
        narrow = compare(first, second)
        return dataclasses.replace(narrow, difference=Interval(0.0, low, high))

    monkeypatch.setattr(dlvc.statistics, "RESAMPLES", 999)
    check_coverage(compare)
    must_fail(check_coverage, images_only)
    must_fail(check_coverage, runs_drawn)


def test_the_chance_of_seeds_alone_is_welchs_interval():
    first, second = np.array([0.61, 0.64, 0.62]), np.array([0.66, 0.69, 0.67, 0.70])
    found = np.percentile(seed_errors([first, second], np.random.default_rng(0)), (2.5, 97.5))
    expected = stats.ttest_ind(second, first, equal_var=False).confidence_interval()
    middle = second.mean() - first.mean()
    assert_close(found[0], expected.low - middle, atol=0.004, rtol=0)
    assert_close(found[1], expected.high - middle, atol=0.004, rtol=0)
    assert not seed_errors([np.array([0.5]), np.array([0.6])], np.random.default_rng(0)).any()


def test_a_corrected_p_or_an_interval_around_zero_makes_two_models_indistinguishable():
    first, second = answers([0.60, 0.63], images=3_000, seed=0)
    found = compare(first, second)
    assert found.distinguishable() and not found.distinguishable(0.2)
    assert not compare(first, first).distinguishable()
    assert compare(first, first).difference == Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_counts([True], [True, False]), r"shapes \(1,\) and \(2,\)"),
        (lambda: compare(np.ones((2, 3)), np.ones((2, 4))), r"got \(2, 3\) and \(2, 4\)"),
        (lambda: compare([0.7, 0.2], [True, True]), "first must say for each image .* got float64"),
        (lambda: wilson_interval(11, 10), "right must be a whole number from 0 to 10; got 11"),
        (lambda: mcnemar_p(-1, 3), "only_first must be a whole number of at least 0; got -1"),
        (lambda: holm([0.5, 1.5]), "between 0 and 1"),
        (lambda: seeds_needed(0.1, math.nan), "spread must be a number of at least 0; got nan"),
    ],
)
def test_what_is_no_comparison_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Power


def test_the_planned_number_of_images_shows_the_difference_in_four_of_five_test_sets():
    counts = PairedCounts(6_400, 320, 380, 2_900)  # 0.6 points, on 7 % of the images
    images = images_needed(counts)
    draw = np.random.default_rng(0)
    shares = [each / 10_000 for each in counts]
    tested = draw.multinomial(images, shares, size=2_000)
    found = np.mean([mcnemar_p(int(b), int(c)) < 0.05 for _, b, c, _ in tested])
    assert 0.77 < found < 0.83
    assert images_needed(PairedCounts(5, 2, 2, 1)) == math.inf


def test_the_planned_number_of_seeds_shows_the_difference_in_four_of_five_studies():
    runs = seeds_needed(0.02, 0.015)
    draw = np.random.default_rng(0)
    first, second = draw.normal([[[0.70]], [[0.72]]], 0.015, size=(2, 4_000, runs))
    found = np.mean(stats.ttest_ind(first, second, axis=1).pvalue < 0.05)
    fewer = np.mean(stats.ttest_ind(first[:, 1:], second[:, 1:], axis=1).pvalue < 0.05)
    assert fewer < 0.8 <= found + 0.02
    assert seeds_needed(0.0, 0.01) == math.inf
    assert seeds_needed(0.001, 0.05) == math.inf
    assert seeds_needed(0.1, 0.0) == 2
