"""The cases of notebook 06: a learner opens one, buys answers, and accuses a suspect or acquits the code."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from functools import cache

import pandas as pd

from dlvc.arguments import check_choice, check_whole
from dlvc.data import ImageData, load_data
from dlvc.experiments import format_table
from dlvc.lessons.silent_bugs.case_files import CASES, references
from dlvc.lessons.silent_bugs.evidence import QUESTIONS
from dlvc.lessons.silent_bugs.faults import SUSPECTS, side_by_side
from dlvc.lessons.silent_bugs.figure import training_log
from dlvc.lessons.silent_bugs.smallest_tests import try_smallest
from dlvc.lessons.silent_bugs.traces import describe_trace
from dlvc.plots import Picture

POINTS = 10  # of each case, to spend on questions and wrong accusations
WRONG_PRICE, CODE_PRICE = 4, 4
CODE = "code of "  # how the question for a method begins


@dataclass(frozen=True)
class Page:
    """A text in Markdown, which a notebook shows as such."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


class Case:
    """One training run under investigation: `ask`, then `accuse` or `acquit`. `points` is what is left."""

    def __init__(self, number: int) -> None:
        check_whole("number", number, low=1, high=len(CASES))
        self.number = number
        self.file = CASES[number]
        self.trace = self.file.trace
        self.points = POINTS
        self.asked: list[str] = []
        self.accusations = 0
        self.closed = False

    def __repr__(self) -> str:
        return f"{self._heading()}\n\n{describe_trace(self.trace)}"

    _repr_markdown_ = __repr__

    def curves(self) -> Picture:
        """The log as a figure, free of charge."""
        return training_log(self.trace, f"Case {self.number}", reference=references(self.trace))

    def ask(self, question: str = "") -> Page:
        """The answer to a question, paid from `points`; what was asked before is free. Without one: the price list.

        "code of NAME" shows a method. Raises ValueError for a question that is not in the list.
        """
        if not question:
            return Page(self._price_list())
        check_choice("question", question, (*QUESTIONS, *(CODE + name for name in self._methods())))
        price = QUESTIONS[question].price if question in QUESTIONS else CODE_PRICE
        if not self.closed and question not in self.asked:
            if price > self.points:
                return Page(f"This answer costs {price}; {_points(self.points)} left.")
            self.points -= price
            self.asked.append(question)
        if question in QUESTIONS:
            answer = self.trace.answers[question]
        else:
            answer = f"\n\n{_python(self._source(question.removeprefix(CODE)))}"
        return Page(f"{self._heading()}\n\n*{question}*: {answer}")

    def accuse(self, *suspects: str) -> Page:
        """The verdict on one suspect, or on several at once; a wrong one costs `WRONG_PRICE`.

        Raises ValueError for a name that is not in the list of suspects.
        """
        if not suspects:
            raise ValueError("name at least one suspect; got none. Of innocent code call acquit().")
        for suspect in suspects:
            check_choice("suspect", suspect, tuple(SUSPECTS))
        accused, guilty = set(suspects), set(self.trace.faults)
        if accused == guilty:
            return self._solve()
        if accused < guilty:
            return Page(f"{self._heading()}\n\n*{suspects[0]}* is right, and it is not all.")
        wrong = [name for name in suspects if name not in guilty]
        shown = [f"Not *{name}*. It would show in {SUSPECTS[name].shows}." for name in wrong]
        return self._fail(" ".join(shown))

    def acquit(self) -> Page:
        """The verdict if nothing is wrong with the code."""
        return self._fail("Something is wrong here.") if self.trace.faults else self._solve()

    def give_up(self) -> Page:
        """The solution; the case's points are lost."""
        self.points = self.points if self.closed else 0
        return self._solve()

    def _heading(self) -> str:
        state = "closed" if self.closed else "open"
        return f"**Case {self.number}**: {self.trace.model}, {self.trace.data}; {state}, {_points(self.points)} left"

    def _fail(self, reason: str) -> Page:
        if not self.closed:
            self.accusations += 1
            self.points = max(0, self.points - WRONG_PRICE)
        return Page(f"{self._heading()}\n\n{reason}")

    def _solve(self) -> Page:
        self.closed = True
        numbers = {
            "test": self.trace.table_test,
            "validation": self.trace.table_validation,
            "right_test": self.file.twin.table_test,
            "right_validation": self.file.twin.table_validation,
        }
        shown = {name: f"{100 * value:.1f} %" for name, value in numbers.items()}
        guilty = " and ".join(self.trace.faults) or "innocent"
        parts = [
            f"{self._heading()}. **{guilty[0].upper()}{guilty[1:]}.**",
            self.file.lesson.format(**shown),
        ]
        for name in self.trace.faults:
            parts += [
                _python(side_by_side(SUSPECTS[name])),
                "The smallest test that would have caught it:",
                _python(try_smallest(name, small_data())),
            ]
        return Page("\n\n".join(parts))

    def _methods(self) -> list[str]:
        """The names of the methods whose code can be bought."""
        hidden = {"run", "note", "train_epoch"}  # the last one stands in the notebook
        names = {
            name: None
            for code in reversed(self.file.code.__mro__)
            for name, value in vars(code).items()
            if inspect.isfunction(value) and not name.startswith("_")
        }
        return [name for name in names if name not in hidden]

    def _source(self, method: str) -> str:
        return textwrap.dedent(inspect.getsource(getattr(self.file.code, method)))

    def _price_list(self) -> str:
        rows = [f"| {name} | {asked.price} | {asked.text} |" for name, asked in QUESTIONS.items()]
        rows.append(f"| {CODE}NAME | {CODE_PRICE} | one method: {', '.join(self._methods())} |")
        return "\n".join(["| question | price | what is measured |", "|:---|---:|:---|", *rows])


OPENED: dict[int, Case] = {}


def open_case(number: int) -> Case:
    """The case of this number; in one session always the same, with what was asked and paid.

    Raises ValueError for a number that is no case.
    """
    check_whole("number", number, low=1, high=len(CASES))
    return OPENED.setdefault(number, Case(number))


def score_sheet(first: int = 2) -> Page:
    """What each case from `first` on has cost so far, and the sum of points of the closed ones."""
    rows = []
    for number in range(first, len(CASES) + 1):
        case = open_case(number)
        rows.append(
            {
                "case": number,
                "questions": len(case.asked),
                "wrong accusations": case.accusations,
                "points": case.points if case.closed else "open",
            }
        )
    total = sum(row["points"] for row in rows if row["points"] != "open")
    table = format_table(pd.DataFrame(rows))
    return Page(f"{table}\n\n{total} of {POINTS * len(rows)} points.")


@cache
def small_data() -> ImageData:
    """A few drawings, to run the smallest tests on."""
    return load_data("sketch10", sizes=(100, 100, 100), quiet=True)


def _points(count: int) -> str:
    return f"{count} point{'' if count == 1 else 's'}"


def _python(source: str) -> str:
    return f"```python\n{source.rstrip()}\n```"
