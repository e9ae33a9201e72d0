"""The exercises of notebook 02b name the likely mistake behind a wrong answer, and accept every right way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from wrong_answers import NAMED, Table, both_tests

from dlvc.lessons.exercises.exercise import RIGHT


def start(stack: nn.Module, deviation: Callable[[int, int], float]) -> nn.Module:
    """New weights, whose standard deviation is that of a filter of k x k on C channels."""
    for layer in stack.modules():
        if isinstance(layer, nn.Conv2d):
            size = deviation(layer.kernel_size[0] ** 2, layer.in_channels)
            nn.init.normal_(layer.weight, std=size)
            nn.init.zeros_(layer.bias)
    return stack


def constant(stack: nn.Module) -> nn.Module:
    for layer in stack.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 2 / layer.weight[0].numel())
    return stack


def torchs(stack: nn.Module) -> nn.Module:
    for layer in stack.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return stack


def with_biases(stack: nn.Module) -> nn.Module:
    for layer in torchs(stack).modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.bias, 0.01)
    return stack


def stops(losses: list[float], patience: int, *, wait: int = 0) -> tuple[int, int]:
    for end in range(1, len(losses) + 1):
        best = losses.index(min(losses[:end])) + 1
        if end - best >= patience + wait:
            return end, best
    return end, best


@torch.no_grad()
def cover(
    model: nn.Module, image: Tensor, label: int, *, fill: float = 0.5, softmax: bool = True
) -> Tensor:
    result = torch.zeros(8, 8)
    for row in range(8):
        for column in range(8):
            changed = image.clone()
            changed[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = fill
            scores = model(torch.stack([image, changed]))
            scores = scores.softmax(1) if softmax else scores
            result[row, column] = scores[0, label] - scores[1, label]
    return result


WRONG: Table = {
    "initialise": [
        (lambda stack: stack, "the weights that torch chose"),
        (lambda stack: start(stack, lambda k, c: (1 / (k * c)) ** 0.5), "variance 1 / n"),
        (lambda stack: start(stack, lambda k, c: (2 / c) ** 0.5), "sums up k * k * C products"),
        (lambda stack: start(stack, lambda k, c: 2 / (k * c)), "its square root"),
        (lambda stack: start(stack, lambda k, c: 1.0), "the values explode"),
        (lambda stack: start(stack, lambda k, c: 0.3 * (2 / (k * c)) ** 0.5), "a gradient of"),
        (constant, "all filters of a layer are alike"),
        (with_biases, "set the biases to 0"),
        (lambda stack: 3, "return the stack itself"),
    ],
    "stop_epoch": [
        (lambda *given: tuple(epoch - 1 for epoch in stops(*given)), "count epochs from 0"),
        (lambda *given: (stops(*given)[0],) * 2, "keep the best one"),
        (lambda *given: stops(*given, wait=1), "one epoch too long"),
        (lambda *given: stops(*given, wait=-1), "one epoch too early"),
        (lambda *given: stops(*given)[::-1], "first the epoch that ends"),
        (lambda *given: stops(*given)[0], "should return 2 values"),
    ],
    "fair_depth": [
        ({"2 blocks": 16}, "width 16 gives"),
        ({"4 blocks": 16}, "too few"),
        ({"4 blocks": 9.5}, "a whole number of filters"),
        ([9, 19], "keep the dictionary"),
    ],
    "occlusion_map": [
        (lambda *given: -cover(*given), "before minus after"),
        (lambda *given: cover(*given, softmax=False), "differences of logits"),
        (lambda *given: cover(*given, fill=0.0), "cover with grey"),
        (lambda *given: cover(*given).T, "rows and columns are exchanged"),
        (lambda *given: cover(*given).flatten(), "the shape (8, 8)"),
    ],
}


test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "02b_inside_cnns", WRONG
)


@pytest.mark.parametrize(
    ("name", "answer"),
    [("initialise", torchs), ("stop_epoch", stops), ("occlusion_map", cover)],
)
def test_every_right_way_is_accepted(name: str, answer: Any) -> None:
    assert NAMED[name].assess(answer).heading == RIGHT
