"""Figure of one training's log: what it reported, epoch by epoch and step by step."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from dlvc.arguments import check_kind
from dlvc.lessons.silent_bugs.traces import Trace
from dlvc.plots import BLUE, INK, MUTED, VERMILLION, Picture, new_picture, set_description, styled

TRAINING = {"color": VERMILLION, "marker": "o", "linestyle": "--", "markersize": 4.5}
VALIDATION = {"color": BLUE, "marker": "s", "linestyle": "-", "markersize": 4.5}
HIGH_LOSS = 5.0  # beyond it a linear axis would flatten everything else


@styled
def training_trace(trace: Trace, title: str, *, reference: Trace | None = None) -> Picture:
    """Loss (left) and accuracy (right) as a training reported them.

    `reference` is the trace of correct code with the same model; its validation is drawn in grey.
    """
    check_kind("trace", trace, Trace, "Get one with load_trace(name).")
    if reference is not None:
        check_kind("reference", reference, Trace, "Get one with load_trace(name).")
    picture = new_picture(9.5, 3.6, title=title)
    loss, accuracy = picture.subplots(1, 2)
    epochs = np.arange(1, trace.epochs + 1)
    steps = np.arange(1, len(trace.step_losses) + 1) * trace.epochs / len(trace.step_losses)
    loss.plot(steps, trace.step_losses, color="#BBBBBB", linewidth=0.8, label="each step")
    loss.axhline(math.log(10), color=INK, linestyle=":", linewidth=1.2, label="ln 10: guessing")
    if reference:
        # So wide that it is seen below a line on top.
        grey = {"color": "#CFCFCF", "linewidth": 6, "solid_capstyle": "round"}
        label = "validation, correct code"
        loss.plot(epochs, reference.validation_loss, **grey, label=label)
        accuracy.plot(epochs, percent(reference.validation_accuracy), **grey, label=label)
    loss.plot(epochs, trace.train_loss, **TRAINING, label="training, reported")
    loss.plot(epochs, trace.validation_loss, **VALIDATION, label="validation")
    if max(trace.step_losses) > HIGH_LOSS:
        loss.set_yscale("log")
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        loss.yaxis.set_minor_locator(NullLocator())
        loss.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
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
    entries = {
        label: handle
        for axes in (loss, accuracy)
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    picture.legend(entries.values(), entries.keys(), loc="outside right upper", fontsize=8.5)
    with_reference = ", with the validation of correct code in grey" if reference else ""
    return set_description(
        picture,
        f"The log of a training of {trace.model} on {trace.data}: loss of each step and each epoch, and "
        f"accuracy, of training and validation{with_reference}; over the epochs the reported training loss goes from "
        f"{trace.train_loss[0]:.2f} to {trace.train_loss[-1]:.2f}, validation accuracy from "
        f"{trace.validation_accuracy[0]:.0%} to {trace.validation_accuracy[-1]:.0%}.",
    )


def percent(shares: list[float]) -> np.ndarray:
    """Shares as percentages."""
    return 100 * np.array(shares)


def finish(axes: Axes, label: str) -> None:
    """Name the axes, with whole epochs."""
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
