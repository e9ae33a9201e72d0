"""A form for a guess before an experiment. With nobody there to fill it in, it changes nothing."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import ipywidgets

from dlvc.files import CannotWriteError
from dlvc.lessons.guesses.figure import guess_and_result, guess_in_words, value_in_words
from dlvc.lessons.guesses.store import SURE, Prediction, load_predictions, save_prediction
from dlvc.plots import Picture
from dlvc.widgets import widget_view


def guess_first(
    notebook: str, name: str, question: str, *, choices: Sequence[str] = (), unit: str = ""
) -> PredictionForm:
    """A form that asks `question`: for a range of a number with its `unit`, or for one of `choices`.

    A guess that was committed before is found by `notebook` and `name`; of another question it does not count.
    """
    asked = Prediction(
        notebook=notebook, name=name, question=question, unit=unit, choices=tuple(choices)
    )
    stored = load_predictions()
    earlier = stored.predictions.get(asked.key)
    same = earlier is not None and (earlier.question, earlier.choices) == (question, asked.choices)
    return PredictionForm(earlier if same else asked, note=stored.note)


class PredictionForm:
    """The form of one prediction. `prediction` is what is committed so far; see `resolve` for what follows."""

    def __init__(self, prediction: Prediction, *, note: str = "") -> None:
        self.prediction = prediction
        wide = {"style": {"description_width": "initial"}}
        self.commit = ipywidgets.Button(description="Commit")
        self.status = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="56px"))
        guess = prediction.guess
        if prediction.choices:
            least = math.ceil(100 / len(prediction.choices))
            sure = round(100 * prediction.confidence) if guess is not None else max(least, 60)
            self.answer = ipywidgets.RadioButtons(
                options=prediction.choices, value=guess, description="Your guess"
            )
            self.sure = ipywidgets.IntSlider(
                value=max(least, sure), min=least, max=100, description="How sure? (%)", **wide
            )
            self.fields = [self.answer, self.sure]
        else:
            low, high = guess or (0.0, 0.0)
            self.low = ipywidgets.FloatText(value=low, description="from", **wide)
            self.high = ipywidgets.FloatText(value=high, description="to", **wide)
            self.fields = [self.low, self.high]
        asked = ipywidgets.HTML(f"<b>Predict.</b> {self._question()}")
        row = ipywidgets.Layout(flex_flow="row wrap")
        self.widget = ipywidgets.VBox(
            [asked, ipywidgets.Box([*self.fields, self.commit], layout=row), self.status]
        )
        self.commit.on_click(self._commit)
        self._say(note)

    @property
    def value(self) -> tuple[float, float] | str | None:
        """The guess that is committed, or None."""
        return self.prediction.guess

    def resolve(self, measured: float | str) -> Picture | None:
        """Note the outcome and return the guess beside it as a figure; without a guess None, which shows nothing."""
        self.prediction = self.prediction.resolve(measured)
        self._say()
        return guess_and_result(self.prediction)

    def _commit(self, _: Any = None) -> None:
        try:
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            self.prediction = dataclasses.replace(self.prediction, **self._entered(), committed=now)
            save_prediction(self.prediction)
        except (ValueError, CannotWriteError) as error:
            self._say(f"Not committed: {error}")
        else:
            self._say()

    def _entered(self) -> dict[str, Any]:
        if not self.prediction.choices:
            if self.low.value == self.high.value == 0:
                raise ValueError(
                    "enter a range, its lower end first (for exactly 0 take -0.1 to 0.1)."
                )
            return {"guess": (self.low.value, self.high.value)}
        if self.answer.value is None:
            raise ValueError("choose one of the answers.")
        return {"guess": self.answer.value, "confidence": self.sure.value / 100}

    def _say(self, note: str = "") -> None:
        """Show where the prediction is: what may be done, what is committed, what came out."""
        now = self.prediction
        for field in (*self.fields, self.commit):
            field.disabled = now.resolved
        if now.resolved:
            outcome = value_in_words(now.measured, now.unit)
            text = f"You said {guess_in_words(now)}; the result was {outcome}."
        elif now.guess is not None:
            at = now.committed.replace("T", " ").replace("+00:00", " UTC")
            text = f"Committed: {guess_in_words(now)}{at and f' ({at})'}. You may change it until the result is there."
        elif now.choices:
            text = "Choose, say how sure you are, and commit. Or go on without a guess."
        else:
            text = f"Enter a range that you are {SURE:.0%} sure of, and commit. Or go on without a guess."
        self.commit.description = "Commit" if now.guess is None else "Change"
        self.status.value = "<br>".join(html.escape(line) for line in (note, text) if line)

    def _question(self) -> str:
        unit = f" (in {self.prediction.unit})" if self.prediction.unit else ""
        return html.escape(f"{self.prediction.question}{unit}")

    def __repr__(self) -> str:
        return f"Predict: {self.prediction.question}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        still = (
            f"<p><b>Predict.</b> {self._question()} <i>(Run this cell to enter your guess.)</i></p>"
        )
        return {**widget_view(self.widget), "text/html": still, "text/plain": repr(self)}
