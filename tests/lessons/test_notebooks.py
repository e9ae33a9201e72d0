"""Notebooks are run and stored so that `pytest --nbval` passes on them, and fails on any change of what they say."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from dlvc.lessons import notebooks
from dlvc.lessons.notebooks import (
    RUN_TAG,
    WIDGET_VIEW,
    NotebookError,
    find_notebooks,
    run_notebooks,
    tidy_notebook,
)

PROJECT = Path(__file__).resolve().parents[2]
# Importing hypothesis takes a second.
QUICKLY = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def pytest_nbval(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `pytest --nbval` in a folder that has the project's own settings and conftest.py."""
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(PROJECT / name, folder / name)
    (folder / "tests").mkdir()
    shutil.copy(PROJECT / "tests" / "nbval_sanitize.cfg", folder / "tests")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *QUICKLY, "--nbval", "--color=no", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )


def failed_cells(output: str) -> list[tuple[str, str]]:
    """Notebook and number of each failed cell in pytest's summary."""
    return re.findall(r"^FAILED \S*?([\w-]+)\.ipynb::Cell (\d+)", output, flags=re.MULTILINE)


@pytest.mark.slow
def test_one_changed_character_fails_at_exactly_its_cell(
    small_notebook_text: str, tmp_path: Path
) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "whole.ipynb").write_text(small_notebook_text)
    changed = small_notebook_text.replace('"scores: 2', '"scores: 3')
    assert changed != small_notebook_text
    (tmp_path / "notebooks" / "changed.ipynb").write_text(changed)
    done = pytest_nbval(tmp_path)
    assert failed_cells(done.stdout) == [("changed", "2")], done.stdout + done.stderr
    assert "1 failed, 7 passed" in done.stdout
    # Three of the four cells print, and the run cell among them is not compared.
    assert "nbval compares 4 of 6 cells with output in 2 notebooks" in done.stdout


@pytest.mark.slow
def test_a_stripped_notebook_is_refused(
    small_notebook: nbformat.NotebookNode, tmp_path: Path
) -> None:
    for cell in small_notebook.cells[1:]:
        cell.execution_count, cell.outputs = None, []
    (tmp_path / "notebooks").mkdir()
    nbformat.write(small_notebook, tmp_path / "notebooks" / "stripped.ipynb")
    done = pytest_nbval(tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "nbval compares 0 of 4 cells" in done.stdout
    assert "below the floor of 60%, so nothing was run" in done.stdout


VIEWER = """\
import torch
from dlvc.inspection.attention import AttentionRecording
from dlvc.widgets import AttentionViewer

weights = torch.full((1, 1, 1, 4, 4), 0.25)
recording = AttentionRecording(
    weights, weights[:, 0], torch.full((1, 2, 4), 0.25), torch.tensor([[0.75, 0.25]]), torch.full((1, 1, 1, 2), 0.5),
    patch_grid=(2, 2), patch_size=4, class_token=False,
)
AttentionViewer(recording, torch.zeros(1, 3, 8, 8), classes=("cat", "dog"), patch=(1, 2))"""
# Changes to what is stored of it: where, what, and whether nbval must notice.
SPOILED = {
    "another page": ("text/html", r'(?<=srcdoc=")[^"]+', "&lt;p&gt;other&lt;/p&gt;", False),
    "another picture": (
        "text/html",
        '(?<=<img src="data:image/png;base64,)[^"]+',
        "iVBORw0KGgo=",
        False,
    ),
    "another line": ("text/plain", "1 images", "2 images", True),
    "another sentence": ("text/html", '(?<=alt="ViT, image )1', "2", True),
    "another size": ("text/html", '(?<=width=")\\d+', "9", True),
    "no page": ("text/html", "<iframe.*</iframe>", "", True),
    "no picture": ("text/html", "<img[^>]*>", "", True),
}


@pytest.mark.slow
def test_of_a_viewer_all_but_its_page_and_picture_is_compared(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "viewer.ipynb"
    cells = [new_code_cell(VIEWER) for _ in ("the same", *SPOILED)]
    nbformat.write(new_notebook(cells=cells), path)
    run_notebooks(folder=path.parent, progress=False)
    notebook = nbformat.read(path, as_version=4)
    for cell, (kind, pattern, other, _) in zip(notebook.cells[1:], SPOILED.values(), strict=True):
        data = cell.outputs[0].data
        data[kind], times = re.subn(pattern, other, data[kind], flags=re.DOTALL)
        assert times == 1, pattern
    nbformat.write(notebook, path)
    done = pytest_nbval(tmp_path, "-n=0")
    noticed = [number for number, (*_, noticed) in enumerate(SPOILED.values(), start=1) if noticed]
    expected = [("viewer", str(number)) for number in noticed]
    assert failed_cells(done.stdout) == expected, done.stdout + done.stderr
    assert "nbval compares 8 of 8 cells with output in 1 notebooks" in done.stdout


def test_notebooks_run_in_the_smoke_profile_and_a_second_run_changes_no_byte(
    small_notebook_file: Path,
) -> None:
    before = small_notebook_file.read_bytes()
    assert b"'smoke'" in before
    assert run_notebooks(["07"], folder=small_notebook_file.parent, progress=False)
    assert small_notebook_file.read_bytes() == before
    assert [path.name for path in small_notebook_file.parent.iterdir()] == ["07_small.ipynb"]


def test_a_notebook_that_stops_is_named_with_its_cell_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "08_broken.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("x / 0")]), path)
    before = path.read_bytes()
    with pytest.raises(
        NotebookError, match=r"08_broken\.ipynb stopped at code cell 1 .*division by zero"
    ):
        run_notebooks(folder=tmp_path, progress=False)
    assert path.read_bytes() == before


def test_a_notebook_is_found_by_its_number_or_the_choice_is_named(tmp_path: Path) -> None:
    for stem in ("01_data", "02_cnns", "02b_inside_cnns"):
        (tmp_path / f"{stem}.ipynb").touch()
    for name in ("02_cnns.ipynb", "02_cnns", "02", "notebooks/02_cnns.ipynb"):
        assert find_notebooks([name], folder=tmp_path) == [tmp_path / "02_cnns.ipynb"]
    assert find_notebooks(["02b"], folder=tmp_path) == [tmp_path / "02b_inside_cnns.ipynb"]
    for name, message in (("09", "no notebook 09"), ("0", "could be any of 3")):
        with pytest.raises(NotebookError, match=rf"{message}.*Name one of: 01_data, 02_cnns, 02b"):
            find_notebooks([name], folder=tmp_path)


def test_tidying_keeps_what_is_compared_and_drops_what_differs() -> None:
    bar = {WIDGET_VIEW: {"model_id": "a1"}, "text/plain": "  0%|          | 0/10 [00:00<?, ?it/s]"}
    slider = {WIDGET_VIEW: {"model_id": "b2"}, "text/plain": "IntSlider(value=3)"}
    outputs = [
        new_output("display_data", data=dict(bar)),
        new_output("display_data", data=dict(slider)),
        new_output("stream", name="stderr", text=" 50%|#####     | 5/10 [00:01<00:01,  4.1it/s]"),
        new_output("stream", name="stdout", text="epoch 1"),
    ]
    cells = [
        new_code_cell(
            outputs=[*outputs], metadata={"tags": [RUN_TAG], "execution": {"busy": "now"}}
        ),
        new_code_cell(
            outputs=[new_output("display_data", data=dict(bar))], metadata={"scrolled": True}
        ),
    ]
    metadata = {
        "widgets": {},
        "kernelspec": {"name": "mine", "display_name": "Mine"},
        "accelerator": "GPU",
    }
    notebook = new_notebook(cells=cells, metadata=metadata)
    del notebook.cells[0]["id"]  # as in files older than nbformat 4.5
    tidy = tidy_notebook(notebook)
    run, compared = tidy.cells
    assert [output.get("text", output.get("data")) for output in run.outputs] == [
        {"text/plain": "IntSlider(value=3)"},
        "epoch 1",
    ]
    assert [output.data for output in compared.outputs] == [{"text/plain": bar["text/plain"]}]
    assert run.metadata == {"tags": [RUN_TAG]}
    assert compared.metadata == {}
    assert run.id == "cell-000"
    assert set(tidy.metadata) == {"accelerator", "kernelspec", "language_info"}
    assert tidy.metadata.kernelspec.name == "python3"


def test_a_reply_whose_wake_up_was_lost_is_found_at_the_next_look() -> None:
    looks = []

    class Socket:
        async def poll(self, timeout: int) -> bool:
            looks.append(timeout)
            return len(looks) == 2

        async def recv_multipart(self) -> list[bytes]:
            return [b"reply"]

    client_class = notebooks._steady_kernel_manager()().client_factory
    channel_class = client_class.shell_channel_class.default_value
    channel = channel_class.__new__(channel_class)
    channel.socket = Socket()
    channel.session = types.SimpleNamespace(
        feed_identities=lambda parts: ([], parts), deserialize=lambda parts: {"content": parts}
    )
    assert asyncio.run(channel.get_msg(timeout=180)) == {"content": [b"reply"]}
    assert looks == [500, 500]


# The set-up cells, the first two of every notebook: one for Colab, folded, and one that chooses the profile.

ADDRESS = "https://github.com/ada/course-work"
PAGE = f"{ADDRESS}/blob/fix/it/notebooks/"
GITHUB_SESSION = [{"path": "fileId=" + quote(f"{PAGE}02.ipynb", safe="")}]
DRIVE_SESSION = [{"path": "fileId=1p-Q5_x"}]
DRIVE_COPY = {"colab": {"provenance": [{"file_id": f"{ADDRESS}/blob/main/notebooks/02.ipynb"}]}}
INSTALL = [sys.executable, "-m", "pip", "install", "-q", "-e", "workbook"]


@pytest.fixture
def set_up_cells() -> tuple[str, str]:
    cells = nbformat.read(find_notebooks(["01"])[0], as_version=4).cells
    first, second = [cell for cell in cells if cell.cell_type == "code"][:2]
    assert first.metadata.jupyter.source_hidden
    return first.source, second.source


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the set-up cells give; none is carried out."""
    given: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: given.append(command))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("asked the network"))
    monkeypatch.setenv("DLVC_PROFILE", "smoke")
    return given


def enter_colab(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, session: object, metadata: object
) -> list[str]:
    """Let Colab's own module, session and empty machine be there; the addresses that are then asked for on GitHub."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.delitem(sys.modules, "colab", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    colab = types.ModuleType("google.colab")
    colab._message = types.SimpleNamespace(
        blocking_request=lambda name, timeout_sec: metadata and {"ipynb": {"metadata": metadata}}
    )
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setenv("COLAB_JUPYTER_IP", "172.28.0.12")
    monkeypatch.setenv("KMP_TARGET_PORT", "9000")
    asked = []

    def answer(address: str, timeout: float) -> io.BytesIO:
        if address == "http://172.28.0.12:9000/api/sessions":
            return io.BytesIO(json.dumps(session).encode())
        asked.append(address)
        return io.BytesIO((notebooks.NOTEBOOKS / "colab.py").read_bytes())

    monkeypatch.setattr("urllib.request.urlopen", answer)
    return asked


def test_set_up_does_nothing_but_choose_the_profile_where_dlvc_is_installed(
    set_up_cells: tuple[str, str], commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    for_colab, choose = set_up_cells
    exec(for_colab, {})
    exec(choose, {})
    assert os.environ["DLVC_PROFILE"] == "smoke"
    exec(choose.replace("PROFILE = None", 'PROFILE = "full"'), {})
    assert os.environ["DLVC_PROFILE"] == "full"
    assert commands == []
    assert capsys.readouterr() == ("", "")


def test_the_profile_is_chosen_in_three_lines(set_up_cells: tuple[str, str]) -> None:
    assert len([line for line in set_up_cells[1].splitlines() if line.strip()]) == 3


@pytest.mark.parametrize(
    ("session", "metadata", "branch"),
    [
        (GITHUB_SESSION, None, "fix/it"),
        (DRIVE_SESSION, DRIVE_COPY, "main"),
        (None, DRIVE_COPY, "main"),
    ],
    ids=["opened from GitHub", "a copy in Drive", "no session"],
)
def test_set_up_in_colab_fetches_the_workbook_it_was_opened_from(
    set_up_cells: tuple[str, str],
    commands: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    session: object,
    metadata: object,
    branch: str,
) -> None:
    asked = enter_colab(monkeypatch, tmp_path, session=session, metadata=metadata)
    exec(set_up_cells[0], {})
    assert asked == [f"{ADDRESS}/raw/{branch}/notebooks/colab.py"]
    clone, install = commands
    assert clone[:2] == ["git", "clone"]
    assert "--depth=1" in clone
    assert clone[-4:] == ["--branch", branch, ADDRESS, "workbook"]
    assert install == INSTALL
    assert sys.path[0] == str(tmp_path.resolve() / "workbook")


def test_set_up_in_colab_clones_once(
    set_up_cells: tuple[str, str],
    commands: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enter_colab(monkeypatch, tmp_path, session=GITHUB_SESSION, metadata=None)
    (tmp_path / "workbook").mkdir()
    exec(set_up_cells[0], {})
    assert commands == [INSTALL]


def test_set_up_in_colab_asks_for_the_address_it_cannot_find(
    set_up_cells: tuple[str, str],
    commands: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enter_colab(monkeypatch, tmp_path, session=DRIVE_SESSION, metadata=None)
    with pytest.raises(ValueError, match="into PAGE above"):
        exec(set_up_cells[0], {})
    assert commands == []
    exec(set_up_cells[0].replace('PAGE = ""', f'PAGE = "{PAGE}"'), {})
    assert commands[0][-4:] == ["--branch", "fix/it", ADDRESS, "workbook"]
