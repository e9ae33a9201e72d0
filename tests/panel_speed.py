"""Measure what the training panel costs: `python tests/panel_speed.py [CYCLES]`. Prints; asserts nothing about seconds.

1. How much slower a training is in the panel's thread, with its live curves, than in a plain call.
2. How long each kind of interaction takes while a training goes on.
3. What so many starts and stops leave of threads and memory.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from dlvc.data import load_data
from dlvc.experiments import config_for
from dlvc.running import run_experiment
from dlvc.widgets import TrainingPanel

KEY, EPOCHS, ROUNDS = "deep-cnn-bn", 4, 3


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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(slowdown(Path(name)))
        print("\n".join(interactions(Path(name))))
        print(leaks(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else 100))
