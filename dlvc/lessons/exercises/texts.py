"""The texts of the exercises: a Markdown file for each notebook, which is read as data; nothing of it is run.

An exercise is the parts below, in their order. No other line of the file begins with `## `, code included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlvc.lessons.exercises.exercise import Exercise

# What comes, in words, and as a pattern; empty lines between the parts do not count.
PARTS = {
    "`## name: Title`": r"## (?P<name>\w+): (?P<title>.+)\n",
    "`- easy, 3 minutes` or `- easy, 3 minutes, in class`": (
        r"- (?P<difficulty>\w+), (?P<minutes>\d+) minutes(?P<in_class>, in class)?\n"
    ),
    "`- shapes: ...` or the task, above ```python starter or ```python solution,": (
        r"(?:- shapes: (?P<shapes>.+)\n+)?(?!- )(?P<task>(?s:.+?))\n+(?=```python (?:starter|solution)\n)"
    ),
    "```python solution, after ```python starter or alone, closed by ```,": (
        r"(?:```python starter\n(?P<starter>(?s:.+?))\n```\n+)?"
        r"```python solution\n(?P<solution>(?s:.+?))\n```\n"
    ),
    "hints as `1. ...`, then `### Afterwards` and a text,": (
        r"(?P<hints>1\. (?s:.+?))\n+### Afterwards\n\s*(?P<after>\S(?s:.*?))\s*\Z"
    ),
}


def read_exercises(path: Path, judges: Mapping[str, Any], *, notebook: str) -> tuple[Exercise, ...]:
    """The exercises of a file, in its order, each with the judge of its name.

    Raises ValueError, which names file and heading, for a part that is missing and for an exercise without a judge.
    """
    _, *sections = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    exercises = []
    for section in sections:
        try:
            fields = _read_fields(section)
            if not callable(judge := judges.get(fields["name"])):
                raise ValueError(f"no judge is called {fields['name']!r}. Write one of this name.")
            exercises.append(Exercise(**fields, judge=judge, notebook=notebook))
        except ValueError as error:
            heading = section.partition("\n")[0]
            raise ValueError(f"{path.name}, {heading!r}: {error}") from None
    return tuple(exercises)


def _read_fields(section: str) -> dict[str, Any]:
    """The fields of an exercise, but notebook and judge. Raises ValueError for a part that is missing."""
    fields: dict[str, Any] = {}
    for part, pattern in PARTS.items():
        match = re.match(pattern, section)
        if not match:
            line = section.partition("\n")[0]
            raise ValueError(f"{part} must come next; got {line!r}.")
        fields |= {name: text for name, text in match.groupdict().items() if text}
        section = section[match.end() :].lstrip("\n")
    hints = re.split(r"^\d+\. ", fields["hints"], flags=re.MULTILINE)[1:]
    fields["hints"] = tuple(" ".join(hint.split()) for hint in hints)
    return fields | {"minutes": int(fields["minutes"]), "in_class": "in_class" in fields}
