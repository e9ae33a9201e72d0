"""Controls above a drawing of what they choose: what the small widgets of notebooks 01 to 03 have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import traitlets

from dlvc.plots import SCREEN_DPI, Picture, hide_axes, new_picture, set_description, styled
from dlvc.widgets.display import inline_svg, widget_bundle

WIDE = {"width": "330px"}  # of a control with its label


class Explorer:
    """A drawing that follows its controls; as the value of a cell a widget, in a stored notebook a picture.

    controls: widgets by the names under which their values are handed to `draw`. draw: returns a picture of one size,
    or raises ValueError with a sentence, which is then shown instead: no control is moved in silence.
    """

    def __init__(
        self,
        name: str,
        controls: Mapping[str, ipywidgets.ValueWidget],
        draw: Callable[..., Picture],
        *,
        arrange: Callable[[list[Any]], list[Any]] = list,
    ) -> None:
        self.name, self.controls, self._draw = name, dict(controls), draw
        self._moving = False
        self._drawn: dict[str, Any] | None = None  # the values that the drawing shows
        for control in self.controls.values():
            if control.description:
                control.style = {"description_width": "initial"}
            control.observe(self._redraw, names="value")
        first = draw(**self.values())
        first.get_layout_engine().execute(first)
        self._size = first.get_size_inches()
        self._places = [axes.get_position(original=True) for axes in first.axes]
        # A fixed height: the page below stays where it is while the drawing changes.
        height = f"{self._size[1] * SCREEN_DPI:.0f}px"
        self.drawing = ipywidgets.HTML(layout={"min_height": height})
        parts = arrange(list(self.controls.values()))
        rows = ipywidgets.Box(parts, layout={"flex_flow": "row wrap"})
        self.widget = ipywidgets.VBox([rows, self.drawing])
        self._redraw()

    def values(self) -> dict[str, Any]:
        """What the controls are set to, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def picture(self) -> Picture:
        """The drawing for the present values, or in its place the sentence that says why there is none."""
        try:
            return self._draw(**self.values())
        except ValueError as error:
            return in_words(str(error), *self._size)

    def set(self, **values: Any) -> Explorer:
        """Move several controls at once and return the explorer. Raises ValueError for one that is not there."""
        before, self._moving = self._moving, True
        try:
            self._set(values)
        finally:
            self._moving = before
            self._redraw()
        return self

    def _set(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if name not in self.controls:
                known = ", ".join(self.controls)
                raise ValueError(
                    f"{self.name} has no control {name!r}; it has {known}. Name one of them."
                )
            try:
                self.controls[name].value = value
            except traitlets.TraitError as error:
                raise ValueError(f"{name} cannot be {value!r}: {error}") from error
            if self.controls[name].value != value:
                raise ValueError(
                    f"{name} cannot be {value!r}: the control stops at {self.controls[name].value}. Stay within it."
                )

    def __repr__(self) -> str:
        return f"{self.name}: {self.picture().description}"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        picture = self.picture()
        return widget_bundle(self.widget, picture, f"{self.name}: {picture.description}")

    def _redraw(self, _: Any = None) -> None:
        if self._moving or self._drawn == self.values():
            return
        self._drawn = self.values()
        picture = self.picture()
        if len(picture.axes) == len(self._places):
            # All stays where the first drawing had it, and laying out would take as long as drawing.
            picture.set_layout_engine("none")
            for axes, place in zip(picture.axes, self._places, strict=True):
                axes.set_position(place)
        self.drawing.value = inline_svg(picture)


@styled
def in_words(sentence: str, width: float, height: float) -> Picture:
    """A picture that holds a sentence: why there is nothing to draw."""
    picture = new_picture(width, height, title="This does not work")
    axes = picture.subplots()
    hide_axes(axes)
    lines = textwrap.wrap(sentence, int(width / 0.085))
    axes.text(0, 1, "\n".join(lines), va="top", fontsize=11, linespacing=1.5)
    return set_description(picture, sentence if sentence.endswith(".") else f"{sentence}.")


def slider(label: str, value: int, low: int, high: int) -> ipywidgets.IntSlider:
    """A slider for whole numbers, wide enough for its label."""
    return ipywidgets.IntSlider(value, min=low, max=high, description=label, layout=WIDE)


def choice(label: str, options: Any, value: Any) -> ipywidgets.Dropdown:
    """A list of which one entry is chosen."""
    return ipywidgets.Dropdown(options=options, value=value, description=label, layout=WIDE)


def steps(label: str, options: Sequence[int], value: int) -> ipywidgets.SelectionSlider:
    """A slider that stops at the `options` only."""
    return ipywidgets.SelectionSlider(options=options, value=value, description=label, layout=WIDE)
