"""Maps over images, deletion curves, intervals and shares show the numbers they were given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlvc.plots import deletion_curves, head_points, interval_rows, map_mosaic

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_each_map_lies_beside_its_image_and_its_largest_number_is_brightest():
    maps = torch.tensor([[0.0, 0.1, 0.2, 0.4], [0.0, 0.0, 0.0, 0.0]])
    drawn = map_mosaic(IMAGES, {"rollout": maps}).axes[0].images
    assert [each.get_array().shape[:2] for each in drawn] == [(8, 8), (2, 2)] * 2
    assert drawn[1].get_clim() == pytest.approx((0, 0.4))
    np.testing.assert_allclose(drawn[1].get_array(), maps[0].view(2, 2))


def test_deletion_curves_are_in_percent_and_have_a_plot_for_each_map():
    orders = {"highest first": [0.8, 0.1], "lowest first": [0.8, 0.2]}
    figure = deletion_curves([0, 1], {"rollout": orders, "Grad-CAM": orders})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["rollout", "Grad-CAM"]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["highest first"], [80, 10])
    two = {"highest first": [[0.8, 0.1], [0.6, 0.3]]}  # of two networks
    axes = deletion_curves([0, 1], {"rollout": two}).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [70, 20])
    assert {*map(tuple, axes.collections[0].get_paths()[0].vertices)} >= {
        (0, 60),
        (0, 80),
        (100, 30),
    }
    with pytest.raises(ValueError, match="orders are lowest first, random, highest first"):
        deletion_curves([0, 1], {"rollout": {"best": [0, 1]}})


def test_an_interval_is_drawn_from_end_to_end_with_its_mean():
    groups = {"ViT": {"rollout": (0.1, 0.05, 0.2)}}
    figure = interval_rows(groups, label="points", scale=100, says="A dot with its interval.")
    line, dot = figure.axes[0].lines[:2]
    np.testing.assert_allclose(line.get_xdata(), [5, 20])
    np.testing.assert_allclose(dot.get_xdata(), [10])
    assert [each.get_text() for each in figure.axes[0].get_yticklabels()] == ["rollout"]


def test_several_intervals_of_a_row_stand_close_together_below_one_name():
    groups = {"ViT": {"rollout": [(0.1, 0.05, 0.2), (0.3, 0.2, 0.4)], "attention": (0, 0, 0)}}
    figure = interval_rows(groups, label="points", says="Dots with their intervals.")
    axes = figure.axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "|"]
    heights = [float(dot.get_ydata()[0]) for dot in dots]
    assert [float(dot.get_xdata()[0]) for dot in dots] == pytest.approx([0.1, 0.3, 0])
    assert heights[0] < axes.get_yticks()[0] < heights[1] < heights[2]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["rollout", "attention"]


def test_the_number_of_each_head_is_written_in_points():
    about = {"title": "Heads", "says": "A table."}
    figure = head_points({"trained": [[0.104, -0.2], [0.0, 0.05]]}, **about)
    assert [text.get_text() for text in figure.axes[0].texts] == ["+10", "-20", "0", "+5"]
    with pytest.raises(ValueError, match=r"trained must have shape \(layers, heads\)"):
        head_points({"trained": [0.1, 0.2]}, **about)
