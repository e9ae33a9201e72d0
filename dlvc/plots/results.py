"""Figures of what runs reached: test accuracies, one-factor comparisons, accuracy against cost."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from dlvc.experiments import Comparison, RunRecord, epoch_seconds
from dlvc.metrics import rounded
from dlvc.plots.series import Series, data_text, series_of
from dlvc.plots.style import (
    HALO,
    INK,
    LABEL_HEIGHT,
    MUTED,
    Picture,
    new_picture,
    set_description,
    spread_apart,
    styled,
    units_per_inch,
)

CHANCE = 10  # percent: one of ten classes, guessed


@styled
def accuracy_bars(
    records: Iterable[RunRecord], *, reported: Mapping[str, float] | None = None
) -> Picture:
    """Test accuracy per model as bars, with standard deviation and each run as a dot.

    `reported` gives the report's accuracy by key, 0 to 1; it is drawn as a white diamond.
    """
    series = series_of(records, tested=True)
    reported = {key: 100 * value for key, value in (reported or {}).items()}
    picture = new_picture(10, 1.5 + 0.42 * len(series), title="Test accuracy of each model")
    axes = picture.subplots()
    for place, entry in enumerate(series):
        values = entry.test_accuracies
        mean, spread = values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0
        hatch = "" if entry.first else "///"
        axes.barh(place, mean, 0.62, color=entry.style.color, hatch=hatch, edgecolor="white")
        if len(values) > 1:
            bar = {"color": INK, "capsize": 4, "linewidth": 1.3, "path_effects": HALO}
            axes.errorbar(mean, place, xerr=spread, **bar)
            around = place + np.linspace(-0.16, 0.16, len(values))
            axes.scatter(values, around, s=16, color="white", edgecolor=INK, lw=0.8, zorder=3)
        reach = max(mean + spread, values.max())
        if entry.key in reported:
            look = {"facecolor": "white", "edgecolor": INK, "linewidth": 1.4, "zorder": 4}
            axes.scatter(reported[entry.key], place, s=45, marker="D", **look)
            # The number goes right of everything that lies where it would be written.
            reach = max(reach, reported[entry.key]) if reported[entry.key] < reach + 13 else reach
        text = f"{rounded(mean, 1)}" + f" ± {rounded(spread, 1)}" * (len(values) > 1) + " %"
        look = {"textcoords": "offset points", "va": "center", "fontweight": "bold"}
        axes.annotate(text, (reach, place), (9, 0), **look)
    axes.axvline(CHANCE, color=MUTED, linestyle=":", linewidth=1.2, zorder=0.9)
    axes.set_yticks(range(len(series)), [f"{entry.label} ({len(entry.runs)})" for entry in series])
    axes.invert_yaxis()
    _percent_rows(axes)
    several = any(len(entry.runs) > 1 for entry in series)
    marks = [_mark("the report's number", marker="D", color="white")] if reported else []
    marks += [_mark("one run", marker="o", markersize=4, color="white")] if several else []
    if marks:
        options = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0}
        axes.legend(handles=marks, ncols=2, **options)
    spread = ", error bars one standard deviation, white dots single runs" if several else ""
    diamonds = ", white diamonds the report's numbers" if reported else ""
    return set_description(
        picture,
        f"Test accuracy on {data_text(series)}: bars are means over runs with different seeds "
        f"(their number in brackets){spread}{diamonds}, and the dotted line is guessing.",
    )


def _mark(label: str, **look: Any) -> Line2D:
    """The entry of a legend for a mark without a line."""
    return Line2D([], [], linestyle="none", markeredgecolor=INK, label=label, **look)


def _percent_rows(axes: Axes) -> None:
    axes.set(xlim=(0, 100), xlabel="test accuracy (%)")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelsize=10)


@styled
def comparison_pairs(
    records: Iterable[RunRecord],
    comparisons: Iterable[Comparison],
    *,
    reported: Mapping[str, float] | None = None,
) -> Picture:
    """One row per one-factor comparison: two points, an arrow and the difference.

    Only runs by one protocol and of equal work are compared, as in the table: on equally many
    images of the same data for equally many epochs from the same weights. `comparisons` without
    such records of both models are left out (`experiments.COMPARISONS` has five).
    `reported` gives the report's accuracy by key, 0 to 1, drawn as a grey arrow below.
    """
    series = series_of(records, tested=True)
    pairs = []
    for comparison in comparisons:
        alike = [
            (one, other)
            for one, other in product(series, series)
            if (one.key, other.key) == (comparison.without, comparison.with_factor)
            and one.work == other.work
        ]
        if alike:
            pairs.append((comparison.factor, *max(alike, key=lambda both: both[0].work[1].rank)))
    if not pairs:
        raise ValueError("a comparison needs test results of both its models; got none.")
    reported = {key: 100 * value for key, value in (reported or {}).items()}
    picture = new_picture(10, 1.5 + 0.85 * len(pairs), title="What one change does")
    axes = picture.subplots()
    for row, (_, *both) in enumerate(pairs):
        ends = [entry.test_accuracies.mean() for entry in both]
        _draw_change(axes, ends, row, colors=(INK, INK), weight="bold")
        for entry, end, other in zip(both, ends, reversed(ends), strict=True):
            look = {"marker": entry.style.marker, "color": entry.style.color, "zorder": 3}
            axes.scatter(end, row, s=150 if entry.style.marker == "*" else 80, **look)
            if len(entry.runs) > 1:
                ticks = np.full(len(entry.runs), row)
                axes.scatter(entry.test_accuracies, ticks, s=130, marker="|", color=INK, lw=0.8)
            rightmost = end > other or (end == other and entry is both[1])
            where = {"ha": "left" if rightmost else "right", "fontsize": 9}
            offset = (2 if rightmost else -2, 9)
            axes.annotate(entry.label, (end, row), offset, textcoords="offset points", **where)
        if all(entry.key in reported for entry in both):
            ends = [reported[entry.key] for entry in both]
            _draw_change(axes, ends, row + 0.3, colors=("#999999", MUTED), weight="normal")
    axes.set_yticks(range(len(pairs)), [factor for factor, _, _ in pairs])
    axes.set_ylim(len(pairs) - 0.4, -0.5)
    heading = {"transform": axes.transAxes, "ha": "right", "va": "bottom", "fontsize": 9}
    axes.text(1.06, 1, "difference (points)", color=MUTED, **heading)
    _percent_rows(axes)
    several = any(len(entry.runs) > 1 for _, *both in pairs for entry in both)
    ticks = ", and single runs as ticks" if several else ""
    grey = "; the grey arrows are the report's numbers" if reported else ""
    return set_description(
        picture,
        f"Mean test accuracy on {data_text(series)} before and after one change, its difference "
        f"in percentage points at the right{ticks}{grey}.",
    )


def _draw_change(
    axes: Axes, ends: Sequence[float], row: float, *, colors: tuple[str, str], weight: str
) -> None:
    """Draw an arrow from the first to the second of `ends`, and write their difference at the right."""
    arrow = {"arrowstyle": "-|>", "color": colors[0], "linewidth": 1.4, "shrinkA": 0, "shrinkB": 4}
    axes.annotate("", (ends[1], row), (ends[0], row), arrowprops=arrow)
    axes.scatter(ends[0], row, s=14, color=colors[0])
    where = {"transform": axes.get_yaxis_transform(), "va": "center", "ha": "right"}
    text = f"{rounded(ends[1] - ends[0], 1):+}".replace("-", "\N{MINUS SIGN}")
    axes.text(1.06, row, text, color=colors[1], fontweight=weight, **where)


COSTS: dict[str, Callable[[Sequence[RunRecord]], float]] = {
    "parameters": lambda runs: runs[0].model["parameters"],
    "multiply-adds per image": lambda runs: runs[0].model["multiply_adds"],
    "seconds an epoch": lambda runs: float(np.median(epoch_seconds(runs) or 0)),
}


@styled
def cost_scatter(records: Iterable[RunRecord]) -> Picture:
    """Test accuracy against each of `COSTS`, on logarithmic axes.

    Models without parameters are left out. Seconds are the median epoch's, of the runs that had the machine to
    themselves; if there is none, they have no panel.
    """
    series = series_of(records, tested=True, learning=True)
    costs = {label: [read(entry.runs) for entry in series] for label, read in COSTS.items()}
    costs = {label: values for label, values in costs.items() if any(values)}
    picture = new_picture(2.2 + 3 * len(costs), 4.8, title="What accuracy costs")
    panels = picture.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    means = [float(entry.test_accuracies.mean()) for entry in series]
    for axes, (label, values) in zip(panels, costs.items(), strict=True):
        for entry, x, y in zip(series, values, means, strict=True):
            look = {"marker": entry.style.marker, "edgecolor": entry.style.color, "zorder": 3}
            size = 160 if entry.style.marker == "*" else 75
            if x:
                axes.scatter(x, y, s=size, facecolor=entry.face, linewidth=1.2, **look)
        axes.set(xscale="log", xlabel=label)
        ratio = max(values) / min(filter(None, values))
        ticks = (1, 2, 5) if ratio < 10 else (1, 3) if ratio < 300 else (1,)
        axes.xaxis.set_major_locator(LogLocator(subs=ticks))
        axes.xaxis.set_major_formatter(EngFormatter())  # 300 k, 10 M
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(x=0.12)
    panels[0].set(ylim=(0, 100), ylabel="test accuracy (%)")
    text = f"Mean test accuracy on {data_text(series)} against what each model costs, on logarithmic axes"
    if timed := [entry for entry in series if epoch_seconds(entry.runs)]:
        panels[-1].set_title(_devices_text(timed), fontsize=8.5)
        text += (
            "; seconds are of runs with nothing else at work, and compare only on the same device"
        )
    set_description(picture, f"{text}.")
    _label_rows(panels[-1], means, series)
    return picture


def _devices_text(series: Sequence[Series]) -> str:
    """The devices that the runs were made on; where they differ, with their models."""
    labels: dict[str, dict[str, None]] = {}
    for entry in series:
        for run in entry.runs:
            labels.setdefault(run.device["name"], {})[entry.label] = None
    lines = [f"{device}: {', '.join(names)}" for device, names in labels.items()]
    if len(labels) == 1:
        lines = [f"on {next(iter(labels))}"]
    return "\n".join(wrapped for line in lines for wrapped in textwrap.wrap(line, 46))


def _label_rows(axes: Axes, heights: Sequence[float], series: Sequence[Series]) -> None:
    """Write marker and label of each series right of the frame at its height, moved apart."""
    per_inch = units_per_inch(axes)
    moved = spread_apart(heights, [LABEL_HEIGHT * per_inch * entry.lines for entry in series])
    right = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    for y, entry in zip(moved, series, strict=True):
        look = {"marker": entry.style.marker, "markersize": 6.5, "markerfacecolor": entry.face}
        axes.plot(1.06, y, linestyle="none", color=entry.style.color, **look, **right)
        axes.text(1.1, y, entry.label, fontsize=9, va="center_baseline", **right)
