"""One exercise: task, starter, hints, solution and judge. And what a learner is told."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

from dlvc.arguments import check_choice, check_whole
from dlvc.lessons.exercises.answers import Judge, NotAttempted, Wrong, is_blank, named

DIFFICULTIES = ("easy", "medium", "hard")
NOT_ATTEMPTED, WRONG, RIGHT = "not attempted", "not yet", "right"
# Okabe and Ito's blue and vermilion, which all can tell apart; the words say the same.
COLOURS = {NOT_ATTEMPTED: "#999999", WRONG: "#D55E00", RIGHT: "#0072B2"}


@dataclass(frozen=True)
class Note:
    """What a learner is told: one line of text, and the same as a coloured line in JupyterLab."""

    heading: str
    text: str

    def __repr__(self) -> str:
        return f"{self.heading}: {self.text}"

    def _repr_html_(self) -> str:
        colour = COLOURS.get(self.heading, COLOURS[NOT_ATTEMPTED])
        # Escaped first, so the only tags are our own.
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(self.text))
        return (
            f'<div style="border-left: 4px solid {colour}; padding-left: 0.6em">'
            f"<b>{html.escape(self.heading.capitalize())}:</b> {text}</div>"
        )


@dataclass(frozen=True)
class Code:
    """Python code, shown as it is."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre><code>{html.escape(self.text)}</code></pre>"


def left_blank(solution: str, shapes: str) -> str:
    """What of a solution a learner is given: the keys of its dictionary, or the head of its function."""
    if shapes:
        return f"{solution.splitlines()[0]}\n    # {shapes}\n    return ..."
    return re.sub(r'^(    ".*?": ).*,$', r"\1...,", solution, flags=re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """An exercise of a notebook. Blank and solved edition, checks and hints are all made from it.

    `starter` and `solution` both give a value to the variable called `name`, which is the answer. Without a `starter`
    it is the solution's dictionary without its values, or the head of its function, where `shapes` says in a comment
    what goes in and comes out. `task` and `after` (what follows from the right answer) are Markdown; `after` is also
    shown as plain text. `hints` go from a nudge to nearly the solution.
    Raises ValueError for a wrong name, rating or number of hints.
    """

    name: str
    notebook: str
    title: str
    difficulty: str
    minutes: int
    in_class: bool = False
    task: str
    starter: str = ""
    shapes: str = ""
    solution: str
    hints: tuple[str, str, str]
    judge: Judge
    after: str

    def __post_init__(self) -> None:
        check_choice("difficulty", self.difficulty, DIFFICULTIES)
        check_whole("minutes", self.minutes, low=1, high=60, hint="Split a longer exercise.")
        if not self.name.isidentifier() or self.name.startswith("_"):
            raise ValueError(
                f"name must be a Python name; got {self.name!r}. Try {'output_size'!r}."
            )
        if len(self.hints) != 3:
            raise ValueError(
                f"hints must be three texts; got {len(self.hints)}. Go from a nudge to nearly the solution."
            )
        if not self.starter:
            object.__setattr__(self, "starter", left_blank(self.solution, self.shapes))

    @property
    def rating(self) -> str:
        """Difficulty, minutes and whether it is done in class, as they stand in the heading."""
        return f"{self.difficulty}, {self.minutes} minutes{', in class' if self.in_class else ''}"

    def assess(self, answer: Any) -> Note:
        """What is said about an answer; the heading is `NOT_ATTEMPTED`, `WRONG` or `RIGHT`."""
        asked = f"{self.name} ({self.rating})"
        hint = f"`check.{self.name}.hint()` gives a hint."
        try:
            if is_blank(answer):
                return Note(NOT_ATTEMPTED, f"{asked}. {hint}")
            reason = self.judge(answer)
        except NotAttempted as missing:
            return Note(NOT_ATTEMPTED, f"{asked}, {missing}. {hint}")
        except Wrong as wrong:
            reason = str(wrong)
        except Exception as error:  # whatever an answer can make go wrong, it is said in words
            reason = f"the answer cannot be read ({named(error)})."
        return Note(WRONG, reason) if reason else Note(RIGHT, " ".join(self.after.split()))
