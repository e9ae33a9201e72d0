"""The figure shows the means of each start, tells other recipes apart, and says how far fine-tuning is ahead."""

from types import SimpleNamespace

import numpy as np
import pytest

from dlvc.plots import label_efficiency

REACHED = {  # of 100: at 100 and at 1,000 labels, two seeds each
    "random start": ((20, 22), (40, 44)),
    "frozen backbone": ((40, 40), (50, 52)),
    "fine-tuned": ((40, 44), (60, 60)),
}


def run(way: str, labels: int, percent: float, recipe: str = "study", test_images: int = 100):
    reached = {"test_accuracy": percent / 100, "test_images": test_images}
    return SimpleNamespace(way=way, labels=labels, recipe=recipe, data="Sketch-10", **reached)


RUNS = [
    run(way, labels, percent)
    for way, reached in REACHED.items()
    for labels, seeds in zip((100, 1_000), reached, strict=True)
    for percent in seeds
]


def test_a_line_goes_through_the_means_and_another_recipe_is_hollow():
    extra = [run("fine-tuned", 40_000, 87, "tuned"), run("fine-tuned", 100, 0, test_images=0)]
    figure = label_efficiency([*RUNS, *extra])
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    lines = [line for line in axes.lines if line.get_marker() == "^"]
    np.testing.assert_allclose(lines[0].get_xydata(), [[100, 42], [1_000, 60]])
    np.testing.assert_allclose(lines[1].get_xydata(), [[40_000, 87]])
    assert lines[1].get_markerfacecolor() == "white"
    band = axes.collections[2].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (40, 60)
    texts = {text.get_text() for text in axes.texts}
    assert texts == {"+21", "+18", *REACHED}
    assert "another recipe" in figure.description
    assert "another recipe" not in label_efficiency(RUNS).description


def test_starts_differ_in_colour_and_marker():
    (axes,) = label_efficiency(RUNS).axes
    lines = [line for line in axes.lines if line.get_marker() in "os^" and len(line.get_xdata())]
    assert len({line.get_color() for line in lines}) == 3
    assert len({line.get_marker() for line in lines}) == 3


def test_without_a_tested_run_it_is_said_how_to_get_some():
    with pytest.raises(ValueError, match=r"got none\. Make them with python -m dlvc\.studies"):
        label_efficiency([run("fine-tuned", 100, 0, test_images=0)])
