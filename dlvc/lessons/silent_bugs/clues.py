"""What a trace gives away, as rules that a learner could apply by eye: each clue is a sentence and its test."""

from __future__ import annotations

import math
from collections.abc import Callable

from dlvc.lessons.silent_bugs.correct import FILES
from dlvc.lessons.silent_bugs.traces import Trace

GUESSING = math.log(10)
CHANGED = 5e-4  # in a probability: less is rounding


def few_images(trace: Trace) -> bool:
    """Whether all training accuracies are shares of one file's images."""
    hits = [accuracy * trace.images / FILES for accuracy in trace.train_accuracy]
    return all(abs(count - round(count)) < 1e-6 for count in hits)


def high_for_its_accuracy(trace: Trace) -> bool:
    """Whether the loss is near that of guessing, although a quarter of the answers is right."""
    return trace.validation_accuracy[-1] > 0.25 and trace.validation_loss[-1] > GUESSING - 0.25


def answers_differ(trace: Trace, first: int, second: int) -> bool:
    """Whether an image got different answers at two of the times it was asked about."""
    return any(abs(row[first] - row[second]) > CHANGED for row in trace.answers)


def last_step_reported(trace: Trace) -> bool:
    """Whether the reported loss of every epoch is that of its last step."""
    steps = len(trace.step_losses) // trace.epochs
    lasts = trace.step_losses[steps - 1 :: steps]
    return all(
        abs(reported - last) < 1e-4 for reported, last in zip(trace.train_loss, lasts, strict=True)
    )


CLUES: dict[str, Callable[[Trace], bool]] = {
    "training accuracies are shares of a quarter of the images": few_images,
    "the first loss is far above ln 10": lambda trace: trace.step_losses[0] > 2 * GUESSING,
    "the first loss is near ln 1000": lambda trace: (
        abs(trace.step_losses[0] - math.log(1000)) < 0.5
    ),
    "nothing is learned": lambda trace: trace.train_accuracy[-1] < 0.13,
    "the loss is high for its accuracy": high_for_its_accuracy,
    "an answer changes with the other images": lambda trace: (
        answers_differ(trace, 0, 2) and not answers_differ(trace, 0, 1)
    ),
    "an answer changes when asked again": lambda trace: answers_differ(trace, 0, 1),
    "answers are given in training mode": lambda trace: trace.answered_in_training_mode,
    "the table's validation accuracy is that of no epoch": lambda trace: (
        min(abs(trace.validation_column - share) for share in trace.validation_accuracy) > 1e-4
    ),
    "the kept epoch is not the best on validation": lambda trace: (
        trace.validation_accuracy[trace.kept_epoch - 1] < max(trace.validation_accuracy)
    ),
    "the reported loss is that of the last step": last_step_reported,
    "the learning rate changes": lambda trace: len(set(trace.learning_rates)) > 1,
    "the test images were looked at more than once": lambda trace: trace.test_openings > 1,
    "the attention map has four cells": lambda trace: trace.attention_map == [2, 2],
}


def clues(trace: Trace) -> tuple[str, ...]:
    """What the trace gives away; nothing for correct code."""
    return tuple(clue for clue, is_seen in CLUES.items() if is_seen(trace))
