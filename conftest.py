"""What every test run has in common: the environment of the notebooks, and a floor under what nbval compares."""

from __future__ import annotations

import atexit
import os
import runpy
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from dlvc.config import SMOKE_ENVIRONMENT

SANITIZE = Path(__file__).parent / "tests" / "nbval_sanitize.cfg"

# The share of cells with output whose output is really compared. It may only rise.
COMPARED_FLOOR = 0.6

# Before anything imports torch, which reads OMP_NUM_THREADS. Kernels inherit these.
# Whoever sets one outside decides: DLVC_PROFILE=full CUDA_VISIBLE_DEVICES=0 pytest --nbval
for name, value in SMOKE_ENVIRONMENT.items():
    os.environ.setdefault(name, value)
# A reader's own IPython start-up files and runs would change outputs, and test runs would fill the reader's runs/.
for name in ("IPYTHONDIR", "DLVC_RUNS_DIR"):
    if name not in os.environ:
        os.environ[name] = tempfile.mkdtemp(prefix=f"dlvc-{name.lower()}-")
        atexit.register(shutil.rmtree, os.environ[name], ignore_errors=True)

# In the smoke profile nothing may leave this machine: neither this process nor a kernel, which inherits the path.
GUARD = Path(__file__).resolve().parent / "tests" / "no_network"
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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if anything asked for the network, even where nobody saw the error."""
    tried = Path(NETWORK_LOG).read_text(encoding="utf-8") if NETWORK_LOG else ""
    if tried:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(
            f"\nThe smoke profile needs no network, but this was tried:\n{tried}", red=True
        )


def pytest_configure(config: pytest.Config) -> None:
    """Let nbval leave out what tests/nbval_sanitize.cfg says, from whatever folder pytest was started."""
    if config.getoption("nbval_sanitize_with", None) is None:
        config.option.nbval_sanitize_with = str(SANITIZE)


@pytest.hookimpl(tryfirst=True)  # before -k and the like take cells away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Count the cells that nbval will compare, and refuse to run a check that has gone empty.

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
        return
    share = len(compared) / len(answering)
    config.stash[COMPARED] = (
        f"nbval compares {len(compared)} of {len(answering)} cells with output in {len(complete)} notebooks"
    )
    if share < COMPARED_FLOOR:
        raise pytest.UsageError(
            f"{config.stash[COMPARED]}: {share:.0%}, and the floor is {COMPARED_FLOOR:.0%}. Run the notebooks with "
            "`python -m dlvc notebooks`, and tag fewer cells nbval-ignore-output."
        )


COMPARED: pytest.StashKey[str] = pytest.StashKey()


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Return the line with the number of cells that are compared."""
    return config.stash.get(COMPARED, "")
