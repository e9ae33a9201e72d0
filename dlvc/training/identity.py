"""Which training is the same training: what a checkpoint, or another process, must agree in with the one at work."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from torch import nn

from dlvc.config import TrainConfig
from dlvc.data import Split, content_digest
from dlvc.training.checkpoint import Checkpoint, CheckpointError

ANOTHER_FOLDER = "Give another folder, or empty this one to train from the start."


def training_identity(
    model: nn.Module, config: TrainConfig, precision: str, train_split: Split, validation: Split
) -> dict[str, Any]:
    """What a checkpoint must agree in with the training that goes on from it."""
    # Where it runs may change, and "auto" may then mean another precision.
    settings = {**config.as_dict(), "precision": precision}
    del settings["device"]
    data = content_digest(train_split, validation)
    return {"config": settings, "data": data, "model": model_digest(model)}


def model_digest(model: nn.Module) -> str:
    """The SHA-256 of what a model is besides its weights: each layer's class and options, and what is trained.

    Names and shapes of weights would not do: a ViT with and without residual connections has the same.
    """
    layers = [
        (
            name,
            type(layer).__qualname__,
            {
                option: value
                for option, value in sorted(vars(layer).items())
                if option != "training"
                and not option.startswith("_")
                and isinstance(value, (bool, int, float, str))
            },
        )
        for name, layer in model.named_modules()
    ]
    trained = [name for name, each in model.named_parameters() if each.requires_grad]
    return hashlib.sha256(json.dumps([layers, trained]).encode()).hexdigest()


def check_same_training(identity: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Raise CheckpointError naming the settings that differ if the checkpoint is of another training."""
    here = identity["config"]
    # A setting that there was not yet had what is now its default.
    defaults = TrainConfig().as_dict()
    there = {name: defaults.get(name) for name in here} | checkpoint.about["config"]
    differing = [
        f"{name} ({here.get(name)!r} here, {there.get(name)!r} there)"
        for name in {**here, **there}
        if here.get(name) != there.get(name)
    ]
    if identity["data"] != checkpoint.about["data"]:
        differing.append("the training and validation images")
    # Checkpoints of older versions do not say it.
    if checkpoint.about.get("model", identity["model"]) != identity["model"]:
        differing.append("the model (options of its layers, or what of it is trained)")
    if differing:
        raise CheckpointError(
            f"{checkpoint.name} belongs to another training: different are {', '.join(differing)}. "
            f"{ANOTHER_FOLDER}"
        )
