"""The training panel as a learner has it, in a real JupyterLab: set up, run, watch, stop, go on, compare."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from browser import OPEN_WITHOUT_KERNEL, OPENED, Lab, ask, run_all, watch_errors

from dlvc.lessons.notebooks import tidy_notebook

pytestmark = pytest.mark.slow

SETUP = Path(__file__).parents[1] / "tools" / "small_panel.py"
CELLS = [
    "import runpy\n\nglobals().update(runpy.run_path('small_panel.py'))",
    "panel",
    "print(6 * 7, panel.state)",
]
PANEL = 1  # the cell that shows it
WATCH = """() => {
  window.seen = {positions: new Set(), heights: new Set()};
  const panel = document.querySelector('.dlvc-panel');
  new MutationObserver(() => {
    const now = panel.querySelector('.dlvc-now');
    if (now) window.seen.positions.add(now.getAttribute('d'));
    window.seen.heights.add(panel.querySelector('.dlvc-curves').closest('.widget-html').offsetHeight);
  }).observe(panel, {subtree: true, childList: true});
}"""
SEEN = "({positions: [...seen.positions], heights: [...seen.heights]})"


@dataclass
class Learner:
    """A page with the panel, as somebody uses it."""

    lab: Lab
    page: Any
    errors: list[str]

    @property
    def panel(self) -> Any:
        return self.page.locator(".dlvc-panel").first

    def button(self, name: str) -> Any:
        # Not exact: the sign in front of it is a letter of a font.
        return self.panel.get_by_role("button", name=name)

    def field(self, label: str) -> Any:
        return self.panel.get_by_label(label, exact=True)

    def type(self, label: str, text: str) -> None:
        """With the keyboard alone: focus, select all, type."""
        self.field(label).focus()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def wait_for(self, text: str, *, seconds: float = 60) -> None:
        self.panel.get_by_text(text).first.wait_for(timeout=1000 * seconds)

    def wait_for_button(self, name: str, state: str) -> None:
        """Wait until the button is "enabled" or "disabled": the note beside a field changes one message earlier."""
        self.button(name).element_handle().wait_for_element_state(state)

    def ask(self, expression: str) -> str:
        return ask(self.page, f"print({expression})")

    def wait_until(self, expression: str, answer: str, *, seconds: float = 20) -> None:
        """Ask until the kernel has taken in what was done on the page. A busy machine takes its time."""
        deadline = time.monotonic() + seconds
        while (heard := self.ask(expression)) != answer and time.monotonic() < deadline:
            time.sleep(0.1)
        assert heard == answer


@pytest.fixture(scope="module")
def learner(chromium: Any, lab: Lab) -> Iterator[Learner]:
    shutil.copy(SETUP, lab.folder)
    page = chromium.new_page(viewport={"width": 1280, "height": 1700})
    page.set_default_timeout(20_000)
    lab.open_cells(page, "panel.ipynb", CELLS)
    opened = Learner(lab, page, watch_errors(page))
    run_all(page)
    opened.panel.wait_for(timeout=120_000)
    opened.wait_for("multiply-adds per image; about")
    yield opened
    page.close()


# The tests of this file follow one another: each goes on where the one before has left the page.


def test_the_panel_says_what_a_run_will_cost_and_changes_nothing_by_itself(learner):
    learner.wait_for("289,434 parameters, 3.9 million multiply-adds per image; about")
    assert learner.ask("panel.config == panel._settings.run(panel.form.preset, {})[0]") == "True"
    assert learner.field("Seed").is_disabled()  # given in the cell


def test_axe_finds_nothing_serious(learner):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    found = axe.Axe().run(learner.page, context=".dlvc-panel").response["violations"]
    # ipywidgets gives the knob of its sliders no name; each has a field with a label beside it.
    serious = {
        each["id"]: [node["html"] for node in each["nodes"] if "noUi-handle" not in node["html"]]
        for each in found
        if each["impact"] in ("serious", "critical")
    }
    assert {name: nodes for name, nodes in serious.items() if nodes} == {}


def test_an_invalid_value_is_explained_and_turns_run_off(learner):
    learner.type("Learning rate", "3")
    learner.wait_for("learning_rate must be between 1e-05 and 1.0; got 3.")
    learner.wait_for_button("Run", "disabled")
    learner.type("Learning rate", "0.002")
    learner.panel.get_by_text("learning_rate must be").wait_for(state="detached")
    learner.wait_for_button("Run", "enabled")
    assert learner.ask("panel.config.learning_rate") == "0.002"


def test_the_mouse_moves_a_slider_and_chooses(learner):
    row = learner.panel.locator(".dlvc-row").filter(
        has=learner.page.get_by_label("Dropout", exact=True)
    )
    bar = row.locator(".slider").bounding_box()
    learner.page.mouse.click(bar["x"] + bar["width"] / 3, bar["y"] + bar["height"] / 2)
    learner.page.wait_for_function("document.activeElement !== null")
    learner.field("Protocol").select_option("tuned")
    learner.wait_until("panel.options, panel.config.optimizer", "{'dropout': 0.3} adamw")
    assert learner.field("Dropout").input_value() == "0.3"
    learner.button("Reset").click()
    learner.field("Protocol").select_option("report")
    learner.wait_until("panel.options, panel.config.optimizer", "{} adam")


def test_a_run_moves_the_curves_while_cells_and_fields_answer(learner):
    learner.page.evaluate(WATCH)
    learner.button("Run").click()
    learner.wait_for("images/s")
    taken = []
    for text in ("0.5", "0.25", "0.75"):
        learner.type("Label smoothing", text)
        started = time.perf_counter()
        wrong = learner.panel.get_by_text("label_smoothing must be between")
        wrong.first.wait_for(state="attached" if text == "0.75" else "detached")
        taken.append(1000 * (time.perf_counter() - started))
    print(f"\nfields answered within {median(taken):.0f} to {max(taken):.0f} ms while training")
    assert learner.ask("6 * 7, panel.state") == "42 running"
    learner.type("Label smoothing", "0")
    learner.page.wait_for_function("seen.positions.size >= 4", timeout=60_000)
    assert len(learner.page.evaluate(SEEN)["heights"]) == 1


def test_stop_leaves_a_model_and_go_on_ends_the_same_run(learner):
    started = time.perf_counter()
    learner.button("Stop").click()
    learner.wait_for("Stopped after")
    print(f"\nstopped after {time.perf_counter() - started:.2f} s")
    assert learner.ask("panel.state, panel.model.training") == "stopped False"
    learner.button("Go on").click()
    learner.wait_for("Finished: 3 of 3 epochs", seconds=120)
    assert "Continues at epoch" in learner.panel.locator("[role=status]").first.text_content()


def test_the_figure_of_the_run_stands_below_the_panel_and_in_the_saved_notebook(learner):
    output = learner.page.locator(".jp-CodeCell").nth(PANEL).locator(".jp-OutputArea-output img")
    output.wait_for(timeout=60_000)
    assert "Loss and accuracy after each epoch" in output.get_attribute("alt")
    learner.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    learner.page.wait_for_timeout(500)
    stored = learner.lab.read("panel.ipynb")
    assert [sorted(each.data) for each in stored.cells[PANEL].outputs] == [
        ["application/vnd.jupyter.widget-view+json", "text/html", "text/plain"],
        ["image/png", "text/html", "text/plain"],
    ]


def test_two_runs_are_drawn_over_one_another_with_what_differs(learner):
    learner.type("Width", "8")
    learner.button("Run").click()
    learner.page.wait_for_function(
        "document.querySelector('.dlvc-panel select[multiple]').options.length === 2",
        timeout=120_000,
    )
    runs = learner.panel.get_by_label("Runs", exact=True)
    runs.select_option(index=[0, 1])
    table = learner.panel.locator(".dlvc-table")
    table.wait_for()
    cells = table.locator("th, td").all_text_contents()
    assert cells == ["setting", "run 1", "run 2", "model.width", "8", "-"]
    assert learner.panel.locator(".dlvc-curves").count() == 2  # the live ones, and these


def test_nothing_was_written_to_the_console_of_the_browser(learner):
    assert learner.errors == []


def test_a_tidied_notebook_without_a_kernel_shows_the_settings_and_the_figure(learner):
    stored = learner.lab.read("panel.ipynb")
    learner.lab.write(tidy_notebook(stored), "tidied.ipynb", trusted=False)
    learner.page.evaluate(OPEN_WITHOUT_KERNEL, "tidied.ipynb")
    learner.page.wait_for_function(OPENED, arg="tidied.ipynb")
    notebook = learner.page.locator(".jp-NotebookPanel:visible")
    notebook.get_by_text("the settings that this notebook was run with").wait_for()
    assert notebook.locator(".jp-OutputArea-output img").count() == 1
    assert notebook.get_by_text("model not found").count() == 0
