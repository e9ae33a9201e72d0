"""A training of a second for the tests of checkpoints, and how to compare two of its outcomes bit by bit."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.training.checkpoint import CheckpointFolder
from dlvc.training.loop import train
from dlvc.training.result import TrainResult

STEPS = 5  # an epoch: 64 * 4 + 44 images
# The best epoch of this one is the second of three, so that neither the first nor the last would do in its place.
CONFIG = TrainConfig(
    epochs=3,
    train_size=300,
    evaluation_size=100,
    optimizer="adamw",
    schedule="one-cycle",
    learning_rate=0.02,
    seed=4,
    device="cpu",
)


def make_model(width: int = 4, *, seed: int = 0) -> nn.Module:
    """A model with everything that has a state: filters, batch statistics, dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2),  # (B, width, 15, 15)
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3),  # (B, width, 5, 5)
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(width * 25, 10),
        )


class Breaks(nn.Module):
    """The small model, whose scores are nan in its training steps of these numbers, counted from 1."""

    def __init__(self, steps: Container[int]):
        super().__init__()
        self.model, self.broken, self.step = make_model(), steps, 0

    def forward(self, images: Tensor) -> Tensor:
        """The class scores (B, 10)."""
        self.step += self.training
        return self.model(images) * (math.nan if self.step in self.broken else 1.0)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two models have the same tensors, bit by bit."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def outcome(model: nn.Module, result: TrainResult) -> tuple:
    """All that a training leaves but the seconds, in a form that can be compared."""
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.contiguous().numpy())
    epochs = [replace(each, seconds=0.0, validation_seconds=0.0) for each in result.epochs]
    confusion = result.best_validation.confusion.tolist()
    return digest.hexdigest(), epochs, result.best_epoch, confusion, result.best_validation.loss


def run(
    data: ImageData,
    folder: CheckpointFolder | Path | None = None,
    *,
    stop_after: int | None = None,
    config: TrainConfig = CONFIG,
    model: nn.Module | None = None,
    **options,
) -> tuple[nn.Module, TrainResult]:
    """Train the small model, with checkpoints in `folder`; `stop_after` counts the steps of this call."""
    model = model or make_model()
    stop, steps = threading.Event(), []

    def count(module: nn.Module, images: tuple) -> None:
        if module.training:
            steps.append(1)
            if len(steps) == stop_after:
                stop.set()

    if stop_after == 0:
        stop.set()
    hook = model.register_forward_pre_hook(count)
    result = train(model, data, config, progress=False, stop=stop, checkpoints=folder, **options)
    hook.remove()
    return model, result
