"""Figures of classes show counts as shares of the true class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlvc.data import CLASSES
from dlvc.plots import (
    confusion_grid,
    confusion_heatmap,
    per_class_bars,
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


def test_a_difference_is_in_points_with_its_sign_and_its_scale_is_that_of_the_mistakes():
    first, second = (
        torch.full((10, 10), 2) + torch.eye(10, dtype=torch.int64) * 80 for _ in range(2)
    )
    first[0, 0], first[0, 1] = 72, 12  # ten of a hundred became a mistake
    figure = confusion_heatmap(first, minus=second)
    written = {tuple(map(int, t.get_position()[::-1])): t.get_text() for t in figure.axes[0].texts}
    assert {place: text for place, text in written.items() if text} == {
        (0, 0): "−10",
        (0, 1): "+10",
    }
    assert figure.axes[0].collections[0].get_clim() == pytest.approx((-10, 10))


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
