"""The look that all figures share: a colour, marker and line style for each model, and a caption.

Colours are Okabe and Ito's, which stay apart in the common kinds of colour blindness; each model
also has its own marker, and the models of one family differ in lightness and line style, so that
a figure can be read in grey. Knows no record and no model.
"""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from dlvc.arguments import check_whole
from dlvc.experiments import EXPERIMENTS, OTHER_STYLE, ModelStyle

INK = "#222222"
MUTED = "#666666"
GRID = "#DDDDDD"
# Source: Okabe and Ito 2008, "Color Universal Design", without yellow, which is lost on white.
SKY, BLUE, GREEN = "#56B4E9", "#0072B2", "#009E73"
ORANGE, VERMILLION, PURPLE = "#E69F00", "#D55E00", "#CC79A7"

HALO = [patheffects.withStroke(linewidth=3, foreground="white")]  # dark lines on dark bars

LABEL_HEIGHT = 0.18  # inches for a line of text beside a figure

SCREEN_DPI = 96
FIGURE_DPI = 144  # half as fine again as shown, for sharp screens
COLOR_ERROR = 12  # of 255: what no pixel may lose when a PNG is stored with few colours

STYLE = {
    "font.size": 10,
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same picture everywhere
    "text.color": INK,
    # Names of classes and runs are shown as they are; a $ in one is no formula and must not be an error.
    "text.parse_math": False,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "image.interpolation": "nearest",
}


def model_style(key: str) -> ModelStyle:
    """How the experiment `key` is drawn; dark grey hexagons for one that is not listed."""
    return EXPERIMENTS[key].style if key in EXPERIMENTS else OTHER_STYLE


class Picture(Figure):
    """A matplotlib Figure with a one-sentence description, its caption and alternative text.

    pyplot does not know it, so nothing has to be closed, a notebook shows it once when it is the
    value of a cell, and drawing one in a widget's callback disturbs no other figure.
    """

    description: str = ""

    def __repr__(self) -> str:
        width, height = self.get_size_inches() * SCREEN_DPI
        size = f"{width:.0f}x{height:.0f} with {len(self.axes)} Axes"
        return f"<Figure size {size}: {self.description}>"

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        """The PNG for a notebook with its shown size and alternative text."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=FIGURE_DPI)
        width, height = (self.get_size_inches() * SCREEN_DPI).round().astype(int).tolist()
        about = {"width": width, "height": height, "alt": self.description}
        return small_png(Image.open(buffer).convert("RGB")), about


def small_png(image: Image.Image) -> bytes:
    """`image` as PNG, with 128 or 256 colours (a third of the bytes) if no pixel then changes visibly.

    Lines, text and maps have few colours and become small; a mosaic of photos stays as it is.
    """
    # Colours of areas are kept as they are, if that can be: a tint is seen there, but not on the rim of a letter.
    counts = sorted(image.getcolors(image.width * image.height), reverse=True)
    stored, palette = image, Image.new("P", (1, 1))
    none = Image.Dither.NONE
    for kept, colors in ((32, 96), (32, 224), (0, 256)):
        few = image.quantize(colors, method=Image.Quantize.MAXCOVERAGE, dither=none)
        if kept:
            common = [value for _, color in counts[:kept] for value in color]
            palette.putpalette(common + few.getpalette()[: 3 * colors])
            few = image.quantize(palette=palette, dither=none)
        error = np.asarray(few.convert("RGB"), dtype=int) - np.asarray(image, dtype=int)
        if np.abs(error).max() <= COLOR_ERROR:
            stored = few
            break
    buffer = io.BytesIO()
    stored.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _register_with_notebook() -> None:
    """Make a notebook show a Picture by its own method, if this runs in one.

    After a first pyplot figure the kernel has a method for every Figure, which would show ours
    in another size and without alternative text.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(Picture, Picture._repr_png_)


# Draws a figure with matplotlib's defaults and `STYLE` in force, whatever the user has set.
styled = matplotlib.style.context(["default", STYLE])


def new_picture(width: float, height: float, *, title: str = "") -> Picture:
    """An empty picture of that size in inches, with a bold title at the top left."""
    _register_with_notebook()
    picture = Picture(figsize=(width, height), dpi=FIGURE_DPI, layout="constrained")
    picture.get_layout_engine().set(w_pad=0.08, h_pad=0.06, wspace=0.03, hspace=0.04)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return picture


def set_description(picture: Picture, text: str) -> Picture:
    """`picture` with `text` as its description, also written under it as a caption.

    `text` is one sentence that says what is drawn. Raises ValueError if it is empty or no sentence.
    """
    if not text.strip().endswith("."):
        raise ValueError(f"a description must be a sentence with a full stop; got {text!r}.")
    picture.description = text
    # 0.072 inch is the mean width of a character of 9 points, so that lines fill the picture.
    lines = textwrap.wrap(text, width=int(picture.get_figwidth() / 0.072))
    picture.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=9, color=MUTED)
    return picture


def plot_grid(
    count: int,
    columns: int,
    cell: tuple[float, float],
    margin: tuple[float, float],
    *,
    title: str,
    labels: tuple[str, str],
) -> tuple[Picture, np.ndarray]:
    """A picture with `count` plots in rows of at most `columns`, and the grid of their axes, which share their scales.

    A plot is as large as `cell`, in inches (width, height); `margin` is added for what stands around all of them. The
    outer ones get the `labels` of x and y; places that are left over stay empty.
    """
    check_whole("columns", columns, low=1, hint="Try 4.")
    columns = min(columns, count)
    rows = -(-count // columns)
    size = (max(columns * cell[0] + margin[0], 5), rows * cell[1] + margin[1])
    picture = new_picture(*size, title=title)
    grid = picture.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[count:]:
        axes.set_axis_off()
    for axes in grid.flat[count - columns : count]:
        axes.set_xlabel(labels[0])
        axes.tick_params(labelbottom=True)
    for axes in grid[:, 0]:
        axes.set_ylabel(labels[1])
    return picture, grid


def empty_axes(
    picture: Picture, width: float, height: float, *, margin: float = 0.0, anchor: str = "W"
) -> Axes:
    """The axes of a picture that holds drawings, no plot: (0, 0) is at the upper left, and units are square."""
    axes = picture.subplots()
    hide_axes(axes)
    axes.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin), anchor=anchor)
    axes.set_aspect("equal")
    return axes


def draw_frame(
    axes: Axes,
    corner: tuple[float, float],
    width: float,
    height: float,
    *,
    color: str,
    line: float = 1.6,
) -> None:
    """Draw a frame with a dark rim, which is seen on any image; `corner` is the upper left one."""
    for shade, thickness in (("black", 2 * line), (color, line)):
        look = {"fill": False, "edgecolor": shade, "linewidth": thickness, "zorder": 3}
        axes.add_patch(Rectangle(corner, width, height, **look))


def draw_runs(
    axes: Axes, places: Sequence[float], runs: np.ndarray, *, color: str, **look: Any
) -> tuple[float, float]:
    """The last point of a line drawn through the means of `runs` (runs, places).

    Several runs get a band from the lowest to the highest.
    """
    mean = runs.mean(axis=0)
    axes.plot(places, mean, color=color, **look)
    if len(runs) > 1:
        low, high = runs.min(axis=0), runs.max(axis=0)
        axes.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)
    return float(places[-1]), float(mean[-1])


def spread_apart(values: Sequence[float], heights: float | Sequence[float]) -> list[float]:
    """`values`, moved as little as needed so that labels of these `heights` in the middle of them do not overlap.

    Their order stays. Without the steps from one to the next they need only rise: an isotonic regression.
    """
    from scipy.optimize import isotonic_regression  # as slow to import as seaborn

    numbers = np.asarray(values, dtype=float)
    order = numbers.argsort(kind="stable")
    halves = np.broadcast_to(heights, numbers.shape)[order] / 2
    steps = np.cumsum(halves + np.append(0, halves[:-1]))
    moved = np.empty(len(numbers))
    moved[order] = isotonic_regression(numbers[order] - steps).x + steps
    return moved.tolist()


def units_per_inch(axes: Axes) -> float:
    """How many units of y are one inch. Call it last: the layout is done for it."""
    axes.figure.get_layout_engine().execute(axes.figure)
    bottom, top = axes.get_ylim()
    return (top - bottom) / (axes.get_position().height * axes.figure.get_figheight())


def hide_axes(axes: Axes) -> None:
    """Take away ticks, grid and frame of `axes`: it holds a picture, not a plot."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
