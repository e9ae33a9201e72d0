"""The figure of the bench: what each loop costs beside the bare step, and how time grows."""

import statistics
from collections.abc import Mapping
from typing import Any

from matplotlib.ticker import FuncFormatter

from dlvc.plots import INK, MUTED, Picture, new_picture, set_description, styled

MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@styled
def bench_figure(found: Mapping[str, Any]) -> Picture:
    """Return four panels: loops of each model, images a second by batch size and by threads, time by images.

    A loop's time is its multiple of the bare step's, the median over rounds, with the lowest and highest round.
    """
    models = found["models"]
    picture = new_picture(11, 7.6, title="What a training loop costs")
    grid = picture.add_gridspec(2, 3, height_ratios=(1.15, 1))
    loops = picture.add_subplot(grid[0, :])
    rates, threads, sizes = (picture.add_subplot(grid[1, column]) for column in range(3))
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
            pairs = zip(seconds[name], seconds["bare step"], strict=True)
            rounds = [one / bare for one, bare in pairs]
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
        curve = curves["threads"]
        threads.plot(curve["threads"], curve["images a second"], marker=MARKERS[number], label=key)
    threads.set_ylim(bottom=0)
    threads.yaxis.set_major_formatter(thousands)
    threads.xaxis.get_major_locator().set_params(integer=True)
    threads.set_xlabel("threads of the CPU")
    threads.set_ylabel("images a second, bare step")
    threads.legend(fontsize=8)
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
        "and highest round; 1 is the floor. Below: images a second of the bare step by batch size and by number of "
        "threads, and seconds of a training of one epoch over the number of images. Measured on "
        f"{found['device']['name']}, "
        f"{found['device']['threads']} threads.",
    )
    return picture
