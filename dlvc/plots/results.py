"""Figures of what runs reached: test accuracies, one-factor comparisons, accuracy against cost."""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from dlvc.experiments import RunRecord
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
    """Return test accuracy per model as bars, with standard deviation and each run as a dot.

    `reported` gives the report's accuracy by key, 0 to 1; it is drawn as a hollow diamond.
    """
    series = series_of(records, tested=True)
    reported = {key: 100 * value for key, value in (reported or {}).items()}
    picture = new_picture(10, 1.5 + 0.42 * len(series), title="Test accuracy of each model")
    axes = picture.subplots()
    for place, each in enumerate(series):
        values = each.test_accuracies
        mean, spread = values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0
        hatch = "" if each.first else "///"
        axes.barh(place, mean, 0.62, color=each.style.color, hatch=hatch, edgecolor="white")
        if len(values) > 1:
            bar = {"color": INK, "capsize": 4, "linewidth": 1.3, "path_effects": HALO}
            axes.errorbar(mean, place, xerr=spread, **bar)
            around = place + np.linspace(-0.16, 0.16, len(values))
            axes.scatter(values, around, s=16, color="white", edgecolor=INK, lw=0.8, zorder=3)
        reach = max(mean + spread, values.max())
        if each.key in reported:
            _draw_reported(axes, reported[each.key], place)
            # The number goes right of everything that lies where it would be written.
            reach = max(reach, reported[each.key]) if reported[each.key] < reach + 13 else reach
        text = f"{mean:.1f} ± {spread:.1f} %" if len(values) > 1 else f"{mean:.1f} %"
        look = {"textcoords": "offset points", "va": "center", "fontweight": "bold"}
        axes.annotate(text, (reach, place), (9, 0), **look)
    axes.axvline(CHANCE, color=MUTED, linestyle=":", linewidth=1.2, zorder=0.9)
    axes.set_yticks(range(len(series)), [f"{each.label} ({len(each.runs)})" for each in series])
    axes.invert_yaxis()
    _percent_rows(axes)
    several = any(len(each.runs) > 1 for each in series)
    _legend_of_marks(axes, several=several, reported=bool(reported))
    spread = ", error bars one standard deviation, white dots single runs" if several else ""
    hollow = ", hollow diamonds the report's numbers" if reported else ""
    return set_description(
        picture,
        f"Test accuracy on {data_text(series)}: bars are means over runs with different seeds "
        f"(their number in brackets){spread}{hollow}, and the dotted line is guessing.",
    )


def _legend_of_marks(axes: Axes, *, several: bool, reported: bool) -> None:
    look = {"linestyle": "none", "markeredgecolor": INK}
    diamond = Line2D([], [], marker="D", color="none", label="the report's number", **look)
    dot = Line2D([], [], marker="o", markersize=4, color="white", label="one run", **look)
    handles = [mark for mark, drawn in ((diamond, reported), (dot, several)) if drawn]
    if handles:
        options = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0}
        axes.legend(handles=handles, ncols=2, **options)


def _draw_reported(axes: Axes, percent: float, place: float) -> None:
    for size, color in ((85, "white"), (45, INK)):
        look = {"facecolor": "none", "edgecolor": color, "linewidth": 1.6, "zorder": 4}
        axes.scatter(percent, place, s=size, marker="D", **look)


def _percent_rows(axes: Axes) -> None:
    axes.set_xlim(0, 100)
    axes.set_xlabel("test accuracy (%)")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelsize=10)


class OneFactorComparison(Protocol):
    """Two experiments, by key, that differ in one factor."""

    factor: str
    without: str
    with_factor: str


@styled
def comparison_pairs(
    records: Iterable[RunRecord],
    comparisons: Iterable[OneFactorComparison],
    *,
    reported: Mapping[str, float] | None = None,
) -> Picture:
    """Return one row per one-factor comparison: two points, an arrow and the difference.

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
        ends = [each.test_accuracies.mean() for each in both]
        _draw_arrow(axes, ends, row, INK)
        for each, end, other in zip(both, ends, reversed(ends), strict=True):
            look = {"marker": each.style.marker, "color": each.style.color, "zorder": 3}
            axes.scatter(end, row, s=150 if each.style.marker == "*" else 80, **look)
            if len(each.runs) > 1:
                ticks = np.full(len(each.runs), row)
                axes.scatter(each.test_accuracies, ticks, s=130, marker="|", color=INK, lw=0.8)
            rightmost = end > other or (end == other and each is both[1])
            where = {"ha": "left" if rightmost else "right", "fontsize": 9}
            offset = (2 if rightmost else -2, 9)
            axes.annotate(each.label, (end, row), offset, textcoords="offset points", **where)
        _write_difference(axes, ends, row, INK, "bold")
        said = [reported[each.key] for each in both if each.key in reported]
        if len(said) == 2:
            _draw_arrow(axes, said, row + 0.3, "#999999")
            _write_difference(axes, said, row + 0.3, MUTED, "normal")
    axes.set_yticks(range(len(pairs)), [factor for factor, _, _ in pairs])
    axes.set_ylim(len(pairs) - 0.4, -0.5)
    heading = {"transform": axes.transAxes, "ha": "right", "va": "bottom", "fontsize": 9}
    axes.text(1.06, 1, "difference (points)", color=MUTED, **heading)
    _percent_rows(axes)
    several = any(len(each.runs) > 1 for _, *both in pairs for each in both)
    ticks = ", and single runs as ticks" if several else ""
    grey = "; the grey arrows are the report's numbers" if reported else ""
    return set_description(
        picture,
        f"Mean test accuracy on {data_text(series)} before and after one change, its difference "
        f"in percentage points at the right{ticks}{grey}.",
    )


def _draw_arrow(axes: Axes, ends: Sequence[float], row: float, color: str) -> None:
    arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 4}
    axes.annotate("", (ends[1], row), (ends[0], row), arrowprops=arrow)
    axes.scatter(ends[0], row, s=14, color=color)


def _write_difference(
    axes: Axes, ends: Sequence[float], row: float, color: str, weight: str
) -> None:
    where = {"transform": axes.get_yaxis_transform(), "va": "center", "ha": "right"}
    text = f"{ends[1] - ends[0]:+.1f}".replace("-", "\N{MINUS SIGN}")
    axes.text(1.06, row, text, color=color, fontweight=weight, **where)


COSTS: dict[str, tuple[str, Callable[[RunRecord], float]]] = {
    "parameters": ("parameters", lambda run: run.model["parameters"]),
    "multiply_adds": ("multiply-adds per image", lambda run: run.model["multiply_adds"]),
    "train_seconds": ("training time (s)", lambda run: run.train_seconds),
}


@styled
def cost_scatter(records: Iterable[RunRecord], *, costs: Sequence[str] = tuple(COSTS)) -> Picture:
    """Return test accuracy against each of `costs` (keys of `COSTS`), on logarithmic axes.

    Models that cost nothing (the majority model has no parameters) are left out.
    """
    if not costs:
        raise ValueError(f"costs must name at least one of {', '.join(COSTS)}; got none.")
    unknown = [cost for cost in costs if cost not in COSTS]
    if unknown:
        raise ValueError(f"costs must be among {', '.join(COSTS)}; got {', '.join(unknown)}.")
    series = series_of((r for r in records if r.model["parameters"]), tested=True)
    picture = new_picture(2.2 + 3 * len(costs), 4.8, title="What accuracy costs")
    panels = picture.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    means = [float(each.test_accuracies.mean()) for each in series]
    for axes, cost in zip(panels, costs, strict=True):
        label, read = COSTS[cost]
        spent = [float(np.mean([read(run) for run in each.runs])) for each in series]
        for each, x, y in zip(series, spent, means, strict=True):
            look = {"marker": each.style.marker, "edgecolor": each.style.color, "zorder": 3}
            size = 160 if each.style.marker == "*" else 75
            axes.scatter(x, y, s=size, facecolor=each.face, linewidth=1.2, **look)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter(EngFormatter())  # 300 k, 10 M
        axes.xaxis.set_minor_locator(NullLocator())
        axes.margins(x=0.12)
        axes.set_xlabel(label)
    panels[0].set_ylim(0, 100)
    panels[0].set_ylabel("test accuracy (%)")
    if "train_seconds" in costs:
        panels[list(costs).index("train_seconds")].set_title(_devices_text(series), fontsize=8.5)
    set_description(
        picture,
        f"Mean test accuracy on {data_text(series)} against what each model costs, on logarithmic "
        "axes; times compare only where the device is the same.",
    )
    _label_rows(panels[-1], means, series)
    return picture


def _devices_text(series: Sequence[Series]) -> str:
    """Return the devices that the runs were made on; where they differ, with their models."""
    labels: dict[str, dict[str, None]] = {}
    for each in series:
        for run in each.runs:
            labels.setdefault(run.device["name"], {})[each.label] = None
    if len(labels) == 1:
        lines = [f"on {next(iter(labels))}"]
    else:
        lines = [f"{device}: {', '.join(names)}" for device, names in labels.items()]
    return "\n".join(wrapped for line in lines for wrapped in textwrap.wrap(line, 46))


def _label_rows(axes: Axes, heights: Sequence[float], series: Sequence[Series]) -> None:
    """Write marker and label of each series right of the frame at its height, moved apart."""
    per_inch = units_per_inch(axes)
    moved = spread_apart(list(heights), LABEL_HEIGHT * per_inch)
    right = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    for y, each in zip(moved, series, strict=True):
        look = {
            "marker": each.style.marker,
            "color": each.style.color,
            "markerfacecolor": each.face,
        }
        axes.plot(1.06, y, linestyle="none", markersize=6.5, **look, **right)
        axes.text(1.1, y, each.label, fontsize=9, va="center_baseline", **right)
