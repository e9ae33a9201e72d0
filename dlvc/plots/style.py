"""The look that all figures share: a colour, marker and line style for each model, and a caption.

Colours are Okabe and Ito's, which stay apart in the common kinds of colour blindness; each model
also has its own marker, and the models of one family differ in lightness and line style, so that
a figure can be read in grey. Knows no record and no model.
"""

import functools
import io
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from dlvc.experiments import EXPERIMENTS, ModelStyle

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
COLOR_ERROR = 12  # of 255: what no pixel may lose when a PNG is stored with 256 colours

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


OTHER_STYLE = ModelStyle("#444444", "h", (0, (6, 2, 1, 2, 1, 2)))


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
        """Return the PNG for a notebook with its shown size and alternative text."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=FIGURE_DPI)
        width, height = (self.get_size_inches() * SCREEN_DPI).round().astype(int).tolist()
        about = {"width": width, "height": height, "alt": self.description}
        return small_png(Image.open(buffer).convert("RGB")), about


def small_png(image: Image.Image) -> bytes:
    """Return `image` as PNG, with 256 colours (a third of the bytes) if no pixel then changes visibly.

    Lines, text and maps have few colours and become small; a mosaic of photos stays as it is.
    """
    few = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    error = np.asarray(few.convert("RGB"), dtype=int) - np.asarray(image, dtype=int)
    buffer = io.BytesIO()
    (few if np.abs(error).max() <= COLOR_ERROR else image).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _register_with_notebook() -> None:
    """Make a notebook show a Picture by its own method, if this runs in one.

    After a first pyplot figure the kernel has a method for every Figure, which would show ours
    in another size and without alternative text.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(Picture, Picture._repr_png_)


def styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Return `draw` with matplotlib's defaults and `STYLE` in force, whatever the user has set."""

    @functools.wraps(draw)
    def draw_in_style(*arguments: Any, **options: Any) -> Picture:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*arguments, **options)

    return draw_in_style


def new_picture(width: float, height: float, *, title: str = "") -> Picture:
    """Return an empty picture of that size in inches, with a bold title at the top left."""
    _register_with_notebook()
    picture = Picture(figsize=(width, height), dpi=FIGURE_DPI, layout="constrained")
    picture.get_layout_engine().set(w_pad=0.08, h_pad=0.06, wspace=0.03, hspace=0.04)
    if title:
        picture.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return picture


def set_description(picture: Picture, text: str) -> Picture:
    """Return `picture` with `text` as its description, also written under it as a caption.

    `text` is one sentence that says what is drawn. Raises ValueError if it is empty or no sentence.
    """
    if not text.strip().endswith("."):
        raise ValueError(f"a description must be a sentence with a full stop; got {text!r}.")
    picture.description = text
    # 0.072 inch is the mean width of a character of 9 points, so that lines fill the picture.
    lines = textwrap.wrap(text, width=int(picture.get_figwidth() / 0.072))
    picture.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=9, color=MUTED)
    return picture


def description(picture: Picture) -> str:
    """Return the one sentence that says what `picture` shows, for a caption or alternative text."""
    return picture.description


def spread_apart(values: list[float], gap: float) -> list[float]:
    """Return `values` moved as little as needed so that any two are at least `gap` apart.

    Their order stays. For labels beside the ends of curves.
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    # Neighbours that would overlap form a cluster, spread evenly around the mean of its members.
    clusters: list[list[int]] = []
    for index in order:
        clusters.append([index])
        while len(clusters) > 1 and _overlap(clusters[-2], clusters[-1], values, gap):
            last = clusters.pop()
            clusters[-1] += last
    moved = list(values)
    for cluster in clusters:
        start = _cluster_start(cluster, values, gap)
        for place, index in enumerate(cluster):
            moved[index] = start + place * gap
    return moved


def _cluster_start(cluster: list[int], values: list[float], gap: float) -> float:
    return sum(values[index] for index in cluster) / len(cluster) - gap * (len(cluster) - 1) / 2


def _overlap(lower: list[int], upper: list[int], values: list[float], gap: float) -> bool:
    lower_end = _cluster_start(lower, values, gap) + gap * (len(lower) - 1)
    return _cluster_start(upper, values, gap) < lower_end + gap


def units_per_inch(axes: Axes) -> float:
    """Return how many units of y are one inch. Call it last: the layout is done for it."""
    axes.figure.get_layout_engine().execute(axes.figure)
    bottom, top = axes.get_ylim()
    return (top - bottom) / (axes.get_position().height * axes.figure.get_figheight())


def hide_axes(axes: Axes) -> None:
    """Take away ticks, grid and frame of `axes`: it holds a picture, not a plot."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
