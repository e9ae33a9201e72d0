"""A widget and, beside it, a still picture: what a notebook shows while its kernel runs, and what it keeps.

JupyterLab shows the widget while its kernel is there. `lessons/notebooks.py` strips it from the notebooks that it
stores, so that readers on any page get the picture, and nobody an error about a model that is not found.
"""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG

from dlvc.plots import GRID, INK, MUTED, Picture
from dlvc.widgets.page import figure

if TYPE_CHECKING:
    from ipywidgets import DOMWidget  # not imported here: it is slow

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# Colours of the figures that must fit the page's theme, light or dark, in terms of the colour of its text.
THEMED = {
    INK: "currentColor",
    MUTED: "color-mix(in srgb, currentColor 75%, transparent)",
    GRID: "color-mix(in srgb, currentColor 20%, transparent)",
}


def widget_bundle(
    widget: DOMWidget, picture: Picture, text: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `_repr_mimebundle_` of an object returns that shows `widget`, else `picture`, else `text`.

    The object itself is no widget: one of ipywidgets 7 would be displayed without being asked for its bundle.
    `text` is compared by the notebooks' tests, so it must be the same on every machine.
    """
    data, metadata = picture_bundle(picture, text)
    return {**widget_view(widget), **data}, metadata


def picture_bundle(picture: Picture, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a cell shows of a picture: HTML, too, as JupyterLab gives a bare picture no alternative text."""
    png, look = picture._repr_png_()
    still = figure(png, picture.description, width=look["width"])
    return {"text/html": still, "image/png": png, "text/plain": text}, {"image/png": look}


def widget_view(widget: DOMWidget) -> dict[str, Any]:
    """The part of a bundle that shows `widget` where there is a kernel."""
    return {WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}


def inline_svg(picture: Picture) -> str:
    """The picture as HTML for the `value` of a widget: in the colours of the page, described to who cannot see it."""
    file, dpi = io.StringIO(), picture.dpi
    grounds = [picture.patch, *(axes.patch for axes in picture.axes)]
    seen = [ground.get_visible() for ground in grounds]
    # Text as text is quick and can be searched; the salt makes equal pictures equal texts.
    # Images stay apart: to put a batch together into one takes as long as all the rest.
    apart = {"svg.fonttype": "none", "svg.hashsalt": "dlvc", "image.composite_image": False}
    with matplotlib.rc_context(apart):
        try:
            for ground in grounds:
                ground.set_visible(False)
            # Not savefig, which draws twice: a control is to be answered at once.
            FigureCanvasSVG(picture).print_svg(file, metadata={"Date": None})
        finally:
            picture.dpi = dpi
            for ground, visible in zip(grounds, seen, strict=True):
                ground.set_visible(visible)
    svg = re.sub(r"<metadata>.*?</metadata>", "", file.getvalue(), flags=re.DOTALL)
    svg = svg[svg.index("<svg") :]
    for color, themed in THEMED.items():
        svg = svg.replace(color.lower(), themed)
    label = html.escape(picture.description, quote=True)
    style = "max-width: 100%; height: auto"
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}" style="{style}"', 1)
