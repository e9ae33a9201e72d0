"""The form of a guess: a learner who fills it in, one who does not, and what is shown of hostile text."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from IPython.core.formatters import DisplayFormatter

from dlvc.lessons.guesses.figure import calibration_figure
from dlvc.lessons.guesses.form import guess_first
from dlvc.lessons.guesses.store import load_predictions
from dlvc.lessons.notebooks import WIDGET_VIEW


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLVC_RUNS_DIR", str(tmp_path))
    return tmp_path / "predictions" / "predictions.json"


def number_form(name: str = "count"):
    return guess_first("01_data", name, "How many?", unit="%")


def choice_form(name: str = "winner"):
    return guess_first("02_cnns", name, "Which one?", choices=("a", "b", "c"))


def commit_range(form, low: float, high: float) -> None:
    form.low.value, form.high.value = low, high
    form.commit.click()


def test_untouched_it_is_silent(file: Path, capsys: pytest.CaptureFixture) -> None:
    for form, measured in ((number_form(), 5), (choice_form(), "a")):
        assert form.value is None
        assert form.resolve(measured) is None
    assert not file.exists()
    assert capsys.readouterr() == ("", "")


def test_a_learners_guesses_become_a_calibration() -> None:
    """As in notebooks 01 to 05: commit, run the experiment, and look at all of them at the end."""
    for place, measured in enumerate((1, 2, 3, 30)):
        form = number_form(f"n{place}")
        commit_range(form, 0, 10)
        assert form.resolve(measured).description.endswith(
            "right." if measured < 10 else "this time."
        )
    form = choice_form()
    form.answer.value, form.sure.value = "b", 70
    form.commit.click()
    form.resolve("b")
    says = calibration_figure(list(load_predictions().predictions.values())).description
    assert "3 of 4 ranges were right (75%" in says
    assert "1 of 1 choices were right (100%" in says
    assert "70% should be" in says
    assert "Brier score 0.09" in says


def test_a_committed_guess_is_there_when_the_cell_runs_again_and_may_be_changed() -> None:
    commit_range(number_form(), 1, 2)
    again = number_form()
    assert again.value == (1.0, 2.0)
    assert (again.low.value, again.high.value) == (1, 2)
    assert "Committed: 1 to 2 %" in again.status.value
    commit_range(again, 3, 4)
    assert number_form().value == (3.0, 4.0)


def test_a_guess_carries_the_time_at_which_it_was_committed_last() -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    form = number_form()
    assert form.prediction.committed == ""
    commit_range(form, 1, 2)
    stored = load_predictions().predictions["01_data/count"]
    assert before <= datetime.fromisoformat(stored.committed) <= datetime.now(timezone.utc)
    assert f"({stored.committed[:10]} {stored.committed[11:19]} UTC)" in form.status.value
    form.resolve(1.5)
    assert load_predictions().predictions["01_data/count"].committed == stored.committed


def test_once_the_result_is_there_nothing_can_be_changed() -> None:
    form = number_form()
    commit_range(form, 1, 2)
    form.resolve(1.5)
    again = number_form()
    assert again.commit.disabled and again.low.disabled and again.high.disabled
    assert "You said 1 to 2 %, 80% sure; the result was 1.5 %." in again.status.value
    assert again.resolve(77).description.endswith("the result is 1.5 %: right.")


def test_a_guess_for_another_question_does_not_count() -> None:
    commit_range(number_form(), 1, 2)
    assert guess_first("01_data", "count", "How few?").value is None


@pytest.mark.parametrize(
    ("low", "high", "said"), [(5, 1, "got 5.0 to 1.0"), (0, 0, "enter a range")]
)
def test_a_range_that_is_none_is_not_committed(
    file: Path, low: float, high: float, said: str
) -> None:
    form = number_form()
    commit_range(form, low, high)
    assert said in form.status.value
    assert form.value is None
    assert not file.exists()


def test_a_choice_has_to_be_made() -> None:
    form = choice_form()
    assert form.sure.min == 34  # one of three, guessed
    form.commit.click()
    assert "choose one of the answers" in form.status.value
    assert form.value is None


def test_a_damaged_file_is_said_in_the_form_and_guessing_goes_on(file: Path) -> None:
    commit_range(number_form(), 1, 2)
    file.write_text("<script>alert(1)</script>")
    form = number_form()
    assert "is damaged or of another version and is left out" in form.status.value
    commit_range(form, 3, 4)
    assert number_form().value == (3.0, 4.0)


def test_hostile_text_is_shown_as_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    form = guess_first("01_data", hostile, hostile, choices=(hostile, "b"))
    form.answer.value = hostile
    form.commit.click()
    bundle = form._repr_mimebundle_()
    for shown in (bundle["text/html"], form.widget.children[0].value, form.status.value):
        assert "<img" not in shown
        assert "&lt;img" in shown


def test_its_cell_shows_the_form_and_keeps_the_question() -> None:
    data, _ = DisplayFormatter().format(number_form())
    assert set(data) == {WIDGET_VIEW, "text/html", "text/plain"}
    assert data["text/plain"] == "Predict: How many?"
    assert "How many? (in %)" in data["text/html"]
