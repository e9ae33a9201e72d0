"""The exercises of notebook 06 name the likely mistake behind a wrong answer."""

from __future__ import annotations

import math

import nbformat
import numpy as np
import pytest
import torch

from dlvc.lessons.exercises.checker import Check
from dlvc.lessons.exercises.editions import exercise_cells
from dlvc.lessons.exercises.silent_bugs import DATA, EXERCISES, MODEL, NONE
from dlvc.lessons.exercises.silent_cases import CASE_EXERCISES, WOULD_SHOW
from dlvc.lessons.notebooks import NOTEBOOKS
from dlvc.lessons.silent_bugs.cases import CASES
from dlvc.lessons.silent_bugs.faults import FAULTS, side_by_side

ALL = (*CASE_EXERCISES, *EXERCISES)
SEEN = {
    "shuffled labels": DATA,
    "softmax twice": MODEL,
    "chosen on the test set": NONE,
    "mean over epochs": NONE,
}


@pytest.fixture
def check() -> Check:
    return Check(ALL)


def best(validation, test):
    return validation.index(max(validation))


def asked_twice(scores, images):
    return scores(images)[:1], scores(images[:1])


WRONG = [
    ("case_a", "softmax twice", "near 2.30 while the accuracy rises. Look at the level"),
    ("case_a", "no weights loaded", "ln 1000"),
    ("case_a", "Mean Over Epochs", "in no line of the log"),
    ("case_h", "eval() forgotten", "answered differently each time"),
    ("case_h", "four patches", "2 x 2"),
    ("case_h", "dropout", "answer with one of"),
    ("softmax_floor", 0, "Apply softmax to the probabilities"),
    ("softmax_floor", math.log(10), "that is guessing"),
    ("softmax_floor", 0.232, "the negative logarithm"),
    ("softmax_floor", 1.0, "an input of softmax"),
    ("images_behind", 40_000, "These three need fewer"),
    ("images_behind", 5_000, "1,435.5"),
    ("images_behind", 1_000, "123.4"),
    ("first_loss", math.log(10), "that is ln 10"),
    ("first_loss", math.log10(200), "wrong base"),
    ("first_loss", 1 / 200, "that is the probability"),
    ("first_loss", "5.3", "without quotes"),
    ("honest_row", lambda v, t: (t.index(max(t)) + 1, v[t.index(max(t))], max(t)), "no test any"),
    ("honest_row", lambda v, t: (len(v), v[-1], t[-1]), "the last epoch"),
    ("honest_row", lambda v, t: (best(v, t), max(v), t[best(v, t)]), "count from 0"),
    ("honest_row", lambda v, t: (best(v, t) + 1, sum(v) / len(v), t[best(v, t)]), "mean over"),
    ("honest_row", lambda v, t: (best(v, t) + 1, max(v), max(t)), "best of all epochs"),
    ("honest_row", lambda v, t: max(v), "should return 3 values"),
    ("independent", lambda scores, images: bool((scores(images) == scores(images)).all()), "twice"),
    ("independent", lambda scores, images: scores(images)[0] is scores(images[:1]), "up to round"),
    ("independent", lambda scores, images: scores(images[0]), "not right"),
    ("independent", lambda scores, images: torch.equal(*asked_twice(scores, images)), "rounding"),
    (
        "independent",
        lambda scores, images: torch.allclose(*asked_twice(scores, images), atol=0.1),
        "overlooks small differences",
    ),
    ("independent", 3, "a function is asked for"),
    ("who_sees_it", SEEN | {"shuffled labels": MODEL}, "by heart without complaint"),
    ("who_sees_it", SEEN | {"softmax twice": NONE}, "cannot be learned by heart"),
    ("who_sees_it", SEEN | {"mean over epochs": DATA}, "the table that is wrong"),
    ("who_sees_it", {"shuffled labels": DATA}, "keep the dictionary"),
]


@pytest.mark.parametrize("exercise", ALL, ids=lambda each: each.name)
def test_the_solution_is_right_and_the_starter_is_not_attempted(exercise):
    for source, heading in ((exercise.solution, "right"), (exercise.starter, "not attempted")):
        names: dict[str, object] = {}
        exec(source, names)
        assert exercise.assess(names[exercise.name]).heading == heading


@pytest.mark.parametrize(("name", "answer", "reason"), WRONG)
def test_a_wrong_answer_is_told_its_likely_reason(check: Check, name: str, answer, reason: str):
    note = getattr(check, name)(answer)
    assert note.heading == "not yet", note
    assert reason in note.text


@pytest.mark.parametrize("kind", [bool, torch.as_tensor, np.asarray, np.bool_])
def test_true_is_taken_as_python_torch_or_numpy_have_it(check: Check, kind):
    def independent(scores, images):
        together, alone = asked_twice(scores, images)
        return kind(bool((together - alone).abs().max() < 1e-5))

    assert check.independent.exercise.assess(independent).heading == "right"


def test_there_are_three_wrong_answers_for_each_exercise():
    for exercise in EXERCISES:
        assert sum(name == exercise.name for name, _, _ in WRONG) >= 3


@pytest.mark.parametrize(("letter", "fault"), CASES.items())
def test_a_case_takes_its_fault_alone_and_says_of_the_others_what_they_would_show(
    check: Check, letter, fault
):
    ask = getattr(check, f"case_{letter.lower()}")
    assert ask(fault).heading == "right"
    for other in set(FAULTS) - {fault}:
        note = ask(other)
        assert note.heading == "not yet"
        assert note.text.startswith(WOULD_SHOW[other])


def test_the_options_are_the_faults():
    assert set(WOULD_SHOW) == set(FAULTS)


def test_the_notebook_shows_each_case_as_its_exercise_says_and_both_methods():
    notebook = nbformat.read(NOTEBOOKS / "06_silent_bugs.ipynb", as_version=4)
    sources = {cell.id: cell.source for cell in notebook.cells}
    cells = iter(exercise_cells(CASE_EXERCISES, solved=True))
    for (letter, fault), exercise in zip(CASES.items(), CASE_EXERCISES, strict=True):
        low = letter.lower()
        (_, _, _), (_, _, _), (_, _, asked) = next(cells), next(cells), next(cells)
        assert sources[f"case-{low}-starter"] == exercise.starter
        assert sources[f"case-{low}-check"] == asked
        assert exercise.after in sources[f"test-{low}"]
        assert side_by_side(FAULTS[fault]) in sources[f"test-{low}"]


def test_the_suspects_of_the_notebook_are_the_faults():
    notebook = nbformat.read(NOTEBOOKS / "06_silent_bugs.ipynb", as_version=4)
    table = next(cell.source for cell in notebook.cells if cell.id == "idea-silent")
    suspects = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert suspects[1:] == list(FAULTS)
