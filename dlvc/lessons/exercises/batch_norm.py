"""How a learner's batch normalisation is judged: by what it computes in both modes, whatever its parts are called."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlvc.lessons.exercises.answers import Wrong, call
from dlvc.lessons.exercises.calls import TorchCalls, forbidden_call
from dlvc.lessons.exercises.judges import agree, difference, random_numbers
from dlvc.lessons.exercises.networks import made

CHANNELS = 3
# The last one is so faint that epsilon matters.
BATCHES = [
    scale * random_numbers(4, CHANNELS, 2, 5, seed=seed) + shift
    for seed, (scale, shift) in enumerate(((1, 0.5), (3, -2), (0.01, 0.1)), start=1)
]
NEW = 2 * random_numbers(2, CHANNELS, 4, 4, seed=9)
SCALE, SHIFT = random_numbers(CHANNELS, seed=2) + 0.5, random_numbers(CHANNELS, seed=3)


def _scaled(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    return SCALE[:, None, None] * (x - mean) / deviation + SHIFT[:, None, None]


def _normalised(
    x: Tensor,
    *,
    axes: tuple[int, ...] = (0, 2, 3),
    correction: int = 0,
    epsilon: float = 1e-5,
    power: float = 0.5,
    outside: float = 0.0,
) -> Tensor:
    """Batch normalisation, or what it becomes over other axes, of another variance, or with another denominator."""
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, correction=correction)
    return _scaled(x, mean, (variance + epsilon) ** power + outside)


def _remembered(x: Tensor, *, kept: float = 0.9, correction: int = 0) -> Tensor:
    """What evaluation makes of `x` after `BATCHES`, if a share `kept` of the running statistics stays at each."""
    mean, variance = torch.zeros(CHANNELS, 1, 1), torch.ones(CHANNELS, 1, 1)
    for batch in BATCHES:
        over = {"dim": (0, 2, 3), "keepdim": True}
        mean = kept * mean + (1 - kept) * batch.mean(**over)[0]
        variance = kept * variance + (1 - kept) * batch.var(**over, correction=correction)[0]
    return _scaled(x, mean, (variance + 1e-5) ** 0.5)


IN_TRAINING = {
    "that is the sample variance, divided by the count less 1. Divide by the count: `correction=0`.": (
        partial(_normalised, correction=1)
    ),
    "epsilon is missing under the root: a channel that hardly varies would blow up.": (
        partial(_normalised, epsilon=0.0)
    ),
    "epsilon is added to the variance, before the root.": (
        partial(_normalised, epsilon=0.0, outside=1e-5)
    ),
    "divide by the standard deviation, not by the variance: the root is missing.": (
        partial(_normalised, power=1)
    ),
    "scale and shift are not applied.": lambda x: (
        (_normalised(x) - SHIFT[:, None, None]) / SCALE[:, None, None]
    ),
    "you normalised each image by itself (instance norm): the mean goes over the batch, too.": (
        partial(_normalised, axes=(2, 3))
    ),
    "you took one mean over all channels (of one image: layer norm). Each channel has its own.": (
        partial(_normalised, axes=(1, 2, 3))
    ),
    "you took one mean over everything. Each channel has its own.": (
        partial(_normalised, axes=(0, 1, 2, 3))
    ),
    "you took the mean over the batch only: it goes over all pixels, too.": (
        partial(_normalised, axes=(0,))
    ),
}
IN_EVALUATION = {
    "in evaluation mode it still normalises by the batch: `self.training` tells the mode.": _normalised,
    "the running statistics have not moved in training mode.": partial(_remembered, kept=1.0),
    "a tenth of the way means 0.9 of the old and 0.1 of the new; you have it the other way round.": (
        partial(_remembered, kept=0.1)
    ),
    "it remembers the last batch alone: move a tenth of the way.": partial(_remembered, kept=0.0),
}


def judge_batch_norm(answer: Any) -> str | None:
    """Judge a layer by what it computes in both modes, whatever its parts are called."""
    calls = TorchCalls()
    try:
        with calls:
            reason = _judge_layer(answer)
    except Wrong as wrong:
        reason = str(wrong)
    return (
        forbidden_call(calls.names, {"batch_norm": "compute mean and variance yourself."}) or reason
    )


def _judge_layer(answer: Any) -> str | None:
    layer = made(answer, CHANNELS)
    call(made(answer, CHANNELS), BATCHES[0])  # an untouched starter ends here
    reason = _set_parameters(layer) or _judge_training(layer)
    return reason or _judge_evaluation(layer, made(answer, CHANNELS))


def _set_parameters(layer: nn.Module) -> str | None:
    """Give scale and shift other numbers than at the start; they are told apart by these."""
    learned = list(layer.parameters())
    if len(learned) > 2:
        return (
            "only scale and shift are learned: keep the running statistics by self.register_buffer."
        )
    starts = [value for start in (1, 0) for value in learned if bool((value == start).all())]
    if len(learned) < 2 or len(starts) < 2 or {value.numel() for value in starts} != {CHANNELS}:
        return "it needs two nn.Parameters with a number for each channel: a scale, at the start 1, and a shift, 0."
    with torch.no_grad():
        for value, numbers in zip(starts, (SCALE, SHIFT), strict=True):
            value.copy_(numbers.view_as(value))
    return None


def _judge_training(layer: nn.Module) -> str | None:
    results = [call(layer.train(), batch.clone().requires_grad_()) for batch in BATCHES]
    wanted = [*map(_normalised, BATCHES)]
    if not all(map(agree, results, wanted)):
        for reason, mistaken in IN_TRAINING.items():
            if all(map(agree, results, map(mistaken, BATCHES))):
                return reason
        wrong = next(pair for pair in zip(results, wanted, strict=True) if not agree(*pair))
        return f"in training mode: {difference(*wrong)}"
    if any(value.requires_grad for value in layer.buffers()):
        return (
            "the running statistics hold on to all batches so far: move them under torch.no_grad()."
        )
    return None


def _judge_evaluation(layer: nn.Module, another: nn.Module) -> str | None:
    layer.eval()
    result, again = call(layer, NEW), call(layer, NEW)
    corrections = (0, 1)  # torch remembers the sample variance; both are right
    if not any(agree(result, _remembered(NEW, correction=one)) for one in corrections):
        for reason, mistaken in IN_EVALUATION.items():
            if any(agree(result, mistaken(NEW, correction=one)) for one in corrections):
                return reason
        return f"in evaluation mode: {difference(result, _remembered(NEW))}"
    if not agree(again, result.detach()):
        return "evaluation changes the running statistics: move them in training mode only."
    try:
        another.load_state_dict(layer.state_dict())
    except RuntimeError:
        return "a new layer cannot load the state_dict() of a trained one: its entries differ."
    if not agree(call(another.eval(), NEW), result.detach()):
        return "the running statistics are not saved with the model: keep them by self.register_buffer."
    return None
