"""What a training panel consists of on the page, and how it shows things. What they do, the panel says."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets

from dlvc.config import PROFILES
from dlvc.widgets.page import source
from dlvc.widgets.panel.live_curves import Curve, curves_svg, legend
from dlvc.widgets.panel.progress import RunProgress

LIVE_HEIGHT = "345px"  # of the bar, the curves and their legend: the page does not jump


class PanelControls:
    """All parts around the form and the history, in one box, `widget`."""

    def __init__(self, title: str, *, protocol: str, profile: str) -> None:
        choose = {"style": {"description_width": "64px"}, "layout": {"width": "180px"}}
        self.profile = ipywidgets.Dropdown(
            description="Profile", options=tuple(PROFILES), value=profile, **choose
        )
        self.protocol = ipywidgets.Dropdown(
            description="Protocol", options=("report", "tuned"), value=protocol, **choose
        )
        self.reset = ipywidgets.Button(description="Reset", icon="undo")
        self.as_code = ipywidgets.ToggleButton(description="Copy as code", icon="code")
        hidden = {"width": "98%", "display": "none"}
        narrow = {"description_width": "44px"}
        self.code = ipywidgets.Textarea(description="Code", rows=12, style=narrow, layout=hidden)
        self.run = ipywidgets.Button(description="Run", button_style="primary", icon="play")
        self.stop = ipywidgets.Button(description="Stop", icon="stop")
        self.fresh = ipywidgets.Checkbox(
            description="from the start, even if the same run was stopped or finished before",
            indent=False,
            layout={"width": "auto"},
        )
        self._cost, self._status = ipywidgets.HTML(), ipywidgets.HTML()
        self._live = ipywidgets.HTML(layout={"height": LIVE_HEIGHT})
        self._head = ipywidgets.HTML(
            f"<style>{source('training_panel.css')}</style><h3>{html.escape(title)}</h3>"
        )
        self.as_code.observe(lambda change: self._show_code(), "value")
        self.draw(None)

    def put_together(
        self, form: ipywidgets.Widget, history: ipywidgets.Widget
    ) -> ipywidgets.Widget:
        """The whole panel."""
        self.widget = ipywidgets.VBox(
            [
                self._head,
                _row(self.profile, self.protocol, self.reset, self.as_code),
                self.code,
                form,
                ipywidgets.HTML("<h4>Run</h4>"),
                self._cost,
                _row(self.run, self.stop, self.fresh),
                self._status,
                self._live,
                ipywidgets.HTML("<h4>Runs of this session and before</h4>"),
                history,
            ]
        )
        self.widget.add_class("dlvc-panel")
        return self.widget

    def when_seen(self, act: Callable[[], None]) -> None:
        """Call `act` when the panel is on a page for the first time.

        The front end counts its views. Without one, as in a run of all cells with nobody looking, it never happens.
        """

        def look(change: object) -> None:
            if self.widget._view_count:
                self.widget.unobserve(look, "_view_count")
                act()

        self.widget._view_count = 0
        self.widget.observe(look, "_view_count")

    def say(self, *sentences: str) -> None:
        """Show sentences where a screen reader reads them out."""
        text = html.escape(" ".join(filter(None, sentences)))
        self._status.value = f'<p role="status" aria-live="polite">{text}</p>'

    def show_cost(self, text: str) -> None:
        """Show a line, which keeps its height when it is empty."""
        self._cost.value = f"<p>{html.escape(text)}&nbsp;</p>"

    def draw(self, progress: RunProgress | None) -> None:
        """Show how far the training is: a bar, a line of numbers, the curves; or that there is none yet."""
        records, epochs, position, share, text = (), 1, None, 0.0, "no run yet"
        if progress is not None:
            records, epochs = progress.records, progress.config.epochs
            position, share, text = progress.position, progress.fraction, progress.text()
        curve = Curve("validation", records)
        self._live.value = (
            f'<p><progress max="1" value="{share:.4f}" aria-label="share of the training that is done">{share:.0%}'
            f"</progress> {html.escape(text)}</p>"
            f"{curves_svg([curve], epochs=epochs, position=position)}{legend([curve])}"
        )

    def _show_code(self) -> None:
        self.code.layout.display = "flex" if self.as_code.value else "none"


def _row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})
