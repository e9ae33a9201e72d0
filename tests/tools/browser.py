"""Drives a Chromium that is there already, a JupyterLab of its own, and the attention viewer in either."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

READY = """path => {
  const panel = window.jupyterapp?.shell.currentWidget, context = panel?.sessionContext;
  return panel?.context?.path === path && panel.context.isReady && context.isReady &&
    context.session?.kernel?.connectionStatus === 'connected' && context.session.kernel.status === 'idle';
}"""
OPENED = """path => {
  const context = window.jupyterapp?.shell.currentWidget?.context;
  return context?.path === path && context.isReady;
}"""
OPEN_WITHOUT_KERNEL = """async path => {
  const never = {shouldStart: false, canStart: false, autoStartDefault: false};
  await window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook', kernelPreference: never});
}"""
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
ASK = f"""async code => {{
  let said = '';
  const future = {KERNEL}.requestExecute({{code, store_history: false}});
  future.onIOPub = ({{header, content}}) => {{
    if (header.msg_type === 'stream') said += content.text;
    if (header.msg_type === 'error') throw new Error(content.evalue);
  }};
  await future.done;
  return said;
}}"""
# What a reader would not notice, but keeps a test quiet: no questions, no autosave, all cells drawn.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
# The middle of each patch on a canvas, and which patches have a black line with a white one inside at their left.
READ_CANVAS = """(canvas, [rows, columns]) => {
  const {width, height} = canvas, pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const at = (x, y) => [...pixels.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)];
  const middles = [], framed = [];
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
    const middle = Math.floor((row + 0.5) * height / rows), left = Math.round(column * width / columns);
    middles.push(at(Math.floor((column + 0.5) * width / columns), middle));
    const [black, white] = [at(left, middle), at(left + canvas.fine, middle)];
    if (black.every((x) => x === 0) && white.every((x) => x === 255)) framed.push([row, column]);
  }
  return {middles, framed};
}"""


def find_browser() -> str | None:
    """The Chromium to use: that of DLVC_BROWSER, or the first on PATH."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("DLVC_BROWSER") or next(filter(None, map(shutil.which, names)), None)


class Lab:
    """A JupyterLab server with folders, port and token of its own; in a with statement, it ends with that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Path(tempfile.mkdtemp(prefix="dlvc-lab-"))
        self.token = secrets.token_hex(16)
        for name, value in SETTINGS.items():
            file = self.home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value), encoding="utf-8")
        places = {
            "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython",
        }  # fmt: skip
        self.environment = {
            **os.environ,
            **{name: str(self.home / place) for name, place in places.items()},
            "JUPYTER_TOKEN": self.token,
            "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel is of the environment that the tests run in
        }

    def __enter__(self) -> Lab:
        command = [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0",
            "--ServerApp.allow_root=True", f"--ServerApp.root_dir={self.folder}",
            "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
            f"--FileCheckpoints.checkpoint_dir={self.home / 'checkpoints'}",
        ]  # fmt: skip
        with (self.home / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )
        try:
            self.url = self._wait(seconds=120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self, *, seconds: float) -> str:
        """The server's address, once it answers."""
        info = self.home / "runtime" / f"jpserver-{self.process.pid}.json"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            try:
                url = f"http://127.0.0.1:{json.loads(info.read_text())['port']}"
                opener.open(f"{url}/api/status?token={self.token}", timeout=5).close()
                return url
            except (OSError, ValueError):
                time.sleep(0.1)
        log = (self.home / "server.log").read_text(errors="replace").splitlines()
        raise RuntimeError("JupyterLab did not start:\n" + "\n".join(log[-15:]))

    def __exit__(self, *_: object) -> None:
        self.process.terminate()  # the server ends its kernels
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def open(self, page: Page, name: str, *, ready: str = READY) -> None:
        """Open a notebook in a workspace of its own, so that no other is restored beside it."""
        workspace = secrets.token_hex(4)
        page.goto(f"{self.url}/lab/workspaces/{workspace}/tree/{name}?token={self.token}")
        page.wait_for_function(ready, arg=name, timeout=120_000)

    def open_cells(self, page: Page, name: str, cells: list[str]) -> None:
        """Store a notebook of these cells and open it."""
        kernel = {"name": "python3", "display_name": "Python 3"}
        made = new_notebook(cells=list(map(new_code_cell, cells)), metadata={"kernelspec": kernel})
        nbformat.write(made, self.folder / name)
        self.open(page, name)
        page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def read(self, name: str) -> nbformat.NotebookNode:
        """A notebook of the server's folder."""
        return nbformat.read(self.folder / name, as_version=4)

    def write(self, notebook: nbformat.NotebookNode, name: str, *, trusted: bool) -> None:
        """Store a notebook in the server's folder; one that is not trusted may not run what is in its outputs."""
        if not trusted:
            notebook.cells[0].source += "\n# changed"  # trust goes by the content
        nbformat.write(notebook, self.folder / name)
        if trusted:
            command = [sys.executable, "-m", "jupyter", "trust", str(self.folder / name)]
            subprocess.run(command, env=self.environment, check=True, capture_output=True)


def run_all(page: Page) -> None:
    """Run all cells of the open notebook."""
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")


def watch_errors(page: Page) -> list[str]:
    """A list that what goes wrong on the page is added to: errors of scripts, and what the console calls one."""
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    return errors


def ask(page: Page, code: str) -> str:
    """What the kernel of the open notebook prints for `code`."""
    return page.evaluate(ASK, code).strip()


class ViewerPage:
    """An attention viewer on a page, in a frame or not, as its reader has it."""

    def __init__(self, page: Page, root: Locator, patch_grid: tuple[int, int]) -> None:
        self.page, self.root, self.patch_grid = page, root, patch_grid
        root.locator(".dlvc-text").wait_for(timeout=60_000)

    def choose(self, **choices: str | float) -> None:
        """Set controls by their labels, with _ for a space; of two alike, the first."""
        for label, value in choices.items():
            control = self.root.get_by_label(label.replace("_", " "), exact=True).first
            if isinstance(value, str):
                control.select_option(label=value)
            else:
                control.fill(str(value))

    def press(self, button: str, *, on: bool = True) -> None:
        """Press a button that stays down, unless it is as wanted."""
        element = self.root.get_by_role("button", name=button, exact=True)
        if element.get_attribute("aria-pressed") != str(on).lower():
            element.click()

    def canvas(self, title: str, pane: int = 0) -> Locator:
        """The canvas of the "image", of what is "given" or of what is "taken"."""
        squares = self.root.locator(".dlvc-pane").nth(pane).locator(".dlvc-square")
        return squares.nth(("image", "given", "taken").index(title)).locator("canvas")

    def places(self) -> dict[tuple[int, int], tuple[float, float]]:
        """Where the middle of each patch (row, column), from 0, of the image is in the window."""
        image = self.canvas("image")
        image.scroll_into_view_if_needed()
        box, (rows, columns) = image.bounding_box(), self.patch_grid
        return {
            (row, column): (
                box["x"] + (column + 0.5) * box["width"] / columns,
                box["y"] + (row + 0.5) * box["height"] / rows,
            )
            for row in range(rows)
            for column in range(columns)
        }

    def point(self, patch: tuple[int, int]) -> None:
        """Move the mouse to a patch."""
        self.page.mouse.move(*self.places()[patch])

    def read(self, canvas: str | Locator, pane: int = 0) -> dict[str, Any]:
        """The colour in the middle of each patch, (rows * columns, 3), and which patches are framed."""
        if isinstance(canvas, str):
            canvas = self.canvas(canvas, pane)
        seen = canvas.evaluate(READ_CANVAS, list(self.patch_grid))
        framed = [tuple(patch) for patch in seen["framed"]]
        return {"colors": np.array(seen["middles"]), "framed": framed}

    def text(self) -> str:
        return self.root.locator(".dlvc-text").text_content()

    def tables(self) -> list[np.ndarray]:
        """The numbers of the table view, in percent, patches row by row."""
        script = "(table) => [...table.querySelectorAll('tbody td')].map((cell) => Number(cell.textContent))"
        tables = self.root.locator(".dlvc-tables table").all()
        return [np.array(table.evaluate(script)) for table in tables]

    def focus_pane(self) -> None:
        """Reach the patches by Tab from the first control."""
        self.root.locator("select").first.focus()
        for _ in range(40):
            self.page.keyboard.press("Tab")
            if self.root.locator(".dlvc-pane").first.evaluate("(pane) => pane.matches(':focus')"):
                return
        raise AssertionError("Tab never reached the patches")

    def keys(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)
