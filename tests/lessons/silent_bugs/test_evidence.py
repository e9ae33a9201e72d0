"""The answers to the questions are measured, tell the suspects apart, and leave a run as it would be without them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.lessons.silent_bugs.correct import PlainTraining
from dlvc.lessons.silent_bugs.evidence import QUESTIONS, investigate
from dlvc.lessons.silent_bugs.faults import SUSPECTS
from dlvc.lessons.silent_bugs.traces import FOLDER, Trace, load_trace

CONFIG = TrainConfig(epochs=3, train_size=300, evaluation_size=100, seed=1, device="cpu")
STORED = {path.stem: load_trace(path.stem) for path in sorted(FOLDER.glob("*.json"))}


def numbers(answer: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", answer)]


def changes_with_neighbours(trace: Trace) -> bool:
    pairs = [numbers(pair) for pair in trace.answers["other neighbours"].split(";")]
    return any(abs(one - other) > 5e-4 for one, other in pairs)


def repeats_itself(trace: Trace) -> bool:
    first, second = trace.answers["scored twice"].split("; then ")
    return numbers(first) == numbers(second)


def kept_too_late(trace: Trace) -> bool:
    (kept,) = numbers(trace.answers["kept epoch"])
    best = trace.validation_accuracy.index(max(trace.validation_accuracy)) + 1
    return kept == trace.epochs and best < kept


# Of each suspect: whether an answer, or the log, shows what its `shows` says.
SIGNS = {
    "first file only": lambda trace: numbers(trace.answers["class counts"])[0] < 1_000,
    "shuffled labels": lambda trace: numbers(trace.answers["linear classifier"])[0] < 15,
    "unscaled pixels": lambda trace: numbers(trace.answers["input range"])[-1] > 1_000,
    "1,000 outputs": lambda trace: "1,000 outputs" in trace.answers["parameters"],
    "attention over the batch": lambda trace: (
        changes_with_neighbours(trace) and repeats_itself(trace)
    ),
    "softmax twice": lambda trace: (
        numbers(trace.answers["ten images"])[1] == 10
        and numbers(trace.answers["ten images"])[0] > 1.4
    ),
    "decaying learning rate": lambda trace: len(set(numbers(trace.answers["learning rates"]))) > 1,
    "last batch's loss": lambda trace: (
        abs(numbers(trace.answers["last steps"])[-1] - trace.train_loss[-1]) < 2e-4
    ),
    "eval() forgotten": lambda trace: not repeats_itself(trace),
    "augmented validation": lambda trace: not repeats_itself(trace),
    "chosen on the test set": lambda trace: numbers(trace.answers["test evaluations"]) != [1],
    "best score never updated": kept_too_late,
    "mean over epochs": lambda trace: (
        min(abs(trace.table_validation - share) for share in trace.validation_accuracy) > 1e-4
    ),
}
# What looks the same here, and takes another question to tell apart: the code of scores, the test set's use.
LOOK_ALIKES = {
    "EvalForgotten-seed2": {"augmented validation"},
    "ChosenOnTest-seed4": {"best score never updated"},
}


@pytest.mark.parametrize("name", STORED)
def test_a_stored_run_shows_the_signs_of_its_own_faults_and_no_other(name: str):
    trace = STORED[name]
    seen = {suspect for suspect, shows in SIGNS.items() if shows(trace)}
    assert seen == set(trace.faults) | LOOK_ALIKES.get(name, set())
    assert list(trace.answers) == list(QUESTIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["1,000 outputs", "decaying learning rate", "last batch's loss", "augmented validation"]
)
def test_a_suspect_that_never_occurs_would_show_where_its_text_says(name: str, sketches: ImageData):
    trace = investigate(SUSPECTS[name](sketches, CONFIG))
    assert SIGNS[name](trace)
    assert not SIGNS[name](investigate(PlainTraining(sketches, CONFIG)))


def test_every_suspect_has_a_sign_and_a_text_that_names_questions():
    assert set(SIGNS) == set(SUSPECTS)
    for fault in SUSPECTS.values():
        named = set(re.findall(r"\*([^*]+)\*", fault.shows))
        assert named <= {*QUESTIONS, "code of scores"}
        assert named or fault.shows.startswith("the log")


@pytest.mark.slow
def test_questions_leave_the_run_as_it_is_without_them(sketches: ImageData):
    plain, asked = (
        PlainTraining(sketches, CONFIG).run(),
        investigate(PlainTraining(sketches, CONFIG)),
    )
    assert replace(asked, answers={}, seconds=plain.seconds) == plain


@pytest.mark.slow
def test_answers_about_correct_code_can_be_checked_by_hand(sketches: ImageData):
    code = PlainTraining(sketches, CONFIG)
    answers = investigate(code).answers
    counts = sketches.train.labels.bincount().tolist()
    assert numbers(answers["class counts"]) == [300, *counts]
    assert numbers(answers["parameters"]) == [289_434, 10]
    assert numbers(answers["learning rates"]) == [0.001] * 3
    assert numbers(answers["last steps"]) == pytest.approx(code.step_losses[-5:], abs=1e-4)
    assert answers["test evaluations"] == "1 x"
    low, high = (float(end) for end in answers["input range"].split(" to "))
    assert (
        -2.2 < low < high < 2.7
    )  # black and white after normalisation: (0 - 0.485) / 0.229 and (1 - 0.406) / 0.225
