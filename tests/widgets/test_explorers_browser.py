"""The small widgets as a reader has them in JupyterLab: moved by keyboard and by mouse, in a light and a dark page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from browser import OPEN_WITHOUT_KERNEL, OPENED, Lab, ask, run_all, watch_errors

from dlvc.lessons.notebooks import tidy_notebook

pytestmark = pytest.mark.slow

CELLS = [
    "from dlvc.widgets.explorers.kernel import kernel_explorer\n\nkernel_explorer()",
    "from dlvc.widgets.explorers.layer_size import layer_explorer\n\nlayer_explorer()",
    "from dlvc.widgets.explorers.positions import position_explorer\n\nposition_explorer()",
    "from dlvc.lessons.guesses.form import guess_first\n\n"
    "guess = guess_first('01', 'browser', 'How many?', choices=('few', 'many'))\nguess",
]
KERNEL, LAYER, POSITIONS, GUESS = range(4)


@dataclass
class Notebook:
    """The notebook in JupyterLab after its cells were run, and what its console said."""

    lab: Lab
    page: Any
    errors: list[str]

    def output(self, cell: int) -> Any:
        return self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")

    def drawing(self, cell: int) -> Any:
        return self.output(cell).locator("svg[role=img]")

    def says(self, cell: int, part: str) -> None:
        """Wait until the drawing of a cell is described by words with `part` in them."""
        self.output(cell).locator(f'svg[role=img][aria-label*="{part}"]').wait_for(timeout=30_000)

    def slider(self, cell: int, label: str) -> Any:
        row = self.output(cell).locator(".widget-slider", has_text=label)
        return row.locator(".noUi-handle")

    def theme(self, name: str) -> None:
        command = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
        self.page.evaluate(command, f"JupyterLab {name}")
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light",
            arg=str(name == "Light").lower(),
        )


@pytest.fixture(scope="module")
def notebook(chromium: Any, lab: Lab) -> Iterator[Notebook]:
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    lab.open_cells(page, "explorers.ipynb", CELLS)
    opened = Notebook(lab, page, watch_errors(page))
    run_all(page)
    for cell in (KERNEL, LAYER, POSITIONS):
        opened.drawing(cell).wait_for(timeout=120_000)
    opened.output(GUESS).get_by_text("How sure?").wait_for(timeout=60_000)
    yield opened
    page.close()


def test_arrow_keys_move_the_window_step_by_step(notebook: Notebook) -> None:
    handle = notebook.slider(KERNEL, "Step")
    handle.focus()
    height = notebook.output(KERNEL).bounding_box()["height"]
    for step in (2, 3, 4):
        notebook.page.keyboard.press("ArrowRight")
        notebook.says(KERNEL, f"Step {step} of 16")
    assert notebook.output(KERNEL).bounding_box()["height"] == height
    # By hand: the window's left column lies on the bar, three times -1 x 2.
    assert "−6" in notebook.drawing(KERNEL).text_content()


def test_a_list_chooses_another_filter_and_its_numbers_are_filled_in(notebook: Notebook) -> None:
    notebook.output(KERNEL).get_by_label("Filter", exact=True).select_option("sharpen")
    notebook.says(KERNEL, "sharpen: 0 -1 0; -1 5 -1; 0 -1 0")
    assert notebook.output(KERNEL).get_by_label("w11", exact=True).input_value() == "5"


def test_a_mouse_moves_the_stride_and_the_calculator_follows(notebook: Notebook) -> None:
    handle = notebook.slider(LAYER, "Stride")
    handle.scroll_into_view_if_needed()
    box, page = handle.bounding_box(), notebook.page
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 300, middle[1], steps=5)  # beyond its end, which is 8
    page.mouse.up()
    notebook.says(LAYER, "stride 8")
    assert "floor((32 + 2 · 0 − 5) / 8) + 1 = 4" in notebook.drawing(LAYER).text_content()


def test_what_cannot_be_is_explained_where_the_drawing_was(notebook: Notebook) -> None:
    height = notebook.output(LAYER).bounding_box()["height"]
    notebook.slider(LAYER, "Image size").focus()
    notebook.page.keyboard.press("Home")
    notebook.says(LAYER, "The window of 5 x 5 is larger than the padded image of 1 x 1")
    assert notebook.output(LAYER).bounding_box()["height"] == height
    notebook.page.keyboard.press("End")
    notebook.says(LAYER, "3 x 64 x 64")


def test_a_guess_is_chosen_by_keyboard_and_committed_by_mouse(notebook: Notebook) -> None:
    output, keyboard = notebook.output(GUESS), notebook.page.keyboard
    output.get_by_role("radio").last.focus()
    keyboard.press("Space")
    handle = notebook.slider(GUESS, "How sure?")
    handle.focus()
    keyboard.press("ArrowRight")
    output.get_by_role("button", name="Commit").click()
    output.get_by_text("Committed: many, 61% sure").wait_for()
    assert ask(notebook.page, "print(guess.value)") == "many"


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_text_is_told_from_its_ground_in_both_themes(notebook: Notebook, theme: str) -> None:
    """The contrast of the text with the page, as WCAG 2 defines it, is at least 4.5."""
    notebook.theme(theme)
    colors = notebook.drawing(LAYER).evaluate(
        """(svg) => {
          const page = svg.closest('.jp-Notebook');
          return [getComputedStyle(svg.querySelector('text')).fill, getComputedStyle(page).backgroundColor];
        }"""
    )

    def luminance(color: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, colors))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_nothing_was_said_to_be_wrong_on_the_console(notebook: Notebook) -> None:
    assert notebook.errors == []


def test_a_stored_notebook_shows_the_pictures_without_a_kernel(notebook: Notebook) -> None:
    notebook.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    notebook.page.wait_for_function(
        "!window.jupyterapp.shell.currentWidget.context.model.dirty", timeout=30_000
    )
    stored = tidy_notebook(notebook.lab.read("explorers.ipynb"))
    notebook.lab.write(stored, "stored_explorers.ipynb", trusted=False)
    notebook.page.evaluate(OPEN_WITHOUT_KERNEL, "stored_explorers.ipynb")
    notebook.page.wait_for_function(OPENED, arg="stored_explorers.ipynb")
    panel = notebook.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    pictures = panel.locator(".jp-OutputArea-output img")
    pictures.nth(2).wait_for()
    descriptions = [each.get_attribute("alt") for each in pictures.all()]
    assert [each.split(" ")[0] for each in descriptions] == ["Step", "Convolution", "64"]
    assert "model not found" not in panel.text_content()
