"""Figure of one training's log: what it reported, epoch by epoch and step by step."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dlvc.plots.style import (
    BLUE,
    MUTED,
    VERMILLION,
    Picture,
    new_picture,
    set_description,
    styled,
)
from dlvc.traces import Trace

TRAINING = {"color": VERMILLION, "marker": "o", "linestyle": "--", "markersize": 4.5}
VALIDATION = {"color": BLUE, "marker": "s", "linestyle": "-", "markersize": 4.5}
HIGH_LOSS = 5.0  # beyond it a linear axis would flatten everything else


@styled
def training_trace(trace: Trace, title: str, *, reference: Trace | None = None) -> Picture:
    """Return loss (left) and accuracy (right) as a training reported them.

    `reference` is the trace of correct code with the same model; its validation is drawn in grey.
    """
    picture = new_picture(9, 3.9, title=title)
    loss, accuracy = picture.subplots(1, 2)
    epochs = np.arange(1, trace.epochs + 1)
    steps = np.arange(1, len(trace.step_losses) + 1) * trace.epochs / len(trace.step_losses)
    loss.plot(steps, trace.step_losses, color="#BBBBBB", linewidth=0.8, label="each step")
    loss.axhline(math.log(10), color=MUTED, linestyle=":", linewidth=1.2)
    loss.annotate(
        "ln 10: guessing", (trace.epochs, math.log(10)), (0, 3), textcoords="offset points",
        ha="right", fontsize=8.5, color=MUTED,
    )  # fmt: skip
    if reference:
        grey = {"color": "#777777", "linestyle": "-.", "linewidth": 1.2}
        label = "validation, correct code"
        loss.plot(epochs, reference.validation_loss, **grey, label=label)
        accuracy.plot(epochs, percent(reference.validation_accuracy), **grey, label=label)
    loss.plot(epochs, trace.train_loss, **TRAINING, label="training, reported")
    loss.plot(epochs, trace.validation_loss, **VALIDATION, label="validation")
    if max(trace.step_losses) > HIGH_LOSS:
        loss.set_yscale("log")
    accuracy.plot(epochs, percent(trace.train_accuracy), **TRAINING, label="training, reported")
    accuracy.plot(epochs, percent(trace.validation_accuracy), **VALIDATION, label="validation")
    for value, name, line in (
        (trace.validation_column, "table: validation", (0, (1, 1))),
        (trace.test_accuracy, "table: test", (0, (5, 1, 1, 1))),
    ):
        accuracy.axhline(100 * value, color=MUTED, linestyle=line, linewidth=1.3, label=name)
    accuracy.set_ylim(bottom=0)
    finish(loss, "loss (nats per image)")
    finish(accuracy, "accuracy (%)")
    loss.legend(loc="best", fontsize=8)
    accuracy.legend(loc="lower right", fontsize=8)
    with_reference = " and of correct code in grey" if reference else ""
    return set_description(
        picture,
        f"The log of a training of {trace.model} on {trace.data}: loss of each step and each epoch, and accuracy "
        f"of training and validation{with_reference}; over the epochs the reported training loss goes from "
        f"{trace.train_loss[0]:.2f} to {trace.train_loss[-1]:.2f}, validation accuracy from "
        f"{trace.validation_accuracy[0]:.0%} to {trace.validation_accuracy[-1]:.0%}.",
    )


def percent(shares: list[float]) -> np.ndarray:
    """Return shares as percentages."""
    return 100 * np.array(shares)


def finish(axes: Axes, label: str) -> None:
    """Name the axes, with whole epochs."""
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
