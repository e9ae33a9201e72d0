"""Each suspect is one changed method that trains without an error, and has a test that fails on it alone."""

from __future__ import annotations

import inspect
import math

import pytest

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.lessons.silent_bugs.correct import PlainTraining
from dlvc.lessons.silent_bugs.faults import SUSPECTS, changed_method, side_by_side, suspect_table
from dlvc.lessons.silent_bugs.smallest_tests import SMALLEST, try_smallest

CONFIG = TrainConfig(epochs=1, train_size=100, evaluation_size=100, device="cpu")


@pytest.mark.parametrize("name", SUSPECTS)
def test_a_fault_replaces_one_method_of_correct_code(name: str):
    fault = SUSPECTS[name]
    method = changed_method(fault)
    assert fault.__base__.faults == ()
    right, wrong = (inspect.signature(getattr(code, method)) for code in (fault.__base__, fault))
    assert right == wrong
    assert {key for key in vars(fault) if not key.startswith("__")} == {"faults", "shows", method}
    assert side_by_side(fault).count(f"def {method}") == 2


@pytest.mark.parametrize("name", SUSPECTS)
def test_a_fault_trains_without_an_error(name: str, sketches: ImageData):
    trace = SUSPECTS[name](sketches, CONFIG).run()
    assert trace.faults == [name]
    assert all(map(math.isfinite, trace.train_loss))


@pytest.mark.parametrize("name", SUSPECTS)
def test_the_smallest_test_fails_on_its_fault_and_passes_on_mended_code(
    name: str, sketches: ImageData
):
    assert try_smallest(name, sketches).endswith("# mended code: passes\n# wrong code: FAILS")
    assert len(inspect.getsource(SMALLEST[name]).splitlines()) <= 6


@pytest.mark.parametrize("name", SMALLEST)
def test_a_smallest_test_passes_on_code_that_has_another_fault(name: str, sketches: ImageData):
    others = [fault for other, fault in SUSPECTS.items() if other != name]
    failed = {fault.faults[0] for fault in others if not SMALLEST[name](fault(sketches, CONFIG))}
    # What is random in evaluation is also random for an image alone.
    random = {"eval() forgotten", "augmented validation"}
    allowed = {
        "attention over the batch": random,
        "augmented validation": {"eval() forgotten"},
    }
    assert failed <= allowed.get(name, set())


def test_the_table_has_a_row_with_one_sentence_for_each_suspect():
    rows = suspect_table().splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [f"| {name}" for name in SUSPECTS]
    assert all(row.endswith(". |") for row in rows)


def test_correct_code_passes_every_smallest_test(sketches: ImageData):
    code = PlainTraining(sketches, CONFIG)
    assert [name for name, test in SMALLEST.items() if not test(code)] == []
