"""The exercises of notebook 06 name the likely mistake behind a wrong answer."""

from __future__ import annotations

import math

import nbformat
import numpy as np
import pytest
import torch
from wrong_answers import NAMED, Table, both_tests

from dlvc.lessons.exercises import BESIDE_THE_TEXT
from dlvc.lessons.exercises.silent_bugs import DATA, MODEL, NONE
from dlvc.lessons.exercises.silent_cases import WOULD_SHOW
from dlvc.lessons.notebooks import NOTEBOOKS
from dlvc.lessons.silent_bugs.cases import CASES
from dlvc.lessons.silent_bugs.faults import FAULTS, side_by_side


def best(validation, test):
    return validation.index(max(validation))


def asked_twice(scores, images):
    return scores(images)[:1], scores(images[:1])


WRONG: Table = {
    "softmax_floor": [
        (0, "Apply softmax to the probabilities"),
        (math.log(10), "that is guessing"),
        (0.232, "the negative logarithm"),
        (1.0, "an input of softmax"),
    ],
    "images_behind": [
        (40_000, "These three need fewer"),
        (5_000, "1,435.5"),
        (1_000, "123.4"),
    ],
    "first_loss": [
        (math.log(10), "that is ln 10"),
        (math.log10(200), "wrong base"),
        (1 / 200, "that is the probability"),
        ("5.3", "without quotes"),
    ],
    "honest_row": [
        (lambda v, t: (t.index(max(t)) + 1, v[t.index(max(t))], max(t)), "no test any"),
        (lambda v, t: (len(v), v[-1], t[-1]), "the last epoch"),
        (lambda v, t: (best(v, t), max(v), t[best(v, t)]), "count from 0"),
        (lambda v, t: (best(v, t) + 1, sum(v) / len(v), t[best(v, t)]), "mean over"),
        (lambda v, t: (best(v, t) + 1, max(v), max(t)), "best of all epochs"),
        (lambda v, t: max(v), "should return 3 values"),
    ],
    "independent": [
        (lambda scores, images: bool((scores(images) == scores(images)).all()), "twice"),
        (lambda scores, images: scores(images)[0] is scores(images[:1]), "up to round"),
        (lambda scores, images: scores(images[0]), "not right"),
        (lambda scores, images: torch.equal(*asked_twice(scores, images)), "rounding"),
        (
            lambda scores, images: torch.allclose(*asked_twice(scores, images), atol=0.1),
            "overlooks small differences",
        ),
        (3, "a function is asked for"),
    ],
    "who_sees_it": [
        ({"shuffled labels": MODEL}, "by heart without complaint"),
        ({"softmax twice": NONE}, "cannot be learned by heart"),
        ({"mean over epochs": DATA}, "the table that is wrong"),
        ([DATA, MODEL], "keep the dictionary"),
    ],
}

test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "06_silent_bugs", WRONG
)


@pytest.mark.parametrize("kind", [bool, torch.as_tensor, np.asarray, np.bool_])
def test_true_is_taken_as_python_torch_or_numpy_have_it(kind):
    def independent(scores, images):
        together, alone = asked_twice(scores, images)
        return kind(bool((together - alone).abs().max() < 1e-5))

    assert NAMED["independent"].assess(independent).heading == "right"


@pytest.mark.parametrize("letter", CASES)
def test_a_case_takes_its_fault_alone_and_says_of_the_others_what_they_would_show(letter):
    exercise, fault = NAMED[f"case_{letter.lower()}"], CASES[letter]
    assert exercise.assess(fault).heading == "right"
    for other in set(FAULTS) - {fault}:
        note = exercise.assess(other)
        assert note.heading == "not yet"
        assert note.text.startswith(f"{WOULD_SHOW[other]} ")


def test_the_options_are_the_faults():
    assert set(WOULD_SHOW) == set(FAULTS)


def test_the_notebook_shows_each_case_as_its_exercise_says_and_both_methods():
    notebook = nbformat.read(NOTEBOOKS / "06_silent_bugs.ipynb", as_version=4)
    sources = {cell.id: cell.source for cell in notebook.cells}
    for letter, exercise in zip(CASES, BESIDE_THE_TEXT["06_silent_bugs"], strict=True):
        low = letter.lower()
        assert exercise.name == f"case_{low}"
        assert sources[f"case-{low}-starter"] == exercise.starter
        assert sources[f"case-{low}-check"] == f"check.{exercise.name}({exercise.name})"
        assert exercise.after in sources[f"test-{low}"]
        assert side_by_side(FAULTS[CASES[letter]]) in sources[f"test-{low}"]


def test_the_suspects_of_the_notebook_are_the_faults():
    notebook = nbformat.read(NOTEBOOKS / "06_silent_bugs.ipynb", as_version=4)
    table = next(cell.source for cell in notebook.cells if cell.id == "idea-silent")
    suspects = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert suspects[1:] == list(FAULTS)
