"""The parts of a loop lie end to end, and each loop says its gain over the first and over the one above it."""

import pytest

from dlvc.studies import speed_bars

PARTS = {
    "slow": {"images": 3.0, "forward": 0.5, "backward": 0.25},
    "fast": {"images": 0.1, "forward": 0.5, "backward": 0.25},
}


def test_the_parts_of_a_loop_lie_end_to_end():
    above, _ = speed_bars(PARTS, {"slow": 4.0, "fast": 1.0}).axes
    bars = [(bar.get_x(), bar.get_width()) for bar in above.patches]
    expected = [(0, 3.0), (3.0, 0.5), (3.5, 0.25), (0, 0.1), (0.1, 0.5), (0.6, 0.25)]
    assert bars == [pytest.approx(bar) for bar in expected]
    assert [text.get_text() for text in above.get_legend().get_texts()] == list(PARTS["slow"])


def test_a_gain_is_over_the_first_loop_and_in_brackets_over_the_one_above():
    figure = speed_bars(PARTS, {"slow": 4.0, "fast": 1.0, "faster": 0.8})
    below = figure.axes[1]
    assert [bar.get_width() for bar in below.patches] == pytest.approx([1.0, 4.0, 5.0])
    texts = [text.get_text() for text in below.texts]
    assert texts == ["1.0 x", "4.0 x (4.00 x)", "5.0 x (1.25 x)"]
    assert "in brackets" in figure.description
