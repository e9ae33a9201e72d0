"""The line that says what a training will cost, computed in a thread of its own: a form must answer at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.experiments import outline_model
from dlvc.models import describe_model
from dlvc.widgets.panel.progress import duration
from dlvc.widgets.panel.time import Pace, measure_pace
from dlvc.widgets.panel.worker import training_goes_on

# What of a config decides how long a step takes.
DECIDING = ("batch_size", "optimizer", "augmentation", "precision", "device")


def cost_text(key: str, data: ImageData, options: Mapping[str, Any]) -> str:
    """Parameters, and multiply-adds for one image, of the model in words."""
    size = describe_model(outline_model(key, options), data.test)
    trained, parameters, products = (
        size[name] for name in ("trained_parameters", "parameters", "multiply_adds")
    )
    part = f" ({trained:,} of them are trained)" if trained != parameters else ""
    operations = f"{products / 1e6:,.1f} million" if products >= 1e6 else f"{products:,}"
    return f"{parameters:,} parameters{part}, {operations} multiply-adds per image"


class CostEstimate:
    """Tells `show` the cost of the settings that were asked for last, as soon as it is known, and more exactly later.

    Seconds are measured, once for settings of equal speed, unless a training has the machine.
    """

    def __init__(self, key: str, data: ImageData, show: Callable[[str], None]) -> None:
        self.key, self.data, self._show = key, data, show
        self._wanted: tuple[TrainConfig, dict[str, Any]] | None = None
        self._costs: dict[tuple, str] = {}
        self._paces: dict[tuple, Pace] = {}
        self._thread: ThreadPoolExecutor | None = None

    def ask(self, config: TrainConfig, options: Mapping[str, Any]) -> None:
        """Show what is known of these settings now, and find out the rest."""
        self._wanted = (config, dict(options))
        if not self._tell(*self._wanted):
            self._thread = self._thread or ThreadPoolExecutor(1, "cost of a training")
            self._thread.submit(self._find_out)

    def forget(self) -> None:
        """Nothing is asked any more: the settings are impossible."""
        self._wanted = None

    def _find_out(self) -> None:
        wanted = self._wanted
        if wanted is None or self._tell(*wanted):
            return  # answered meanwhile
        try:
            key = _equal_cost(*wanted)
            if key not in self._costs:
                self._costs[key] = cost_text(self.key, self.data, wanted[1])
                if self._wanted is wanted:
                    self._tell(*wanted)
            if key not in self._paces and not training_goes_on():
                pace = measure_pace(self.key, self.data, *wanted)
                if not training_goes_on():  # else the training slowed it down
                    self._paces[key] = pace
            if self._wanted is wanted:
                self._tell(*wanted)
        except Exception as error:  # an estimate is no reason to fail, but to say so
            self._show(f"The cost is not known: {error}")

    def _tell(self, config: TrainConfig, options: Mapping[str, Any]) -> bool:
        """Show what is known; whether that is all."""
        key = _equal_cost(config, options)
        cost, pace = self._costs.get(key), self._paces.get(key)
        if cost is None:
            self._show("Counting…")
        elif pace is None:
            later = "when no training is going on" if training_goes_on() else "now"
            self._show(f"{cost}; the time is measured {later}.")
        else:
            self._show(f"{cost}; about {duration(pace.seconds(config))} on this device.")
        return pace is not None


def _equal_cost(config: TrainConfig, options: Mapping[str, Any]) -> tuple:
    """What is the same for settings of equal cost."""
    return (
        *(getattr(config, name) for name in DECIDING),
        min(config.batch_size, config.train_size),
        *sorted((name, str(value)) for name, value in options.items() if name != "dropout"),
    )
