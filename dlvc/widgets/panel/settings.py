"""Which settings a panel offers for an experiment, what they start from, and what run they make. Knows no widget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.experiments import config_for, get_experiment
from dlvc.models import chosen_options, option_fields

OF_THE_MODEL = ("dropout", "image_size")  # settings of TrainConfig that only some models take
DATA_AND_DEVICE = ("train_size", "evaluation_size", "precision", "device", "seed")


class TrainingSettings:
    """The settings of `key` in groups; `settings` and `options`, given in the call, are fixed.

    Raises ValueError for an experiment, a setting or an option that there is not, or a value that is not allowed.
    """

    def __init__(
        self, key: str, data: ImageData, settings: Mapping[str, Any], options: Mapping[str, Any]
    ) -> None:
        self.key, self.data = key, data
        experiment = get_experiment(key)
        self._build = experiment.build
        chosen_options(self._build, options)  # refused now, if at all
        self._settings, self._options = dict(settings), dict(options)
        training = {each.name: each for each in fields(TrainConfig)}
        rest = {name: training.pop(name) for name in DATA_AND_DEVICE}
        model = option_fields(self._build)
        for name in OF_THE_MODEL:
            about = training.pop(name)
            if name in experiment.options or name in settings:
                model[name] = about
        self.groups: dict[str, dict[str, Field]] = {
            "Model": model,
            "Training": training,
            "Data, device and chance": rest,
        }
        self.fixed = frozenset((*settings, *options))

    def preset(self, protocol: str, profile: str) -> dict[str, Any]:
        """The value of each setting and option before anybody has touched it."""
        config = config_for(
            self.key, self.data, protocol=protocol, profile=profile, **self._settings
        )
        defaults = {name: each.default for name, each in option_fields(self._build).items()}
        return {**config.as_dict(), **defaults, **chosen_options(self._build, self._options)}

    def run(
        self, preset: Mapping[str, Any], values: Mapping[str, Any]
    ) -> tuple[TrainConfig, dict[str, Any]]:
        """The config, and the options that differ from the experiment's own, after `values` have changed the preset."""
        told = {**preset, **values}
        config = TrainConfig(**{each.name: told[each.name] for each in fields(TrainConfig)})
        names = option_fields(self._build)
        chosen = chosen_options(self._build, {name: told[name] for name in names})
        own = chosen_options(self._build)
        options = {
            name: value for name, value in chosen.items() if name not in own or own[name] != value
        }
        return config, options
