"""A judge sees which functions of torch an answer calls, by whatever way, and whether it goes through a loop."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.answers import NotAttempted
from dlvc.lessons.exercises.calls import MOST_LINES
from dlvc.lessons.exercises.judges import random_numbers

Function = Callable[..., Any]


def filtered(image: Tensor, weights: Tensor) -> Tensor:
    """The image (H, W) under a filter (k, k), written out without torch's convolution."""
    windows = image.unfold(0, len(weights), 1).unfold(1, len(weights), 1)
    return (windows * weights).sum(dim=(2, 3))


def layer(image: Tensor, weights: Tensor) -> Tensor:
    module = nn.Conv2d(1, 1, len(weights), bias=False)
    module.weight.data[0, 0] = weights
    return module(image[None])[0].detach()


by_hand = judges.without(
    judges.function(filtered, {}, [(random_numbers(5, 6), random_numbers(3, 3))]),
    {"conv": "multiply and add."},
)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x, w: torch.conv2d(x[None, None], w[None, None])[0, 0],
        lambda x, w: functional.conv2d(x[None, None], w[None, None])[0, 0],
        lambda x, w: torch.convolution(
            x[None, None], w[None, None], None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1
        )[0, 0],
        layer,
    ],
    ids=["torch", "functional", "convolution", "layer"],
)
def test_a_forbidden_function_is_noticed_however_it_is_reached(answer: Function) -> None:
    said = by_hand(answer)
    assert said.startswith("your answer calls torch's `conv")
    assert said.endswith("which this task forbids: multiply and add.")


def test_what_is_not_forbidden_is_judged_as_without_the_ban() -> None:
    assert by_hand(filtered) is None
    assert "of the numbers are not" in by_hand(lambda x, w: 2 * filtered(x, w))
    with pytest.raises(NotAttempted):
        by_hand(lambda x, w: ...)


def test_the_functions_that_the_judge_itself_calls_do_not_count() -> None:
    judge = judges.without(
        judges.function(lambda x: x.softmax(1), {}, [(random_numbers(2, 3),)]),
        {"softmax": "write it out."},
    )
    assert judge(lambda x: x.exp() / x.exp().sum(1, keepdim=True)) is None
    assert "calls torch's `softmax`" in judge(lambda x: functional.softmax(x, dim=1))


def test_a_forbidden_function_is_named_even_if_the_answer_stops_or_is_wrong() -> None:
    def stops(x: Tensor, w: Tensor) -> Tensor:
        torch.conv2d(x[None, None], w[None, None])
        raise ValueError("later")

    assert "which this task forbids" in by_hand(stops)


def loss(p: Tensor) -> Tensor:
    return -p.log().mean()


def in_a_loop(p: Tensor) -> float:
    total = 0.0
    for value in p.tolist():
        total -= math.log(value)
    return total / len(p)


def in_a_helper(p: Tensor) -> float:
    return in_a_loop(p)


LOOPS = {
    "for": in_a_loop,
    "a helper": in_a_helper,
    "a single line": lambda p: -sum(math.log(value) for value in p.tolist()) / len(p),
    "a list": lambda p: -torch.tensor([math.log(value) for value in p.tolist()]).mean(),
    "map": lambda p: -sum(map(lambda value: math.log(value), p.tolist())) / len(p),  # noqa: C417
}
without_loop = judges.without(
    judges.function(loss, {}, [(random_numbers(3),), (random_numbers(3 + 3 * MOST_LINES),)]),
    {},
    loop="use the mean of a whole tensor.",
)


@pytest.mark.parametrize("answer", LOOPS.values(), ids=LOOPS)
def test_a_loop_over_the_data_is_noticed_in_whatever_form(answer: Function) -> None:
    assert without_loop(answer).endswith("forbids: use the mean of a whole tensor.")


@pytest.mark.parametrize(
    "answer",
    [loss, lambda p: -torch.stack([p.log().sum() for _ in range(3)]).mean() / len(p)],
    ids=["none", "over something else"],
)
def test_whole_tensors_and_a_loop_of_fixed_length_are_accepted(answer: Function) -> None:
    assert without_loop(answer) is None


def test_a_wrong_answer_with_a_loop_is_told_what_is_wrong_first() -> None:
    assert "it should return" in without_loop(lambda p: sum(p.tolist()))


def test_what_traced_the_program_before_does_so_afterwards() -> None:
    before = sys.gettrace()
    without_loop(in_a_loop)
    assert sys.gettrace() is before
