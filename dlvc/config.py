"""The hyperparameters of a training, with their ranges and help: the one source for form, command line and validation.

Knows nothing of models, data or devices. Read `experiments/registry.py` next: it says which settings each experiment
has. What may be chosen of a model is declared beside the model (`models/options.py`).
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dlvc.arguments import brief


def setting(
    default: Any,
    *,
    label: str,
    help: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    log: bool = False,
    unit: str = "",
) -> Any:
    """A field of `TrainConfig`, or an option of a model, with what form, command line and check need to know about it.

    `low` and `high` are both allowed; `log=True` asks a form for a logarithmic slider.
    """
    metadata = {"label": label, "help": help, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata={**metadata, "log": log, "unit": unit})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Every number a training run depends on besides model and data. Frozen: change with `dataclasses.replace`.

    The defaults are the report's protocol (report, sections 3 and 5).
    Raises ValueError if a value has the wrong type or is out of range.
    """

    epochs: int = setting(
        10, label="Epochs", low=1, high=1000, help="how often the training images are gone through"
    )
    batch_size: int = setting(
        64,
        label="Batch size",
        low=1,
        high=10_000,
        log=True,
        unit="images",
        help="how many images one step of the optimizer sees",
    )
    learning_rate: float = setting(
        1e-3,
        label="Learning rate",
        low=1e-5,
        high=1.0,
        log=True,
        help="length of a step; with one-cycle its peak",
    )
    optimizer: str = setting(
        "adam",
        label="Optimizer",
        choices=("adam", "adamw"),
        help="adam adds weight decay to the gradient (L2), adamw shrinks the weights directly",
    )
    weight_decay: float = setting(
        1e-4,
        label="Weight decay",
        low=0.0,
        high=1.0,
        log=True,
        help="strength of the pull of all weights towards zero",
    )
    schedule: str = setting(
        "constant",
        label="Schedule",
        choices=("constant", "one-cycle"),
        help="constant, or up to the learning rate and down to zero once over the run",
    )
    label_smoothing: float = setting(
        0.0,
        label="Label smoothing",
        low=0.0,
        high=0.5,
        help="share of the target probability spread evenly over all classes",
    )
    augmentation: str = setting(
        "crop-and-mirror",
        label="Augmentation",
        choices=("crop-and-mirror", "none"),
        help="random shifts and left-right mirroring of training images, or none",
    )
    largest_shift: int = setting(
        4,
        label="Largest shift",
        low=0,
        high=16,
        unit="pixels",
        help="how far a training image is shifted at most; 0 leaves only the mirroring",
    )
    train_size: int = setting(
        40_000,
        label="Training images",
        low=10,
        high=40_000,
        log=True,
        unit="images",
        help="how many images of the training split are used, from its start",
    )
    evaluation_size: int = setting(
        10_000,
        label="Evaluation images",
        low=10,
        high=10_000,
        log=True,
        unit="images",
        help="how many images of the validation split and of the test split are used, from their start",
    )
    precision: str = setting(
        "auto",
        label="Precision",
        choices=("auto", "float32", "bfloat16", "float16"),
        help="number format of the forward pass; auto takes the fastest that is safe on the device",
    )
    device: str = setting(
        "auto",
        label="Device",
        choices=("auto", "cpu", "cuda"),
        help="where to train; auto takes a CUDA GPU if there is one",
    )
    seed: int = setting(
        0,
        label="Seed",
        low=0,
        high=2**31 - 1,
        help="start of all random numbers: initial weights, order, augmentation, dropout",
    )

    def __post_init__(self) -> None:
        for setting in fields(self):
            check_setting(setting, getattr(self, setting.name))

    def as_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON."""
        return dataclasses.asdict(self)


def split_settings(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of `settings` that are fields of `TrainConfig`, and the others, which are options of a model."""
    training = {
        name: settings[name] for name in settings if name in TrainConfig.__dataclass_fields__
    }
    return training, {name: settings[name] for name in settings if name not in training}


def check_setting(setting: dataclasses.Field, value: Any) -> None:
    """Raise ValueError, in the words of the setting's help, if `value` is not allowed for it."""
    name, meta, default = setting.name, setting.metadata, setting.default
    if meta["choices"]:
        if value not in meta["choices"]:
            allowed = ", ".join(meta["choices"])
            raise ValueError(
                f"{name} must be one of {allowed}; got {value!r}. "
                f"Meaning: {meta['help']}. Try {default!r}."
            )
        return
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False; got {brief(value)}. Try {default}.")
        return
    kinds = (int,) if isinstance(default, int) else (int, float)
    # True is an int in Python, but a setting of True is surely a slip.
    if isinstance(value, bool) or not isinstance(value, kinds) or not -math.inf < value < math.inf:
        kind = "a whole number" if kinds == (int,) else "a finite number"
        raise ValueError(f"{name} must be {kind}; got {value!r}. Try {default}.")
    if not meta["low"] <= value <= meta["high"]:
        raise ValueError(
            f"{name} must be between {meta['low']} and {meta['high']}; got {brief(value)}. "
            f"Meaning: {meta['help']}. Try {default}."
        )


@dataclass(frozen=True, repr=False)
class Profile:
    """How much of an experiment is run: one switch for notebooks, command line and checks."""

    name: str
    description: str

    def __repr__(self) -> str:
        return f"{self.name}: {self.description}"


PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", "Sketch-10, a few seconds, no network: shows that everything works"),
    "class": Profile("class", "real data, each training at most about 3 minutes on a laptop CPU"),
    "full": Profile("full", "the whole protocol: 40,000 images, 10 epochs, as in the result table"),
}


# In which the notebooks' stored outputs are made and compared. One thread: sums over several threads are rounded in
# another order, and tiny models gain nothing. The rest keeps a graphics card, the network, the width of a terminal and
# the order of a set out of it.
SMOKE_ENVIRONMENT = {
    "DLVC_PROFILE": "smoke",
    "DLVC_OFFLINE": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "COLUMNS": "80",
}


def current_profile(name: str | None = None) -> Profile:
    """The profile called `name`, else the one in the environment variable DLVC_PROFILE, else "class".

    Raises ValueError if there is no profile of that name.
    """
    name = name or os.environ.get("DLVC_PROFILE") or "class"
    if name not in PROFILES:
        raise ValueError(
            f"profile must be one of {', '.join(PROFILES)}; got {name!r}. Try 'class'."
        )
    return PROFILES[name]


def use_profile(name: str | None = None) -> Profile:
    """The profile called `name` (see `current_profile`), which is from now on that of every call without one."""
    profile = current_profile(name)
    os.environ["DLVC_PROFILE"] = profile.name
    return profile
