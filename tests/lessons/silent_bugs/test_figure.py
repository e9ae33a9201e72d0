"""The figures of logs show what was reported, on the same axes for all runs, with correct code behind."""

from __future__ import annotations

import math

import pytest

from dlvc.lessons.silent_bugs.case_files import CASES, REFERENCE_SEEDS, references
from dlvc.lessons.silent_bugs.figure import ACCURACY_RANGE, LOSS_RANGE, line_up, training_log
from dlvc.lessons.silent_bugs.traces import load_trace

CORRECT = [load_trace(f"PlainTraining-seed{seed}") for seed in REFERENCE_SEEDS]
TRACES = {f"Case {number}": file.trace for number, file in CASES.items()}


def lines(axes) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines}


def test_reported_losses_and_accuracies_are_drawn():
    trace = TRACES["Case 3"]
    loss, accuracy = training_log(trace, "Case").axes
    assert lines(loss)["training"] == trace.train_loss
    assert lines(loss)["guessing"][0] == pytest.approx(math.log(10))
    assert lines(accuracy)["validation"] == pytest.approx(
        [100 * share for share in trace.validation_accuracy]
    )
    assert lines(accuracy)["table: test"][0] == pytest.approx(100 * trace.table_test)


def test_the_band_covers_the_validation_of_all_correct_runs():
    _, accuracy = training_log(TRACES["Case 3"], "Case", reference=CORRECT).axes
    (band,) = accuracy.collections
    edge = band.get_paths()[0].vertices
    shares = [[100 * share for share in trace.validation_accuracy] for trace in CORRECT]
    for epoch, reached in enumerate(zip(*shares, strict=True), start=1):
        heights = edge[edge[:, 0] == epoch, 1]
        assert (min(heights), max(heights)) == pytest.approx((min(reached), max(reached)))


def test_all_cases_stand_on_the_same_axes_and_hold_their_accuracies():
    picture = line_up(TRACES, CORRECT)
    assert len(picture.axes) == 2 * len(CASES)
    accuracies = [axes for axes in picture.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left").partition("\n")[0] for axes in accuracies] == list(TRACES)
    assert {axes.get_ylim() for axes in accuracies} == {ACCURACY_RANGE}
    assert {axes.get_ylim() for axes in picture.axes if axes not in accuracies} == {LOSS_RANGE}
    for trace in TRACES.values():
        assert 100 * max(trace.validation_accuracy) < ACCURACY_RANGE[1]
        assert LOSS_RANGE[0] < min(trace.train_loss + trace.validation_loss)
        assert max(trace.validation_loss) < LOSS_RANGE[1]


def test_a_loss_beyond_the_axis_is_written_down():
    loss, _ = training_log(TRACES["Case 1"], "Case").axes
    assert [text.get_text() for text in loss.texts] == [f"↑ {TRACES['Case 1'].train_loss[0]:.2f}"]


def test_only_runs_of_the_reference_network_have_a_band():
    for number, file in CASES.items():
        assert bool(references(file.trace)) == (file.trace.model == "Deep Normalized CNN"), number
