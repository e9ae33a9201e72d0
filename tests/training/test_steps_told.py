"""A training tells each of its steps, and tells them the same when it goes on from a checkpoint."""

from __future__ import annotations

from small_training import CONFIG, STEPS, run

ALL = [(epoch, step, STEPS) for epoch in (1, 2, 3) for step in range(1, STEPS + 1)]


def test_each_step_is_told_once_with_its_epoch_and_number(sketches):
    told = []
    run(sketches, on_step=lambda *step: told.append(step))
    assert told == ALL and len(told) == CONFIG.epochs * STEPS


def test_after_a_stop_the_steps_that_are_left_are_told(sketches, tmp_path):
    told = []
    for stop_after in (7, None):
        run(sketches, tmp_path, stop_after=stop_after, on_step=lambda *step: told.append(step))
    assert told == ALL
