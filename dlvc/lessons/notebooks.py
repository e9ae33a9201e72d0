"""Run the notebooks in the smoke profile and store what they print: `python -m dlvc notebooks`.

The stored outputs are the reference that `pytest --nbval` compares with, so they are made in the same
environment as the tests (`SMOKE_ENVIRONMENT`) and tidied until a second run changes nothing: no widget
state, no timing, no progress bars, no trace of the program that saved the file last.
"""

from __future__ import annotations

import os
import queue
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlvc.config import SMOKE_ENVIRONMENT
from dlvc.files import PROJECT, write_whole

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOKS = PROJECT / "notebooks"
RUN_TAG = "nbval-ignore-output"  # the cell runs in the tests, its output is not compared

CELL_SECONDS = 180
KEPT_NOTEBOOK_METADATA = ("accelerator", "colab")  # they choose Colab's machine
KEPT_CELL_METADATA = ("cellView", "deletable", "editable", "jupyter", "tags")
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
PROGRESS_BAR = re.compile(r"\d+%\||\d+(it|\w+)? \[\d\d:\d\d")


class NotebookError(RuntimeError):
    """A notebook that cannot be found or does not run to its end."""


def find_notebooks(names: Iterable[str] | None = None, *, folder: Path = NOTEBOOKS) -> list[Path]:
    """The notebooks that `names` mean, all of `folder` without names.

    A name is a file's name or its beginning: `02_cnns.ipynb`, `02_cnns` and `02` are the same; `02b` is another.
    Raises NotebookError for a name that means no notebook or several.
    """
    available = sorted(folder.glob("*.ipynb"))
    if not names:
        return available
    paths = []
    for name in names:
        stem = Path(name).name.removesuffix(".ipynb")
        exact = [path for path in available if path.stem == stem]
        numbered = [path for path in available if path.stem.startswith(f"{stem}_")]
        matches = exact or numbered or [path for path in available if path.stem.startswith(stem)]
        if len(matches) != 1:
            problem = f"{name} could be any of {len(matches)}" if matches else f"no notebook {name}"
            choice = ", ".join(path.stem for path in matches or available) or "none"
            raise NotebookError(f"{problem} in {folder.name}/. Name one of: {choice}.")
        paths.append(matches[0])
    return list(dict.fromkeys(paths))


def run_notebooks(
    names: Iterable[str] | None = None, *, folder: Path = NOTEBOOKS, progress: bool = True
) -> list[Path]:
    """Run the notebooks and write them back with their new outputs: their paths.

    A notebook that stops with an error is left as it was, and none after it is run.
    Raises NotebookError naming the notebook, the cell and the error.
    """
    paths = find_notebooks(names, folder=folder)
    for path in paths:
        write_notebook(tidy_notebook(execute_notebook(path, progress=progress)), path)
    return paths


def execute_notebook(path: Path, *, progress: bool = True) -> NotebookNode:
    """The notebook at `path` with fresh outputs, made in the smoke profile in this environment.

    The kernel is this Python, whatever kernels are registered on the machine, started in the notebook's
    folder and without the user's own IPython settings.
    Raises NotebookError naming the notebook, the cell and the error.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import (
            CellExecutionError,
            CellTimeoutError,
            DeadKernelError,
        )
    except ModuleNotFoundError as error:
        raise NotebookError(
            f'Running notebooks needs {error.name}. Install it with: pip install -e ".[test]"'
        ) from None
    from tqdm.auto import tqdm

    notebook = nbformat.read(path, as_version=4)
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    started: list[NotebookNode] = []
    with (
        tempfile.TemporaryDirectory() as settings,
        tqdm(total=len(code_cells), desc=path.stem, unit="cell", disable=not progress) as bar,
    ):
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            kernel_manager_class=_steady_kernel_manager(),
            timeout=CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.parent)}},
            on_cell_start=lambda cell, cell_index: started.append(cell),
            on_cell_complete=lambda cell, cell_index: bar.update(cell.cell_type == "code"),
        )
        try:
            folders = {"IPYTHONDIR": settings, "DLVC_RUNS_DIR": str(Path(settings) / "runs")}
            client.execute(env={**os.environ, **SMOKE_ENVIRONMENT, **folders})
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            reason = str(error).splitlines()[0]
            if isinstance(error, CellExecutionError):
                reason = f"{error.ename}: {error.evalue}"
            number = next(i for i, cell in enumerate(code_cells) if cell is started[-1])
            raise NotebookError(
                f"{path.name} stopped at code cell {number} (counted from 0): {reason}. "
                "The file was left as it was."
            ) from error
    return notebook


def _steady_kernel_manager() -> type:
    """A manager that starts this Python, with a client whose wait for a reply cannot miss it.

    The wake-up for a reply that arrives while output is being captured is lost now and then, and nbclient
    then waits for the whole timeout (github.com/jupyter/nbclient/issues/312). Asking again every half
    second finds the reply, which has long been there.
    """
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import Type, default

    try:
        from jupyter_client.channels import AsyncZMQSocketChannel
    except ImportError:  # jupyter_client 7, which Colab has
        from jupyter_client.channels import ZMQSocketChannel as AsyncZMQSocketChannel

    class PatientChannel(AsyncZMQSocketChannel):
        async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
            deadline = float("inf") if timeout is None else time.monotonic() + timeout
            while True:
                left = max(0.0, deadline - time.monotonic())
                try:
                    return await super().get_msg(timeout=min(0.5, left))
                except queue.Empty:
                    if left <= 0.5:
                        raise

    class SteadyClient(AsyncKernelClient):
        shell_channel_class = Type(PatientChannel)

    class SteadyKernelManager(AsyncKernelManager):
        client_factory = Type(SteadyClient)

        @default("kernel_spec_manager")
        def _no_registered_kernels(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])

    return SteadyKernelManager


def tidy_notebook(notebook: NotebookNode) -> NotebookNode:
    """The same notebook, changed in place: without what differs from run to run or says nothing.

    Widgets keep their text form only: a view without its state is an error message on most pages.
    Progress bars go from run cells; a compared cell keeps all that the comparison will see.
    """
    metadata = {
        key: notebook.metadata[key] for key in KEPT_NOTEBOOK_METADATA if key in notebook.metadata
    }
    notebook.metadata.clear()
    notebook.metadata.update(metadata, kernelspec=dict(KERNEL), language_info={"name": "python"})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    identifiers: set[str] = set()
    for number, cell in enumerate(notebook.cells):
        for key in set(cell.metadata) - set(KEPT_CELL_METADATA):
            del cell.metadata[key]
        if cell.get("id") in identifiers | {None}:
            cell["id"] = f"cell-{number:03d}"
        identifiers.add(cell["id"])
        if cell.cell_type == "code":
            cell.outputs = _tidy_outputs(
                cell.outputs, run_cell=RUN_TAG in cell.metadata.get("tags", ())
            )
    return notebook


def _tidy_outputs(outputs: Sequence[NotebookNode], *, run_cell: bool) -> list[NotebookNode]:
    """The outputs worth keeping of one cell."""
    worth_keeping = []
    for output in outputs:
        data = output.get("data", {})
        is_widget = data.pop(WIDGET_VIEW, None) is not None
        text = output.get("text", data.get("text/plain", ""))
        is_bar = (is_widget or output.get("name") == "stderr") and PROGRESS_BAR.search(text)
        if not (run_cell and is_bar):
            worth_keeping.append(output)
    return worth_keeping


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write the whole notebook or nothing; a notebook that is the same already is not touched."""
    import nbformat

    text = nbformat.writes(notebook) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    write_whole(path, text.encode())
