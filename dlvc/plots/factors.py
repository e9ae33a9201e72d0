"""Measured values: as lines over a factor, as a histogram, or as confidence beside accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from dlvc.plots.arrays import as_array
from dlvc.plots.style import (
    BLUE,
    GREEN,
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
def marked_histogram(
    values: Any,
    marks: Mapping[str, float],
    *,
    value_label: str,
    count_label: str,
    says: str,
    step: float = 1.0,
    title: str = "",
) -> Picture:
    """How many of `values` (N,) lie in each interval of length `step`, with a line and a name at each of `marks`."""
    picture = new_picture(8, 3.4, title=title)
    axes = picture.subplots()
    values = as_array(values)
    # The limits lie between multiples of `step`, so that a value on its grid belongs to one interval only.
    low, high = (np.rint(end / step) for end in (np.min(values), np.max(values)))
    axes.hist(values, bins=step * (np.arange(low, high + 2) - 0.5), color=SKY, edgecolor="white")
    top, middle = axes.get_ylim()[1], step * (low + high) / 2
    for number, ((name, value), look) in enumerate(
        zip(marks.items(), cycle(LOOKS[1:]), strict=False)
    ):
        height = top * (1.06 + 0.12 * number)
        axes.plot([value, value], [0, height], color=look.color, linestyle=look.line)
        side, offset = ("right", -4) if value > middle else ("left", 4)
        text = {"ha": side, "va": "center", "textcoords": "offset points"}
        axes.annotate(name, (value, height), (offset, -4), **text)
    axes.set(xlabel=value_label, ylabel=count_label, ylim=(0, top * (1.1 + 0.12 * len(marks))))
    return set_description(picture, says)
