"""The form of a training's settings, made from the fields' metadata: a row for each, with its help or what is wrong.

What is typed stands as it is: nothing is rounded or moved into a range. A slider beside a number is a second way to set
it. Knows no training.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import Field
from typing import Any

import ipywidgets

from dlvc.widgets.panel.advice import read_setting

LABEL_WIDTH, CONTROL_WIDTH, SLIDER_WIDTH = "124px", "264px", "150px"
SMALLEST_SHARE = 1e-6  # of the highest value: where a logarithmic slider begins if 0 is allowed
CHECKED = {True: "on", False: "off"}


def as_text(value: Any) -> str:
    """A setting's value as one types it, short, and with as many digits as it takes to be read as the same."""
    short = f"{value:g}" if isinstance(value, float) else ""
    return short if short and float(short) == value else str(value)


class SettingRow:
    """One setting: a control with its label, a slider where that helps, and a note.

    `on_change` is called when the learner has changed it. A `fixed` one shows its value and cannot be changed.
    """

    def __init__(
        self, setting: Field, value: Any, on_change: Callable[[], None], *, fixed: bool = False
    ) -> None:
        self.setting, self.fixed, self._on_change = setting, fixed, on_change
        self._listening = True  # False while a change is our own
        meta = setting.metadata
        look = {
            "description": meta["label"],
            "disabled": fixed,
            "layout": ipywidgets.Layout(width=CONTROL_WIDTH),
            "style": {"description_width": LABEL_WIDTH},
        }
        if meta["choices"]:
            self.control = ipywidgets.Dropdown(options=meta["choices"], value=value, **look)
        elif isinstance(setting.default, bool):
            self.control = ipywidgets.Dropdown(
                options=[(word, choice) for choice, word in CHECKED.items()], value=value, **look
            )
        else:
            self.control = ipywidgets.Text(value=as_text(value), **look)
        self.slider = None if fixed else self._make_slider(value)
        self.note = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 240px", min_width="200px"))
        beside = self.slider or ipywidgets.Box(layout={"width": SLIDER_WIDTH, "margin": "2px"})
        self.widget = ipywidgets.HBox([self.control, beside, self.note])
        self.widget.add_class("dlvc-row")
        self.control.observe(self._from_control, "value")
        if self.slider is not None:
            self.slider.observe(self._from_slider, "value")
        self.show_problem("")

    def read(self) -> Any:
        """The value. Raises ValueError, in words, if what was typed is none."""
        if isinstance(self.control, ipywidgets.Text):
            return read_setting(self.setting, self.control.value)
        return self.control.value

    def write(self, value: Any) -> None:
        """Set the value, as if nobody had touched the row."""
        self._listening = False
        is_text = isinstance(self.control, ipywidgets.Text)
        self.control.value = as_text(value) if is_text else value
        self._listening = True

    def show_problem(self, sentence: str) -> None:
        """Put `sentence` beside the control, or, where it is empty, the setting's help with its unit and range."""
        if sentence:
            text = f'<span class="dlvc-problem" role="alert">⚠ {html.escape(sentence)}</span>'
        else:
            text = f'<span class="dlvc-help">{html.escape(help_text(self.setting))}</span>'
        if self.fixed:
            text += ' <span class="dlvc-help">(set in the cell)</span>'
        if self.note.value != text:
            self.note.value = text

    def _make_slider(self, value: Any) -> ipywidgets.Widget | None:
        """A slider for numbers whose order of size matters, or that lie in a short range."""
        meta, default = self.setting.metadata, self.setting.default
        if meta["log"]:
            base = 10.0 if isinstance(default, float) else 2.0  # whole numbers double
            low = math.log(meta["low"] or meta["high"] * SMALLEST_SHARE, base)
            slider = ipywidgets.FloatLogSlider(
                base=base, min=low, max=math.log(meta["high"], base), step=0.1 if base == 10 else 1
            )
        elif isinstance(default, float):
            slider = ipywidgets.FloatSlider(min=meta["low"], max=meta["high"], step=0.05)
        else:
            return None
        slider.readout = False
        slider.layout.width = SLIDER_WIDTH
        slider.value = _place_on(slider, value)
        return slider

    def _from_control(self, change: Mapping[str, Any]) -> None:
        listening, self._listening = self._listening, False
        if self.slider is not None:
            with suppress(ValueError):  # then it stays where it was; the note says what is wrong
                self.slider.value = _place_on(self.slider, self.read())
        self._listening = listening
        if listening:
            self._on_change()

    def _from_slider(self, change: Mapping[str, Any]) -> None:
        if not self._listening:
            return
        with suppress(ValueError):
            # A front end moves what stands between two steps of a slider, without anybody having touched it.
            if math.isclose(change["new"], _place_on(self.slider, self.read()), rel_tol=1e-6):
                return
        whole = isinstance(self.setting.default, int)
        self.control.value = str(round(change["new"])) if whole else f"{change['new']:.2g}"


def _place_on(slider: ipywidgets.Widget, value: float) -> float:
    """The value nearest to `value` at which the slider can stand."""
    log = isinstance(slider, ipywidgets.FloatLogSlider)
    at = (math.log(value, slider.base) if value > 0 else slider.min) if log else value
    at = min(max(at, slider.min), slider.max)
    at = slider.min + slider.step * round((at - slider.min) / slider.step)
    at = min(at, slider.max)
    return slider.base**at if log else at


def help_text(setting: Field) -> str:
    """A setting's help with its unit and range."""
    meta = setting.metadata
    if meta["choices"] or isinstance(setting.default, bool):
        return meta["help"]
    allowed = f"{meta['low']:g} to {meta['high']:,g}" if meta["high"] < 1e9 else "0 or more"
    unit = f" {meta['unit']}" if meta["unit"] else ""
    return f"{allowed}{unit}: {meta['help']}"


class TrainingForm:
    """Rows for `settings` under headings: {heading: {name: field}}; `values` are what they start with.

    A preset changes the rows that nobody has touched; `fixed` ones it leaves, and so does the learner.
    """

    def __init__(
        self,
        settings: Mapping[str, Mapping[str, Field]],
        values: Mapping[str, Any],
        on_change: Callable[[], None],
        *,
        fixed: frozenset[str] = frozenset(),
    ) -> None:
        self.preset = dict(values)
        self.rows: dict[str, SettingRow] = {}
        parts: list[ipywidgets.Widget] = []
        for heading, fields in settings.items():
            if fields:
                parts.append(
                    ipywidgets.HTML(f'<h4 class="dlvc-heading">{html.escape(heading)}</h4>')
                )
            for name, setting in fields.items():
                self.rows[name] = SettingRow(setting, values[name], on_change, fixed=name in fixed)
                parts.append(self.rows[name].widget)
        self.widget = ipywidgets.VBox(parts)

    def read(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The values by name, and for those that are none a sentence each."""
        values, problems = {}, {}
        for name, row in self.rows.items():
            try:
                values[name] = row.read()
            except ValueError as error:
                problems[name] = str(error)
        return values, problems

    def use_preset(self, values: Mapping[str, Any], *, keep_edits: bool = True) -> None:
        """Start from other values; what the learner has changed stays, unless `keep_edits` is False."""
        for name, row in self.rows.items():
            untouched = self._is_untouched(name)
            if not row.fixed and (untouched or not keep_edits):
                row.write(values[name])
        self.preset = dict(values)

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Put each sentence beside its row, and the help beside the others."""
        for name, row in self.rows.items():
            row.show_problem(problems.get(name, ""))

    def _is_untouched(self, name: str) -> bool:
        try:
            return self.rows[name].read() == self.preset[name]
        except ValueError:
            return False
