"""The figure of notebook 04: what a network's start is worth, the more labels there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from dlvc.plots.results import CHANCE
from dlvc.plots.style import (
    BLUE,
    GREEN,
    HALO,
    LABEL_HEIGHT,
    MUTED,
    VERMILLION,
    ModelStyle,
    Picture,
    new_picture,
    set_description,
    spread_apart,
    styled,
    units_per_inch,
)

STARTS = {
    "random start": ModelStyle(VERMILLION, "o", "--"),
    "frozen backbone": ModelStyle(BLUE, "s", "-."),
    "fine-tuned": ModelStyle(GREEN, "^", "-"),
}


class LabelledRun(Protocol):
    """What is drawn of a run on some of the labels; `studies.TransferRun` is one."""

    way: str
    labels: int
    recipe: str  # "study", or what else the run was trained by
    data: str
    test_images: int  # 0 for a run that was not tested
    test_accuracy: float


@styled
def label_efficiency(runs: Iterable[LabelledRun]) -> Picture:
    """Test accuracy against the number of labels, a line for each start, and how far fine-tuning is ahead of none.

    Lines are means over seeds, bands go from the lowest to the highest. Runs by another recipe are hollow markers at
    the end of a thin line. Raises ValueError if no run was tested.
    """
    tested = [run for run in runs if run.test_images]
    if not tested:
        raise ValueError(
            "a figure of label efficiency needs tested runs; got none. Make them with python -m dlvc.studies.transfer."
        )
    rows = [(run.way, run.labels, run.recipe == "study", 100 * run.test_accuracy) for run in tested]
    frame = pd.DataFrame(rows, columns=["way", "labels", "own", "accuracy"])
    points = frame.groupby(["labels", "own", "way"])["accuracy"].agg(["mean", "min", "max"])
    points = points.reset_index()
    picture = new_picture(8, 5, title="What a start is worth: ResNet18 on more and more labels")
    axes = picture.subplots()
    axes.axhline(CHANCE, color=MUTED, linestyle=":", linewidth=1.2, zorder=0.9)
    axes.set(xscale="log", ylim=(0, 100))
    axes.margins(x=0.09)
    axes.set(xlabel="labelled training images", ylabel="test accuracy (%)")
    axes.xaxis.set_major_locator(FixedLocator(points["labels"].unique()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    for way, look in STARTS.items():
        draw_start(axes, points[points["way"] == way], look)
    draw_gaps(axes, points.pivot_table("mean", "labels", "way"))
    other = ", hollow markers are longer runs by another recipe" if not frame["own"].all() else ""
    set_description(
        picture,
        f"Test accuracy of ResNet18 on {tested[0].data} against the number of labelled images, on a logarithmic axis: "
        "means over seeds after equally many steps from each start, bands from lowest to highest; grey lines say by "
        f"how many points fine-tuning is ahead of a random start{other}, and the dotted line is guessing.",
    )
    name_ends(axes, points.drop_duplicates("way", keep="last"))
    return picture


def draw_start(axes: Axes, points: pd.DataFrame, look: ModelStyle) -> None:
    """Draw the line of one start, with its band and the hollow markers of another recipe."""
    own, other = points[points["own"]], points[~points["own"]]
    line = {"color": look.color, "marker": look.marker}
    axes.plot(own["labels"], own["mean"], linestyle=look.line, **line)
    band = {"color": look.color, "alpha": 0.2, "linewidth": 0}
    axes.fill_between(own["labels"], own["min"], own["max"], **band)
    beyond = points.tail(len(other) + 1)
    axes.plot(beyond["labels"], beyond["mean"], color=look.color, linestyle=":", linewidth=1)
    axes.plot(other["labels"], other["mean"], linestyle="none", markerfacecolor="white", **line)


def draw_gaps(axes: Axes, means: pd.DataFrame) -> None:
    """Draw a grey line from a random start to fine-tuning at each number of labels, with the points between them."""
    ends = means.reindex(columns=["random start", "fine-tuned"]).dropna()
    for labels, low, high in ends.itertuples():
        axes.plot([labels, labels], [low, high], color=MUTED, linewidth=1, zorder=0.9)
        place = labels, low + 0.3 * (high - low)  # the frozen backbone's line is mostly higher
        look = {"textcoords": "offset points", "ha": "right", "va": "center", "path_effects": HALO}
        axes.annotate(f"{high - low:+.0f}", place, (-5, 0), fontsize=9, **look)


def name_ends(axes: Axes, ends: pd.DataFrame) -> None:
    """Write the name of each start beside the end of its line."""
    heights = spread_apart(ends["mean"], LABEL_HEIGHT * units_per_inch(axes))
    for end, height in zip(ends.itertuples(), heights, strict=True):
        look = {"color": STARTS[end.way].color, "fontweight": "bold", "path_effects": HALO}
        place = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(end.way, (end.labels, height), annotation_clip=False, **place, **look)
