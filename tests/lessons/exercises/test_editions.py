"""The blank and the solved edition come from the exercises, and the committed notebooks are the blank one."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dlvc import __main__ as command_line
from dlvc.lessons.exercises import EXERCISES
from dlvc.lessons.exercises.editions import (
    LIST_CELL,
    exercise_cells,
    sync_notebooks,
    with_exercises,
)
from dlvc.lessons.notebooks import NOTEBOOKS, NotebookError, execute_notebook

CNNS = EXERCISES["02_cnns"]


def sources(path: Path) -> list[tuple[str, str, str]]:
    return [(cell.id, cell.cell_type, cell.source) for cell in nbformat.read(path, 4).cells]


@pytest.mark.parametrize("stem", EXERCISES)
def test_a_committed_notebook_has_the_exercise_cells_that_its_exercises_say(stem: str) -> None:
    path = NOTEBOOKS / f"{stem}.ipynb"
    wanted = with_exercises(nbformat.read(path, 4), EXERCISES[stem])
    assert sources(path) == [(cell.id, cell.cell_type, cell.source) for cell in wanted.cells], (
        "run `python -m dlvc notebooks`, which brings them up to date"
    )


def test_a_task_has_its_rating_and_its_solution_folded_away() -> None:
    first = CNNS[0]
    task, starter, check = exercise_cells(CNNS)[:3]
    assert task[2].startswith(f"**1. {first.title}** ({first.rating})")
    before, folded = task[2].split("<details>")
    assert first.task in before
    assert first.solution not in before
    assert first.solution in folded
    assert starter[2] == first.starter
    assert check[2] == "check.convolve(convolve)"


def small_notebook(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    listing = new_code_cell('check = exercises_of("02_cnns")\ncheck', id=LIST_CELL)
    return new_notebook(cells=[new_markdown_cell("# Top", id="top"), listing, *cells])


def test_syncing_puts_cells_right_drops_old_ones_and_keeps_what_is_unchanged() -> None:
    notebook = with_exercises(small_notebook(new_markdown_cell("end", id="end")), CNNS)
    same, changed = notebook.cells[4], notebook.cells[3]
    same.outputs = [new_output("stream", text="stays")]
    changed.source = "DeepCNN = 3"
    notebook.cells.insert(3, new_code_cell("gone", id="exercise-old-one-starter"))
    with_exercises(notebook, CNNS)
    assert [cell.id for cell in notebook.cells] == [
        *("top", LIST_CELL),
        *(identifier for identifier, _, _ in exercise_cells(CNNS)),
        "end",
    ]
    assert notebook.cells[3].source == CNNS[0].starter
    assert notebook.cells[4].outputs[0].text == "stays"
    nbformat.validate(notebook)


def test_an_exercise_stays_where_the_text_has_its_task() -> None:
    third = CNNS[2]
    early = new_markdown_cell("old", id=f"exercise-{third.name}-task".replace("_", "-"))
    notebook = small_notebook(new_markdown_cell("end", id="end"))
    notebook.cells.insert(1, early)
    for _ in range(2):
        with_exercises(notebook, CNNS)
        made = [identifier for identifier, _, _ in exercise_cells(CNNS)]
        assert [cell.id for cell in notebook.cells] == [
            *("top", *made[6:9], LIST_CELL, *made[:6], *made[9:], "end"),
        ]
    assert third.task in notebook.cells[1].source


def test_a_notebook_without_the_place_for_its_exercises_is_refused() -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# Top")])
    with pytest.raises(NotebookError, match=f"has 0 cells with the id {LIST_CELL}.*Add a code"):
        with_exercises(notebook, CNNS)


def test_syncing_twice_changes_no_byte(tmp_path: Path) -> None:
    path = tmp_path / "02_cnns.ipynb"
    nbformat.write(small_notebook(), path)
    (tmp_path / "09_other.ipynb").write_text("not touched")
    assert sync_notebooks(["02"], folder=tmp_path) == [path]
    once = path.read_bytes()
    sync_notebooks(["02"], folder=tmp_path)
    assert path.read_bytes() == once


def test_the_command_writes_the_solved_edition_without_verdicts_and_leaves_the_blank_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in NOTEBOOKS.glob("*.ipynb")}
    assert command_line.main(["notebooks", "--solved", str(tmp_path / "solved")]) == 0
    assert {path: path.read_bytes() for path in NOTEBOOKS.glob("*.ipynb")} == before
    written = sorted((tmp_path / "solved").iterdir())
    assert [path.stem for path in written] == sorted(EXERCISES)
    assert capsys.readouterr().out.split() == [str(path) for path in written]
    for path in written:
        cells = nbformat.read(path, 4).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        exercises = EXERCISES[path.stem]
        assert all(exercise.solution in code for exercise in exercises)
        assert not any(exercise.starter in code for exercise in exercises)
        assert not any("<details><summary>Solution" in cell.source for cell in cells)
        checks = [cell for cell in cells if cell.source.startswith("check.")]
        assert len(checks) == len(exercises)
        assert not any(cell.outputs for cell in checks)


def test_the_solved_edition_is_not_written_over_the_notebooks() -> None:
    with pytest.raises(NotebookError, match="would replace the notebooks in notebooks/"):
        sync_notebooks(solved_into=NOTEBOOKS)


@pytest.mark.slow
def test_the_exercises_of_a_solved_notebook_run_in_a_kernel_and_every_check_says_right(
    tmp_path: Path,
) -> None:
    sync_notebooks(["03"], solved_into=tmp_path)
    path = tmp_path / "03_vits.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells = [
        cell for cell in notebook.cells if cell.id == "imports" or cell.id.startswith("exercise")
    ]
    nbformat.write(notebook, path)
    outputs = {
        cell.id: cell.outputs[0]["data"]["text/plain"]
        for cell in execute_notebook(path, progress=False).cells
        if cell.id.endswith("-check")
    }
    assert len(outputs) == len(EXERCISES["03_vits"])
    assert all(text.startswith("right: ") for text in outputs.values()), outputs
