"""Every exercise knows three outcomes, three hints and its solution; whatever an answer is, it is answered in words."""

from __future__ import annotations

import ast
import copy
import dataclasses
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import nbformat
import pytest
import torch
from html_page import Page
from IPython.core.formatters import DisplayFormatter
from wrong_answers import ALL, NAMED

from dlvc.lessons.exercises import EXERCISES, TEXTS, cnns, exercises_of, judges
from dlvc.lessons.exercises.checker import Check
from dlvc.lessons.exercises.exercise import NOT_ATTEMPTED, RIGHT, WRONG, Exercise, Note
from dlvc.lessons.exercises.texts import read_exercises
from dlvc.lessons.notebooks import NOTEBOOKS

every_exercise = pytest.mark.parametrize("exercise", ALL, ids=NAMED)
TRAINED = {"small_cnn"}  # its check trains the answer, which test_cnns.py does
BLANKS = (None, ..., "", "  ", (None, ...), [...], {"a": None})
SMALL = Exercise(
    name="small",
    notebook="02_cnns",
    title="A small one",
    difficulty="easy",
    minutes=2,
    task="How much is 6 times 7?",
    starter="small = ...",
    solution="small = 6 * 7",
    hints=("Count.", "Six sevens.", "40 and 2."),
    judge=judges.number(42, {13: "times, not plus."}),
    after="So it is.",
)


def code_cells(stem: str) -> list[nbformat.NotebookNode]:
    cells = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@cache
def imports_of(stem: str) -> CodeType:
    """The imports and functions of a notebook: they give the names that its exercises may use."""
    imports = [
        statement
        for cell in code_cells(stem)
        if not cell.id.startswith("exercise-")
        for statement in ast.parse(cell.source).body
        if isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef))
    ]
    return compile(ast.Module(imports, type_ignores=[]), stem, "exec")


def answer_from(code: str, exercise: Exercise) -> Any:
    names: dict[str, Any] = {}
    exec(imports_of(exercise.notebook), names)
    exec(code, names)
    return names[exercise.name]


@pytest.mark.parametrize("exercise", [one for one in ALL if one.name not in TRAINED])
def test_the_solution_is_right(exercise: Exercise) -> None:
    note = exercise.assess(answer_from(exercise.solution, exercise))
    assert note == Note(RIGHT, exercise.after.replace("\n", " "))


@every_exercise
def test_an_untouched_starter_and_a_blank_are_not_attempted(exercise: Exercise) -> None:
    for answer in (answer_from(exercise.starter, exercise), *BLANKS):
        note = exercise.assess(answer)
        assert note.heading == NOT_ATTEMPTED, answer
        assert "\n" not in repr(note)


@every_exercise
def test_hints_are_three_and_the_first_does_not_give_the_solution_away(exercise: Exercise) -> None:
    assert len(set(exercise.hints)) == 3
    assert all(hint.endswith((".", "?", "`.")) for hint in exercise.hints)
    solved = ast.parse(exercise.solution).body[-1]
    if isinstance(solved, (ast.FunctionDef, ast.ClassDef)):
        literals = [ast.unparse(line) for line in solved.body]
    else:
        values = solved.value.values if isinstance(solved.value, ast.Dict) else [solved.value]
        literals = [ast.unparse(value) for value in values if not isinstance(value, ast.Constant)]
        literals += [f'"{value.value}"' for value in values if isinstance(value, ast.Constant)]
    assert literals
    assert not any(literal in exercise.hints[0] for literal in literals)


def test_each_notebook_has_five_exercises_of_mixed_difficulty_and_a_second_reading_three() -> None:
    for notebook, exercises in EXERCISES.items():
        assert len(exercises) >= (5 if notebook[2] == "_" else 3), notebook
        assert len({exercise.difficulty for exercise in exercises}) >= 2, notebook
        assert {exercise.notebook for exercise in exercises} == {notebook}
    assert len(NAMED) == len(ALL)


@pytest.mark.parametrize("notebook", EXERCISES)
def test_no_other_cell_of_a_notebook_gives_a_value_to_the_name_of_an_answer(notebook: str) -> None:
    others = [cell for cell in code_cells(notebook) if "exercise-" not in cell.id]
    nodes = [node for cell in others for node in ast.walk(ast.parse(cell.source))]
    stored = {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    stored |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.alias))}
    assert stored
    assert not stored & {exercise.name for exercise in EXERCISES[notebook]}


class Hostile:
    """A thing that resists being looked at."""

    def __repr__(self) -> str:
        raise RuntimeError("<b>no</b>")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None
    __float__ = __iter__ = __len__ = __repr__


def stopped(*arguments: Any) -> None:
    raise SystemExit("<script>alert(1)</script>")


def endless_recursion(*arguments: Any) -> Any:
    return endless_recursion(*arguments)


holding_itself: list[Any] = []
holding_itself.append(holding_itself)
ODD = {
    "a list that holds itself": holding_itself,
    "a huge number": 10**400,
    "a negative huge number": -(10**5000),
    "a lazy range": range(10**18),
    "a generator": (number for number in range(3)),
    "nan": float("nan"),
    "infinity": float("inf"),
    "true": True,
    "complex": 3j,
    "bytes": b"16",
    "a long text": "x" * 10**6,
    "a complex tensor": torch.zeros(1, dtype=torch.complex64),
    "a bool tensor": torch.ones(1, dtype=torch.bool),
    "a float8 tensor": torch.zeros(2, 2).to(torch.float8_e4m3fn),
    "a tensor without data": torch.zeros(1, device="meta"),
    "a sparse tensor": torch.eye(3).to_sparse(),
    "a set": {1, 2},
    "a type": int,
    "an object": Hostile(),
    "objects": (Hostile(),) * 4,
    "a function that stops": stopped,
    "an endless recursion": endless_recursion,
    "a function of nothing": lambda: 3,
    "a function that gives an object": lambda *_: Hostile(),
    "a function that gives a type": lambda *_: int,
    "a function that gives a huge number": lambda *_: 10**400,
    "a function that gives nan": lambda *_: torch.tensor(torch.nan),
    "a function that gives a complex tensor": lambda *_: torch.zeros(1, dtype=torch.complex64),
    "a function that gives a tensor without data": lambda *_: torch.zeros(1, device="meta"),
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_an_odd_answer_is_called_wrong_in_a_few_words_by_every_exercise(answer: Any) -> None:
    for exercise in ALL:
        note = exercise.assess(answer)
        assert note.heading == WRONG, exercise.name
        assert 10 < len(note.text) < 600, exercise.name


def test_a_function_that_says_it_is_not_implemented_is_not_attempted() -> None:
    def empty(*arguments: Any) -> None:
        raise NotImplementedError

    def on_purpose(*arguments: Any) -> None:
        raise NotImplementedError("no kernel for this type")

    convolve = NAMED["convolve"]
    assert convolve.assess(empty).heading == NOT_ATTEMPTED
    assert "NotImplementedError: no kernel" in convolve.assess(on_purpose).text


def test_a_function_cannot_change_what_it_is_judged_with() -> None:
    def in_place(image: torch.Tensor, filters: torch.Tensor, biases: torch.Tensor) -> torch.Tensor:
        k = filters.shape[-1]
        windows = image.mul_(2).unfold(1, k, 1).unfold(2, k, 1)
        sums = torch.einsum("cijab,fcab->fij", windows, filters.div_(2))
        return sums + biases[:, None, None]

    def blackens(first: torch.Tensor, second: torch.Tensor) -> int:
        first.zero_()
        second.zero_()
        return len(second)

    def empties(in_file: dict[str, Any], in_model: dict[str, Any]) -> list[str]:
        in_file.clear()
        return list(in_model)

    for name, answer, heading in (
        ("convolve", in_place, RIGHT),
        ("shared_images", blackens, WRONG),
        ("not_loaded", empties, WRONG),
    ):
        assert [NAMED[name].assess(answer).heading for _ in range(2)] == [heading] * 2, name


def raise_hostile(*arguments: Any) -> None:
    raise ValueError("<img src=x onerror=alert(1)> `<script>`")


@pytest.mark.parametrize(
    "answer",
    [raise_hostile, "<img src=x onerror=alert(1)>", type("<img src=x>", (), {})()],
    ids=["message", "text", "type"],
)
def test_what_a_learner_wrote_is_shown_as_text(answer: Any) -> None:
    for exercise in ALL:
        note = exercise.assess(answer)
        page = Page(note._repr_html_())
        assert page.tags <= {"div", "b", "code"}
        assert page.text == f"{note.heading.capitalize()}: {note.text.replace('`', '')}"


def test_text_and_page_of_an_outcome_say_the_same() -> None:
    note = SMALL.assess(13)
    assert repr(note) == "not yet: times, not plus."
    assert Page(note._repr_html_()).text == "Not yet: times, not plus."
    assert repr(SMALL.assess(42)) == "right: So it is."
    assert repr(SMALL.assess(41)).startswith("not yet: 41 is close")
    assert repr(SMALL.assess(...)) == (
        "not attempted: small (easy, 2 minutes). `check.small.hint()` gives a hint."
    )


TEXT = (TEXTS / "02_cnns.md").read_text(encoding="utf-8")
LAYER = next(f"## {part}" for part in TEXT.split("\n## ") if part.startswith("BatchNorm"))


def read(folder: Path, text: str) -> Exercise:
    path = folder / "02_cnns.md"
    path.write_text(text, encoding="utf-8")
    (exercise,) = read_exercises(path, vars(cnns), notebook="02_cnns")
    return exercise


def test_a_line_too_long_may_be_broken_anywhere_in_a_text(tmp_path: Path) -> None:
    broken = LAYER.replace(" has one number", "\n   has one number")
    assert broken != LAYER
    assert read(tmp_path, broken) == NAMED["BatchNorm"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("BatchNorm: ", "a layer: ", "`## name: Title` must come next; got '## a layer: Batch"),
        ("## BatchNorm", "## other", "no judge is called 'other'. Write one of this name"),
        ("## BatchNorm", "## _respond", "name must be a Python name; got '_respond'"),
        (
            "- hard, 15",
            "- hard, some",
            "`- easy, 3 minutes` or .* must come next; got '- hard, some",
        ),
        ("- hard", "- harder", "difficulty must be one of easy, medium, hard; got 'harder'"),
        ("- hard, 15", "- hard, 0", "minutes must be a whole number from 1 to 60; got 0"),
        ("minutes\n", "minutes\n- shape: 4\n", "`- shapes: .* must come next; got '- shape: 4'"),
        ("python solution", "py", "```python solution, .* must come next; got '```python starter'"),
        ("3. In", "In", "hints must be three texts; got 2"),
        ("### Afterw", "### W", r"hints .* then `### Afterwards` .* must come next; got '1\. What"),
    ],
)
def test_a_wrong_exercise_is_refused_in_words(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(
        ValueError, match=f"^02_cnns.md, '## .*Batch normalisation as a layer': {said}"
    ):
        read(tmp_path, LAYER.replace(old, new))


# What a learner calls.


@pytest.fixture
def check() -> Check:
    return Check((SMALL, dataclasses.replace(SMALL, name="other", minutes=10)))


def test_hints_come_one_after_the_other_and_the_last_one_stays(check: Check) -> None:
    seen = [repr(check.small.hint()) for _ in range(4)]
    assert seen == [
        "hint 1 of 3: Count.",
        "hint 2 of 3: Six sevens.",
        "hint 3 of 3: 40 and 2.",
        "hint 3 of 3: 40 and 2.",
    ]
    assert repr(check.other.hint(2)) == "hint 2 of 3: Six sevens."


def test_the_solution_is_shown_as_code(check: Check) -> None:
    assert repr(check.small.solution()) == "small = 6 * 7"
    assert check.small.solution()._repr_html_() == "<pre><code>small = 6 * 7</code></pre>"


def test_the_answer_is_used_if_it_is_right_and_else_the_solution_with_its_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    judge = judges.function(lambda x: 2 * x, {}, [(3,)])
    solution = "def double(x):\n    return two * x"
    doubling = dataclasses.replace(SMALL, name="double", solution=solution, judge=judge)
    names: dict[str, Any] = {"two": 2}
    exec("def right(x):\n    return x + x\ndef wrong(x):\n    return x", names)
    check = Check((doubling,))
    assert check.double.use(names["right"]) is names["right"]
    assert check.double.use(names["wrong"])(5) == 10
    assert "double" not in names
    assert capsys.readouterr().out.splitlines() == [
        "double: yours",
        "double: the solution's, as yours is not right yet",
    ]


def test_an_exercise_says_whether_it_is_done_in_class(tmp_path: Path) -> None:
    exercise = read(tmp_path, LAYER.replace("15 minutes", "15 minutes, in class"))
    assert (exercise.in_class, exercise.rating) == (True, "hard, 15 minutes, in class")
    assert not NAMED["BatchNorm"].in_class


def test_a_misspelt_name_is_answered_with_the_names_there_are(check: Check) -> None:
    with pytest.raises(
        AttributeError,
        match=r"02_cnns has no exercise 'smal'\. It has: small, other\. Did you mean check\.small\?",
    ):
        check.smal(42)
    assert dir(check) == ["other", "small"]


def test_the_check_of_a_notebook_has_its_exercises_and_stays_the_same() -> None:
    assert dir(exercises_of("06_silent_bugs")) == sorted(
        exercise.name for exercise in EXERCISES["06_silent_bugs"]
    )
    assert exercises_of("02_cnns") is exercises_of("02_cnns")


def test_the_list_says_how_hard_how_long_and_what_is_done(check: Check) -> None:
    assert repr(check) == (
        "2 exercises, 12 minutes, 0 right in this session\n"
        "check.small  easy, 2 minutes   open\n"
        "check.other  easy, 10 minutes  open"
    )
    check.small(42)
    check.small(13)  # what was right once stays so
    assert "1 right in this session\ncheck.small  easy, 2 minutes   right" in repr(check)
    assert Page(check._repr_html_()).text.startswith("2 exercises, 12 minutes, 1 right")


def test_a_check_can_be_copied_and_shown_by_ipython(check: Check) -> None:
    assert repr(copy.deepcopy(check)) == repr(check)
    formats, _ = DisplayFormatter().format(check.small(42))
    assert set(formats) == {"text/plain", "text/html"}
