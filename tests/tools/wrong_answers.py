"""What the tests of each notebook's exercises share: wrong answers with what is said about them."""

from __future__ import annotations

from typing import Any

from dlvc.lessons.exercises.checker import Check
from dlvc.lessons.exercises.exercise import WRONG, Exercise

Table = dict[str, list[tuple[Any, str]]]  # of an exercise: a wrong answer, a part of what is said


def rows(table: Table) -> list[tuple[str, Any, str]]:
    """A table's rows for `parametrize`: exercise, wrong answer, part of what is said."""
    return [(name, answer, said) for name, pairs in table.items() for answer, said in pairs]


def assert_said(check: Check, name: str, answer: Any, said: str) -> None:
    """Hold that the answer is called wrong for the reason `said`, and does not count as done."""
    exercise_check = getattr(check, name)
    note = exercise_check(answer)
    assert note.heading == WRONG, note
    assert said in note.text
    assert not exercise_check.done


def assert_three_reasons_each(table: Table, exercises: tuple[Exercise, ...]) -> None:
    """Hold that the table knows every exercise, each with three wrong answers and their reasons or more."""
    assert list(table) == [each.name for each in exercises]
    for name, pairs in table.items():
        assert len({said for _, said in pairs}) >= 3, name
