"""Import torchvision, or say in one sentence what to install instead.

torchvision is built for one version of torch. A pair that does not match dies while it is imported, with
"operator torchvision::nms does not exist" or an undefined symbol: words that help no learner.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from types import ModuleType


def import_torchvision() -> ModuleType:
    """The module `torchvision`.

    Raises ImportError, with both installed versions and the command that mends it, if torchvision is missing or does
    not fit the installed torch.
    """
    try:
        return importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
    # "from None": the learner gets the sentence alone; the reason is part of it.
    raise ImportError(_advice(_version("torch"), _version("torchvision"), reason)) from None


def _version(package: str) -> str | None:
    """The installed version of `package`, None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _advice(torch: str | None, torchvision: str | None, reason: str) -> str:
    """One sentence that says what is wrong and what to install."""
    if torchvision is None:
        return (
            "torchvision is not installed, run `pip install torch torchvision` (both in one command, so that "
            "they fit each other) and restart the kernel."
        )
    wanted = _torch_wanted_by_torchvision()
    if wanted and torch and wanted != torch.partition("+")[0]:
        return (
            f"torch {torch} and torchvision {torchvision} do not fit each other (this torchvision needs torch "
            f"{wanted}), run `pip install --upgrade torch torchvision` and restart the kernel."
        )
    return (
        f"torchvision {torchvision} cannot be imported beside torch {torch} ({reason}), run "
        "`pip install --force-reinstall torch torchvision` and restart the kernel."
    )


def _torch_wanted_by_torchvision() -> str | None:
    """The version of torch that the installed torchvision was built for, as its own metadata says."""
    for requirement in metadata.requires("torchvision") or ():
        name, _, version = (
            requirement.partition(";")[0].replace(" ", "").strip("()").partition("==")
        )
        if name.rstrip("(") == "torch" and version:
            return version
    return None
