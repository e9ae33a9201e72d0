"""The blank and the solved edition of a notebook: both are made from its exercises.

The committed notebook is the blank one. An exercise has three cells: task, starter, check. They stand where the
notebook has the task's cell, which may be anywhere before the cell `exercises-list`; all others follow that cell.
Whatever stands in them is replaced by what the exercise says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlvc.lessons.exercises.exercise import Exercise
from dlvc.lessons.notebooks import NOTEBOOKS, NotebookError, find_notebooks, write_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

LIST_CELL = "exercises-list"  # its source shows `check`
ROLES = ("task", "starter", "check")


def exercise_cells(
    exercises: Sequence[Exercise], *, solved: bool = False
) -> list[tuple[str, str, str]]:
    """Identifier, cell type and source of each exercise cell, three for each exercise."""
    cells = []
    for number, exercise in enumerate(exercises, start=1):
        name, solution = exercise.name, exercise.solution
        task = f"**{number}. {exercise.title}** ({exercise.rating})\n\n{exercise.task}"
        fold = (
            "<details><summary>Solution</summary>\n\n"
            f"```python\n{solution}\n```\n\n{exercise.after}\n\n</details>"
        )
        identifier = f"exercise-{name}-".replace("_", "-")
        cells += [
            (f"{identifier}task", "markdown", task if solved else f"{task}\n\n{fold}"),
            (f"{identifier}starter", "code", solution if solved else exercise.starter),
            (f"{identifier}check", "code", f"check.{name}({name})"),
        ]
    return cells


def with_exercises(
    notebook: NotebookNode, exercises: Sequence[Exercise], *, solved: bool = False
) -> NotebookNode:
    """The notebook, changed in place, with the cells of `exercises` and no other exercise cells.

    A cell that says the same as before keeps its outputs.
    Raises NotebookError if the cell `exercises-list` is missing.
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell

    new_cell = {"code": new_code_cell, "markdown": new_markdown_cell}
    before = {(cell.get("id"), cell.cell_type, cell.source): cell for cell in notebook.cells}
    places = [number for number, cell in enumerate(notebook.cells) if cell.get("id") == LIST_CELL]
    if len(places) != 1:
        raise NotebookError(
            f"{exercises[0].notebook} has {len(places)} cells with the id {LIST_CELL}, and needs one, after "
            "which its exercises stand. Add a code cell with this id that shows `check`."
        )
    made = [
        # What a blank edition said of a check does not hold for the solved one.
        (not solved and before.get(wanted)) or new_cell[wanted[1]](wanted[2], id=wanted[0])
        for wanted in exercise_cells(exercises, solved=solved)
    ]
    waiting = {cells[0]["id"]: cells for cells in zip(*[iter(made)] * len(ROLES), strict=True)}
    cells = []
    for cell in notebook.cells[: places[0] + 1]:
        if not _is_exercise_cell(cell.get("id", "")):
            cells.append(cell)
        else:
            cells += waiting.pop(cell["id"], ())
    cells += [cell for trio in waiting.values() for cell in trio]
    after = notebook.cells[places[0] + 1 :]
    notebook.cells = cells + [cell for cell in after if not _is_exercise_cell(cell.get("id", ""))]
    return notebook


def _is_exercise_cell(identifier: str) -> bool:
    """Whether a cell belongs to an exercise, perhaps one that no longer exists."""
    return identifier.startswith("exercise-") and identifier.rpartition("-")[2] in ROLES


def sync_notebooks(
    names: Iterable[str] | None = None, *, folder: Path = NOTEBOOKS, solved_into: Path | None = None
) -> list[Path]:
    """Write the notebooks with the cells that their exercises say: their paths.

    In place without `solved_into`; else the solved edition in that folder, and the notebooks stay as they are.
    Raises NotebookError for a name that means no notebook or several, or for a folder that holds the notebooks.
    """
    import nbformat

    from dlvc.lessons.exercises import EXERCISES

    if solved_into and solved_into.resolve() == folder.resolve():
        raise NotebookError(
            f"the solved edition would replace the notebooks in {folder.name}/. Name another folder."
        )
    written = []
    for path in find_notebooks(names, folder=folder):
        if exercises := EXERCISES.get(path.stem):
            notebook = nbformat.read(path, as_version=4)
            with_exercises(notebook, exercises, solved=bool(solved_into))
            target = (solved_into or folder) / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_notebook(notebook, target)
            written.append(target)
    return written
