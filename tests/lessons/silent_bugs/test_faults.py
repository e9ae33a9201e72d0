"""Each fault is one changed method that trains without an error, and has a test that is red on it alone."""

from __future__ import annotations

import inspect
import math

import pytest

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.lessons.silent_bugs.correct import PlainTraining, PretrainedTraining
from dlvc.lessons.silent_bugs.faults import FAULTS, changed_method, side_by_side
from dlvc.lessons.silent_bugs.minimal_tests import SMALLEST, make_code, try_smallest

CONFIG = TrainConfig(epochs=1, train_size=100, evaluation_size=100, device="cpu")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_replaces_one_method_of_correct_code(name: str):
    fault = FAULTS[name]
    method = changed_method(fault)
    assert fault.__base__.case == "correct"
    right, wrong = (inspect.signature(getattr(code, method)) for code in (fault.__base__, fault))
    assert right == wrong
    assert set(vars(fault)) - {
        "__module__",
        "__doc__",
        "__firstlineno__",
        "__static_attributes__",
    } == {
        "case",
        method,
    }
    assert side_by_side(fault).count(f"def {method}") == 2


@pytest.mark.parametrize(
    "name", [name for name in FAULTS if not issubclass(FAULTS[name], PretrainedTraining)]
)
def test_a_fault_trains_without_an_error(name: str, sketches: ImageData):
    trace = FAULTS[name](sketches, CONFIG).run()
    assert trace.case == name
    assert all(map(math.isfinite, trace.step_losses))


@pytest.mark.parametrize("name", FAULTS)
def test_the_smallest_test_is_red_on_its_fault_and_green_on_correct_code(
    name: str, sketches: ImageData
):
    shown = try_smallest(name, sketches)
    assert shown.endswith(f"correct code: green\n{name}: RED")
    assert len(inspect.getsource(SMALLEST[name]).splitlines()) <= 6


@pytest.mark.parametrize("test", SMALLEST.values(), ids=SMALLEST)
def test_a_smallest_test_is_green_on_all_correct_code_that_it_fits(test, sketches: ImageData):
    if test is not SMALLEST["no weights loaded"] and test is not SMALLEST["four patches"]:
        assert test(make_code(PlainTraining, sketches, CONFIG))
