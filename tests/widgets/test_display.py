"""A widget with a still picture beside it: what a notebook gets, keeps and shows in either theme."""

from __future__ import annotations

from xml.etree import ElementTree

import ipywidgets
import nbformat
import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_code_cell, new_notebook

from dlvc.lessons.notebooks import WIDGET_VIEW, run_notebooks
from dlvc.plots.style import INK, Picture, new_picture, set_description, styled
from dlvc.widgets import display
from dlvc.widgets.display import inline_svg, widget_bundle

CELL = """
import ipywidgets
from dlvc.plots import convolution_step
from dlvc.widgets.display import widget_bundle

class Shown:
    def _repr_mimebundle_(self, **_):
        return widget_bundle(ipywidgets.IntSlider(), convolution_step(), "a slider")

Shown()
"""


@styled
def line(says: str = "A line rises.") -> Picture:
    picture = new_picture(4, 3, title="A <line> & more")
    picture.subplots().plot([1, 2, 3])
    return set_description(picture, says)


class Shown:
    def __init__(self) -> None:
        self.widget = ipywidgets.IntSlider()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict, dict]:
        return widget_bundle(self.widget, line(), "a slider")


def test_the_mime_type_is_the_one_that_is_stripped_from_stored_notebooks() -> None:
    assert display.WIDGET_VIEW == WIDGET_VIEW


def test_an_object_shows_its_widget_and_gives_a_picture_and_a_text_to_others() -> None:
    shown = Shown()
    data, metadata = DisplayFormatter().format(shown)
    assert data[WIDGET_VIEW]["model_id"] == shown.widget.model_id
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "a slider"
    assert metadata["image/png"] == {"width": 384, "height": 288, "alt": "A line rises."}


@pytest.mark.slow
def test_a_stored_notebook_keeps_picture_and_text_and_no_widget(tmp_path) -> None:
    path = tmp_path / "shown.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(CELL)]), path)
    run_notebooks(folder=tmp_path, progress=False)
    notebook = nbformat.read(path, as_version=4)
    (output,) = notebook.cells[0].outputs
    assert set(output.data) == {"text/html", "image/png", "text/plain"}
    assert 'alt="The filter&#x27;s weights are multiplied' in output.data["text/html"]
    assert output.metadata["image/png"]["alt"].startswith("The filter's weights are multiplied")
    assert "widgets" not in notebook.metadata


def test_an_inline_picture_is_one_element_described_in_words() -> None:
    svg = ElementTree.fromstring(inline_svg(line('A line "rises" & <stops>.')))
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == 'A line "rises" & <stops>.'
    texts = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert "A <line> & more" in texts


def test_an_inline_picture_takes_the_colour_of_the_pages_text_and_has_no_ground() -> None:
    svg = inline_svg(line())
    assert "currentColor" in svg
    assert INK not in svg
    assert "#ffffff" not in svg


def test_equal_pictures_are_equal_texts() -> None:
    assert inline_svg(line()) == inline_svg(line())
    assert inline_svg(line()) != inline_svg(line("Another line."))


def test_a_picture_is_the_same_after_it_was_drawn_inline() -> None:
    picture = line()
    before = picture._repr_png_()
    inline_svg(picture)
    assert picture._repr_png_() == before
