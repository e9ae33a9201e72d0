"""Measured values as lines: one factor along the axis, one line for each thing that is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from dlvc.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    ModelStyle,
    Picture,
    draw_runs,
    new_picture,
    set_description,
    styled,
)

LOOKS = (
    ModelStyle(BLUE, "o", "-"),
    ModelStyle(VERMILLION, "s", "--"),
    ModelStyle(GREEN, "^", "-."),
    ModelStyle(PURPLE, "D", (0, (1, 1))),
    ModelStyle(SKY, "v", "-"),
    ModelStyle(ORANGE, "P", "--"),
)
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@styled
def measured_lines(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    places: Sequence[float],
    *,
    place_label: str,
    value_label: str,
    says: str,
    title: str = "",
    log: str | Mapping[str, str] = "",
    styles: Mapping[str, ModelStyle] | None = None,
) -> Picture:
    """A plot for each panel, side by side: a line for each name, a marker at each place.

    `panels[panel][line]` are as many values as there are `places`, or a list of several runs of that, (runs, places):
    then the line is their mean and a band goes from the lowest to the highest. `log` names the axes with a logarithmic
    scale: "x", "y" or "xy". The panels share one scale of values, unless `log` names the axes for each panel.
    `styles` draws a line as a model is drawn elsewhere. `says` is the description.
    Raises ValueError if a line has another number of values.
    """
    picture = new_picture(max(6.5, 3.6 * len(panels) + 1), 4.2, title=title)
    logs = dict.fromkeys(panels, log) if isinstance(log, str) else log
    grid = picture.subplots(1, len(panels), squeeze=False, sharey=logs is not log)[0]
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    looks = dict(zip(names, cycle(LOOKS), strict=False)) | dict(styles or {})
    for axes, (panel, lines) in zip(grid, panels.items(), strict=True):
        for name, values in lines.items():
            runs = np.atleast_2d(np.asarray(values, dtype=float))
            if runs.shape[1] != len(places):
                raise ValueError(
                    f"{name} has {runs.shape[1]} values for {len(places)} places; give one for each place."
                )
            look = looks[name]
            line = {"color": look.color, "marker": look.marker, "linestyle": look.line}
            draw_runs(axes, places, runs, label=name, **line)
        axes.set_title(panel)
        axes.set_xlabel(place_label)
        _scale(axes, places, logs[panel])
    grid[0].set_ylabel(value_label)
    grid[-1].legend(loc="best")
    return set_description(picture, says)


def _scale(axes: Axes, places: Sequence[float], log: str) -> None:
    if "x" in log:
        if min(places) > 0:
            axes.set_xscale("log")
        else:  # 0 has a place of its own, beside the first step of the logarithmic scale
            axes.set_xscale("symlog", linthresh=sorted(places)[1], linscale=0.3)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:{',.0f' if value >= 1 else 'g'}}")
    if "y" in log:
        axes.set_yscale("log")
        # matplotlib's own powers are formulas, which the common style does not set.
        axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
        axes.yaxis.set_minor_formatter(NullFormatter())
        low, high = axes.get_ylim()
        if high < 100 * low:  # powers of ten alone would be one or two numbers
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
    # A label at each place, unless they would lie on each other.
    gaps = np.diff(axes.transData.transform([(place, 1) for place in places])[:, 0])
    if len(places) <= 8 and gaps.min(initial=np.inf) > 0.05 * gaps.sum():
        axes.xaxis.set_major_locator(FixedLocator(list(places)))


def power_of_ten(value: float) -> str:
    """A power of ten such as 1e-05 as text: 10⁻⁵."""
    return "10" + f"{np.log10(value):.0f}".translate(SUPERSCRIPTS)


@styled
def calibration_diagram(
    groups: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[int]]], *, says: str
) -> Picture:
    """How often a model is right against how sure it was, beside the line on which both are equal.

    `groups[model]` are confidence, accuracy (both 0 to 1) and number of predictions, as
    `diagnosis.robustness.calibration` gives them; a larger marker stands for more predictions.
    """
    picture = new_picture(7.5, 4.8, title="Does it know what it does not know?")
    axes = picture.subplots()
    axes.plot([0, 100], [0, 100], color=MUTED, linestyle=":", label="as sure as right")
    for (name, (confidence, accuracy, count)), look in zip(
        groups.items(), cycle(LOOKS), strict=False
    ):
        sure, right = 100 * np.asarray(confidence), 100 * np.asarray(accuracy)
        axes.plot(sure, right, color=look.color, linestyle=look.line, linewidth=1.2)
        size = 20 + 200 * np.sqrt(np.asarray(count) / np.sum(count))
        dots = {"color": look.color, "marker": look.marker, "edgecolor": "white", "label": name}
        axes.scatter(sure, right, s=size, **dots)
    axes.text(97, 4, "too sure", color=INK, fontsize=9, ha="right")
    axes.text(4, 95, "not sure enough", color=INK, fontsize=9, va="top")
    axes.set(xlim=(0, 101), ylim=(0, 101), aspect="equal")
    axes.set(xlabel="probability of the named class (%)", ylabel="right (%)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1))
    return set_description(picture, says)
