"""Guesses: what is kept of them, what a bad file does, and how right they are beside what they claim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlvc.files import write_whole
from dlvc.lessons.guesses.store import (
    Prediction,
    guess_calibration,
    load_predictions,
    save_prediction,
)
from dlvc.statistics import wilson_interval


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLVC_RUNS_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs" / "predictions" / "predictions.json"


def number(name: str = "count", **options: object) -> Prediction:
    return Prediction(notebook="01", name=name, question="How many?", **options)


def choice(name: str = "winner", **options: object) -> Prediction:
    return Prediction(notebook="02", name=name, question="Which?", choices=("a", "b"), **options)


def test_a_prediction_comes_back_from_its_file_as_it_was(file: Path) -> None:
    kept = [
        number(guess=(1, 2.5), committed="2026-01-01T00:00:00+00:00"),
        choice(guess="b", confidence=0.7, measured="a"),
    ]
    for each in kept:
        save_prediction(each)
    assert load_predictions().predictions == {each.key: each for each in kept}
    assert load_predictions().note == ""


def test_without_a_guess_an_outcome_leaves_no_file(file: Path) -> None:
    assert number().resolve(5) == number()
    assert not file.exists()


def test_the_first_outcome_is_kept_and_stays(file: Path) -> None:
    resolved = number(guess=(1, 2)).resolve(1.5)
    assert resolved.right
    assert resolved.resolve(99) == resolved
    assert load_predictions().predictions["01/count"].measured == 1.5


@pytest.mark.parametrize(
    ("measured", "right"), [(0.999, False), (1, True), (2, True), (2.001, False)]
)
def test_a_range_is_right_if_it_holds_the_number(measured: float, right: bool) -> None:
    assert number(guess=(1, 2), measured=measured).right == right


DAMAGED = {
    "no JSON": "not json",
    "a list": "[]",
    "cut off": '{"format_version": 1, "predictions": [{"notebook": "01"',
    "a guess in the wrong order": None,
    "code": '{"format_version": 1, "predictions": "__import__(\'os\').remove(\'x\')"}',
    "too large a number": '{"format_version": 1, "predictions": [{"notebook": "01", "name": "n", "question": "?", '
    '"guess": [1, 1' + "0" * 400 + "]}]}",
    "deep": "[" * 100_000,
    "another version": '{"format_version": 2, "predictions": [{"notebook": "01", "name": "n", "question": "?"}]}',
    "a name that is no setting": '{"format_version": 1, "predictions": [{"notebok": "01"}]}',
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_named_and_set_aside_when_a_new_guess_comes(
    file: Path, kind: str
) -> None:
    save_prediction(number(guess=(1, 2)))
    text = DAMAGED[kind] or file.read_text().replace("1.0", "9.0")
    file.write_text(text)
    stored = load_predictions()
    assert stored.predictions == {}
    assert (
        "predictions.json in predictions/ is damaged or of another version and is left out"
        in stored.note
    )
    save_prediction(choice(guess="a"))
    assert list(load_predictions().predictions) == ["02/winner"]
    assert file.with_suffix(".unreadable.json").read_text() == text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
ENTRY = st.fixed_dictionaries(
    {"notebook": st.just("01"), "name": st.just("n"), "question": st.just("?")},
    optional=dict.fromkeys(
        ("choices", "guess", "confidence", "measured", "committed", "other"), JSON
    ),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(entry=ENTRY)
def test_whatever_a_file_holds_is_read_as_predictions_or_left_out(file: Path, entry: dict) -> None:
    write_whole(file, json.dumps({"format_version": 1, "predictions": [entry]}).encode())
    stored = load_predictions()
    assert bool(stored.note) != bool(stored.predictions)
    made = list(stored.predictions.values())
    for flag in (False, True):
        found = guess_calibration(made, choices=flag)
        assert found is None or 0 <= found.brier <= 1


def test_a_calibration_counts_by_hand() -> None:
    ranges = [
        number(f"n{each}", guess=(0, 1), measured=each / 4) for each in range(10)
    ]  # 0 to 1 hold: 5
    choices = [
        choice("one", guess="a", confidence=0.9, measured="a"),
        choice("two", guess="a", confidence=0.6, measured="b"),
        choice("open", guess="a", confidence=0.6),
    ]
    found = guess_calibration([*ranges, *choices], choices=False)
    assert (found.count, found.right, found.stated) == (10, 5, pytest.approx(0.8))
    assert found.brier == pytest.approx(0.5 * 0.2**2 + 0.5 * 0.8**2)
    assert found.interval == wilson_interval(5, 10)[1:]
    picked = guess_calibration([*ranges, *choices], choices=True)
    assert (picked.count, picked.right, picked.stated) == (2, 1, pytest.approx(0.75))
    assert picked.brier == pytest.approx((0.1**2 + 0.6**2) / 2)
    assert guess_calibration(choices, choices=False) is None


@pytest.mark.parametrize(
    ("right", "count", "verdict"),
    [(3, 4, "not told apart"), (2, 10, "too sure"), (40, 40, "too cautious"), (1, 2, "not told apart")],
)  # fmt: skip
def test_few_guesses_decide_nothing(right: int, count: int, verdict: str) -> None:
    made = [number(f"n{i}", guess=(0, 1), measured=0.5 if i < right else 2) for i in range(count)]
    assert guess_calibration(made, choices=False).verdict.startswith(verdict)
