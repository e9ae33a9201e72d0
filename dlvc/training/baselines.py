"""The training of the models that take no steps, told as one epoch of `training.train`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from torch import nn

from dlvc.config import TrainConfig
from dlvc.data import ImageData, Split
from dlvc.training.device import pick_device
from dlvc.training.evaluation import evaluate
from dlvc.training.processes import ALONE, OneProcess
from dlvc.training.result import EpochRecord, TrainResult


def fit_majority(
    model: nn.Module, data: ImageData, config: TrainConfig, **around: Any
) -> TrainResult:
    """How the training of the majority model went: it counts the labels. `around` is that of `fit_at_once`."""
    return fit_at_once(model, data, config, lambda split: model.fit(split.labels), **around)


def fit_nearest_neighbour(
    model: nn.Module, data: ImageData, config: TrainConfig, **around: Any
) -> TrainResult:
    """How the training of the nearest neighbour went: it keeps the images. `around` is that of `fit_at_once`."""
    return fit_at_once(model, data, config, model.fit, **around)


def fit_at_once(
    model: nn.Module,
    data: ImageData,
    config: TrainConfig,
    fit: Callable[[Split], Any],
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    progress: bool = True,
    stop: threading.Event | None = None,
    processes: OneProcess = ALONE,
    **unused: Any,
) -> TrainResult:
    """How it went to call `fit` with the training images and to look at the scores, told as one epoch.

    Each process calls `fit`, and they share the images of the scores. Stopped meanwhile, there is no epoch. What else
    `train` takes changes nothing here.
    """
    device = pick_device(config.device)
    model.to(device)
    train = data.train.first(config.train_size)
    validation = data.validation.first(config.evaluation_size)
    started = time.perf_counter()
    fit(train)
    seconds = time.perf_counter() - started
    scores = [
        evaluate(model, split, progress=progress, stop=stop, processes=processes)
        for split in (train, validation)
    ]
    end = (device, "float32", config.train_size)
    if None in scores:
        return TrainResult((), 0, None, True, seconds, *end)
    trained, score = scores
    epoch = EpochRecord.of(1, 0.0, trained.loss, trained.accuracy, seconds, score)
    if on_epoch is not None:
        on_epoch(epoch)
    return TrainResult((epoch,), 1, score, False, seconds + score.seconds, *end)
