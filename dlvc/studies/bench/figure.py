"""The figure of the bench: what each loop costs beside the bare step, and how time grows."""

from __future__ import annotations

from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from dlvc.plots import INK, MUTED, Picture, new_picture, set_description, styled
from dlvc.studies.bench.measure import ratios
from dlvc.studies.bench.results import Bench, Measured

MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@styled
def bench_figure(bench: Bench) -> Picture:
    """Four panels: loops of each model, images a second by batch size and by threads, time by images.

    A loop's time is its multiple of the bare step's, the median over rounds, with the lowest and highest round.
    """
    picture = new_picture(11, 7.6, title="What a training loop costs")
    grid = picture.add_gridspec(2, 3, height_ratios=(1.15, 1))
    loops = picture.add_subplot(grid[0, :])
    rates, threads, sizes = (picture.add_subplot(grid[1, column]) for column in range(3))
    _draw_loops(loops, bench["models"])

    thousands = FuncFormatter(lambda value, _: f"{value:,.0f}")
    _draw_curves(rates, bench, "batch size", "batch sizes", "images a second")
    rates.set_xscale("log", base=2)
    rates.set_yscale("log")
    rates.yaxis.set_major_formatter(thousands)
    rates.yaxis.set_minor_formatter(thousands)
    rates.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    rates.set(xlabel="batch size (images)", ylabel="images a second, bare step")

    _draw_curves(threads, bench, "threads", "threads", "images a second")
    threads.set_ylim(bottom=0)
    threads.yaxis.set_major_formatter(thousands)
    threads.xaxis.get_major_locator().set_params(integer=True)
    threads.set(xlabel="threads of the CPU", ylabel="images a second, bare step")

    _draw_curves(sizes, bench, "data size", "images", "seconds", color=INK)
    sizes.set_xlim(left=0)
    sizes.set_ylim(bottom=0)
    sizes.set(xlabel="training images, one epoch", ylabel="seconds of a whole training")
    sizes.grid(color=MUTED, alpha=0.2)
    return set_description(
        picture,
        "Above: seconds a step of each training loop as a multiple of the bare step, for each model, with the lowest "
        "and highest round; 1 is the floor. Below: images a second of the bare step by batch size and by number of "
        "threads, and seconds of a training of one epoch over the number of images. Measured on "
        f"{bench['device']['name']}, {bench['device']['threads']} threads.",
    )


def _draw_loops(axes: Axes, models: dict[str, Measured]) -> None:
    first = next(iter(models.values()))["seconds_per_step"]
    names = [name for name in first if name not in ("bare step", "data")]
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        rounds = [ratios(model["seconds_per_step"], name, "bare step") for model in models.values()]
        axes.errorbar(
            [place + (number - (len(names) - 1) / 2) * width for place in range(len(rounds))],
            [median(values) for values in rounds],
            yerr=(
                [median(values) - min(values) for values in rounds],
                [max(values) - median(values) for values in rounds],
            ),
            fmt=MARKERS[number % len(MARKERS)],
            capsize=2,
            label=name,
        )
    axes.axhline(1, color=INK, linewidth=1)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xticks(range(len(models)), list(models))
    axes.set_ylabel("times the bare step")
    axes.legend(ncols=2, fontsize=8)


def _draw_curves(axes: Axes, bench: Bench, curve: str, x: str, y: str, **look: Any) -> None:
    """Draw the curve of this name of each model that has one."""
    for marker, (key, curves) in zip(MARKERS, bench["curves"].items(), strict=False):
        if values := curves[curve]:
            axes.plot(values[x], values[y], marker=marker, label=key, **look)
    axes.legend(fontsize=8)
