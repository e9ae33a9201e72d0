"""What the help page names exists: its links and sections, the messages it quotes, and its code runs."""

import re

import nbformat
import pytest
import torch

from dlvc.data import load_data
from dlvc.lessons.notebooks import NOTEBOOKS

HELP = (NOTEBOOKS / "HELP.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"`(\d\d_\w+)`,\s+\"([^\"]+)\"", HELP)


def test_every_section_that_is_named_is_a_heading_of_its_notebook() -> None:
    assert len(SECTIONS) >= 8
    for name, heading in SECTIONS:
        cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
        assert " ".join(heading.split()) in headings, f"{name} has no section {heading}"


def test_quoted_messages_are_those_of_the_library() -> None:
    package = NOTEBOOKS.parent / "dlvc"
    source = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    for message in ("finished before, nothing is trained", "class NonFiniteLoss"):
        assert message in source
        assert message.removeprefix("class ") in HELP


@pytest.mark.parametrize("number", range(len(re.findall(r"```python\n(.*?)```", HELP, re.DOTALL))))
def test_its_code_runs_with_the_names_of_a_notebook(number: int) -> None:
    from dlvc.models.cnn import SimpleCNN

    torch.manual_seed(0)
    data = load_data("sketch10", sizes=(300, 100, 100), quiet=True)
    names = {"data": data, "model": SimpleCNN(), "images": data.train.images[:8] / 255}
    exec(re.findall(r"```python\n(.*?)```", HELP, re.DOTALL)[number], names)


def test_readme_and_every_notebook_lead_to_it() -> None:
    assert "notebooks/HELP.md" in (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS.glob("*.ipynb"):
        assert "[HELP.md](HELP.md)" in path.read_text(encoding="utf-8"), path.name
