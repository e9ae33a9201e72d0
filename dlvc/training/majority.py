"""The majority model's training: counting labels, told as one epoch of `training.train`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.training.evaluation import evaluate
from dlvc.training.result import EpochRecord, TrainResult


def fit_majority(
    model: nn.Module,
    data: ImageData,
    config: TrainConfig,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    **unused: Any,
) -> TrainResult:
    """Let `model.fit` count the training labels and tell `on_epoch`. What else `train` takes changes nothing here."""
    started = time.perf_counter()
    model.fit(data.train.first(config.train_size).labels)
    seconds = time.perf_counter() - started
    trained = evaluate(model, data.train.first(config.train_size), progress=False)
    score = evaluate(model, data.validation.first(config.evaluation_size), progress=False)
    epoch = EpochRecord.of(1, 0.0, trained.loss, trained.accuracy, seconds, score)
    if on_epoch is not None:
        on_epoch(epoch)
    cpu = torch.device("cpu")
    return TrainResult(
        (epoch,), 1, score, False, seconds + score.seconds, cpu, "float32", config.train_size
    )
