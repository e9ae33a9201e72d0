"""The figure of notebook 02's section on speed: where a loop's time goes, and what each technique gains."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from dlvc.plots import (
    BLUE,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Picture,
    new_picture,
    set_description,
    styled,
)

LOOKS = ((VERMILLION, "///"), (BLUE, ""), (SKY, ""), (ORANGE, "\\\\\\"), (PURPLE, "xxx"))


@styled
def speed_bars(parts: Mapping[str, Mapping[str, float]], seconds: Mapping[str, float]) -> Picture:
    """Two panels: seconds by part for each loop of `parts`, and how fast each loop of `seconds` is.

    `parts` has at most five parts for each loop; `seconds` begins with the loop that all are compared with, and each
    of the others has one technique more than the one before it.
    """
    rows = len(parts), len(seconds)
    picture = new_picture(10, 2.6 + 0.42 * sum(rows), title="Where the time goes")
    above, below = picture.subplots(2, height_ratios=[count + 0.6 for count in rows])
    _draw_parts(above, parts)
    _draw_gains(below, seconds)
    return set_description(
        picture,
        "Above: the seconds of a pass by part, for each loop, with a stop watch after each part. Below: how many times "
        "as fast as the first loop each loop is when nobody looks into it; in brackets, as the loop above it.",
    )


def _draw_parts(axes: Axes, parts: Mapping[str, Mapping[str, float]]) -> None:
    for place, seconds in enumerate(parts.values()):
        left = 0.0
        for (part, width), (color, hatch) in zip(seconds.items(), LOOKS, strict=False):
            label = None if place else part
            look = {"color": color, "hatch": hatch, "edgecolor": "white", "label": label}
            axes.barh(place, width, 0.6, left=left, **look)
            left += width
    _name_rows(axes, list(parts))
    axes.set_xlabel("seconds of a pass")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(LOOKS), borderaxespad=0)


def _draw_gains(axes: Axes, seconds: Mapping[str, float]) -> None:
    values = list(seconds.values())
    for place, value in enumerate(values):
        times = values[0] / value
        axes.barh(place, times, 0.6, color=BLUE if place else MUTED)
        text = f"{times:.1f} x"
        if place:
            text += f" ({values[place - 1] / value:.2f} x)"
        axes.annotate(text, (times, place), (6, 0), textcoords="offset points", va="center")
    _name_rows(axes, list(seconds))
    axes.margins(x=0.2)
    axes.set_xlabel("times as fast as the first loop")


def _name_rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
