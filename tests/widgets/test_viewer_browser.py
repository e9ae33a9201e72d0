"""The attention viewer as a reader has it: in JupyterLab with and without a kernel, and as a file."""

from __future__ import annotations

import re
import runpy
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import nbformat
import numpy as np
import pytest
from browser import OPENED, Lab, ViewerPage, ask, find_browser
from matplotlib.image import imread
from nbformat.v4 import new_code_cell, new_notebook

from dlvc.attention import attention_maps
from dlvc.notebooks import tidy_notebook
from dlvc.plots.attention_maps import ATTENTION_COLORS, DIFFERENCE_COLORS

SETUP = Path(__file__).with_name("small_viewers.py")
GRID = (6, 6)
CELLS = [
    "import runpy\n\nglobals().update(runpy.run_path('small_viewers.py'))",
    "viewer",
    "compared",
    "viewer.live()",
    "compared.live()",
]
STATIC, STATIC_COMPARED, LIVE, LIVE_COMPARED = range(1, 5)  # the cells that show something
PLACES = (
    "kernel idle",
    "live, kernel idle",
    "kernel busy",
    "live, kernel busy",
    "kernel shut down",
    "live, kernel shut down",
    "saved page",
)
HOVERS = 50
# Seconds are asserted with room for a loaded machine; what was measured is printed (pytest -s).
MEDIAN, SLOWEST = 10 * 16, 10 * 50  # milliseconds


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install playwright"
    )
    path = find_browser()
    if path is None:
        pytest.skip("needs a Chromium on PATH, or its path in DLVC_BROWSER")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def made() -> SimpleNamespace:
    """The viewers that the notebook makes, here; `weights` (B, L, H, N, N) are those of `viewer`."""
    names = runpy.run_path(str(SETUP))
    weights = attention_maps(names["model"], names["images"]).double().numpy()
    return SimpleNamespace(**names, weights=weights)


@dataclass
class Notebook:
    """The notebook in JupyterLab after all cells were run; `stored` is what was saved then."""

    lab: Lab
    page: Any
    folder: Path
    stored: nbformat.NotebookNode | None = None

    def viewer(self, cell: int) -> ViewerPage:
        output = self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")
        frame = output.frame_locator("iframe")
        inside = frame if cell in (STATIC, STATIC_COMPARED) else output
        return ViewerPage(self.page, inside.locator(".dlvc-viewer"), GRID)

    def kernel(self, wanted: str) -> None:
        """Leave the kernel "idle", let it sleep, "busy", or shut it down: only ever later in this list."""
        session = "window.jupyterapp.shell.currentWidget.sessionContext"
        if wanted == "busy":
            code = "import time; time.sleep(600)"
            self.page.evaluate(
                f"code => {{ {session}.session.kernel.requestExecute({{code}}) }}", code
            )
            self.page.wait_for_function(f"{session}.session.kernel.status === 'busy'")
        elif wanted == "shut down" and self.page.evaluate(f"!!{session}.session"):
            self.page.evaluate(f"{session}.shutdown()")


@pytest.fixture(scope="module")
def notebook(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(SETUP, folder)
    kernel = {"name": "python3", "display_name": "Python 3"}
    cells = [new_code_cell(source) for source in CELLS]
    nbformat.write(
        new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "viewer.ipynb"
    )
    with Lab(folder) as lab:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        lab.open(page, "viewer.ipynb")
        page.evaluate("window.jupyterapp.shell.collapseLeft()")
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        opened = Notebook(lab, page, folder)
        for cell in (STATIC, STATIC_COMPARED, LIVE, LIVE_COMPARED):
            opened.viewer(cell)  # waits for it
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        opened.stored = nbformat.read(folder / "viewer.ipynb", as_version=4)
        yield opened
        page.close()


class OpenedFile:
    """A page over file://, with everything else refused."""

    def __init__(self, browser: Any, path: Path, **settings: Any) -> None:
        self.page = browser.new_page(viewport={"width": 1100, "height": 900}, **settings)
        self.refused: list[str] = []
        self.page.route(lambda url: not url.startswith(("file:", "data:", "blob:")), self.refuse)
        self.page.goto(path.as_uri())

    def refuse(self, route: Any) -> None:
        self.refused.append(route.request.url)
        route.abort()

    def viewer(self) -> ViewerPage:
        return ViewerPage(self.page, self.page.locator(".dlvc-viewer"), GRID)


@pytest.fixture(scope="module")
def saved(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of the viewers."""
    folder = tmp_path_factory.mktemp("pages")
    return {
        "viewer": made.viewer.save_html(folder / "viewer.html"),
        "compared": made.compared.save_html(folder / "compared.html"),
    }


@pytest.fixture
def open_file(chromium: Any) -> Iterator[Any]:
    """Opens a file; asserts at the end that it asked for nothing else."""
    opened = []

    def opener(path: Path, **settings: Any) -> OpenedFile:
        opened.append(OpenedFile(chromium, path, **settings))
        return opened[-1]

    yield opener
    for each in opened:
        each.page.close()
        assert each.refused == []


@pytest.fixture
def one(saved: dict[str, Path], open_file: Any) -> ViewerPage:
    """The page of the model with a class token."""
    return open_file(saved["viewer"]).viewer()


@pytest.fixture
def several(saved: dict[str, Path], open_file: Any) -> ViewerPage:
    """The page with two epochs and another model, without class tokens."""
    return open_file(saved["compared"]).viewer()


# While the kernel is there. These tests come first: later ones let it sleep, then shut it down.


def test_choosing_in_the_live_viewer_changes_what_python_describes(notebook, made):
    shown = notebook.viewer(LIVE)
    shown.choose(Layer="3", Head="2", Image=made.viewer.names[1])
    shown.point((2, 4))
    made.viewer.show(image=2, layer=3, head=2, patch=(3, 5))
    assert shown.text() == made.viewer.describe()
    wanted = wait_for(
        lambda: ask(notebook.page, "print(viewer.describe())"), made.viewer.describe()
    )
    assert wanted == made.viewer.describe()


def test_showing_from_python_changes_the_live_viewer(notebook, made):
    ask(notebook.page, "viewer.show(layer=2, head=1, image=1, patch=None, view='mean')")
    made.viewer.show(layer=2, head=1, image=1, patch=None, view="mean")
    shown = notebook.viewer(LIVE)
    assert wait_for(shown.text, made.viewer.describe()) == made.viewer.describe()
    ask(notebook.page, "viewer.show(view='head')")


def test_two_live_viewers_in_a_notebook_do_not_meet(notebook):
    first, second = notebook.viewer(LIVE), notebook.viewer(LIVE_COMPARED)
    before = second.text()
    first.choose(Layer="1", Head="3")
    first.point((0, 1))
    assert "layer 1 of 3, head 3 of 4. Query patch row 1, column 2" in first.text()
    assert second.text() == before
    identifiers = notebook.page.locator(".dlvc-viewer [id]").evaluate_all(
        "(all) => all.map((each) => each.id)"
    )
    assert len(set(identifiers)) == len(identifiers) > 20


def wait_for(read: Any, wanted: Any) -> Any:
    """What `read` gives, once it is as wanted or ten seconds have passed."""
    end = time.monotonic() + 10
    while (value := read()) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    return value


# In every place.


@pytest.fixture(scope="module", params=PLACES)
def place(request, notebook, saved, chromium) -> Iterator[tuple[str, ViewerPage]]:
    """The viewer of the model with a class token, in each place where a reader may have it."""
    if request.param == "saved page":
        opened = OpenedFile(chromium, saved["viewer"])
        yield request.param, opened.viewer()
        opened.page.close()
        assert opened.refused == []
    else:
        notebook.kernel(request.param.rpartition("kernel ")[2])
        yield request.param, notebook.viewer(LIVE if "live" in request.param else STATIC)


@pytest.fixture
def shown(place: tuple[str, ViewerPage]) -> ViewerPage:
    """The viewer in its place, as it starts but for the map, which covers the image, and the table."""
    _, viewer = place
    viewer.choose(Show="one head", Layer="1", Head="1", Colours_up_to_the_largest_of="this layer")
    viewer.choose(Map_over_image=100)
    viewer.press("Table")
    return viewer


def check_numbers(shown: ViewerPage, weights: np.ndarray, patch: tuple[int, int] | None) -> None:
    """Assert that colours and table are the row and the column of one head's `weights` (N, N), with a class token.

    The viewer is sent each row in 255 steps of its largest number, and colours are 255 steps of the scale.
    """
    token = 0 if patch is None else 1 + patch[0] * GRID[1] + patch[1]
    tops = weights.max(axis=1)
    top = tops.max()
    tables = shown.tables()
    given, taken = weights[token, 1:], weights[1:, token]
    for title, wanted, sent, table in (
        ("given", given, np.full(len(given), tops[token]) / 510, tables[0]),
        ("taken", taken, tops[1:] / 510, tables[1]),
    ):
        np.testing.assert_array_less(np.abs(table / 100 - wanted), sent + 0.5e-4 + 1e-7)
        seen = shown.read(title)
        assert seen["framed"] == ([] if patch is None else [patch])
        values = decode(seen["colors"], ATTENTION_COLORS) * top
        np.testing.assert_array_less(np.abs(values - wanted), sent + top / 510 + 1e-7)
    assert shown.read("image")["framed"] == ([] if patch is None else [patch])


def decode(colors: np.ndarray, name: str) -> np.ndarray:
    """Where colours lie in a colour map, from 0 to 1; each must be in it, exactly."""
    table = matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3]
    assert len(np.unique(table, axis=0)) == 256
    same = (colors[:, None] == table).all(axis=2)
    assert same.any(axis=1).all()
    return same.argmax(axis=1) / 255


def test_colors_and_table_under_the_mouse_are_the_tensors_row_and_column(shown, made):
    for patch, layer, head in (((1, 4), 2, 3), ((5, 0), 3, 1)):
        shown.choose(Layer=str(layer), Head=str(head), Colours_up_to_the_largest_of="this head")
        shown.point(patch)
        check_numbers(shown, made.weights[0, layer - 1, head - 1], patch)
        row, column = patch
        assert (
            f"layer {layer} of 3, head {head} of 4. Query patch row {row + 1}, column {column + 1} "
            in (shown.text())
        )


def test_the_keyboard_alone_reaches_the_same_numbers(shown, made):
    shown.choose(Colours_up_to_the_largest_of="this head")
    shown.focus_pane()
    shown.keys(
        "Home",
        "ArrowRight",
        "ArrowRight",
        "ArrowDown",
        "ArrowDown",
        "ArrowUp",
        "l",
        "h",
        "h",
        "Shift+H",
    )
    check_numbers(shown, made.weights[0, 1, 1], (1, 1))
    shown.keys("Enter", "ArrowRight", "ArrowDown")  # held: arrows read single weights
    wanted = made.weights[0, 1, 1, 1 + 7, 1 + 14]
    said = shown.root.locator(".dlvc-extra").nth(1).text_content()
    assert abs(float(re.search(r"row 3, column 3: ([\d.]+)", said)[1]) / 100 - wanted) < 0.002
    check_numbers(shown, made.weights[0, 1, 1], (1, 1))
    shown.keys("Escape", "Home")
    check_numbers(shown, made.weights[0, 1, 1], None)
    assert "Readout, the class token, attends most to" in shown.text()
    for view in ("mean of 4 heads", "rollout up to", "relevance for class", "head 2 of 4"):
        shown.keys("v")
        assert view in shown.text()
    shown.keys("t")
    assert shown.root.locator(".dlvc-tables").is_hidden()


def test_hovers_repaint_at_once_and_ask_nobody(place, shown):
    name, _ = place
    shown.press("Table", on=False)
    places = list(shown.places().values())
    shown.root.evaluate("() => performance.clearMeasures('dlvc-repaint')")
    asked: list[str] = []
    main = shown.page.main_frame

    def listen(request: Any) -> None:
        if (
            request.frame != main or name == "saved page"
        ):  # JupyterLab itself asks its server now and then
            asked.append(request.url)

    shown.page.on("request", listen)
    for number in range(HOVERS):
        shown.page.mouse.move(*places[7 * number % len(places)])
    shown.page.remove_listener("request", listen)
    took = shown.root.evaluate(
        "() => performance.getEntriesByName('dlvc-repaint').map((each) => each.duration)"
    )
    median, slow = np.median(took), np.percentile(took, 95)
    print(f"{name}: {len(took)} repaints, median {median:.1f} ms, 95th percentile {slow:.1f} ms")
    assert len(took) >= HOVERS - 1
    assert asked == []
    assert median <= MEDIAN
    assert slow <= SLOWEST
