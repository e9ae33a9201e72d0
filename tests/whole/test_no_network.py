"""In the smoke profile nothing leaves this machine, and the guard that says so works."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from dlvc.lessons.notebooks import NotebookError, run_notebooks

pytestmark = pytest.mark.skipif(
    "DLVC_NETWORK_LOG" not in os.environ, reason="the guard stands in the smoke profile only"
)
PROJECT = Path(__file__).resolve().parents[2]
# 192.0.2.1 belongs to nobody (RFC 5737).
ASK = "import socket; socket.create_connection(('192.0.2.1', 443), timeout=1)"


@pytest.mark.slow
def test_a_kernel_that_asks_for_the_network_is_refused(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("DLVC_NETWORK_LOG", str(log))
    nbformat.write(new_notebook(cells=[new_code_cell(ASK)]), tmp_path / "01_asks.ipynb")
    with pytest.raises(NotebookError, match=r"needs no network, but this asks for 192\.0\.2\.1"):
        run_notebooks(folder=tmp_path, progress=False)
    assert "192.0.2.1" in log.read_text()


WAYS_OUT = (
    ASK,
    "import socket; socket.socket().connect(('192.0.2.1', 443))",
    "import socket; socket.getaddrinfo('example.org', 80)",
    "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 53))",
    "import urllib.request; urllib.request.urlopen('http://192.0.2.1/', timeout=1)",
    "import requests; requests.get('https://example.org/', timeout=1)",
)


def printed(code: str, log: Path) -> str:
    """What a new process prints that runs `code` behind the guard."""
    environment = {**os.environ, "DLVC_NETWORK_LOG": str(log)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_each_way_out_is_refused_and_written_down_even_if_the_error_is_swallowed(tmp_path):
    log = tmp_path / "log"
    swallowing = (
        f"for way in {WAYS_OUT}:\n"
        "    try:\n        exec(way)\n    except Exception:\n        print(way)"
    )
    assert printed(swallowing, log).splitlines() == [*WAYS_OUT]
    lines = log.read_text().splitlines()
    assert len(lines) >= len(WAYS_OUT)
    assert all("192.0.2.1" in line or "example.org" in line for line in lines)


def test_this_machine_itself_may_be_asked(tmp_path):
    code = (
        "import socket; server = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(server.getsockname()).close(); "
        "socket.getaddrinfo('localhost', 80); print('reached')"
    )
    assert printed(code, tmp_path / "log") == "reached\n"
    assert not (tmp_path / "log").exists()


def test_this_very_process_stands_behind_the_guard(tmp_path, monkeypatch):
    monkeypatch.setenv("DLVC_NETWORK_LOG", str(tmp_path / "log"))
    with pytest.raises(PermissionError, match="the smoke profile needs no network"):
        socket.create_connection(("192.0.2.1", 443), timeout=1)


@pytest.mark.slow
def test_a_run_in_which_something_asked_fails_even_if_no_test_did(tmp_path):
    shutil.copytree(PROJECT / "tests" / "no_network", tmp_path / "tests" / "no_network")
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(PROJECT / name, tmp_path / name)
    (tmp_path / "tests" / "test_it.py").write_text(
        f"def test_it():\n    try:\n        {ASK}\n    except OSError:\n        pass\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    del environment["DLVC_NETWORK_LOG"]
    quickly = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    command = [sys.executable, "-m", "pytest", *quickly, "tests"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "1 passed" in done.stdout
    assert "192.0.2.1" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
