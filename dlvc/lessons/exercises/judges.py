"""Judges for the kinds of answers there are, each made from the right answer and from known mistakes.

A judge returns None for a right answer, else the likely reason in words (see `Judge`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dlvc.arguments import brief
from dlvc.lessons.exercises.answers import (
    Judge,
    NotAttempted,
    Wrong,
    as_tensor,
    call,
    described,
    is_blank,
    read_choice,
    read_number,
    read_shape,
    read_truth,
    read_values,
)
from dlvc.lessons.exercises.calls import MOST_LINES, TorchCalls, counted_lines, forbidden_call

TOLERANCE = 1e-4  # of a function's result: float32 in another order of steps, and nothing else


def number(right: float, mistakes: Mapping[float, str], *, within: float = 0.0) -> Judge:
    """The judge of one number that may be off by `within`; `mistakes` names wrong numbers' reasons."""

    def judge(answer: Any) -> str | None:
        given = read_number(answer)
        if abs(given - right) <= within:
            return None
        for wrong, reason in mistakes.items():
            if abs(given - wrong) <= within:
                return reason
        if 0 < right < 1 and math.isclose(given, 100 * right, rel_tol=0.01):
            return "that is in per cent: give a share from 0 to 1."
        if math.isclose(given, right, rel_tol=0.05):
            return f"{given:.6g} is close: {'keep more digits' if within else 'count once more'}."
        return f"{given:.6g} is too {'large' if given > right else 'small'}."

    return judge


def shape(right: tuple[int, ...], mistakes: Mapping[tuple[int, ...], str]) -> Judge:
    """The judge of a shape; `mistakes` names wrong shapes' reasons."""

    def judge(answer: Any) -> str | None:
        given = read_shape(answer, axes=len(right))
        if given == right:
            return None
        if given in mistakes:
            return mistakes[given]
        pairs = enumerate(zip(given, right, strict=True))
        wrong = [f"axis {axis} is not {got}" for axis, (got, wanted) in pairs if got != wanted]
        return f"{', '.join(wrong)} (axes are counted from 0)."

    return judge


def choice(right: str, /, **others: str) -> Judge:
    """The judge of a choice between `right` and the names of `others`, whose texts say why not."""
    options = tuple(sorted([right, *others]))
    return lambda answer: others.get(read_choice(answer, options))


def parts(judges: Mapping[str, Judge]) -> Judge:
    """The judge of a dictionary with an answer for each key of `judges`; the first wrong one is named."""

    def judge(answer: Any) -> str | None:
        if not isinstance(answer, dict) or set(answer) != set(judges):
            raise Wrong(f"keep the dictionary with the keys {', '.join(judges)}.")
        for key, judge_part in judges.items():
            if is_blank(answer[key]):
                continue
            try:
                reason = judge_part(answer[key])
            except Wrong as wrong:
                reason = str(wrong)
            if reason:
                return f"{key}: {reason}"
        if empty := [key for key in judges if is_blank(answer[key])]:
            raise NotAttempted(f"still empty: {', '.join(empty)}")
        return None

    return judge


def function(
    right: Callable[..., Any],
    mistakes: Mapping[str, Callable[..., Any]],
    cases: Sequence[tuple[Any, ...]],
) -> Judge:
    """The judge of a function, which must agree with `right` for the arguments of all `cases`.

    `mistakes` maps a reason to the function of somebody who made that mistake. A mistake is named if it explains
    the results of all cases.
    """

    def judge(answer: Any) -> str | None:
        results = [call(answer, *arguments) for arguments in cases]
        pairs = list(zip(cases, results, strict=True))
        wrong = [(case, result) for case, result in pairs if not agree(result, right(*case))]
        if not wrong:
            return None
        for reason, mistaken in mistakes.items():
            if all(agree(result, mistaken(*case)) for case, result in pairs):
                return reason
        case, result = wrong[0]
        return f"called with {described(case)}, {difference(result, right(*case))}"

    return judge


def without(judge: Judge, forbidden: Mapping[str, str], *, loop: str = "") -> Judge:
    """The judge of a function that must manage without some functions of torch; else it says what `judge` says.

    `forbidden` maps a part of their names to what to do instead: "conv" stands for conv2d, convolution and so on,
    however they are reached. With `loop`, which says what to do instead, the function must not run more lines for a
    larger argument; two cases of `judge` then differ by more than `MOST_LINES` in what a loop would go through.
    """

    def judge_watched(answer: Any) -> str | None:
        if not callable(answer):
            return judge(answer)
        calls, lines = TorchCalls(), []

        @functools.wraps(answer, updated=())
        def watched(*arguments: Any) -> Any:
            with calls, counted_lines(answer) as count:
                result = answer(*arguments)
            lines.append(count[0])
            return result

        try:
            reason = judge(watched)
        except Wrong as wrong:
            reason = str(wrong)
        if said := forbidden_call(calls.names, forbidden):
            return said
        if not reason and loop and max(lines) - min(lines) > MOST_LINES:
            return f"right, but with a loop in Python, which this task forbids: {loop}"
        return reason

    return judge_watched


def agree(result: Any, wanted: Any) -> bool:
    """Whether two results are equal: collections entry by entry, numbers up to rounding."""
    if isinstance(wanted, bool):
        return read_truth(result) is wanted
    if isinstance(wanted, (tuple, list)):
        values = read_values(result)
        same_length = values is not None and len(values) == len(wanted)
        return same_length and all(map(agree, values, wanted))
    given, target = as_tensor(result), as_tensor(wanted)
    if given is None or target is None:
        return bool(type(result) is type(wanted) and result == wanted)
    return given.shape == target.shape and torch.allclose(
        given, target, rtol=TOLERANCE, atol=TOLERANCE
    )


def difference(result: Any, wanted: Any) -> str:
    """How a result of a function differs from the one that is wanted, in words."""
    if isinstance(wanted, (tuple, list)):
        values = read_values(result)
        if values is None or len(values) != len(wanted):
            return f"it should return {len(wanted)} values; it returned {brief(result)}."
        pairs = enumerate(zip(values, wanted, strict=True))
        number, pair = next((i, pair) for i, pair in pairs if not agree(*pair))
        return f"value {number} (counted from 0) is wrong: {difference(*pair)}"
    given, target = as_tensor(result), as_tensor(wanted)
    if target is None:
        return f"it returned {brief(result)}, which is not right."
    if given is None:
        kind = (
            "a tensor" if isinstance(wanted, Tensor) else "an array" if target.ndim else "a number"
        )
        return f"it should return {kind}; it returned {brief(result)}."
    if given.shape != target.shape:
        return (
            f"it should return the shape {tuple(target.shape)}; it returned {tuple(given.shape)}."
        )
    if not given.isfinite().all():
        return "it returned nan or an infinite number."
    if not given.ndim:
        return f"it should return {target.item():.4g}; it returned {given.item():.4g}."
    share = (given - target).abs().gt(TOLERANCE * (1 + target.abs())).double().mean().item()
    return f"the shape is right, but {max(share, 0.01):.0%} of the numbers are not."


def random_numbers(*shape: int, seed: int = 0) -> Tensor:
    """Float32 numbers from 0 to 1, the same ones at each call: arguments to try a function with."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
