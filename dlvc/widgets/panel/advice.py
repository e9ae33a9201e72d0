"""What is wrong with the settings of a training, in words: impossible, or possible and a waste of time.

What is impossible, the library says itself when it is asked to check, build or find a device; here its sentence is put
beside the setting that it names. What is a waste is a short list with reasons. Knows no widget.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from torch import nn

from dlvc.arguments import brief
from dlvc.config import TrainConfig, check_setting
from dlvc.data import ImageData
from dlvc.experiments import outline_model
from dlvc.training import check_sizes, pick_device

# Adam moves each weight by about the learning rate in each step, and first weights are about as large as this.
LARGE_RATE = 0.05
FEW_TOKENS = 4
# As in 40,000; any other comma may stand for a decimal point.
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")


def read_setting(setting: Field, text: str) -> Any:
    """The value that `text` says for `setting`. Raises ValueError in the words of the setting's help."""
    value: Any = text.strip()
    if not setting.metadata["choices"]:
        grouped = isinstance(setting.default, int) and THOUSANDS.fullmatch(value)
        plain = value.replace(",", "") if grouped else value
        for kind in (int, float):
            try:
                value = kind(plain)
                break
            except ValueError:
                continue
    check_setting(setting, value)
    return value


def find_problems(
    key: str, data: ImageData, config: TrainConfig, options: Mapping[str, Any]
) -> dict[str, str]:
    """What is impossible or wasteful about a run: a sentence by setting or option, "" for what none can be blamed for.

    `options` are all that the model has. Builds its outline, which takes milliseconds and draws no random numbers.
    """
    problems: dict[str, str] = {}
    known = {*TrainConfig.__dataclass_fields__, *options}
    checks = (
        lambda: check_sizes(data, config, splits=("train", "validation", "test")),
        lambda: pick_device(config.device),
        lambda: check_batch(outline_model(key, options), config),
    )
    for check in checks:
        try:
            check()
        except ValueError as error:
            named = str(error).partition(" ")[0]  # sentences begin with what they are about
            problems.setdefault(named if named in known else "", str(error))
    return {**wasteful(config, options), **problems}


def check_batch(model: nn.Module, config: TrainConfig) -> None:
    """Raise ValueError for batches of one image if `model` normalises over the batch: one has no spread."""
    # The base class of all batch norms; it has no public name. A frozen one is in evaluation.
    norms = [m for m in model.train().modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if config.batch_size == 1 and any(norm.training for norm in norms):
        raise ValueError(
            "batch_size 1 is too small: batch normalisation needs the mean and the spread of a batch, and one image "
            "has no spread. Try 64."
        )


def wasteful(config: TrainConfig, options: Mapping[str, Any]) -> dict[str, str]:
    """What is possible but a waste of the learner's time: a sentence with the reason, by setting or option."""
    found = {}
    if config.learning_rate > LARGE_RATE:
        found["learning_rate"] = (
            f"learning_rate {config.learning_rate:g} is too large: Adam moves each weight by about that much in each "
            f"step, which is more than most weights measure. Try {TrainConfig().learning_rate:g}."
        )
    if config.batch_size > config.train_size:
        found["batch_size"] = (
            f"batch_size {config.batch_size:,} is more than the {config.train_size:,} training images: an epoch would "
            f"be a single step. Try {min(64, config.train_size)}."
        )
    steps = config.epochs * -(-config.train_size // config.batch_size)
    if config.schedule == "one-cycle" and steps < 3:
        found["schedule"] = (
            f"one-cycle needs at least 3 steps to rise and fall, and this training has {steps}. "
            "Take more epochs or smaller batches, or constant."
        )
    if size := options.get("patch_size"):
        tokens = (32 // size) ** 2
        if tokens <= FEW_TOKENS:
            found["patch_size"] = (
                f"patch_size {size} leaves {tokens} token{'s'[: tokens > 1]}: attention between so few "
                "has nothing to choose from. Try 4."
            )
        if tokens > 400:
            found["patch_size"] = (
                f"patch_size {size} makes {tokens:,} tokens, and attention weighs each against each: "
                f"{tokens**2:,} weights a head. Try 4."
            )
    return found


def why_off(problems: Mapping[str, str]) -> list[str]:
    """Why such problems turn Run off, in sentences; none if there are none."""
    marked = len(problems) - ("" in problems)
    see = f": see the setting{'s' * (marked > 1)} marked ⚠" if marked else ""
    return [f"Run is off{see}.", problems.get("", "")] if problems else []


def failure_sentence(error: BaseException) -> str:
    """Why a training failed, and what to do, for the panel."""
    text = str(error) or type(error).__name__
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return f"Memory does not suffice: {brief(text)}. Take smaller batches, or a smaller model."
    own = type(error).__module__.startswith("dlvc") or isinstance(error, ValueError)
    return text if own else f"{type(error).__name__}: {text}. panel.error holds all of it."
