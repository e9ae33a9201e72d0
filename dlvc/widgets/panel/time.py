"""What a training will cost before it runs: parameters, multiply-adds, and seconds on this device.

The seconds are measured with a few steps of a model with made-up weights. That draws no random numbers from torch's own
sequence, so whatever else the notebook computes meanwhile stays the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from dlvc.config import TrainConfig
from dlvc.data import ImageData, crop_and_mirror, random_draws, to_float
from dlvc.experiments import outline_model
from dlvc.training import (
    autocast,
    bare_step,
    input_layout,
    make_optimizer,
    memory_layout,
    pick_device,
    pick_precision,
)

LONG_ENOUGH = 0.5  # seconds of steps that are measured, after one to warm up
EVALUATED = 500  # images that `evaluate` computes at once


@dataclass(frozen=True)
class Pace:
    """Seconds of one training step, and of one image in evaluation."""

    step: float
    image: float

    def seconds(self, config: TrainConfig) -> float:
        """The whole training with its validations and the test."""
        steps = -(-config.train_size // config.batch_size)
        return (
            config.epochs * steps * self.step
            + (config.epochs + 1) * config.evaluation_size * self.image
        )


def measure_pace(
    key: str, data: ImageData, config: TrainConfig, options: Mapping[str, Any]
) -> Pace:
    """How fast the experiment trains here, in about a second."""
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    generator = torch.Generator().manual_seed(0)
    model = _with_made_up_weights(outline_model(key, options), device)
    layout = input_layout(model, device)
    model.to(memory_format=memory_layout(model, device))
    first = data.train.first(min(config.batch_size, config.train_size))
    images, labels = first.images.to(device), first.labels.to(device)
    draws = random_draws(len(labels), generator, padding=config.largest_shift).to(device)
    learns = any(each.requires_grad for each in model.parameters())
    optimizer = make_optimizer(model, config) if learns else None
    loss = partial(cross_entropy, label_smoothing=config.label_smoothing)

    def step() -> None:
        batch = images
        if config.augmentation == "crop-and-mirror":
            batch = crop_and_mirror(images, draws, padding=config.largest_shift)
        bare_step(model, optimizer, to_float(batch, layout), labels, precision=precision, loss=loss)

    @torch.no_grad()
    def look() -> None:
        model.eval()
        part = data.train.images[: min(EVALUATED, config.train_size)].to(device)
        with autocast(device, precision):
            model(to_float(part, layout))

    step_seconds = _measure(step, device) if learns else 0.0
    return Pace(step_seconds, _measure(look, device) / min(EVALUATED, config.train_size))


def _with_made_up_weights(model: nn.Module, device: torch.device) -> nn.Module:
    """The outline with memory and small numbers; without dropout, which would draw random numbers."""
    generator = torch.Generator(device).manual_seed(0)
    model.to_empty(device=device)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.02, generator=generator)
        for buffer in model.buffers():
            buffer.fill_(0.5 if buffer.is_floating_point() else 0)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return model.train()


def _measure(work: Any, device: torch.device) -> float:
    """Seconds that `work` takes: the fastest of some times, as other programs only ever slow it down."""

    def once() -> float:
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    first = once()
    if first > 2 * LONG_ENOUGH:
        return first
    times, spent = [], 0.0
    while spent < LONG_ENOUGH and len(times) < 20:
        times.append(once())
        spent += times[-1]
    return min(times)
