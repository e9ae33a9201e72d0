"""What the help page names exists: its links and sections, the messages it quotes, and its code runs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from teaching_kit import headings
from torch import nn
from torch.nn.functional import cross_entropy

from dlvc.data import ImageData
from dlvc.lessons.notebooks import NOTEBOOKS
from dlvc.models import SimpleCNN

HELP = (NOTEBOOKS / "HELP.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"`(\d\d[a-z]?_\w+)`,\s+\"([^\"]+)\"", HELP)


def test_every_section_that_is_named_is_a_heading_of_its_notebook() -> None:
    assert len(SECTIONS) >= 8
    for name, heading in SECTIONS:
        assert " ".join(heading.split()) in headings(name), f"{name} has no section {heading}"


def test_every_message_and_name_that_is_quoted_stands_in_the_library_or_a_notebook() -> None:
    folders = (NOTEBOOKS.parent / "dlvc", NOTEBOOKS)
    files = [path for folder in folders for path in folder.rglob("*.[pi][yp]*")]
    source = " ".join("\n".join(path.read_text(encoding="utf-8") for path in files).split())
    prose = re.sub(r"```.*?```", "", HELP, flags=re.DOTALL)
    names = re.findall(r"`([A-Za-z]\w+)[^`\n]*`", prose)
    messages = re.findall(r'"([^"]+)"', re.sub(r"`[^`]*`", "", prose))
    sections = [" ".join(heading.split()) for _, heading in SECTIONS]
    quoted = {*names, *(" ".join(message.split()) for message in messages)} - {*sections}
    assert {"NonFiniteLoss", "finished before, nothing is trained"} <= quoted
    assert [text for text in quoted if text not in source] == []


def test_its_code_runs_with_the_names_of_a_notebook(sketches: ImageData) -> None:
    torch.manual_seed(0)
    images = sketches.train.images[:8] / 255
    for code in re.findall(r"```python\n(.*?)```", HELP, re.DOTALL):
        exec(code, {"data": sketches, "model": SimpleCNN(), "images": images})


LAYER, PIXELS = nn.Conv2d(3, 1, 3), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("heading", "mistake"),
    [
        ("name 'data' is not defined", lambda: eval("data", {})),
        (
            "mat1 and mat2 shapes cannot be multiplied",
            lambda: nn.Linear(400, 10)(torch.zeros(2, 256)),
        ),
        ("input type and bias type should be the same", lambda: LAYER(PIXELS)),
        ("Byte and Float", lambda: nn.Linear(8, 1)(PIXELS)),
        (
            "Target 10 is out of bounds",
            lambda: cross_entropy(torch.zeros(1, 10), torch.tensor([10])),
        ),
    ],
)
def test_an_error_has_the_words_of_its_heading(heading: str, mistake: Callable) -> None:
    assert any(heading in line for line in HELP.splitlines() if line.startswith("### "))
    with pytest.raises((NameError, RuntimeError, IndexError)) as said:
        mistake()
    assert set(heading.lower().split()) <= set(re.findall(r"[\w']+", str(said.value).lower()))


def test_readme_and_every_notebook_lead_to_it() -> None:
    assert "notebooks/HELP.md" in (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS.glob("*.ipynb"):
        assert "[HELP.md](HELP.md)" in path.read_text(encoding="utf-8"), path.name
