"""The figure of the bench: what each loop costs beside the bare step, and how time grows."""

import statistics
from collections.abc import Mapping
from typing import Any

from matplotlib.ticker import FuncFormatter

from dlvc.plots.style import (
    BLUE,
    INK,
    MUTED,
    VERMILLION,
    Picture,
    new_picture,
    set_description,
    styled,
)

MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@styled
def loop_bars(seconds: Mapping[str, float], feeding: Mapping[str, float]) -> Picture:
    """Return a bar for each loop: `seconds` of a pass, of which the part for the images, `feeding`, is hatched."""
    picture = new_picture(9, 1.6 + 0.5 * len(seconds), title="Where the time of a pass goes")
    axes = picture.subplots()
    for place, (name, whole) in enumerate(seconds.items()):
        images = min(feeding[name], whole)
        label = ("images", "network, optimizer, counting") if place == 0 else (None, None)
        axes.barh(
            place, images, 0.6, color=VERMILLION, hatch="///", edgecolor="white", label=label[0]
        )
        axes.barh(place, whole - images, 0.6, left=images, color=BLUE, label=label[1])
        times = next(iter(seconds.values())) / whole
        axes.annotate(
            f"{times:.1f} x", (whole, place), (6, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(seconds)), list(seconds))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("seconds of a pass")
    axes.legend(loc="lower right")
    set_description(
        picture,
        "A bar for each loop: the seconds of one pass over the images, of which the hatched part goes into cutting out "
        "and augmenting them. The number says how many times as fast as the first loop.",
    )
    return picture


@styled
def bench_figure(found: Mapping[str, Any]) -> Picture:
    """Return three panels of the bench's record: loops of each model, images a second by batch size, time by images.

    A loop's time is its multiple of the bare step's, the median over rounds, with the lowest and highest round.
    """
    models = found["models"]
    picture = new_picture(11, 7.6, title="What a training loop costs")
    grid = picture.add_gridspec(2, 2, height_ratios=(1.15, 1))
    loops, rates, sizes = (
        picture.add_subplot(grid[0, :]),
        picture.add_subplot(grid[1, 0]),
        picture.add_subplot(grid[1, 1]),
    )
    names = [
        name
        for name in next(iter(models.values()))["seconds_per_step"]
        if name not in ("bare step", "data")
    ]
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        places, middles, below, above = [], [], [], []
        for place, measured in enumerate(models.values()):
            seconds = measured["seconds_per_step"]
            rounds = [
                one / bare for one, bare in zip(seconds[name], seconds["bare step"], strict=True)
            ]
            middle = statistics.median(rounds)
            places.append(place + (number - (len(names) - 1) / 2) * width)
            middles.append(middle)
            below.append(middle - min(rounds))
            above.append(max(rounds) - middle)
        loops.errorbar(
            places,
            middles,
            yerr=(below, above),
            fmt=MARKERS[number % len(MARKERS)],
            capsize=2,
            label=name,
        )
    loops.axhline(1, color=INK, linewidth=1)
    loops.set_yscale("log", base=2)
    loops.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    loops.set_xticks(range(len(models)), list(models))
    loops.set_ylabel("times the bare step")
    loops.legend(ncols=2, fontsize=8)
    for number, (key, curves) in enumerate(found["curves"].items()):
        curve = curves["batch size"]
        rates.plot(
            curve["batch sizes"], curve["images a second"], marker=MARKERS[number], label=key
        )
    rates.set_xscale("log", base=2)
    rates.set_yscale("log")
    thousands = FuncFormatter(lambda value, _: f"{value:,.0f}")
    rates.yaxis.set_major_formatter(thousands)
    rates.yaxis.set_minor_formatter(thousands)
    rates.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    rates.set_xlabel("batch size (images)")
    rates.set_ylabel("images a second, bare step")
    rates.legend(fontsize=8)
    for number, (key, curves) in enumerate(found["curves"].items()):
        curve = curves["data size"]
        if curve:
            sizes.plot(
                curve["images"], curve["seconds"], marker=MARKERS[number], color=INK, label=key
            )
    sizes.set_xlim(left=0)
    sizes.set_ylim(bottom=0)
    sizes.set_xlabel("training images, one epoch")
    sizes.set_ylabel("seconds of a whole training")
    sizes.grid(color=MUTED, alpha=0.2)
    sizes.legend(fontsize=8)
    set_description(
        picture,
        "Above: seconds a step of each training loop as a multiple of the bare step, for each model, with the lowest "
        "and highest round; 1 is the floor. Below: images a second of the bare step by batch size, and seconds of a "
        f"training of one epoch over the number of images. Measured on {found['device']['name']}, "
        f"{found['device']['threads']} threads.",
    )
    return picture
