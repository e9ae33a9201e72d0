"""Figures about classes: confusion counts and per-class accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from dlvc.data import CLASSES
from dlvc.experiments import RunRecord
from dlvc.plots.arrays import as_counts, check_classes
from dlvc.plots.attention_maps import DIFFERENCE_COLORS
from dlvc.plots.series import data_text, means_text, runs_text, series_of
from dlvc.plots.style import (
    HALO,
    INK,
    MUTED,
    Picture,
    new_picture,
    plot_grid,
    set_description,
    styled,
)


def row_percent(confusion: np.ndarray) -> np.ndarray:
    """Each row of counts (C, C) as percent of its sum; nan for a class without images."""
    totals = confusion.sum(axis=1, keepdims=True)
    return np.divide(
        100 * confusion, totals, out=np.full(confusion.shape, np.nan), where=totals > 0
    )


@styled
def confusion_heatmap(
    confusion: Any,
    *,
    minus: Any = None,
    classes: Sequence[str] = CLASSES,
    title: str = "Confusion matrix",
) -> Picture:
    """Counts (C, C) as a heat map in percent of each true class, with numbers.

    With the counts of another model as `minus`, the difference of the two in percentage points.
    """
    counts = as_counts(confusion)
    check_classes(classes, len(counts))
    percent = row_percent(counts)
    look, label = {}, "percent of the true class's images (root scale)"
    says = (
        f"Confusion matrix of {counts.sum():,} images: each row is a true class and sums to 100 "
        "percent, each column a predicted class; cells below half a percent are left empty."
    )
    if minus is not None:
        percent = percent - row_percent(as_counts(minus))
        mistakes = percent[~np.eye(len(counts), dtype=bool)]
        largest = np.nanmax(np.abs(mistakes), initial=1)
        look = {"cmap": DIFFERENCE_COLORS, "norm": Normalize(-largest, largest)}
        label = "percentage points (changes of right answers may exceed the scale)"
        says = (
            "Difference of two confusion matrices in percentage points of each true class: orange where the first "
            "model predicts a class more often, violet where less; changes below half a point are left empty."
        )
    rows = np.copysign(np.floor(np.abs(percent) + 0.5), percent)
    form = "{:.0f}" if minus is None else "{:+.0f}"
    written = [
        [
            form.format(value).replace("-", "\N{MINUS SIGN}") if abs(value) >= 1 else ""
            for value in row
        ]
        for row in rows
    ]
    picture = new_picture(7, 6.6, title=title)
    axes = picture.subplots()
    axes.set(xlabel="predicted class", ylabel="true class")
    look |= {"annot": written, "fmt": "", "annot_kws": {"fontsize": 9}}
    image = _draw_confusion(axes, percent, classes, **look)
    axes.set_xticklabels(classes, rotation=40, ha="right", rotation_mode="anchor")
    picture.colorbar(image, ax=axes, shrink=0.8, label=label)
    return set_description(picture, says)


def _draw_confusion(axes: Axes, percent: np.ndarray, classes: Sequence[str], **options: Any) -> Any:
    """The colours of the cells, after drawing them; right answers are framed. The labels of the axes stay."""
    import seaborn as sns  # half a second, which few notebooks need

    # The colour grows with the root of the share, so that the mistakes can be told apart too.
    look = {"cmap": "Blues", "norm": PowerNorm(0.5, vmin=0, vmax=100), "square": True}
    look |= {"xticklabels": classes, "yticklabels": classes, "cbar": False}
    labels = {"xlabel": axes.get_xlabel(), "ylabel": axes.get_ylabel()}
    sns.heatmap(percent, ax=axes, **look | options)
    axes.set(**labels)
    axes.tick_params(length=0)
    axes.tick_params(axis="y", rotation=0)
    for place in range(len(percent)):
        axes.add_patch(Rectangle((place, place), 1, 1, fill=False, ec=MUTED, lw=0.6))
    return axes.collections[0]


@styled
def confusion_grid(
    records: Iterable[RunRecord], *, classes: Sequence[str] = CLASSES, columns: int = 4
) -> Picture:
    """One small confusion matrix per model, summed over its runs, all in one scale."""
    series = series_of(records, tested=True, learning=True)
    title, labels = "What is taken for what", ("predicted class", "true class")
    picture, grid = plot_grid(
        len(series), columns, (2.65, 2.75), (2.4, 2.2), title=title, labels=labels
    )
    for axes, entry in zip(grid.flat, series, strict=False):
        image = _draw_confusion(axes, row_percent(entry.test_confusion), classes)
        axes.set_title(f"{entry.label}: {entry.test_accuracies.mean():.0f} %", fontsize=9.5)
        axes.tick_params(axis="x", rotation=90)
    picture.colorbar(
        image, ax=grid, shrink=0.6, label="percent of the true class (root scale)", pad=0.02
    )
    return set_description(
        picture,
        f"Confusion matrices on the test images of {data_text(series)}, {runs_text(series)}, with "
        "test accuracy: rows are true classes, columns predicted ones, dark cells on the diagonal "
        "are right answers.",
    )


def _draw_class_bars(
    axes: Axes,
    groups: Sequence[Any],
    classes: Sequence[str],
    colors: Sequence[str],
    hatches: Sequence[str],
    **options: Any,
) -> list[BarContainer]:
    """The bars of each group, after drawing the means of its numbers (runs, C) side by side for each class."""
    import seaborn as sns  # half a second, which few notebooks need

    values = [
        (place, name, number)
        for place, runs in enumerate(groups)
        for run in runs
        for name, number in zip(classes, run, strict=True)
    ]
    table = pd.DataFrame(values, columns=["group", "class", "number"])
    look = {"palette": list(colors), "saturation": 1, "edgecolor": "white", "legend": False}
    columns = {"x": "class", "y": "number", "hue": "group"}
    sns.barplot(table, ax=axes, **columns, **look, **options)
    for bars, hatch in zip(axes.containers, hatches, strict=False):
        for bar in bars:
            bar.set_hatch(hatch)
    axes.set(xlabel="")
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    return axes.containers


@styled
def per_class_bars(records: Iterable[RunRecord], *, classes: Sequence[str] = CLASSES) -> Picture:
    """Test accuracy for each class, one bar per model, with the range over seeds."""
    series = series_of(records, tested=True)
    picture = new_picture(10, 4.2, title="Test accuracy of each class")
    axes = picture.subplots()
    groups = _draw_class_bars(
        axes,
        [
            [row_percent(np.array(run.test.confusion)).diagonal() for run in entry.runs]
            for entry in series
        ],
        classes,
        [entry.style.color for entry in series],
        ["" if entry.first else "///" for entry in series],
        errorbar=("pi", 100),  # from the lowest to the highest
        err_kws={"color": INK, "linewidth": 1.3, "path_effects": HALO},
    )
    handles = []
    for bars, entry in zip(groups, series, strict=True):
        look = {"marker": entry.style.marker, "markeredgecolor": INK, "markersize": 5}
        look |= {"color": "white", "markeredgewidth": 0.8, "linestyle": "none"}
        middles = [bar.get_x() + bar.get_width() / 2 for bar in bars]
        axes.plot(middles, [2.5] * len(middles), **look, path_effects=HALO)
        handles.append((bars, Line2D([], [], **look, path_effects=HALO)))
    axes.axhline(100 / len(classes), color=MUTED, linestyle=":", linewidth=1.2)
    axes.set(ylim=(0, 100), ylabel="test accuracy (%)")
    if len(series) > 1:
        labels = [entry.label for entry in series]
        options = {"bbox_to_anchor": (1, 1), "ncols": min(4, len(series))}
        axes.legend(handles, labels, loc="lower right", **options)
    else:
        axes.set_title(series[0].label)
    return set_description(
        picture,
        f"Share of each class's test images of {data_text(series)} that is predicted right, "
        f"{means_text(series)}; dotted is guessing.",
    )
