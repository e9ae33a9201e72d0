"""What every test run has in common: the environment of the notebooks, workers, and a floor under what nbval compares.

The tests run on all cores (pytest-xdist). Each worker, and the process that leads them, reads this file.
"""

from __future__ import annotations

import atexit
import os
import runpy
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from dlvc.config import SMOKE_ENVIRONMENT

PROJECT = Path(__file__).resolve().parent
SANITIZE = PROJECT / "tests" / "nbval_sanitize.cfg"

# The share of cells with output whose output is really compared. It may only rise.
COMPARED_FLOOR = 0.6

MOST_WORKERS = 8  # each holds a torch; the longest notebook takes as long on any number of them
# Files of which one worker runs all: they share one JupyterLab.
BROWSER_TESTS = "_browser.py"
# What takes longest starts first, so that no core idles at the end: files and folders, in this order.
LONGEST = (
    BROWSER_TESTS,
    "notebooks/",
    "tests/training/",
    "tests/lessons/",
    "tests/widgets/",
    "tests/data/",
)

# Before anything imports torch, which reads OMP_NUM_THREADS. Kernels and workers inherit these.
# Whoever sets one outside decides: DLVC_PROFILE=full CUDA_VISIBLE_DEVICES=0 pytest --nbval
for name, value in SMOKE_ENVIRONMENT.items():
    os.environ.setdefault(name, value)
# A reader's own IPython start-up files and runs would change outputs, and test runs would fill the reader's runs/.
# Each worker has folders of its own inside those of the process that leads them.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
for name in ("IPYTHONDIR", "DLVC_RUNS_DIR"):
    if name not in os.environ:
        os.environ[name] = tempfile.mkdtemp(prefix="dlvc-test-")
        atexit.register(shutil.rmtree, os.environ[name], ignore_errors=True)
    elif WORKER and Path(os.environ[name]).name.startswith("dlvc-test-"):
        os.environ[name] = str(Path(os.environ[name]) / WORKER)

# In the smoke profile nothing may leave this machine: neither this process nor a kernel, which inherits the path.
GUARD = PROJECT / "tests" / "no_network"
if os.environ["DLVC_PROFILE"] == "smoke" and GUARD.is_dir():
    if "DLVC_NETWORK_LOG" not in os.environ:
        handle, os.environ["DLVC_NETWORK_LOG"] = tempfile.mkstemp(prefix="dlvc-network-")
        os.close(handle)
        atexit.register(os.unlink, os.environ["DLVC_NETWORK_LOG"])
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(GUARD), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    runpy.run_path(str(GUARD / "sitecustomize.py"))
NETWORK_LOG = os.environ.get("DLVC_NETWORK_LOG", "")

COMPARED: pytest.StashKey[dict[str, int]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Let nbval leave out what tests/nbval_sanitize.cfg says, from whatever folder pytest was started."""
    config.stash[COMPARED] = {}
    if config.getoption("nbval_sanitize_with", None) is None:
        config.option.nbval_sanitize_with = str(SANITIZE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """The number of workers: the processors that this process may use; none for single files, which are soon done."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # pytest-xdist reads it
    if not any(Path(argument).is_dir() for argument in config.args):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, MOST_WORKERS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The way tests are handed out: file by file, and all files with a browser to one worker."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope = super()._split_scope(nodeid)
            return BROWSER_TESTS if scope.endswith(BROWSER_TESTS) else scope

    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)  # before -k and the like take cells away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, and run nothing if nbval's comparison has gone empty."""
    items.sort(key=lambda item: [place not in item.nodeid.partition("::")[0] for place in LONGEST])
    config.stash[COMPARED] = count_compared(items)
    if is_below_floor(config):
        items.clear()


def count_compared(items: list[pytest.Item]) -> dict[str, int]:
    """The numbers of notebooks, of their cells with output, and of those that nbval will compare; empty without any.

    nbval compares nothing in a cell without an execution count, nor in one that is tagged: a stripped notebook passes.
    Only notebooks of which every cell was asked for are counted.
    """
    notebooks = defaultdict(list)
    for item in items:
        if type(item).__name__ == "IPyNbCell":
            notebooks[item.path].append(item)
    complete = [
        cells
        for cells in notebooks.values()
        if len(cells) == sum(cell.cell_type == "code" for cell in cells[0].parent.nb.cells)
    ]
    cells = [item for group in complete for item in group]
    answering = [item for item in cells if item.cell.outputs or item.cell.execution_count is None]
    compared = [
        item
        for item in answering
        if item.options["check"] and item.cell.outputs and item.cell.execution_count is not None
    ]
    if not answering:
        return {}
    return {"notebooks": len(complete), "answering": len(answering), "compared": len(compared)}


def is_below_floor(config: pytest.Config) -> bool:
    """Whether nbval would compare too little."""
    counts = config.stash[COMPARED]
    return bool(counts) and counts["compared"] < COMPARED_FLOOR * counts["answering"]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker has counted; each counts all."""
    if output := getattr(node, "workeroutput", None):  # a worker that died leaves none
        node.config.stash[COMPARED] = output["compared"]


@pytest.hookimpl(tryfirst=True)  # a worker's counts travel with the end of its session
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if nbval would compare too little, or if anything asked for the network, seen or not."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["compared"] = config.stash[COMPARED]
    elif is_below_floor(config):
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    elif network_log():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def network_log() -> str:
    """What was tried on the network, a line a call."""
    return Path(NETWORK_LOG).read_text(encoding="utf-8") if NETWORK_LOG else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much nbval compares, and what was wrong with the run as a whole."""
    config = terminalreporter.config
    if counts := config.stash[COMPARED]:
        terminalreporter.write_line(
            "nbval compares {compared} of {answering} cells with output in {notebooks} notebooks".format(
                **counts
            )
        )
    if is_below_floor(config):
        terminalreporter.write_line(
            f"That is below the floor of {COMPARED_FLOOR:.0%}, so nothing was run. Run the notebooks with "
            "`python -m dlvc notebooks`, and tag fewer cells nbval-ignore-output.",
            red=True,
        )
    if tried := network_log():
        terminalreporter.write_line(
            f"The smoke profile needs no network, but this was tried:\n{tried}", red=True
        )
