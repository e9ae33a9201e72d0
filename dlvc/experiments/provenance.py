"""Where a number came from: what a record says of weights, device and code."""

from __future__ import annotations

import platform
import subprocess
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from dlvc import __version__
from dlvc.files import PROJECT, sha256_of
from dlvc.models import RESNET18_WEIGHTS


def weights_origin(path: Path) -> str:
    """What a weights file was trained on, if it says so or is known, else its name and the start of its SHA-256."""
    digest = sha256_of(path)
    if digest == RESNET18_WEIGHTS.sha256:
        return "ImageNet"
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            trained_on = (file.metadata() or {}).get("trained_on")
        if trained_on:
            return trained_on
    return f"{path.name}, SHA-256 {digest[:12]}"


def describe_device(device: torch.device) -> dict[str, Any]:
    """Kind and name of the device, and how many CPU threads torch uses."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
    return {"type": device.type, "name": name, "threads": torch.get_num_threads()}


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def git_commit() -> str:
    """The code's commit, with "+changes" if files differ from it; "unknown" outside a git checkout."""
    try:
        ask = partial(
            subprocess.run, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=10
        )
        if Path(ask(["git", "rev-parse", "--show-toplevel"]).stdout.strip()).resolve() != PROJECT:
            return "unknown"  # the project was unpacked inside another repository
        commit = ask(["git", "rev-parse", "--short=12", "HEAD"]).stdout.strip()
        return commit + (
            "+changes" if ask(["git", "status", "--porcelain", "--", "dlvc"]).stdout.strip() else ""
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def versions() -> dict[str, str]:
    """The versions that decide what a run computes."""
    packages = {name: metadata.version(name) for name in ("torch", "torchvision", "numpy")}
    return {"dlvc": __version__, "python": platform.python_version(), **packages}
