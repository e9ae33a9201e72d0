"""What every committed notebook must keep to, so that `pytest --nbval` cannot go empty; and that faults are noticed."""

from __future__ import annotations

import ast
import base64
import getpass
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from dlvc.lessons.notebooks import NOTEBOOKS, RUN_TAG, WIDGET_VIEW

FILES = sorted(NOTEBOOKS.glob("*.ipynb"))
CONTRACT_CELLS = 8  # at least so many cells with compared text
PICTURE_BYTES = 2_000
FILE_BYTES = 1_500_000
TOP_FOLDERS = ("home", "root", "Users", "tmp", "var", "content")  # of Linux, macOS and Colab
MACHINE_PATHS = re.compile(rf"(?<![\w.])(/({'|'.join(TOP_FOLDERS)})/|[A-Z]:\\)")
PROJECT = NOTEBOOKS.parent
# Source: the forms that GitHub, PyPI, Hugging Face, OpenAI, AWS, Google and Slack document, and a private key's head.
SECRETS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60}|pypi-AgE[\w-]{50}|hf_[A-Za-z]{34}|sk-[A-Za-z0-9_-]{40}"
    r"|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|xox[abprs]-[\w-]{20}|-----BEGIN [A-Z ]*PRIVATE KEY"
)
COMMON_USERS = {"root", "user", "runner", "jovyan", "admin", "test"}  # also ordinary words
MAGIC = re.compile(r"^\s*[%!]", re.MULTILINE)


def source_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that are not empty: those that nbval runs and counts."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def texts(cell: NotebookNode) -> str:
    """All text a cell shows."""
    shown = []
    for output in cell.outputs:
        shown.append(output.get("text", ""))
        shown += [value for key, value in output.get("data", {}).items() if key.startswith("text/")]
    return "\n".join(shown)


def pictures(cell: NotebookNode) -> list[bytes]:
    """The PNG files that a cell shows."""
    encoded = (output.get("data", {}).get("image/png") for output in cell.outputs)
    return [base64.b64decode(picture) for picture in encoded if picture]


def is_figure(cell: NotebookNode) -> bool:
    return bool(pictures(cell)) or "<Figure size" in texts(cell)


def is_contract(cell: NotebookNode) -> bool:
    """Whether nbval compares text of this cell that says more than that there is a figure."""
    return RUN_TAG not in tags(cell) and not is_figure(cell) and bool(texts(cell).strip())


def names(cell: NotebookNode, context: type[ast.expr_context]) -> set[str]:
    """The names a cell assigns (`ast.Store`) or reads (`ast.Load`)."""
    nodes = ast.walk(ast.parse(MAGIC.sub("#", cell.source)))
    return {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, context)
    }


def problems(notebook: NotebookNode, *, contract_cells: int = 1) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a notebook."""
    cells = source_cells(notebook)
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        yield f"the execution counts are not 1 to {len(cells)}, run `python -m dlvc notebooks`: {counts}"
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "the kernel is not python3"
    if "widgets" in notebook.metadata:
        yield "the state of widgets is stored"
    if (contracts := sum(map(is_contract, cells))) < contract_cells:
        yield f"only {contracts} cells have compared text, {contract_cells} are asked for"
    for number, cell in enumerate(cells):
        following = cells[number + 1 : number + 3]
        yield from (f"cell {number}: {problem}" for problem in cell_problems(cell, following))


def cell_problems(cell: NotebookNode, following: list[NotebookNode]) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a code cell, which `following` come after."""
    shown = texts(cell)
    for tag in tags(cell):
        if tag != RUN_TAG and re.match(r"nbval|raises|skip", tag, re.IGNORECASE):
            yield f"the tag {tag} is not allowed"
    if re.search("nbval", cell.source, re.IGNORECASE):
        yield "a comment steers nbval"
    if MAGIC.search(cell.source):
        yield "a magic or shell command"
    if any(output.output_type == "error" for output in cell.outputs):
        yield "a stored error"
    for kind in {key for output in cell.outputs for key in output.get("data", {})}:
        if kind in (WIDGET_VIEW, "image/svg+xml", "application/javascript"):
            yield f"a stored output of the kind {kind}"
    if "<script" in shown:
        yield "a stored script"
    if any(output.get("name") == "stderr" for output in cell.outputs):
        yield "text on stderr, perhaps a warning"
    for where, text in (("source", cell.source), ("output", shown)):
        if MACHINE_PATHS.search(text) or str(Path.home()) in text:
            yield f"a path of one machine in the {where}"
        if SECRETS.search(text):
            yield f"a secret in the {where}"
    if names_machine(shown):
        yield "the name of a user or a machine in the output"
    if RUN_TAG not in tags(cell) and re.search(r"\bat 0x[0-9a-f]{6}", shown):
        yield "an address in the output, which differs from run to run"
    if is_figure(cell) and min(map(len, pictures(cell)), default=0) < PICTURE_BYTES:
        yield "a figure without its picture, or an empty one"
    if RUN_TAG in tags(cell) and not any(
        is_contract(later) and names(cell, ast.Store) & names(later, ast.Load)
        for later in following
    ):
        yield "a run cell without a contract cell that reads one of its names within the next two"


def names_machine(text: str) -> bool:
    """Whether the text holds the name of this user or this machine as a word."""
    own = {getpass.getuser(), socket.gethostname()} - COMMON_USERS
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in own if len(name) > 3)


def project_texts() -> dict[str, str]:
    """The project's own files that are text, by name."""
    folders = (".", ".ci", ".github", "dlvc", "figures", "notebooks", "tests")
    skipped = {"__pycache__", ".ipynb_checkpoints", "corpus"}
    return {
        path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for folder in folders
        for path in (PROJECT / folder).glob("*" if folder == "." else "**/*")
        if path.suffix in (".py", ".md", ".toml", ".yml", ".json", ".ipynb", ".js", "")
        and path.is_file()
        and not skipped & set(path.parts)
    }


def without_pictures(text: str) -> str:
    """The text of a notebook's file without its PNG files, whose letters form any pattern by chance."""
    return re.sub(r'"image/png": "iVBORw0KGgo[A-Za-z0-9+/=]*(\\n)?"', '"image/png": ""', text)


def test_no_file_of_the_project_holds_a_secret() -> None:
    texts = project_texts()
    assert len(texts) > 100
    assert [name for name, text in texts.items() if SECRETS.search(without_pictures(text))] == []


@pytest.mark.parametrize(
    ("cell", "secret"),
    [
        ('{"image/png": "iVBORw0KGgo' + "AKIA" + 16 * "A" + '\\n"}', False),
        ('{"image/png": "iVBORw0KGgoAA=", "text": "ghp_' + 36 * "a" + '"}', True),
        ('{"image/png": "ghp_' + 36 * "a" + '"}', True),
    ],
)
def test_letters_of_a_picture_are_no_secret_and_those_beside_it_are(cell, secret) -> None:
    assert bool(SECRETS.search(without_pictures(cell))) is secret


def test_no_committed_record_names_a_machine_or_a_path() -> None:
    records = {name: text for name, text in project_texts().items() if name.startswith("figures/")}
    assert len(records) > 10
    for name, text in records.items():
        assert not MACHINE_PATHS.search(text) and not names_machine(text), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_notebook_keeps_to_the_policy(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert list(problems(notebook, contract_cells=CONTRACT_CELLS)) == []
    assert path.stat().st_size < FILE_BYTES


def test_all_notebooks_start_with_the_same_set_up() -> None:
    first = {}
    for path in FILES:
        cells = source_cells(nbformat.read(path, as_version=4))[:2]
        first[path.stem] = tuple(cell.source for cell in cells)
    assert len(set(first.values())) <= 1, f"these differ: {', '.join(first)}"


def test_a_notebook_that_was_run_has_no_problems(small_notebook: NotebookNode) -> None:
    assert list(problems(small_notebook)) == []


def clear_counts(notebook: NotebookNode) -> None:
    for cell in source_cells(notebook):
        cell.execution_count, cell.outputs = None, []


def set_output(number: int, output_type: str, **content: object) -> Callable[[NotebookNode], None]:
    def change(notebook: NotebookNode) -> None:
        output = nbformat.v4.new_output(output_type, **content)
        source_cells(notebook)[number].outputs.append(output)

    return change


def set_tag(number: int, tag: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: source_cells(notebook)[number].metadata.update(tags=[tag])


def add_source(number: int, line: str) -> Callable[[NotebookNode], None]:
    def change(notebook: NotebookNode) -> None:
        source_cells(notebook)[number].source += f"\n{line}"

    return change


def set_source(number: int, source: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: source_cells(notebook)[number].update(source=source)


def drop_picture(notebook: NotebookNode) -> None:
    source_cells(notebook)[3].outputs[0].data = {"text/plain": "<Figure size 500x300 with 1 Axes>"}


FAULTS = {
    "the outputs were cleared": (clear_counts, "execution counts are not 1 to 4"),
    "cells were run out of order": (
        lambda notebook: source_cells(notebook)[1].update(execution_count=9),
        "execution counts are not 1 to 4",
    ),
    "a kernel of one machine": (
        lambda notebook: notebook.metadata.kernelspec.update(name="conda-env-mine-py"),
        "kernel is not python3",
    ),
    "widget state": (
        lambda notebook: notebook.metadata.update(widgets={}),
        "state of widgets is stored",
    ),
    "a widget view": (
        set_output(0, "display_data", data={WIDGET_VIEW: {"model_id": "1"}}),
        "cell 0: a stored output of the kind application/vnd.jupyter",
    ),
    "an SVG": (
        set_output(0, "display_data", data={"image/svg+xml": "<svg/>"}),
        "cell 0: a stored output of the kind image/svg",
    ),
    "a script": (
        set_output(0, "display_data", data={"text/html": "<script>1</script>"}),
        "cell 0: a stored script",
    ),
    "an error": (
        set_output(0, "error", ename="E", evalue="", traceback=[]),
        "cell 0: a stored error",
    ),
    "a warning": (
        set_output(0, "stream", name="stderr", text="Warning"),
        "cell 0: text on stderr",
    ),
    "an address": (
        set_output(0, "stream", text="<object at 0x7f3a91c2>"),
        "cell 0: an address in the output",
    ),
    "a home folder in an output": (
        set_output(0, "stream", text="saved /home/ada/x"),
        "cell 0: a path of one machine in the output",
    ),
    "a home folder in the source": (
        add_source(0, "path = 'C:\\\\Users\\\\ada'"),
        "cell 0: a path of one machine in the source",
    ),
    "a user name": (
        set_output(0, "stream", text="trained by ada.lovelace"),
        "cell 0: the name of a user or a machine in the output",
    ),
    "a token": (
        set_output(0, "stream", text="ghp_" + 36 * "a"),
        "cell 0: a secret in the output",
    ),
    "a skipped cell": (set_tag(2, "nbval-skip"), "cell 2: the tag nbval-skip is not allowed"),
    "a misspelt tag": (
        set_tag(1, "nbval_ignore_outputs"),
        "cell 1: the tag nbval_ignore_outputs is not allowed",
    ),
    "an allowed exception": (set_tag(2, "raises-exception"), "cell 2: the tag raises-exception"),
    "a steering comment": (
        add_source(2, "# NBVAL_IGNORE_OUTPUT"),
        "cell 2: a comment steers nbval",
    ),
    "a magic": (add_source(2, "%matplotlib inline"), "cell 2: a magic or shell command"),
    "a picture that is gone": (drop_picture, "cell 3: a figure without its picture"),
    "too many run cells": (set_tag(2, RUN_TAG), "only 0 cells have compared text"),
    "a run cell that nothing checks": (
        set_source(2, "print('scores: 2')"),
        "cell 1: a run cell without a contract cell",
    ),
}


@pytest.mark.parametrize(("spoil", "expected"), FAULTS.values(), ids=FAULTS)
def test_the_policy_notices(
    spoil: Callable[[NotebookNode], None],
    expected: str,
    small_notebook: NotebookNode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada.lovelace")
    spoil(small_notebook)
    noticed = list(problems(small_notebook))
    assert any(expected in problem for problem in noticed), noticed
