"""Figures of classes show counts as shares of the true class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlvc.data import CLASSES
from dlvc.plots import (
    class_histogram,
    confusion_grid,
    confusion_heatmap,
    per_class_bars,
    pixel_statistics,
)
from dlvc.plots.classes import row_percent


def test_rows_are_percent_of_their_class_and_a_class_without_images_is_nan():
    percent = row_percent(np.array([[3, 1], [0, 0]]))
    assert percent[0].tolist() == [75, 25]
    assert np.isnan(percent[1]).all()


def test_the_heat_map_writes_shares_of_at_least_half_a_percent():
    confusion = torch.diag(torch.full((10,), 300))
    confusion[0] = torch.tensor([199, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    confusion[1] = torch.tensor([1, 300, 0, 0, 0, 0, 0, 0, 0, 0])
    figure = confusion_heatmap(confusion)
    written = {tuple(map(int, t.get_position()[::-1])): t.get_text() for t in figure.axes[0].texts}
    assert written[0, 0] == "100"  # 99.5 percent
    assert written[0, 1] == "1"  # exactly half a percent
    assert written[1, 0] == ""  # a third of a percent
    assert "2,901 images" in figure.description


def test_the_grid_has_a_matrix_for_each_model_that_learns(all_runs):
    figure = confusion_grid(all_runs)
    titles = [title for axes in figure.axes if (title := axes.get_title(loc="left"))]
    assert len(titles) == 9
    assert titles[:2] == ["Softmax Regression: 35 %", "Simple CNN: 46 %"]


def test_bars_of_classes_are_means_over_seeds(make_run):
    runs = [make_run("deep-cnn", seed, final=final) for seed, final in enumerate((0.4, 0.6))]
    (axes,) = per_class_bars([*runs, make_run("majority", final=0.1)]).axes
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == pytest.approx([10] * 10 + [50] * 10)
    assert [label.get_text() for label in axes.get_xticklabels()] == list(CLASSES)


def test_the_histogram_has_a_bar_for_each_class_and_split():
    counts = {"train": torch.arange(10), "test": np.arange(10)}
    (axes,) = class_histogram(counts).axes
    assert [bar.get_height() for bar in axes.patches] == [*range(10), *range(10)]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["train (45 images)", "test (45 images)"]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_pixel_statistics_are_those_of_the_channels(dtype):
    images = torch.zeros(4, 3, 8, 8, dtype=dtype)
    images[:2, 0] = 255 if dtype == torch.uint8 else 1.0
    axes = pixel_statistics(images).axes
    texts = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert texts[0] == "red: mean 0.500, standard deviation 0.500"
    assert texts[1] == "green: mean 0.000, standard deviation 0.000"
    assert np.allclose(axes[1].images[0].get_array()[0, 0], [0.5, 0, 0])
