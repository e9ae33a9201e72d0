"""Figures of the logs of training runs: one, or all cases beside one another on the same axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dlvc.arguments import check_kind
from dlvc.lessons.silent_bugs.traces import Trace
from dlvc.plots import BLUE, INK, VERMILLION, Picture, new_picture, set_description, styled

TRAINING = {"color": VERMILLION, "marker": "o", "linestyle": "--", "markersize": 4}
VALIDATION = {"color": BLUE, "marker": "s", "linestyle": "-", "markersize": 4}
BAND = {"color": "#BBBBBB", "alpha": 0.55, "linewidth": 0}
# The same axes for all runs; a loss beyond them is written at the upper edge.
LOSS_RANGE, ACCURACY_RANGE = (1.2, 2.7), (0, 50)
ADVICE = "Get one with load_trace(name)."


@styled
def training_log(trace: Trace, title: str, *, reference: Sequence[Trace] = ()) -> Picture:
    """Loss (left) and accuracy (right) as a training run reported them.

    `reference` are traces of correct code with the same model: a grey band covers their validation.
    """
    check_kind("trace", trace, Trace, ADVICE)
    picture = new_picture(9.5, 3.5, title=f"{title}: {trace.model}")
    draw_log(*picture.subplots(1, 2), trace, reference)
    for axes, label in zip(picture.axes, ("loss", "accuracy (%)"), strict=True):
        axes.set(xlabel="epoch", ylabel=label)
    add_legend(picture, picture.axes, loc="outside right upper")
    band = f", with the band of {len(reference)} correct runs" if reference else ""
    return set_description(
        picture,
        f"Loss and accuracy of training and validation, epoch by epoch{band}. On the right of the accuracies stands "
        "the row of the table.",
    )


@styled
def line_up(traces: Mapping[str, Trace], reference: Sequence[Trace]) -> Picture:
    """All runs in rows of five: accuracy above, loss below, on the same axes.

    `reference` are traces of correct code; their band is drawn behind runs of the same model.
    """
    for trace in (*traces.values(), *reference):
        check_kind("a trace", trace, Trace, ADVICE)
    columns = 5
    rows = -(-len(traces) // columns)
    picture = new_picture(11, 3.9 * rows + 0.5)
    grid = picture.subplots(2 * rows, columns, sharex=True, squeeze=False)
    for place, (name, trace) in enumerate(traces.items()):
        row, column = 2 * (place // columns), place % columns
        accuracy, loss = grid[row, column], grid[row + 1, column]
        same = [other for other in reference if other.model == trace.model]
        draw_log(loss, accuracy, trace, same)
        accuracy.set_title(f"{name}\n{trace.model}", fontsize=9)
        for axes, label in ((accuracy, "accuracy (%)"), (loss, "loss")):
            if column:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(label)
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    add_legend(picture, grid[:2, 1], loc="outside upper center", ncols=6)
    return set_description(
        picture,
        f"The logs of {len(traces)} training runs on the same axes, with the row of the table on the right of the "
        "accuracies; grey bands are the validation of correct code with the same network, where there is any.",
    )


def draw_log(loss: Axes, accuracy: Axes, trace: Trace, reference: Sequence[Trace]) -> None:
    """Draw one log on two axes."""
    epochs = np.arange(1, trace.epochs + 1)
    for axes, curve, scale in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        if reference:
            lines = scale * np.array([getattr(each, f"validation_{curve}") for each in reference])
            band = f"validation, correct code ({len(reference)} seeds)"
            axes.fill_between(epochs, lines.min(axis=0), lines.max(axis=0), **BAND, label=band)
        for split, name, look in (
            ("train", "training", TRAINING),
            ("validation", "validation", VALIDATION),
        ):
            values = scale * np.array(getattr(trace, f"{split}_{curve}"))
            axes.plot(epochs, values, **look, label=name, zorder=3)
    guessing = {"color": INK, "linestyle": ":", "linewidth": 1.1, "label": "guessing"}
    loss.axhline(math.log(10), **guessing)
    accuracy.axhline(10, **guessing)
    for value, name, look in (
        (trace.table_validation, "table: validation", {"color": BLUE, "marker": "s"}),
        (trace.table_test, "table: test", {"color": INK, "marker": "D"}),
    ):
        hollow = {"markerfacecolor": "white", "linestyle": "none", "markersize": 6}
        accuracy.plot(trace.epochs + 0.9, 100 * value, **look, **hollow, label=name, zorder=4)
    ticks = {"xlim": (0.5, trace.epochs + 1.4), "xticks": epochs}
    loss.set(ylim=LOSS_RANGE, **ticks)
    accuracy.set(ylim=ACCURACY_RANGE, **ticks)
    for epoch, value in zip(epochs, trace.train_loss, strict=True):
        if value > LOSS_RANGE[1]:
            # Right of the line that comes down from there.
            place, text = (epoch + 1.2, LOSS_RANGE[1]), f"\N{UPWARDS ARROW} {value:.2f}"
            loss.text(*place, text, color=VERMILLION, va="top", fontsize=9)


def add_legend(picture: Picture, panels: Sequence[Axes], **look: Any) -> None:
    """Explain what is drawn in `panels`, outside of them."""
    entries = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    picture.legend(entries.values(), entries.keys(), fontsize=8.5, **look)
