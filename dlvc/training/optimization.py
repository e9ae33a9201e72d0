"""The optimizer of a training and the learning rate of each of its steps."""

from __future__ import annotations

import torch
from torch import nn

from dlvc.config import TrainConfig


def learning_rate_at(step: int, steps: int, config: TrainConfig) -> float:
    """The learning rate of `step` (from 0) out of `steps`.

    "one-cycle" rises linearly from a 25th of the peak to the peak over the first quarter of the steps, then falls
    linearly towards zero. Source: Smith and Topin 2018, section 3, with two straight lines.
    """
    if config.schedule == "constant":
        return config.learning_rate
    warm_up = max(1, steps // 4)
    if step < warm_up:
        return config.learning_rate * (1 / 25 + (1 - 1 / 25) * step / warm_up)
    return config.learning_rate * (steps - step) / (steps - warm_up)


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam or AdamW over the weights that are to be trained, with one fused kernel a step.

    adam decays every weight, as the report did; adamw only matrices and filters, not biases, norms or positions.
    """
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    if not trained:
        raise ValueError(
            "the model has no parameter to train: unfreeze a layer, or evaluate it as it is."
        )
    if config.optimizer == "adam":
        return torch.optim.Adam(
            trained.values(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
    decayed, others = [], []
    for name, value in trained.items():
        (decayed if name.endswith("weight") and value.ndim >= 2 else others).append(value)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, config.learning_rate, fused=True)
