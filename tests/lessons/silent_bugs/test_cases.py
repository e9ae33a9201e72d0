"""Every case can be told from every other one by its stored trace, and most before training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlvc.data import ImageData
from dlvc.lessons.silent_bugs.cases import CASES, load_case, who_caught_it
from dlvc.lessons.silent_bugs.clues import CLUES, clues
from dlvc.lessons.silent_bugs.faults import FAULTS
from dlvc.lessons.silent_bugs.traces import FOLDER, load_trace

CORRECT = ("PlainTraining", "SimpleCNNTraining", "SmallViTTraining", "PretrainedTraining")
ALARMS = {
    "shuffled labels": "labels fit the images",
    "unscaled pixels": "inputs in range; first loss",
    "eval() forgotten": "evaluation repeats itself",
    "softmax twice": "a small batch can be overfitted",
    "first file only": "training images",
    "attention over the batch": "images do not see each other",
    "no weights loaded": "one score for each class; first loss; pretrained weights are there",
    "augmented validation": "evaluation repeats itself",
}


def test_the_cases_are_the_faults_in_another_order():
    assert sorted(CASES.values()) == sorted(FAULTS)
    assert list(CASES.values()) != list(FAULTS)


def test_there_is_one_stored_trace_for_each_code():
    assert {path.stem for path in FOLDER.glob("*.json")} == {
        *CORRECT,
        *(fault.__name__ for fault in FAULTS.values()),
    }


@pytest.mark.parametrize("name", CORRECT)
def test_correct_code_leaves_no_clue(name: str):
    assert clues(load_trace(name)) == ()


def test_the_clues_of_each_case_are_its_own():
    by_case = {letter: clues(load_case(letter)[0]) for letter in CASES}
    assert all(by_case.values())
    assert len(set(by_case.values())) == len(CASES)
    assert {clue for seen in by_case.values() for clue in seen} == set(CLUES)


def test_a_case_comes_with_correct_code_of_the_same_model_and_the_fault_it_names():
    for letter, fault in CASES.items():
        trace, correct = load_case(letter)
        assert (trace.case, correct.case) == (fault, "correct")
        assert (trace.model, trace.images, trace.epochs) == (
            correct.model,
            correct.images,
            correct.epochs,
        )


@pytest.mark.slow
def test_the_check_before_training_catches_what_the_notebook_says(sketches: ImageData):
    caught = who_caught_it(sketches)
    alarms = dict(zip(caught["fault"], caught["alarms before training"], strict=True))
    assert alarms == {fault: ALARMS.get(fault, "none") for fault in FAULTS}


def test_the_mean_over_epochs_lies_below_the_test_accuracy_of_the_kept_epoch():
    trace = load_trace("MeanOverEpochs")
    assert trace.validation_column == pytest.approx(sum(trace.validation_accuracy) / 6, abs=1e-4)
    assert trace.validation_column < trace.test_accuracy


def test_a_clue_needs_all_epochs():
    trace = load_trace("FirstFileOnly")
    one_off = replace(trace, train_accuracy=[*trace.train_accuracy[:-1], 901 / 3000])
    assert clues(one_off) == ()
