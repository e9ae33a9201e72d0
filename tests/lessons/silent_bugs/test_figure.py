"""The figure of a trace shows what the training reported, and correct code behind it."""

from __future__ import annotations

import math

import pytest

from dlvc.lessons.silent_bugs.figure import training_trace
from dlvc.lessons.silent_bugs.traces import load_trace


def lines(axes) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines}


def test_reported_losses_and_accuracies_are_drawn():
    trace = load_trace("LastBatchLoss")
    loss, accuracy = training_trace(trace, "Case").axes
    assert lines(loss)["training, reported"] == trace.train_loss
    assert lines(loss)["each step"] == trace.step_losses
    assert lines(loss)["ln 10: guessing"][0] == pytest.approx(math.log(10))
    assert lines(accuracy)["validation"] == pytest.approx(
        [100 * each for each in trace.validation_accuracy]
    )
    assert lines(accuracy)["table: test"][0] == pytest.approx(100 * trace.test_accuracy)


def test_correct_code_is_drawn_behind():
    trace, correct = load_trace("SoftmaxTwice"), load_trace("PlainTraining")
    figure = training_trace(trace, "Case", reference=correct)
    assert lines(figure.axes[0])["validation, correct code"] == correct.validation_loss
    assert "correct code in grey" in figure.description
    assert "correct code" not in training_trace(trace, "Case").description


def test_huge_losses_are_drawn_on_a_logarithmic_axis():
    scales = [
        training_trace(load_trace(name), "Case").axes[0].get_yscale()
        for name in ("PlainTraining", "UnscaledPixels")
    ]
    assert scales == ["linear", "log"]
