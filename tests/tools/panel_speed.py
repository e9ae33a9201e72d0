"""Measure what the training panel costs: `python panel_speed.py [CYCLES]`. Prints; asserts nothing about seconds.

1. How much slower a training is in the panel's thread, with its live curves, than in a plain call.
2. How long each kind of interaction takes while a training goes on.
3. What so many starts and stops leave of threads and memory.

`python panel_speed.py --browser` measures in a JupyterLab of its own, inside the page, how long each control of
the panel and of the explorers takes from the learner's event to its answer: idle, and while a training goes on.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from dlvc.data import load_data
from dlvc.experiments.registry import config_for
from dlvc.experiments.running import run_experiment
from dlvc.widgets import TrainingPanel

KEY, EPOCHS, ROUNDS = "deep-cnn-bn", 4, 3
CHANGES = 20  # of each control in the browser
CELLS = [
    """import torch
from dlvc.data import load_data
from dlvc.widgets import TrainingPanel, augmentation_explorer, kernel_explorer, layer_explorer
from dlvc.widgets import position_explorer

data = load_data("sketch10", sizes=(2_000, 500, 500), quiet=True)
panel = TrainingPanel("deep-cnn", data, profile="smoke")
panel.form.rows["epochs"].control.value = "900"
panel""",
    "augmentation_explorer(data.train, torch.arange(8))",
    "kernel_explorer()",
    "layer_explorer()",
    "position_explorer()",
]
# Where the answer to a control is read.
NOTE = "control.closest('.dlvc-row').querySelector('.widget-html').textContent"
BESIDE = "control.closest('.dlvc-row').querySelector('input').value"
COST = "control.closest('.dlvc-panel').querySelector('p').textContent"
OTHERS = (
    "[...control.closest('.dlvc-panel').querySelectorAll('select')].filter((each) => each !== control)"
    ".map((each) => each.value).join()"
)
CODE = "getComputedStyle(control.closest('.dlvc-panel').querySelector('.widget-textarea')).display"
DRAWN = "control.closest('.jp-OutputArea-output').querySelector('svg[role=img]').getAttribute('aria-label')"
# Each control: its cell, its label, what is done to it in turn, and where its answer is read.
CONTROLS = {
    "type a learning rate": (0, "Learning rate", ["3", "0.002"], NOTE),
    "type epochs": (0, "Epochs", ["800", "900"], COST),
    "type a width": (0, "Width", ["8", "16"], COST),
    "move a slider": (0, "Dropout", ["ArrowLeft", "ArrowRight"], BESIDE),
    "choose a protocol": (0, "Protocol", ["tuned", "report"], OTHERS),
    "Copy as code": (0, "Copy as code", ["click"], CODE),
    "augmentation: epoch": (1, "Epoch", ["ArrowRight", "ArrowLeft"], DRAWN),
    "augmentation: mirrored": (1, "Mirrored", ["no image", "every image"], DRAWN),
    "filter: step": (2, "Step", ["ArrowRight", "ArrowLeft"], DRAWN),
    "filter: another": (2, "Filter", ["blur", "sharpen"], DRAWN),
    "layer: stride": (3, "Stride", ["ArrowRight", "ArrowLeft"], DRAWN),
    "positions: patch": (4, "Chosen patch", ["ArrowRight", "ArrowLeft"], DRAWN),
    "positions: numbers": (4, "Numbers in a code", ["ArrowRight", "ArrowLeft"], DRAWN),
}
# Looks at each change of the page and at each frame, as the value of a field can change without the page's changing.
MEASURE = """async (control, [acts, answer, count]) => {
  const read = new Function('control', `return ${answer}`), taken = [];
  for (let number = 0; number < count; number++) {
    const act = acts[number % acts.length], before = read(control), began = performance.now();
    if (act === 'click') control.click();
    else if (act.startsWith('Arrow')) control.dispatchEvent(new KeyboardEvent('keydown', {key: act, bubbles: true}));
    else {
      const same = (option) => option.text.replaceAll('\\u00a0', ' ') === act; // ipywidgets' blanks do not break
      control.value = control.tagName === 'SELECT' ? [...control.options].find(same).value : act;
      for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind, {bubbles: true}));
    }
    const value = await new Promise((resolve, reject) => {
      let ended = false;
      const watcher = new MutationObserver(look);
      function look() {
        if (ended || read(control) === before) return;
        ended = true;
        watcher.disconnect();
        resolve(performance.now() - began);
      }
      const frame = () => {
        look();
        if (performance.now() - began > 10000) reject(new Error(`no answer to ${act}`));
        if (!ended) requestAnimationFrame(frame);
      };
      watcher.observe(control.closest('.jp-OutputArea-output'),
        {subtree: true, childList: true, characterData: true, attributes: true});
      requestAnimationFrame(frame);
    });
    taken.push(value);
    await new Promise((resolve) => setTimeout(resolve, 80 + 40 * Math.random()));
  }
  return taken;
}"""


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def memory() -> float:
    """This process's memory in MB, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def slowdown(folder: Path) -> str:
    """Train plainly and in the panel in turn, and compare the medians."""
    data = load_data("sketch10", sizes=(2_000, 500, 500), quiet=True)
    config = config_for(KEY, data, profile="smoke", epochs=EPOCHS)
    panel = TrainingPanel(KEY, data, profile="smoke", folder=folder, epochs=EPOCHS)
    panel.controls.fresh.value = True

    def plainly() -> None:
        run_experiment(
            KEY, data, config, profile="smoke", folder=folder, fresh=True, progress=False
        )

    def in_the_panel() -> None:
        panel.controls.run.click()
        panel.wait()

    plainly()
    times = [(seconds(plainly), seconds(in_the_panel)) for _ in range(ROUNDS)]
    plain, threaded = (median(column) for column in zip(*times, strict=True))
    return f"plain {plain:.2f} s, in the panel {threaded:.2f} s: {threaded / plain - 1:+.1%}"


def interactions(folder: Path) -> list[str]:
    """Work every kind of control while a training goes on."""
    data = load_data("sketch10", sizes=(2_000, 500, 500), quiet=True)
    panel = TrainingPanel(KEY, data, profile="smoke", folder=folder)
    rows, controls = panel.form.rows, panel.controls
    rows["epochs"].control.value = "500"
    panel._first_seen()
    controls.run.click()
    while not (panel._progress and panel._progress.steps):
        time.sleep(0.01)
    rates, widths = ["0.002", "3", "0.001"], ["8", "x", "16"]
    acts = {
        "type a learning rate": lambda n: setattr(rows["learning_rate"].control, "value", rates[n]),
        "type a width": lambda n: setattr(rows["width"].control, "value", widths[n]),
        "move a slider": lambda n: setattr(rows["dropout"].slider, "value", [0.1, 0.2, 0.3][n]),
        "choose a protocol": lambda n: setattr(
            controls.protocol, "value", ["tuned", "report", "tuned"][n]
        ),
        "Reset": lambda n: controls.reset.click(),
        "Copy as code": lambda n: setattr(controls.as_code, "value", n % 2 == 0),
        "Look again": lambda n: panel.history.refresh.click(),
        "choose runs": lambda n: setattr(
            panel.history.list, "value", tuple(list(panel.history.records)[: n % 3])
        ),
        "compute in another cell": lambda n: sum(range(10_000)),
    }
    lines = []
    for name, act in acts.items():
        taken = []
        for round in range(12):
            time.sleep(0.03)
            taken.append(1000 * seconds(lambda act=act, round=round: act(round % 3)))
        lines.append(f"{name:26} median {median(taken):5.1f} ms, slowest {max(taken):5.1f} ms")
    lines.append(f"{'Stop to stopped':26} {seconds(lambda: (panel.stop(), panel.wait())):.2f} s")
    return lines


def leaks(folder: Path, cycles: int) -> str:
    """Start and stop so many times."""
    data = load_data("sketch10", sizes=(300, 100, 100), quiet=True)
    panel = TrainingPanel("simple-cnn", data, profile="smoke", folder=folder, epochs=1000)
    panel.controls.fresh.value = True

    def cycle() -> None:
        panel.controls.run.click()
        while not (panel._progress and panel._progress.steps):
            panel.wait(0.001)
        panel.stop()
        panel.wait()

    for _ in range(3):
        cycle()
    gc.collect()
    threads, before = threading.active_count(), memory()
    for _ in range(cycles):
        cycle()
    gc.collect()
    more = threading.active_count() - threads
    return f"{cycles} starts and stops: {more:+} threads, {memory() - before:+.1f} MB"


def find_control(output: Any, label: str, act: str) -> Any:
    """The element of a cell's output that `act` is done to: a slider's knob, a field, a list or a button."""
    if act == "click":
        return output.get_by_role("button", name=label)
    if not act.startswith("Arrow"):
        return output.get_by_label(label, exact=True)
    rows = output.locator(".dlvc-row, .widget-slider")
    text = output.page.locator(".widget-label").get_by_text(label, exact=True)
    return rows.filter(has=text).first.locator(".noUi-handle")


def browser_answers(folder: Path) -> None:
    """Print how long each control takes to be answered in a JupyterLab, idle and in training."""
    from browser import Lab, ask, find_browser, run_all
    from playwright.sync_api import sync_playwright

    os.environ.pop("OMP_NUM_THREADS", None)  # as many threads as a learner's kernel would take
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    with sync_playwright() as playwright, Lab(folder) as lab:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1700})
        lab.open_cells(page, "speed.ipynb", CELLS)
        run_all(page)
        page.locator("svg[role=img]").nth(5).wait_for(timeout=120_000)
        page.get_by_text("on this device").first.wait_for(timeout=60_000)

        def measure() -> float:
            """Work every control in turn; the panel's steps in a second meanwhile."""
            steps = "print(panel._progress.finished_steps if panel._progress else 0)"
            began, before = time.perf_counter(), int(ask(page, steps))
            for name, (cell, label, acts, answer) in CONTROLS.items():
                outputs = page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")
                control = find_control(outputs.first, label, acts[0])
                control.scroll_into_view_if_needed()
                show(name, control.evaluate(MEASURE, [acts, answer, CHANGES]))
            return (int(ask(page, steps)) - before) / (time.perf_counter() - began)

        print("idle")
        measure()
        print("in training")
        page.locator(".dlvc-panel").get_by_role("button", name="Run").click()
        page.get_by_text("images/s").wait_for(timeout=60_000)
        page.wait_for_timeout(2_000)
        pace = ask(page, "print(panel._progress.images_per_second)")
        steps = measure()
        ask(page, "panel.stop(); panel.wait()")
        browser.close()
    print(f"images/s: {float(pace):.0f} before, {64 * steps:.0f} while controls are worked")


def show(name: str, taken: list[float]) -> None:
    """Print the median and the 95th percentile of milliseconds."""
    late = quantiles(taken, n=20)[-1]
    print(f"{name:26} median {median(taken):5.0f} ms, 95% within {late:5.0f} ms", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--browser"]:
        with tempfile.TemporaryDirectory() as name:
            browser_answers(Path(name))
        sys.exit()
    with tempfile.TemporaryDirectory() as name:
        print(slowdown(Path(name)))
        print("\n".join(interactions(Path(name))))
        print(leaks(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else 100))
