"""Figures of how models learn: loss and accuracy against epoch, from the runs' records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dlvc.experiments import RunRecord
from dlvc.plots.series import Series, data_text, means_text, series_of
from dlvc.plots.style import (
    HALO,
    LABEL_HEIGHT,
    MUTED,
    Picture,
    draw_runs,
    new_picture,
    plot_grid,
    set_description,
    spread_apart,
    styled,
    units_per_inch,
)

TRAINING_LINE = {"linestyle": (0, (1, 1)), "linewidth": 1.3}


@styled
def learning_curves(
    records: Iterable[RunRecord], *, groups: Mapping[str, Sequence[str]] | None = None
) -> Picture:
    """Loss (above) and accuracy (below) against epoch, for training and validation.

    Lines are means over seeds, bands go from the lowest to the highest. `groups` gives columns a
    title and the keys in them; without it all models share one column.
    """
    series = series_of(records, learning=True)
    columns = {
        title: [entry for entry in series if entry.key in keys]
        for title, keys in (groups or {}).items()
    }
    columns = {title: column for title, column in columns.items() if column} or {"": series}
    picture = new_picture(3 + 3 * len(columns), 6.6, title="Learning curves")
    grid = picture.subplots(2, len(columns), squeeze=False, sharex=True, sharey="row")
    ends: list[list[list[tuple[float, float]]]] = [[], []]
    for (title, column), loss, accuracy in zip(columns.items(), *grid, strict=True):
        for axes, name, row in ((loss, "loss", ends[0]), (accuracy, "accuracy", ends[1])):
            row.append([])
            for entry in column:
                _draw_curve(axes, entry, f"train_{name}")
                row[-1].append(_draw_curve(axes, entry, f"validation_{name}"))
        loss.set_title(title)
        accuracy.set_xlabel("epoch")
        accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid[0, 0].set_ylabel("loss (nats per image)")
    grid[1, 0].set_ylabel("accuracy (%)")
    grid[0, -1].legend(handles=_split_legend(), loc="best")  # a model may stay at the top
    set_description(
        picture,
        f"Loss and accuracy after each epoch on {data_text(series)}: validation as lines with "
        "markers, training (measured with dropout and augmentation) as dotted lines, "
        f"{means_text(series)}.",
    )
    gaps = [LABEL_HEIGHT * units_per_inch(axes) for axes in grid[:, 0]]
    for row, gap, several in zip(grid, gaps, ends, strict=True):
        for axes, column, points in zip(row, columns.values(), several, strict=True):
            _label_ends(axes, points, column, gap)
    return picture


@styled
def report_figure(records: Iterable[RunRecord], *, columns: int | None = None) -> Picture:
    """One small plot per model: accuracy against epoch, the other models in grey behind.

    Redraws the report's Figure 1, "Comparison of model training behaviour".
    """
    series = series_of(records, learning=True)
    title = "Training behaviour of each model"
    labels = ("epoch", "accuracy (%)")
    columns = columns or (3 if len(series) % 3 == 0 else 4)
    picture, grid = plot_grid(
        len(series), columns, (2.7, 2.3), (0, 1.4), title=title, labels=labels
    )
    curves = [_numbers(entry, "validation_accuracy").mean(axis=0) for entry in series]
    for axes, entry, own in zip(grid.flat, series, curves, strict=False):
        for curve in curves:
            if curve is not own:
                axes.plot(range(1, len(curve) + 1), curve, color="#CCCCCC", linewidth=1, zorder=1)
        _draw_curve(axes, entry, "train_accuracy")
        _draw_curve(axes, entry, "validation_accuracy")
        best = own.argmax()
        look = {"textcoords": "offset points", "ha": "center", "fontweight": "bold"}
        axes.annotate(
            f"{own[best]:.0f} %", (best + 1, own[best]), (0, 8), **look, path_effects=HALO
        )
        axes.set_title(entry.label)
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    grid[0, 0].set_ylim(0, 100)
    grid[0, 0].legend(handles=_split_legend(), loc="upper left", fontsize=8.5)
    return set_description(
        picture,
        f"Accuracy after each epoch on {data_text(series)}, one plot per model: validation as a "
        f"line with markers and its highest value, training dotted, {means_text(series)}; the "
        "validation curves of the other models are grey.",
    )


def _numbers(series: Series, name: str) -> np.ndarray:
    """The column `name` of the epochs of each run, (runs, epochs); accuracies in percent."""
    # Runs that were stopped early are shorter: these are the epochs that all of them have.
    length = min(len(run.epochs) for run in series.runs)
    unit = 100 if name.endswith("accuracy") else 1
    return np.array(
        [[unit * getattr(epoch, name) for epoch in run.epochs[:length]] for run in series.runs]
    )


def _draw_curve(axes: Axes, series: Series, name: str) -> tuple[float, float]:
    """The last point of the line, after drawing mean and band over seeds."""
    numbers, style = _numbers(series, name), series.style
    validation_line = {"linestyle": style.line, "marker": style.marker, "markersize": 4.5}
    training = name.startswith("train_")
    look = TRAINING_LINE if training else {**validation_line, "markerfacecolor": series.face}
    return draw_runs(axes, range(1, numbers.shape[1] + 1), numbers, color=style.color, **look)


def _split_legend() -> list[Line2D]:
    return [
        Line2D([], [], color=MUTED, marker="o", markersize=4.5, label="validation"),
        Line2D([], [], color=MUTED, label="training", **TRAINING_LINE),
    ]


def _label_ends(
    axes: Axes, points: Sequence[tuple[float, float]], series: Sequence[Series], gap: float
) -> None:
    """Write the label of each series right of the last point of its curve; a line of text is `gap` high."""
    heights = spread_apart([y for _, y in points], [gap * entry.lines for entry in series])
    right = max(x for x, _ in points)
    for (x, y), height, entry in zip(points, heights, series, strict=True):
        line = {"arrowstyle": "-", "color": entry.style.color, "linewidth": 1, "shrinkB": 2}
        look = {"fontsize": 9, "va": "center", "arrowprops": line, "annotation_clip": False}
        at = right + 0.04 * np.ptp(axes.get_xlim())
        axes.annotate(entry.label, (x, y), (at, height), **look)
