"""What several test files share: a small notebook with one cell of each kind, and a small drawn data set."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dlvc.data import ImageData, load_data
from dlvc.lessons.notebooks import RUN_TAG, run_notebooks

PICTURE = """\
from IPython.display import Image, display

display(Image(data=bytes.fromhex("89504e470d0a1a0a") + bytes(range(256)) * 10, width=8))"""


def code(source: str, *tags: str) -> nbformat.NotebookNode:
    """A code cell without outputs."""
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


@pytest.fixture(scope="session")
def small_notebook_text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The notebook's file after `python -m dlvc notebooks` has run it."""
    folder = tmp_path_factory.mktemp("notebooks")
    cells = [
        new_markdown_cell("# A small notebook"),
        code("import os"),
        code("scores = [3, 4]\nprint('seven is', sum(scores))", RUN_TAG),
        code("print('scores:', len(scores))\nos.environ['DLVC_PROFILE']"),
        code(PICTURE),
    ]
    nbformat.write(new_notebook(cells=cells), folder / "07_small.ipynb")
    (path,) = run_notebooks(folder=folder, progress=False)
    return path.read_text(encoding="utf-8")


@pytest.fixture
def small_notebook(small_notebook_text: str) -> nbformat.NotebookNode:
    """The small notebook with its outputs; each test gets its own."""
    return nbformat.reads(small_notebook_text, as_version=4)


@pytest.fixture
def small_notebook_file(small_notebook_text: str, tmp_path: Path) -> Path:
    """The small notebook in a folder of its own."""
    path = tmp_path / "07_small.ipynb"
    path.write_text(small_notebook_text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def sketches() -> ImageData:
    """Sketch-10 with 300 training, 100 validation and 100 test images."""
    return load_data("sketch10", sizes=(300, 100, 100), quiet=True)


# The same examples each time and no judgement of speed: a test must not fail on a slow or busy machine.
hypothesis.settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, max_examples=60
)
hypothesis.settings.load_profile("steady")
