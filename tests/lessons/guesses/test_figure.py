"""A guess in a figure: where it stands, and that a figure without one is not changed."""

from __future__ import annotations

import pytest

from dlvc.lessons.guesses.figure import calibration_figure, guess_and_result, mark_guess
from dlvc.lessons.guesses.store import Prediction
from dlvc.plots.style import Picture, new_picture, set_description, styled

RANGE = {"notebook": "01", "name": "count", "question": "How many?", "unit": "%"}
CHOICE = {"notebook": "02", "name": "best", "question": "Which?", "choices": ("cat", "dog", "frog")}


@styled
def bars() -> Picture:
    picture = new_picture(4, 3)
    axes = picture.subplots()
    axes.bar(range(2), [1, 2])
    axes.set_xticks(range(2), ["cat", "dog (3)"])
    return set_description(picture, "Two bars.")


def test_without_a_guess_there_is_nothing_to_show() -> None:
    assert guess_and_result(Prediction(**RANGE)) is None
    assert guess_and_result(Prediction(**RANGE, measured=3)) is None
    assert guess_and_result(Prediction(**CHOICE, guess="cat")) is None
    assert calibration_figure([]) is None
    assert calibration_figure([Prediction(**CHOICE, guess="cat")]) is None


def test_a_figure_without_a_guess_is_not_changed() -> None:
    picture = mark_guess(bars(), Prediction(**CHOICE), axis="x")
    assert [tick.get_text() for tick in picture.axes[0].get_xticklabels()] == ["cat", "dog (3)"]
    assert picture.description == "Two bars."


def test_a_range_is_drawn_from_end_to_end_with_the_result() -> None:
    picture = guess_and_result(Prediction(**RANGE, guess=(10, 30), measured=25.5))
    (band,) = picture.axes[0].patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (10, 30)
    assert picture.axes[0].lines[0].get_xdata() == [25.5]
    assert (
        picture.description
        == "How many? You said 10 to 30 %, 80% sure; the result is 25.5 %: right."
    )


def test_a_choice_and_the_result_stand_at_their_ticks() -> None:
    picture = guess_and_result(Prediction(**CHOICE, guess="dog", measured="frog", confidence=0.6))
    places = {text.get_text(): text.get_position()[0] for text in picture.axes[0].texts}
    assert places == {"your guess (60% sure)": 1, "result": 2}
    assert "not this time" in picture.description


@pytest.mark.parametrize(("axis", "ends"), [("x", (0.2, 0.7)), ("y", (0.2, 0.7))])
def test_a_range_becomes_a_band_along_an_axis(axis: str, ends: tuple[float, float]) -> None:
    picture = mark_guess(bars(), Prediction(**RANGE, guess=ends), axis=axis)
    band = (
        picture.axes[0].patches[-1].get_extents().transformed(picture.axes[0].transData.inverted())
    )
    drawn = (band.x0, band.x1) if axis == "x" else (band.y0, band.y1)
    assert drawn == pytest.approx(ends)
    assert picture.description == "Two bars. Your guess: 0.2 to 0.7 %, 80% sure."


def test_a_choice_is_marked_at_the_tick_that_begins_with_it() -> None:
    picture = mark_guess(bars(), Prediction(**CHOICE, guess="dog"), axis="x")
    cat, dog = (tick.get_text() for tick in picture.axes[0].get_xticklabels())
    assert cat == "cat"
    assert dog.startswith("dog (3)")
    assert "guess" in dog
    with pytest.raises(ValueError, match="no tick of x begins with 'frog'"):
        mark_guess(bars(), Prediction(**CHOICE, guess="frog"), axis="x")


def test_a_calibration_is_said_with_its_numbers() -> None:
    made = [
        Prediction(**{**RANGE, "name": str(i)}, guess=(0, 1), measured=0.5 + i // 3)
        for i in range(4)
    ]
    picture = calibration_figure(made)
    assert (
        "3 of 4 ranges were right (75%, interval 30% to 95%), 80% should be" in picture.description
    )
    assert "not told apart from well calibrated" in picture.description
