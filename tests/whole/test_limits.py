"""A main notebook is one session of 90 minutes: its words, lines, figures and exercises are counted."""

from __future__ import annotations

import re
from collections.abc import Iterable

import nbformat
import pytest
from nbformat import NotebookNode

from dlvc.lessons import exercises_of
from dlvc.lessons.exercises.exercise import Exercise
from dlvc.lessons.notebooks import NOTEBOOKS

# Others join the list as they are cut to size.
MAIN_NOTEBOOKS = ("01_data", "02_cnns", "02b_inside_cnns", "06_silent_bugs")
MOST = {"words": 3_000, "lines of code": 220, "figures": 10, "minutes in class": 25}
SESSION = 90  # minutes
MOST_HIDDEN = 4  # cells whose code is folded away


def is_hidden(cell: NotebookNode) -> bool:
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(text: str) -> int:
    """The words that a reader reads in Markdown: folded parts too, but no code block, no target of a link and no tag.

    A formula is one word, and so is a piece of code inside a line. Rules and bars of tables are none.
    """
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<[^>]*>", " ", text)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`", "x", text, flags=re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return len(re.findall(r"\w[\w'’.,-]*", text))


def size(notebook: NotebookNode, exercises: Iterable[Exercise] = ()) -> dict[str, int]:
    """What a main notebook must not have too much of. Lines that are empty, comments or folded away are not counted."""
    cells = [cell for cell in code_cells(notebook) if not is_hidden(cell)]
    lines = [line.strip() for cell in cells for line in cell.source.splitlines()]
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return {
        "words": sum(map(words, prose)),
        "lines of code": sum(bool(line) and not line.startswith("#") for line in lines),
        "figures": sum("image/png" in output.get("data", {}) for output in outputs),
        "minutes in class": sum(exercise.minutes for exercise in exercises if exercise.in_class),
    }


@pytest.mark.parametrize("stem", MAIN_NOTEBOOKS)
def test_a_main_notebook_fits_into_a_session(stem: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
    sizes = size(notebook, exercises_of(stem))
    assert {name: number for name, number in sizes.items() if number > MOST[name]} == {}
    assert sizes["minutes in class"] > 0
    assert sum(map(is_hidden, code_cells(notebook))) <= MOST_HIDDEN


@pytest.mark.parametrize("stem", MAIN_NOTEBOOKS)
def test_the_head_of_a_main_notebook_plans_the_minutes_of_a_session(stem: str) -> None:
    head, *others = [cell.source for cell in nbformat.read(NOTEBOOKS / f"{stem}.ipynb", 4).cells]
    plan = dict(re.findall(r"^\| ([^|]+?) \| (\d+) \|$", head, flags=re.MULTILINE))
    assert sum(map(int, plan.values())) <= SESSION
    headings = [heading for text in others for heading in re.findall(r"^##+ (.+)$", text, re.M)]
    assert [section for section in plan if section not in headings] == []
    assert len(plan) >= 5


def test_words_are_those_that_a_reader_reads() -> None:
    text = "Two words.\n\n| a | b |\n|---|--:|\n| 1.5 | $x + y$ |\n\n```python\nnot = these\n```\n"
    assert words(text) == 6
    assert (
        words("[One name](https://example.org/of/a/place), `code of one word`, <b>bold</b>.") == 4
    )
    assert words("$$\na = b \\\\\nc = d\n$$\nend") == 2


def test_sizes_are_those_of_a_small_notebook(small_notebook: NotebookNode) -> None:
    assert size(small_notebook) == {
        "words": 3,
        "lines of code": 7,
        "figures": 1,
        "minutes in class": 0,
    }
    code_cells(small_notebook)[3].metadata["jupyter"] = {"source_hidden": True}
    assert size(small_notebook)["lines of code"] == 5
