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
from browser import OPEN_WITHOUT_KERNEL, OPENED, Lab, ViewerPage, ask, run_all
from matplotlib.image import imread

from dlvc.inspection.attention import attention_maps
from dlvc.lessons.notebooks import tidy_notebook
from dlvc.plots.attention_maps import ATTENTION_COLORS, DIFFERENCE_COLORS

pytestmark = pytest.mark.slow

SETUP = Path(__file__).parents[1] / "tools" / "small_viewers.py"
GRID = (6, 6)
CELLS = [
    "import runpy\n\nglobals().update(runpy.run_path('small_viewers.py'))",
    "viewer",
    "compared",
    "viewer.live()",
    "compared.live()",
]
STATIC, STATIC_COMPARED, LIVE, LIVE_COMPARED = range(1, 5)  # the cells that show something
KERNELS = ("kernel idle", "kernel busy", "kernel shut down")
PLACES = (*(place for kernel in KERNELS for place in (kernel, f"live, {kernel}")), "saved page")
VIEWS = {
    "head": "one head",
    "mean": "mean of the heads",
    "rollout": "rollout",
    "relevance": "relevance",
}
# The name of what has the focus and the width of its outline; the names of all that Tab should reach.
NAME = (
    "(each) => `${each.tagName} ${each.id || each.getAttribute('aria-label') || each.textContent}`"
)
FOCUSED = f"""() => {{
  const name = {NAME}, each = document.activeElement, look = getComputedStyle(each);
  if (each === document.body) return [null, 0];
  return [name(each), look.outlineStyle === 'none' ? 0 : parseFloat(look.outlineWidth)];
}}"""
CONTROLS = f"""(root) => [...root.querySelectorAll('select, input, button, summary, [tabindex]')]
  .filter((each) => each.checkVisibility() && !each.disabled && each.tabIndex >= 0).map({NAME})"""
HOVERS = 50  # whose time is printed (pytest -s)


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
    stored: nbformat.NotebookNode | None = None
    asleep: bool = False

    def viewer(self, cell: int) -> ViewerPage:
        output = self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")
        frame = output.frame_locator("iframe")
        inside = frame if cell in (STATIC, STATIC_COMPARED) else output
        return ViewerPage(self.page, inside.locator(".dlvc-viewer"), GRID)

    def kernel(self, wanted: str) -> None:
        """Leave the kernel "idle", let it sleep, "busy", or shut it down: only ever later in this list."""
        session = "window.jupyterapp.shell.currentWidget.sessionContext"
        if wanted == "busy" and not self.asleep:
            # Once: a sleeping kernel still answers on its control channel, after which its status reads "idle".
            self.asleep = True
            code = "import time; time.sleep(600)"
            self.page.evaluate(
                f"code => {{ {session}.session.kernel.requestExecute({{code}}) }}", code
            )
            self.page.wait_for_function(f"{session}.session.kernel.status === 'busy'")
        elif wanted == "shut down" and self.page.evaluate(f"!!{session}.session"):
            self.page.evaluate(f"{session}.shutdown()")


@pytest.fixture(scope="module")
def notebook(chromium: Any, lab: Lab) -> Iterator[Notebook]:
    shutil.copy(SETUP, lab.folder)
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    lab.open_cells(page, "viewer.ipynb", CELLS)
    run_all(page)
    opened = Notebook(lab, page)
    for cell in (STATIC, STATIC_COMPARED, LIVE, LIVE_COMPARED):
        opened.viewer(cell)  # waits for it
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    opened.stored = lab.read("viewer.ipynb")
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
def place(request, saved, chromium) -> Iterator[tuple[str, ViewerPage]]:
    """The viewer of the model with a class token, in each place where a reader may have it."""
    if request.param == "saved page":
        opened = OpenedFile(chromium, saved["viewer"])
        yield request.param, opened.viewer()
        opened.page.close()
        assert opened.refused == []
    else:
        notebook = request.getfixturevalue("notebook")
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
        where = (
            f"layer {layer} of 3, head {head} of 4. Query patch row {row + 1}, column {column + 1} "
        )
        assert where in shown.text()


def test_the_keyboard_alone_reaches_the_same_numbers(shown, made):
    shown.choose(Colours_up_to_the_largest_of="this head")
    shown.focus_pane()
    shown.keys("Home", *2 * ["ArrowRight"], *2 * ["ArrowDown"], "ArrowUp", "l", "h", "h", "Shift+H")
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


def test_each_hover_repaints_and_asks_nobody(place, shown):
    name, _ = place
    shown.press("Table", on=False)
    places = list(shown.places().values())
    shown.root.evaluate("() => performance.clearMeasures('dlvc-repaint')")
    asked: list[str] = []
    main = shown.page.main_frame

    def listen(request: Any) -> None:
        # JupyterLab itself asks its server now and then.
        if request.frame != main or name == "saved page":
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


# The page alone.


def test_the_page_says_what_python_describes(one, several, made):
    for shown, viewer in ((one, made.viewer), (several, made.compared)):
        for view, words in VIEWS.items():
            shown.choose(Show=words)
            viewer.show(view=view)
            if view == "relevance":
                shown.choose(for_class="frog")
                viewer.show(class_name="frog")
            shown.point((3, 4))
            assert shown.text() == viewer.show(patch=(4, 5)).describe()
            shown.press("Readout")
            assert shown.text() == viewer.show(patch=None).describe()
        shown.choose(Show="one head", Image=viewer.names[1])
        assert shown.text() == viewer.show(view="head", image=2).describe()


def test_comparing_shows_the_signed_difference(several, made):
    several.press("Compare")
    several.choose(Model="Training", Map_over_image=100, Colours_up_to_the_largest_of="this patch")
    several.root.get_by_label("Model", exact=True).nth(1).select_option(label="Other")
    several.point((2, 3))
    given, taken = (made.compared.series[name] for name in ("Training", "Other"))
    first, second = (
        frames[name].weights[0, 0, 0].double().numpy()
        for frames, name in ((given, "epoch 1"), (taken, ""))
    )
    token = 2 * GRID[1] + 3
    top = max(
        each.max() for matrix in (first, second) for each in (matrix[token], matrix[:, token])
    )
    for place, wanted in enumerate((second[token] - first[token], (second - first)[:, token])):
        canvas = several.root.locator(".dlvc-difference canvas[role=img]").nth(place)
        seen = several.read(canvas)
        assert seen["framed"] == [(2, 3)]
        values = (2 * decode(seen["colors"], DIFFERENCE_COLORS) - 1) * top
        assert np.abs(wanted).max() > 0.2 * top
        np.testing.assert_allclose(values, wanted, rtol=0, atol=2 * top / 510 + 2 * top / 510)
    assert several.read("image", pane=1)["framed"] == [(2, 3)]  # the panes are linked
    made.compared.show(
        model="Training", image=1, view="head", patch=(3, 4), other={"model": "Other"}
    )
    assert several.text() == made.compared.describe()
    made.compared.show(other=None)


def test_the_slider_and_play_move_through_the_epochs(several, made):
    several.choose(Model="Training", Map_over_image=100, Colours_up_to_the_largest_of="this patch")
    several.point((0, 2))
    slider = several.root.get_by_label("Epoch", exact=True).first

    def check(epoch: int) -> None:
        weights = made.training[epoch].weights[0, 0, 0].double().numpy()
        given, taken = weights[2], weights[:, 2]
        top = max(given.max(), taken.max())
        values = decode(several.read("given")["colors"], ATTENTION_COLORS) * top
        np.testing.assert_allclose(values, given, rtol=0, atol=top / 255)
        assert f"Training, epoch {epoch}, image 1" in several.text()

    slider.focus()
    several.keys("ArrowLeft")
    check(0)
    several.keys("ArrowRight")
    check(1)
    several.root.get_by_role("button", name="Play").click()
    assert wait_for(lambda: "epoch 0" in several.text(), True)
    assert wait_for(lambda: "epoch 1" in several.text(), True)
    several.root.get_by_role("button", name="Pause").click()


def test_the_small_maps_choose_layer_and_head_by_mouse_and_arrows(one):
    cells = one.root.get_by_role("radio")
    assert cells.count() == 3 * (4 + 2)
    one.root.get_by_role("radio", name=re.compile("^layer 2, head 3;")).click()
    assert "layer 2 of 3, head 3 of 4" in one.text()
    for key, words in (
        ("ArrowDown", "layer 3 of 3, head 3 of 4"),
        ("ArrowRight", "layer 3 of 3, head 4 of 4"),
        ("ArrowRight", "layer 3 of 3, mean of 4 heads"),
        ("ArrowRight", "rollout up to layer 3 of 3"),
        ("ArrowUp", "rollout up to layer 2 of 3"),
    ):
        one.keys(key)
        assert words in one.text()
        assert one.root.locator("[role=radio]:focus").get_attribute("aria-checked") == "true"


def test_tab_reaches_every_control_and_the_focus_is_seen(several):
    several.press("Compare")
    several.press("Table")
    several.page.mouse.click(1, 1)
    reached = []
    for _ in range(60):
        several.keys("Tab")
        name, outline = several.page.evaluate(FOCUSED)
        if name in reached:
            break
        if name:
            reached.append(name)
            assert outline >= 2, name
    wanted = several.root.evaluate(CONTROLS)
    assert len(wanted) > 20
    assert set(wanted) == set(reached)


def test_the_live_region_says_what_is_shown(one):
    one.point((2, 2))
    assert wait_for(one.root.locator("[aria-live]").text_content, one.text()) == one.text()
    assert len(re.findall(r"\(\d+\.\d\s%\)", one.text().split("It is attended")[0])) == 5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_serious_issue(open_file, saved, theme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    ).Axe()
    for name, view in (("viewer", "relevance"), ("compared", "one head")):
        shown = open_file(saved[name], color_scheme=theme).viewer()
        shown.press("Table")
        shown.press("Compare")
        shown.root.locator("summary").click()
        shown.choose(Show=view)
        found = axe.run(shown.page).response
        assert len(found["passes"]) > 10
        print(theme, name, [(each["id"], each["impact"]) for each in found["violations"]])
        serious = [
            each for each in found["violations"] if each["impact"] in ("serious", "critical")
        ]
        assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []


def test_the_saved_picture_is_four_times_as_fine_and_has_a_colour_bar(several, tmp_path):
    several.press("Compare")
    with several.page.expect_download() as download:
        several.root.get_by_role("button", name="Save PNG").click()
    download.value.save_as(tmp_path / "attention.png")
    picture = np.rint(255 * imread(tmp_path / "attention.png")[..., :3]).astype(int)
    box = several.root.locator(".dlvc-pane").first.bounding_box()
    assert picture.shape[1] >= 4 * box["width"]
    for name in (ATTENTION_COLORS, DIFFERENCE_COLORS):
        assert longest_bar(picture, name) > 4 * box["width"] / 2, name


def longest_bar(picture: np.ndarray, name: str) -> int:
    """The width in dots of the longest run from the first colour of a colour map to its last, through all others."""
    table = matplotlib.colormaps[name](np.linspace(0, 1, 33), bytes=True)[:, :3].astype(int)
    longest = 0
    for row in picture[::8]:
        first, last = (
            np.flatnonzero((np.abs(row - table[end]) <= 3).all(axis=1)) for end in (0, -1)
        )
        if len(first) and len(last) and first[0] < last[-1]:
            run = row[np.linspace(first[0], last[-1], 33).astype(int)]
            if np.abs(run - table).max() <= 20:
                longest = max(longest, last[-1] - first[0])
    return longest


# What is stored.


def test_nbconverts_page_works_without_a_network(notebook, open_file, made, tmp_path):
    nbconvert = pytest.importorskip("nbconvert", reason="needs nbconvert")
    text, _ = nbconvert.HTMLExporter(embed_images=True).from_notebook_node(
        tidy_notebook(nbformat.from_dict(notebook.stored))
    )
    path = tmp_path / "notebook.html"
    path.write_text(text, encoding="utf-8")
    opened = open_file(path)
    frame = opened.page.frame_locator("iframe >> nth=0")
    shown = ViewerPage(opened.page, frame.locator(".dlvc-viewer"), GRID)
    shown.choose(Layer="2", Head="2", Map_over_image=100, Colours_up_to_the_largest_of="this head")
    shown.press("Table")
    shown.point((4, 1))
    check_numbers(shown, made.weights[0, 1, 1], (4, 1))
    opened.refused.clear()  # nbconvert's own page asks for scripts of its own


@pytest.fixture(scope="module")
def reopened(notebook: Notebook, chromium: Any) -> Iterator[Any]:
    """Opens a notebook that was stored the way `python -m dlvc notebooks` does it, without a kernel."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{notebook.lab.url}/lab/workspaces/stored?token={notebook.lab.token}")
    page.wait_for_function("window.jupyterapp?.restored")

    def opener(name: str, *, trusted: bool) -> Any:
        stored = tidy_notebook(nbformat.from_dict(notebook.stored))
        notebook.lab.write(stored, name, trusted=trusted)
        page.evaluate(OPEN_WITHOUT_KERNEL, name)
        page.wait_for_function(OPENED, arg=name)
        return page.locator(".jp-NotebookPanel:visible .jp-CodeCell")

    yield opener
    page.close()


def test_a_stored_notebook_shows_the_viewer_without_a_kernel(reopened, made):
    cells = reopened("stored.ipynb", trusted=True)
    page = cells.page
    frame = cells.nth(STATIC).frame_locator("iframe")
    shown = ViewerPage(page, frame.locator(".dlvc-viewer"), GRID)
    shown.choose(Layer="3", Head="1", Map_over_image=100, Colours_up_to_the_largest_of="this head")
    shown.press("Table")
    shown.point((1, 1))
    check_numbers(shown, made.weights[0, 2, 0], (1, 1))
    assert page.evaluate("!window.jupyterapp.shell.currentWidget.sessionContext.session")
    assert "model not found" not in page.locator("body").text_content()


def test_a_notebook_that_is_not_trusted_shows_a_picture_and_its_text(reopened, notebook):
    cells = reopened("untrusted.ipynb", trusted=False)
    picture = cells.nth(STATIC).locator("img")
    picture.wait_for()
    assert cells.locator("iframe").count() == 0
    described = next(
        output["metadata"]["image/png"]["alt"] for output in notebook.stored.cells[STATIC].outputs
    )
    assert picture.get_attribute("alt") == described
    assert picture.evaluate("(each) => each.naturalWidth") > 300
    assert "model not found" not in cells.page.locator("body").text_content()
