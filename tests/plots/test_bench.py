"""The bars of loops are as long as their times, and the part for the images is inside."""

import pytest

from dlvc.plots import description, loop_bars


def test_a_bar_is_as_long_as_its_time_and_names_the_gain():
    figure = loop_bars({"slow": 4.0, "fast": 1.0}, {"slow": 3.0, "fast": 0.25})
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == pytest.approx([3.0, 1.0, 0.25, 0.75])
    assert [each.get_text() for each in figure.axes[0].texts] == ["1.0 x", "4.0 x"]
    assert "hatched" in description(figure)


def test_images_never_take_longer_than_the_whole_pass():
    """Both are measured apart, so noise may have it so."""
    figure = loop_bars({"one": 1.0}, {"one": 1.5})
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([1.0, 0.0])
