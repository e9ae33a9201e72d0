"""What the tests of each notebook's exercises share: wrong answers with what is said about them."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
import torch

from dlvc.lessons.exercises import EXERCISES
from dlvc.lessons.exercises.checker import Check
from dlvc.lessons.exercises.exercise import WRONG

ALL = list(chain(*EXERCISES.values()))
NAMED = {exercise.name: exercise for exercise in ALL}

# Of an exercise: a wrong answer, a part of what is said. A dictionary holds what is wrong in the right one.
Table = dict[str, list[tuple[Any, str]]]


def right_answer(name: str) -> Any:
    """The answer that the solution of an exercise gives."""
    names: dict[str, Any] = {"torch": torch, "math": math}
    exec(NAMED[name].solution, names)
    return names[name]


def both_tests(notebook: str, table: Table) -> tuple[Callable[..., None], Callable[[], None]]:
    """Two tests of a notebook: a wrong answer is called so for its reason, and an exercise has three or more."""
    rows = [(name, answer, said) for name, pairs in table.items() for answer, said in pairs]

    @pytest.mark.parametrize(("name", "answer", "said"), rows)
    def a_typical_mistake_is_named(name: str, answer: Any, said: str) -> None:
        check = getattr(Check(EXERCISES[notebook]), name)
        if isinstance(answer, dict):
            answer = right_answer(name) | answer
        note = check(answer)
        assert note.heading == WRONG, note
        assert said in note.text, note
        assert not check.done

    def every_exercise_has_three_typical_mistakes() -> None:
        assert list(table) == [exercise.name for exercise in EXERCISES[notebook]]
        for name, pairs in table.items():
            assert len({said for _, said in pairs}) >= 3, name

    return a_typical_mistake_is_named, every_exercise_has_three_typical_mistakes
