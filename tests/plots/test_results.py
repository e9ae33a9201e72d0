"""Bars, arrows and points stand where the records say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_run import ALONE

from dlvc.experiments.registry import COMPARISONS
from dlvc.plots import accuracy_bars, comparison_pairs, cost_scatter


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_bar_is_the_mean_with_the_sample_standard_deviation(make_run):
    runs = [make_run("deep-cnn", seed, final=final) for seed, final in enumerate((0.4, 0.5, 0.6))]
    (axes,) = accuracy_bars([*runs, make_run("deep-vit", final=0.3)]).axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([50, 30])
    assert texts(axes) == ["50.0 ± 10.0 %", "30.0 %"]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Deep CNN (3)", "Deep ViT (1)"]


def test_the_reports_numbers_are_diamonds_at_their_place(make_run):
    (axes,) = accuracy_bars([make_run("deep-cnn", final=0.6)], reported={"deep-cnn": 0.4625}).axes
    assert [points.get_offsets().tolist() for points in axes.collections] == [[[46.25, 0]]]
    (plain,) = accuracy_bars([make_run("deep-cnn")]).axes
    assert not plain.collections


def test_a_comparison_writes_the_difference_in_points(make_run):
    runs = [make_run("simple-cnn", final=0.5), make_run("deep-cnn", final=0.62)]
    (axes,) = comparison_pairs(
        runs, COMPARISONS, reported={"simple-cnn": 0.3, "deep-cnn": 0.25}
    ).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["depth"]
    assert {"+12.0", "−5.0", "Simple CNN", "Deep CNN"} <= set(texts(axes))


def test_all_five_comparisons_are_drawn_from_all_records(all_runs):
    (axes,) = comparison_pairs(all_runs, COMPARISONS).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [each.factor for each in COMPARISONS]


def test_a_comparison_without_its_pair_is_refused(make_run):
    with pytest.raises(ValueError, match="test results of both its models; got none"):
        comparison_pairs([make_run("simple-cnn")], COMPARISONS)


def test_runs_of_different_work_are_not_compared(make_run):
    def shorter(key, final):
        return replace(run := make_run(key, final=final), config={**run.config, "epochs": 1})

    without, changed = make_run("simple-cnn", final=0.5), shorter("deep-cnn", 0.7)
    with pytest.raises(ValueError, match="test results of both its models; got none"):
        comparison_pairs([without, changed], COMPARISONS)
    runs = [without, changed, shorter("simple-cnn", 0.4)]
    assert "+30.0" in texts(comparison_pairs(runs, COMPARISONS).axes[0])


def test_costs_are_drawn_on_logarithmic_axes_seconds_at_the_median_epoch(make_run):
    runs = [
        make_run("deep-cnn", seed, final=0.5, machine=ALONE, epoch_seconds=seconds)
        for seed, seconds in enumerate(((4.0, 5.0, 9.0), (4.0, 6.0, 7.0)))
    ]
    panels = cost_scatter(runs).axes
    assert [axes.get_xscale() for axes in panels] == ["log"] * 3
    places = [axes.collections[0].get_offsets()[0] for axes in panels]
    assert np.allclose(places, [[60_000, 50], [600_000, 50], [5.5, 50]])


def test_models_without_parameters_have_no_cost(all_runs):
    axes = cost_scatter(all_runs).axes[-1]
    assert len(axes.collections) == 9
    assert not {"Majority Model", "Nearest Neighbour"} & set(texts(axes))


def test_times_that_are_not_known_are_not_drawn_and_without_any_there_is_no_panel(make_run):
    busy = make_run("deep-cnn", machine=replace(ALONE, other_seconds=900.0))
    alone = make_run("deep-vit", machine=ALONE)
    panels = cost_scatter([busy, alone]).axes
    assert [len(axes.collections) for axes in panels] == [2, 2, 1]
    assert panels[-1].get_title(loc="left") == "on a processor"
    labels = [axes.get_xlabel() for axes in cost_scatter([busy]).axes]
    assert labels == ["parameters", "multiply-adds per image"]


def test_times_of_different_devices_are_named_with_their_models(make_run):
    gpu = {"type": "cuda", "name": "a GPU", "threads": 1}
    runs = [make_run("deep-cnn", machine=ALONE), make_run("deep-vit", device=gpu, machine=ALONE)]
    axes = cost_scatter(runs).axes[-1]
    assert axes.get_title(loc="left") == "a processor: Deep CNN\na GPU: Deep ViT"
