"""Which settings a panel offers for an experiment, what they start from, and what run they make. Knows no widget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.experiments import config_for, get_experiment

DATA_AND_DEVICE = ("train_size", "evaluation_size", "precision", "device", "seed")


class TrainingSettings:
    """The settings of `key` in groups; `settings` and `options`, given in the call, are fixed.

    Raises ValueError for an experiment, a setting or an option that there is not, or a value that is not allowed.
    """

    def __init__(
        self, key: str, data: ImageData, settings: Mapping[str, Any], options: Mapping[str, Any]
    ) -> None:
        self.key, self.data = key, data
        self._experiment = get_experiment(key)
        self._experiment.changed_options("report", options)  # refused now, if at all
        self._settings, self._options = dict(settings), dict(options)
        self._model = self._experiment.option_fields
        training = {setting.name: setting for setting in fields(TrainConfig)}
        rest = {name: training.pop(name) for name in DATA_AND_DEVICE}
        self.groups: dict[str, dict[str, Field]] = {
            "Model": self._model,
            "Training": training,
            "Data, device and chance": rest,
        }
        self.fixed = frozenset((*settings, *options))

    def preset(self, protocol: str, profile: str) -> dict[str, Any]:
        """The value of each setting and option before anybody has touched it."""
        config = config_for(
            self.key, self.data, protocol=protocol, profile=profile, **self._settings
        )
        defaults = {name: option.default for name, option in self._model.items()}
        chosen = self._experiment.model_options(protocol, self._options)
        return {**config.as_dict(), **defaults, **chosen}

    def run(
        self, preset: Mapping[str, Any], values: Mapping[str, Any]
    ) -> tuple[TrainConfig, dict[str, Any]]:
        """The config, and all options of the model, after `values` have changed the preset."""
        values = {**preset, **values}
        config = TrainConfig(**{name: values[name] for name in TrainConfig.__dataclass_fields__})
        return config, {name: values[name] for name in self._model}
