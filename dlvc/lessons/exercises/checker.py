"""`check.NAME(answer)`: the exercises of one notebook, as a learner asks for them."""

from __future__ import annotations

import difflib
import html
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from dlvc.arguments import check_whole
from dlvc.lessons.exercises.exercise import RIGHT, Code, Exercise, Note


class ExerciseCheck:
    """The check of one exercise: call it with an answer, or ask for `hint()` and `solution()`."""

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self.done = False
        self._hints_seen = 0

    def __call__(self, answer: Any) -> Note:
        """Right, not yet with the likely reason, or not attempted; `answer` may be anything."""
        note = self.exercise.assess(answer)
        self.done = self.done or note.heading == RIGHT
        return note

    def use(self, answer: Any) -> Any:
        """`answer` if it is right, else what the solution gives, so that a notebook goes on either way.

        The solution may use all names that the answer's own namespace has. Prints which of the two it is.
        """
        if self(answer).heading == RIGHT:
            print(f"{self.exercise.name}: yours")
            return answer
        function = answer.__init__ if isinstance(answer, type) else answer
        names = dict(getattr(function, "__globals__", {}))
        exec(self.exercise.solution, names)
        print(f"{self.exercise.name}: the solution's, as yours is not right yet")
        return names[self.exercise.name]

    def hint(self, number: int | None = None) -> Note:
        """The next of three hints, or hint `number`. Raises ValueError for one that is not from 1 to 3."""
        hints = self.exercise.hints
        if number is None:
            number = min(self._hints_seen + 1, len(hints))
        check_whole("number", number, low=1, high=len(hints), hint="Try 1.")
        self._hints_seen = number
        return Note(f"hint {number} of {len(hints)}", hints[number - 1])

    def solution(self) -> Code:
        """The code that solves the exercise."""
        return Code(self.exercise.solution)

    def __repr__(self) -> str:
        name, exercise = self.exercise.name, self.exercise
        return f"{exercise.title} ({exercise.rating}): check.{name}(answer), .hint(), .solution()"


class Check:
    """All exercises of a notebook: `check` lists them, `check.NAME` is one of them."""

    def __init__(self, exercises: Sequence[Exercise]) -> None:
        self._notebook = exercises[0].notebook
        self._checks = {exercise.name: ExerciseCheck(exercise) for exercise in exercises}
        vars(self).update(self._checks)

    def __getattr__(self, name: str) -> NoReturn:  # called for a name that is not there
        names = [known for known in vars(self) if not known.startswith("_")]
        close = difflib.get_close_matches(name, names, n=1)
        advice = f" Did you mean check.{close[0]}?" if close else ""
        notebook = vars(self).get("_notebook", "this check")
        raise AttributeError(
            f"{notebook} has no exercise {name!r}. It has: {', '.join(names)}.{advice}"
        )

    def __dir__(self) -> list[str]:
        return list(self._checks)

    def __iter__(self) -> Iterator[Exercise]:
        return (check.exercise for check in self._checks.values())

    def _rows(self) -> list[tuple[str, str, str]]:
        return [
            (f"check.{name}", check.exercise.rating, "right" if check.done else "open")
            for name, check in self._checks.items()
        ]

    def _summary(self) -> str:
        minutes = sum(check.exercise.minutes for check in self._checks.values())
        done = sum(check.done for check in self._checks.values())
        return f"{len(self._checks)} exercises, {minutes} minutes, {done} right in this session"

    def __repr__(self) -> str:
        rows = self._rows()
        wide, narrow = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines = [f"{name:{wide}}  {rating:{narrow}}  {state}" for name, rating, state in rows]
        return "\n".join([self._summary(), *lines])

    def _repr_html_(self) -> str:
        cells = (
            "".join(f'<td style="text-align: left">{html.escape(text)}</td>' for text in row)
            for row in self._rows()
        )
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        return f"<p>{html.escape(self._summary())}</p><table>{body}</table>"
