"""Figures about classes: confusion counts, per-class accuracy, class sizes and pixel values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from dlvc.checks import check_whole
from dlvc.data import CLASSES
from dlvc.experiments import RunRecord
from dlvc.plots.arrays import as_array, as_counts, as_pictures, check_classes
from dlvc.plots.series import data_text, means_text, runs_text, series_of
from dlvc.plots.style import (
    BLUE,
    GREEN,
    HALO,
    INK,
    MUTED,
    ORANGE,
    SKY,
    VERMILLION,
    Picture,
    new_picture,
    set_description,
    styled,
)


def row_percent(confusion: np.ndarray) -> np.ndarray:
    """Return each row of counts (C, C) as percent of its sum; nan for a class without images."""
    totals = confusion.sum(axis=1, keepdims=True)
    return np.divide(
        100 * confusion, totals, out=np.full(confusion.shape, np.nan), where=totals > 0
    )


@styled
def confusion_heatmap(
    confusion: Any, *, classes: Sequence[str] = CLASSES, title: str = "Confusion matrix"
) -> Picture:
    """Return counts (C, C) as a heat map in percent of each true class, with numbers."""
    counts = as_counts(confusion)
    check_classes(classes, len(counts))
    percent = row_percent(counts)
    picture = new_picture(7, 6.6, title=title)
    axes = picture.subplots()
    image = _draw_confusion(axes, percent)
    for row, column in np.ndindex(percent.shape):
        value = percent[row, column]
        if value >= 0.5:
            color = "white" if value > 40 else INK
            look = {"ha": "center", "va": "center", "fontsize": 9, "color": color}
            bold = "bold" if row == column else "normal"
            axes.text(column, row, f"{int(value + 0.5)}", fontweight=bold, **look)
    places = range(len(classes))
    axes.set_xticks(places, classes, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, classes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    picture.colorbar(image, ax=axes, shrink=0.8, label="percent of the true class's images")
    return set_description(
        picture,
        f"Confusion matrix of {counts.sum():,} images: each row is a true class and sums to 100 "
        "percent, each column a predicted class; cells below half a percent are left empty.",
    )


def _draw_confusion(axes: Axes, percent: np.ndarray) -> Any:
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    # The colour grows with the root of the share, so that the mistakes can be told apart too.
    image = axes.imshow(percent, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=100))
    for place in range(len(percent)):
        axes.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, fill=False, ec=MUTED, lw=0.6))
    return image


@styled
def confusion_grid(
    records: Iterable[RunRecord], *, classes: Sequence[str] = CLASSES, columns: int = 4
) -> Picture:
    """Return one small confusion matrix per model, summed over its runs, all in one scale."""
    check_whole("columns", columns, low=1, hint="Try 4.")
    series = series_of((r for r in records if r.model["parameters"]), tested=True)
    columns = min(columns, len(series))
    rows = -(-len(series) // columns)
    picture = new_picture(2.4 + 2.65 * columns, 2.2 + 2.75 * rows, title="What is taken for what")
    grid = picture.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    places = range(len(classes))
    for place, (axes, each) in enumerate(zip(grid.flat, series, strict=False)):
        image = _draw_confusion(axes, row_percent(each.test_confusion))
        axes.set_title(f"{each.label}: {each.test_accuracies.mean():.0f} %", fontsize=9.5)
        axes.set_xticks(places, classes, rotation=90)
        axes.set_yticks(places, classes)
        if place + columns >= len(series):
            axes.set_xlabel("predicted class")
            axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(series) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("true class")
    label = "percent of the true class"
    picture.colorbar(image, ax=grid, shrink=0.6, label=label, pad=0.02)
    return set_description(
        picture,
        f"Confusion matrices on the test images of {data_text(series)}, {runs_text(series)}, with "
        "test accuracy: rows are true classes, columns predicted ones, dark cells on the diagonal "
        "are right answers.",
    )


@styled
def per_class_bars(records: Iterable[RunRecord], *, classes: Sequence[str] = CLASSES) -> Picture:
    """Return test accuracy for each class, one bar per model, with the range over seeds."""
    series = series_of(records, tested=True)
    picture = new_picture(10, 4.2, title="Test accuracy of each class")
    axes = picture.subplots()
    width = 0.8 / len(series)
    handles = []
    for place, each in enumerate(series):
        runs = [row_percent(np.array(run.test.confusion)).diagonal() for run in each.runs]
        mean, low, high = np.mean(runs, axis=0), np.min(runs, axis=0), np.max(runs, axis=0)
        x = np.arange(len(classes)) + (place - (len(series) - 1) / 2) * width
        look = {"color": each.style.color, "hatch": "" if each.first else "///"}
        bars = axes.bar(x, mean, width, edgecolor="white", linewidth=0.8, **look)
        if len(runs) > 1:
            axes.vlines(x, low, high, color=INK, linewidth=1.3, path_effects=HALO)
        look = {"marker": each.style.marker, "markeredgecolor": INK, "markersize": 5}
        look |= {"color": "white", "markeredgewidth": 0.8, "linestyle": "none"}
        axes.plot(x, np.full(len(x), 2.5), **look, path_effects=HALO)
        handles.append((bars, Line2D([], [], **look, path_effects=HALO)))
    axes.axhline(100 / len(classes), color=MUTED, linestyle=":", linewidth=1.2)
    axes.set_xticks(range(len(classes)), classes)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 100)
    axes.set_ylabel("test accuracy (%)")
    if len(series) > 1:
        labels = [each.label for each in series]
        options = {"bbox_to_anchor": (1, 1), "ncols": min(4, len(series))}
        axes.legend(handles, labels, loc="lower right", **options)
    else:
        axes.set_title(series[0].label)
    return set_description(
        picture,
        f"Share of each class's test images of {data_text(series)} that is predicted right, "
        f"{means_text(series)}; dotted is guessing.",
    )


@styled
def class_histogram(counts: Mapping[str, Any], *, classes: Sequence[str] = CLASSES) -> Picture:
    """Return the number of images per class as bars; `counts` maps a split's name to counts (C,)."""
    if not 1 <= len(counts) <= 4:
        raise ValueError(
            f"counts must hold one to four splits; got {len(counts)}. Pass {{'train': split.class_counts()}}."
        )
    for numbers in counts.values():
        check_classes(classes, len(as_array(numbers)))
    picture = new_picture(10, 3.6, title="Images per class")
    axes = picture.subplots()
    width = 0.8 / len(counts)
    looks = zip((BLUE, ORANGE, SKY, GREEN), ("", "///", "...", "xx"), strict=True)
    for place, ((split, numbers), (color, hatch)) in enumerate(
        zip(counts.items(), looks, strict=False)
    ):
        numbers = as_array(numbers)
        x = np.arange(len(classes)) + (place - (len(counts) - 1) / 2) * width
        label = f"{split} ({numbers.sum():,} images)"
        axes.bar(x, numbers, width, color=color, hatch=hatch, edgecolor="white", label=label)
    axes.set_xticks(range(len(classes)), classes)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("images")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(counts))
    return set_description(
        picture, f"Number of images of each class in the splits {', '.join(counts)}."
    )


@styled
def pixel_statistics(images: Any, *, title: str = "Pixel values") -> Picture:
    """Return the distribution of pixel values per colour channel, and the mean image.

    `images` (N, 3, H, W) are uint8 or floats in [0, 1].
    """
    pictures = as_pictures(images)
    values = pictures / 255 if pictures.dtype == np.uint8 else pictures
    picture = new_picture(10, 3.8, title=title)
    left, right = picture.subplots(1, 2, width_ratios=(2.6, 1))
    channels = (("red", VERMILLION, "-"), ("green", GREEN, "--"), ("blue", BLUE, "-."))
    edges = np.linspace(0, 1, 33)
    for channel, (name, color, line) in enumerate(channels):
        pixels = values[..., channel].ravel()
        share, _ = np.histogram(pixels, bins=edges)
        label = f"{name}: mean {pixels.mean():.3f}, standard deviation {pixels.std():.3f}"
        look = {"color": color, "linestyle": line, "linewidth": 1.8}
        left.stairs(100 * share / len(pixels), edges, baseline=None, label=label, **look)
        left.axvline(pixels.mean(), color=color, linestyle=line, linewidth=1)
    left.set_xlim(0, 1)
    left.set_ylim(0, left.get_ylim()[1] * 1.35)
    left.set_xlabel("pixel value (0 = none, 1 = full)")
    left.set_ylabel("pixels (%)")
    left.legend(loc="upper center", frameon=True, framealpha=1, edgecolor="none")
    right.imshow(values.mean(axis=0))
    right.set_axis_off()
    right.set_title("mean image")
    return set_description(
        picture,
        f"How often each pixel value occurs in the three colour channels of {len(values):,} "
        "images, with thin lines at the channels' means, and the mean of all images.",
    )
