"""Reading what a learner gives as an answer: a number, a shape, a choice or a function, or words about what it is.

Nothing here trusts the answer: it may be of any type, huge, or a function that stops with an error.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlvc.arguments import brief

LARGEST = 1e15  # beyond it no answer of a lesson lies, and floats no longer count in ones
MOST_VALUES = 100  # of an array that stands for a tuple
LONGEST = 200  # letters of somebody else's error message that are repeated


class NotAttempted(Exception):
    """An answer that is not there yet, wholly or in part; the text says what is missing."""


class Wrong(Exception):
    """An answer that is wrong; the text is the likely reason."""


def is_blank(answer: Any) -> bool:
    """Whether nothing was filled in: None, ..., empty text, or a collection of nothing but these."""
    if answer is None or answer is ...:
        return True
    if isinstance(answer, str):
        return not answer.strip()
    if isinstance(answer, dict):
        answer = list(answer.values())
    return isinstance(answer, (tuple, list)) and bool(answer) and all(map(is_blank, answer))


def read_number(answer: Any) -> float:
    """The finite number that was given, also out of a tensor or an array with one entry. Raises Wrong for others."""
    if isinstance(answer, Tensor) or hasattr(answer, "dtype"):
        if math.prod(answer.shape) != 1:
            raise Wrong(f"one number is asked for; this is {brief(answer)}.")
        answer = answer.item()
    if isinstance(answer, str):
        raise Wrong(f"{brief(answer)} is text: write the number without quotes.")
    if isinstance(answer, bool) or not isinstance(answer, Real):
        raise Wrong(f"a number is asked for; this is {brief(answer)}.")
    if not abs(answer) <= LARGEST:  # nan fails this comparison
        raise Wrong(
            f"{brief(answer)} is not a finite number of a sensible size: check the calculation."
        )
    return answer if isinstance(answer, int) else float(answer)


def read_values(answer: Any) -> tuple[Any, ...] | None:
    """The values of a tuple, a list, or a tensor or array, which unpacks as they do; None for anything else."""
    if isinstance(answer, (Tensor, np.ndarray)) and answer.ndim >= 1 and len(answer) <= MOST_VALUES:
        return tuple(answer)
    return tuple(answer) if isinstance(answer, (tuple, list)) else None


def read_shape(answer: Any, *, axes: int) -> tuple[int, ...]:
    """The shape that was given as whole numbers. Raises Wrong for others, NotAttempted if an entry is empty."""
    given = read_values(answer)
    if given is None:
        raise Wrong(
            f"a shape is asked for, a tuple of {axes} whole numbers; this is {brief(answer)}."
        )
    if len(given) != axes:
        raise Wrong(f"the shape has {axes} axes; yours has {len(given)}.")
    if any(map(is_blank, given)):
        raise NotAttempted("an entry of the shape is still empty")
    numbers = [read_number(entry) for entry in given]
    if any(number != int(number) for number in numbers):
        raise Wrong(
            "every entry of a shape is a whole number: round down where a step does not fit."
        )
    return tuple(map(int, numbers))


def read_choice(answer: Any, options: tuple[str, ...]) -> str:
    """The one of `options` that was given, in whatever capitals. Raises Wrong for others."""
    option = answer.strip().lower() if isinstance(answer, str) else None
    if option not in options:
        raise Wrong(f"answer with one of {', '.join(map(repr, options))}; this is {brief(answer)}.")
    return option


def call(function: Any, *arguments: Any) -> Any:
    """What the learner's function gives for copies of the arguments.

    Raises Wrong if it is no function or stops with an error, which is named; NotAttempted if it returns nothing.
    """
    if not callable(function):
        raise Wrong(
            f"a function is asked for, its name without brackets; this is {brief(function)}."
        )
    # What the function changes must not change what it is compared with, now or at the next answer.
    data = (Tensor, np.ndarray, list, dict)
    copies = [copy.deepcopy(value) if isinstance(value, data) else value for value in arguments]
    try:
        result = function(*copies)
    except (Exception, SystemExit) as error:
        if isinstance(error, NotImplementedError) and not error.args:  # torch's have a text
            raise NotAttempted("the function is still empty") from None
        with_what = f"called with {described(arguments)}, " if arguments else ""
        raise Wrong(f"{with_what}your function stopped with {named(error)}") from None
    if is_blank(result):
        raise NotAttempted("the function returns nothing yet")
    return result


def described(arguments: tuple[Any, ...]) -> str:
    """The arguments of a call in words: tensors by their shape."""
    return ", ".join(brief(value).removeprefix("a value of type ") for value in arguments)


def named(error: BaseException) -> str:
    """The type of an error and the first line of its text."""
    try:
        text = str(error)
    except Exception:
        text = ""
    first = next(iter(text.strip().splitlines()), "")
    first = first if len(first) <= LONGEST else first[:LONGEST] + " ..."
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def read_truth(value: Any) -> bool | None:
    """True or False, also out of a tensor or an array with a single entry; None for anything else."""
    if isinstance(value, (Tensor, np.ndarray, np.bool_)) and math.prod(value.shape) == 1:
        value = value.item()
    return value if isinstance(value, bool) else None


def as_tensor(value: Any) -> Tensor | None:
    """Numbers as a float64 tensor; None for what is no tensor, array or number."""
    if isinstance(value, Tensor) and not value.is_complex():
        return value.detach().to("cpu", torch.float64)
    if hasattr(value, "dtype") or (isinstance(value, Real) and not isinstance(value, bool)):
        try:
            return torch.as_tensor(value, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            return None
    return None


Judge = Callable[[Any], "str | None"]  # of an answer: None if it is right, else the likely reason
