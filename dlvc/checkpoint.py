"""Weights in files that are whole or absent, and that cannot run code when loaded (safetensors)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn


def save_weights(model: nn.Module, path: Path) -> str:
    """The SHA-256 of the file `path`, after writing all weights of `model` there (.safetensors)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    try:
        save_file(state, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return file_digest(path)


def load_weights(model: nn.Module, path: Path, *, sha256: str = "") -> nn.Module:
    """`model` in evaluation mode with the weights of the file `path`; unchanged if anything is wrong.

    Raises ValueError if the file is damaged, has another `sha256`, or belongs to another architecture;
    FileNotFoundError if it is not there.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights at {path}. Train the model first, or give another file."
        )
    if sha256 and file_digest(path) != sha256:
        raise ValueError(
            f"{path.name} is not the file its record describes (another SHA-256). Train again."
        )
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path.name} is not a whole .safetensors file: {error}. Train again."
        ) from error
    own = model.state_dict()
    differing = [name for name in own if name not in state or own[name].shape != state[name].shape]
    differing += [name for name in state if name not in own]
    if differing:
        raise ValueError(
            f"the weights in {path.name} belong to another model: {len(differing)} tensors differ, "
            f"first {', '.join(differing[:5])}. Build the model with the settings in the record."
        )
    model.load_state_dict(state)
    return model.eval()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
