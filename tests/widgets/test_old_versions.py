"""Widgets keep to what ipywidgets 7 and 8 both have: Colab has 7.7.1. `.ci/colab` tries it; this finds it sooner."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

PROJECT = Path(__file__).resolve().parents[2]

# Names that only one of the two versions has, or that do not work everywhere.
NOT_IN_BOTH = {
    "Stack", "TagsInput", "ColorsInput", "FloatsInput", "IntsInput", "TimePicker", "DatetimePicker",
    "NaiveDatetimePicker", "titles", "tooltip", "description_tooltip", "on_displayed",
}  # fmt: skip
NOT_IN_COLAB = {"Accordion", "Tab"}  # they lose their titles beside a widget of one's own
# Their errors are swallowed.
CAPTURED = {"Output", "interact", "interactive", "interactive_output", "interact_manual"}
BYTES = {"Bytes", "CBytes"}  # binary traits do not arrive in Colab


def names_used(source: str) -> set[str]:
    """All names in a Python text that could be of a widget: alone, imported, after a dot, or of an argument."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.name.rpartition(".")[2])
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
    return found


def python_texts() -> dict[str, str]:
    """The project's Python by file, and the code of the notebooks, where any of it has to do with widgets."""
    texts = {
        path.name: path.read_text(encoding="utf-8") for path in (PROJECT / "dlvc").rglob("*.py")
    }
    for path in (PROJECT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        texts[path.name] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    about_widgets = ("widget", "traitlets", "interact")
    return {
        name: text for name, text in texts.items() if any(word in text for word in about_widgets)
    }


def test_no_file_uses_a_widget_that_is_not_in_both_versions() -> None:
    texts = python_texts()
    assert {"live.py", "panel.py", "explorer.py"} <= set(texts)
    banned = NOT_IN_BOTH | NOT_IN_COLAB | CAPTURED | BYTES
    found = {name: names_used(text) & banned for name, text in texts.items()}
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import ipywidgets as widgets\nwidgets.Accordion()", "Accordion"),
        ("from ipywidgets import Tab as Pages", "Tab"),
        ("from ipywidgets import *\nwith Output():\n    pass", "Output"),
        ("Button(tooltip='what it does')", "tooltip"),
        ("tabs.titles = ['a']", "titles"),
        ("@interact\ndef draw(x): ...", "interact"),
        ("pixels = traitlets.Bytes()", "Bytes"),
    ],
)
def test_the_scan_finds_a_name_however_it_is_used(source: str, name: str) -> None:
    assert name in names_used(source)
