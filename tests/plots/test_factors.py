"""Lines show the numbers they were given, with means and bands, and models look as elsewhere."""

import numpy as np
import pytest

from dlvc.plots import calibration_diagram, measured_lines
from dlvc.plots.style import model_style


def draw(panels, **options):
    labels = {"place_label": "depth", "value_label": "size", "says": "Two lines."}
    return measured_lines(panels, [1, 2, 4], **labels, **options)


def test_each_panel_has_its_lines_with_a_marker_at_each_place():
    figure = draw({"plain": {"first": [3, 2, 1], "last": [1, 1, 1]}, "other": {"last": [2, 2, 2]}})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["plain", "other"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["first"].get_xydata(), [[1, 3], [2, 2], [4, 1]])
    assert figure.axes[1].lines[0].get_color() == lines["last"].get_color()
    assert lines["first"].get_marker() != lines["last"].get_marker()
    assert figure.description == "Two lines."


def test_several_runs_are_a_mean_with_a_band_from_lowest_to_highest():
    figure = draw({"": {"runs": [[1, 2, 3], [3, 4, 5]]}})
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [2, 3, 4])
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1, 5)


def test_a_model_is_drawn_as_in_every_figure():
    style = model_style("deep-cnn")
    figure = draw({"": {"Deep CNN": [1, 2, 3]}}, styles={"Deep CNN": style}, log="xy")
    assert figure.axes[0].lines[0].get_color() == style.color
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "log")


@pytest.mark.parametrize(("lowest", "one_label"), [(1e-16, "10⁻¹⁰"), (1e-3, "10⁻²"), (0.5, "0.5")])
def test_powers_of_ten_are_written_as_such_where_there_are_several(lowest, one_label):
    figure = draw({"": {"gradient": [1, lowest, 3]}}, log="y")
    figure.draw_without_rendering()
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert one_label in labels


def test_panels_have_scales_of_their_own_where_the_axes_are_named_for_each():
    values = {"gradient": {"line": [1, 10, 100]}, "similarity": {"line": [0.1, 0.2, 0.3]}}
    gradient, similarity = draw(values, log={"gradient": "y", "similarity": ""}).axes
    assert (gradient.get_yscale(), similarity.get_yscale()) == ("log", "linear")
    assert similarity.get_ylim()[1] < 1 < 100 <= gradient.get_ylim()[1]
    assert len({axes.get_ylim() for axes in draw(values).axes}) == 1


@pytest.mark.parametrize(("places", "all_named"), [([0, 100, 500], True), ([0, 10, 500], False)])
def test_each_place_is_named_on_the_axis_unless_two_would_lie_on_each_other(places, all_named):
    labels = {"place_label": "step", "value_label": "size", "says": "One line."}
    axes = measured_lines({"": {"line": [1, 2, 3]}}, places, **labels).axes[0]
    assert (axes.get_xticks().tolist() == places) == all_named


def test_a_logarithmic_axis_has_a_place_for_0_and_equal_steps_for_equal_factors():
    labels = {"place_label": "step", "value_label": "size", "says": "One line."}
    axes = measured_lines({"": {"line": [1, 2, 3, 4]}}, [0, 1, 10, 100], log="x", **labels).axes[0]
    zero, one, ten, hundred = axes.transData.transform([(x, 1) for x in (0, 1, 10, 100)])[:, 0]
    assert zero < one < ten and hundred - ten == pytest.approx(ten - one)
    assert axes.get_xticks().tolist() == [0, 1, 10, 100]


def test_a_calibration_is_drawn_in_percent_with_larger_markers_for_more_predictions():
    figure = calibration_diagram({"CNN": ([0.5, 0.9], [0.4, 0.8], [10, 90])}, says="One model.")
    dots = figure.axes[0].collections[0]
    np.testing.assert_allclose(dots.get_offsets(), [[50, 40], [90, 80]])
    assert dots.get_sizes()[0] < dots.get_sizes()[1]
