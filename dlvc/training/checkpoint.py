"""Tensors on disk, in files that are whole or absent and that cannot run code when they are loaded.

Two kinds: the weights of a finished model (safetensors), and the checkpoints of a training that is not finished
(torch's own format, read as data alone), kept in a folder of their own. What a checkpoint holds is decided in
`state.py`; this file keeps it safe.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickletools
import re
import shutil
import socket
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from dlvc.files import CannotWriteError, explained_write, write_whole

FORMAT_VERSION = 2  # another one is passed over: the training starts anew
# What a checkpoint's pickle may name: what tensors and state dicts are made of.
TENSORS_ALONE = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_tensor_v2|torch \w+Storage"
)
KEPT = 2  # checkpoints, so that there is one to fall back on


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: of another model, of another training, or of a newer dlvc."""


class AlreadyRunningError(RuntimeError):
    """Another process, or another thread, is at work on the same training."""


def save_weights(model: nn.Module, path: Path) -> str:
    """The SHA-256 of the file `path`, after writing all weights of `model` there (.safetensors).

    Raises CannotWriteError.
    """
    content = save(on_cpu(model.state_dict()))
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def load_weights(model: nn.Module, path: Path, *, sha256: str = "") -> nn.Module:
    """`model` in evaluation mode with the weights of the file `path`; unchanged if anything is wrong.

    Raises ValueError if the file is damaged, has another `sha256`, or belongs to another architecture;
    FileNotFoundError if it is not there.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights at {path}. Train the model first, or give another file."
        )
    content = path.read_bytes()  # read once: what is checked is what is used
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            f"{path.name} is not the file its record describes (another SHA-256). Train again."
        )
    try:
        state = load(content)
    except SafetensorError as error:
        raise ValueError(
            f"{path.name} is not a whole .safetensors file: {error}. Train again."
        ) from error
    remedy = "Build the model with the settings in the record."
    check_same_tensors(model.state_dict(), state, path.name, remedy)
    model.load_state_dict(state)
    return model.eval()


def check_same_tensors(
    own: Mapping[str, Tensor], other: Mapping[str, Tensor], origin: str, remedy: str
) -> None:
    """Raise CheckpointError naming the first differences unless both have the same names and shapes."""
    differing = [
        f"{name} ({shape_in(own, name)} here, {shape_in(other, name)} there)"
        for name in {**own, **other}
        if shape_in(own, name) != shape_in(other, name)
    ]
    if differing:
        raise CheckpointError(
            f"the weights in {origin} belong to another model: {len(differing)} tensors differ, "
            f"first {', '.join(differing[:5])}. {remedy}"
        )


def shape_in(tensors: Mapping[str, Tensor], name: str) -> str:
    """The shape of the tensor called `name`, as text; "none" if there is no such tensor."""
    return "x".join(map(str, tensors[name].shape)) or "1" if name in tensors else "none"


def on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU in the usual memory layout, as safetensors needs them; each with a memory of its own."""
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }


class CheckpointFolder:
    """The checkpoints of one training, as a context manager: inside, no one else can use the folder.

    The lock is the operating system's, so it ends with the process, however that ends. Each checkpoint is a file with
    its SHA-256 beside it, written first, and a number one higher than the last: saving never touches an older one.
    Entering raises AlreadyRunningError if another holds the folder, CannotWriteError if it cannot be made.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.lock = FileLock(self.folder / "in-use.lock", timeout=0)
        self.owner = self.folder / "owner.txt"

    def __enter__(self) -> CheckpointFolder:
        with explained_write(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self.lock.acquire()
            except Timeout:
                raise AlreadyRunningError(self._busy()) from None
        self.removed = False
        if self.lock.lock_counter == 1:  # not when it is entered once more inside
            me = f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now():%H:%M}"
            with suppress(CannotWriteError):  # it is only for the message to another process
                write_whole(self.owner, me.encode())
            for part in self.folder.glob("*.part"):  # left by a killed process
                part.unlink(missing_ok=True)
        return self

    def __exit__(self, *raised: object) -> None:
        self.lock.release()
        if self.removed and not self.lock.is_locked:  # Windows deletes no file in use
            shutil.rmtree(self.folder, ignore_errors=True)

    def _busy(self) -> str:
        try:
            owner = self.owner.read_text(encoding="utf-8")
        except OSError:
            owner = "another process"
        return (
            f"this very training is going on already ({owner}). Wait for it or stop it there; "
            "with another seed or setting, or with save=False, a training can run beside it."
        )

    def files(self) -> list[Path]:
        """The checkpoint files, oldest first."""
        return sorted(
            path
            for path in self.folder.glob("checkpoint-*.pt")
            if path.stem.partition("-")[2].isdigit()
        )

    def write(self, content: Mapping[str, Any]) -> Path:
        """The file of a new checkpoint; after it only this and the one before are left. Raises CannotWriteError.

        `content` is made of tensors, numbers, texts, lists and dicts.
        """
        older = self.files()
        number = 1 + (int(older[-1].stem.partition("-")[2]) if older else 0)
        path = self.folder / f"checkpoint-{number:09}.pt"
        buffer = io.BytesIO()
        torch.save({"format_version": FORMAT_VERSION, **content}, buffer)
        digest = hashlib.sha256(buffer.getbuffer()).hexdigest()
        # The digest first: a checkpoint is there when its second file is. The line is what `sha256sum -c` reads.
        write_whole(digest_file(path), f"{digest}  {path.name}\n".encode())
        write_whole(path, buffer.getvalue())
        for old in older[: 1 - KEPT]:
            with suppress(OSError):  # one that cannot be deleted does no harm
                old.unlink(missing_ok=True)
                digest_file(old).unlink(missing_ok=True)
        return path

    def newest(self, say: Callable[[str], None] = print) -> tuple[dict[str, Any], str] | None:
        """What the newest checkpoint that is whole holds, and the name of its file; None if there is none.

        A damaged one, or one of an older format, is named by `say`, renamed to `.damaged` and passed over.
        Raises CheckpointError for one of a newer format.
        """
        for path in reversed(self.files()):
            try:
                return read_checkpoint(path), path.name
            except (DamagedError, OSError) as error:
                say(f"{path.name} is passed over: {error}.")
                with suppress(OSError):
                    path.replace(path.with_suffix(".damaged"))
                    digest_file(path).unlink(missing_ok=True)
        if any(self.folder.glob("checkpoint-*.safetensors")):
            say("checkpoints of an older format are passed over: the training starts anew.")
        return None

    def clear(self) -> None:
        """Delete the checkpoints: so that the training starts afresh."""
        for path in self.folder.glob("checkpoint-*"):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder with all that is in it: the training is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.removed = True


def as_folder(checkpoints: CheckpointFolder | Path | str) -> CheckpointFolder:
    """The folder itself if it is one for checkpoints already, else the one of that name."""
    return (
        checkpoints if isinstance(checkpoints, CheckpointFolder) else CheckpointFolder(checkpoints)
    )


class DamagedError(ValueError):
    """A file that is not what was written."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What the checkpoint in the file `path` holds, on the CPU, after comparing it with the SHA-256 beside it.

    Raises DamagedError, which says what is wrong, or CheckpointError for one of a newer format.
    """
    content = path.read_bytes()  # read once: what is checked is what is used
    try:
        expected = digest_file(path).read_text(encoding="utf-8").split()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise DamagedError("its SHA-256 is missing") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise DamagedError("it is damaged (another SHA-256 than when it was written)")
    try:
        check_plain(content)
        stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        version = stored.pop("format_version")
    except DamagedError:
        raise
    except Exception as error:  # torch has no type of its own for a file that it cannot read
        raise DamagedError(f"it is no checkpoint of dlvc ({type(error).__name__})") from error
    if type(version) is int and version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path.name} has format {version}; this dlvc reads formats up to {FORMAT_VERSION}. "
            "Update the project, or give another folder to train from the start."
        )
    if version != FORMAT_VERSION:
        raise DamagedError(f"it has format {version!r}, and this dlvc reads {FORMAT_VERSION} only")
    return stored


def check_plain(content: bytes) -> None:
    """Raise DamagedError unless the file holds tensors and plain values alone, in no more memory than its own size.

    torch's reader runs no code, but it unpacks parts to any size, and makes byte arrays of any length.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [part.filename for part in archive.infolist()]
        if any(part.compress_type or part.file_size > len(content) for part in archive.infolist()):
            raise DamagedError("it is no checkpoint of dlvc (its parts are compressed)")
        pickles = [archive.read(name) for name in names if name.endswith("data.pkl")]
    for opcode, argument, _ in chain.from_iterable(map(pickletools.genops, pickles)):
        made = argument if opcode.name == "GLOBAL" else opcode.name
        if "GLOBAL" in opcode.name and not TENSORS_ALONE.fullmatch(made):
            raise DamagedError(f"it is no checkpoint of dlvc (it would make {made})")


def digest_file(path: Path) -> Path:
    """Where the SHA-256 of the checkpoint `path` is."""
    return path.with_suffix(".sha256")
