"""The viewer as a widget of a running notebook: the module of the page, with the state shared with Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from dlvc.widgets.page import module, source


class LiveWidget(anywidget.AnyWidget):
    """A front end with the payload it was given; each choice made there is handed to `take`.

    Numbers travel as text: binary messages do not reach every front end (Colab's, for one).
    """

    _esm = module("attention_viewer")
    _css = source("attention_viewer.css")
    payload = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(
        self, payload: str, state: Mapping[str, Any], take: Callable[[Mapping[str, Any]], None]
    ) -> None:
        super().__init__(payload=payload, state=dict(state))
        self._take = take

    @traitlets.validate("state")
    def _only_what_exists(self, proposal: Mapping[str, Any]) -> dict[str, Any]:
        if hasattr(self, "_take"):
            try:
                self._take(proposal["value"])
            except ValueError as error:
                # Only for a TraitError does traitlets put back what was there.
                raise traitlets.TraitError(str(error)) from error
        return dict(proposal["value"])

    def __repr__(self) -> str:
        return "LiveWidget(attention viewer)"
