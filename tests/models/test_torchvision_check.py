"""A torchvision that does not fit its torch ends in one sentence that says what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
NMS = "raise RuntimeError('operator torchvision::nms does not exist')"
SYMBOL = "raise ImportError('torchvision/_C.so: undefined symbol: _ZN3c10')"


def fake_package(folder: Path, name: str, version: str, code: str = "", requires: str = "") -> None:
    """Put an installed package into `folder` that runs `code` when it is imported."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    )


def message(folder: Path) -> str:
    """What an import of torchvision says where only the packages in `folder` are installed."""
    code = (
        "from dlvc.models.torchvision_check import import_torchvision\n"
        "try:\n"
        "    print(import_torchvision().__name__)\n"
        "except ImportError as error:\n"
        "    print(error)"
    )
    # -S keeps the real site-packages out; dlvc itself comes from the path.
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(PROJECT)])},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    # models/__init__.py imports torch itself: an empty parent lets the check run where there is none.
    (tmp_path / "dlvc" / "models").mkdir(parents=True)
    (tmp_path / "dlvc" / "__init__.py").touch()
    (tmp_path / "dlvc" / "models" / "__init__.py").touch()
    source = PROJECT / "dlvc" / "models" / "torchvision_check.py"
    (tmp_path / "dlvc" / "models" / source.name).write_text(source.read_text())
    return tmp_path


@pytest.mark.parametrize("requires", ["torch==2.15.0", "torch (==2.15.0)"])
def test_a_pair_that_does_not_match_is_named_with_the_command_that_mends_it(
    site: Path, requires: str
) -> None:
    fake_package(site, "torch", "2.14.1+cu130")
    fake_package(site, "torchvision", "0.29.2", NMS, requires)
    assert message(site) == (
        "torch 2.14.1+cu130 and torchvision 0.29.2 do not fit each other (this torchvision needs torch 2.15.0), "
        "run `pip install --upgrade torch torchvision` and restart the kernel."
    )


@pytest.mark.parametrize("code", [NMS, SYMBOL])
def test_two_builds_of_matching_versions_are_installed_anew(site: Path, code: str) -> None:
    fake_package(site, "torch", "2.15.0+cpu")
    fake_package(site, "torchvision", "0.29.2", code, "torch==2.15.0")
    said = message(site)
    assert "pip install --force-reinstall torch torchvision" in said
    assert "2.15.0+cpu" in said
    assert len(said.splitlines()) == 1


def test_a_missing_torchvision_is_called_missing(site: Path) -> None:
    fake_package(site, "torch", "2.15.0")
    assert message(site).startswith(
        "torchvision is not installed, run `pip install torch torchvision`"
    )


def test_a_working_torchvision_is_returned(site: Path) -> None:
    fake_package(site, "torchvision", "0.29.2")
    assert message(site) == "torchvision"
