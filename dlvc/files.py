"""Files that are whole or absent whenever the program ends, their digests, and a disk's refusals in words.

A file is written under another name in the same folder, forced to the disk, and only then given its name, in one step.
Source: the order of calls is that of LWN's "Ensuring data reaches disk" (Moyer 2011).
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parents[1]
STALE_PART_AGE = 3600.0  # seconds; who is still writing a part writes all the time
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


def runs_folder() -> Path:
    """The folder of a learner's own runs, ignored by git: `runs/`, or what DLVC_RUNS_DIR names."""
    return Path(os.environ.get("DLVC_RUNS_DIR") or PROJECT / "runs")


class CannotWriteError(OSError):
    """A file that could not be written; what was there before is unchanged."""


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all, in a folder that is made if it is missing.

    Ended at any moment, even by `kill -9`, it leaves the old file or the new one. Only a kill can leave a `.part` file.
    Raises CannotWriteError.
    """
    part = part_of(path)
    with explained_write(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(content)
                publish(file, part, path)
        finally:  # also after Ctrl-C
            with suppress(OSError):
                part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """The name of the unfinished file, beside `path`; it holds process and thread, so two of them never meet."""
    return path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")


def publish(file: IO[bytes], part: Path, path: Path) -> None:
    """Close the complete `file`, which is called `part`, and give it its final name in one step."""
    file.flush()
    os.fsync(file.fileno())
    file.close()  # Windows renames no open file
    os.replace(part, path)
    with suppress(OSError):  # Windows opens no folder, and some network drives cannot do it
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too, is on the disk
        finally:
            os.close(folder)


@contextmanager
def explained_write(path: Path) -> Iterator[None]:
    """A context in which an OSError becomes a CannotWriteError: what, where, why, and what to do."""
    try:
        yield
    except CannotWriteError:
        raise
    except OSError as error:
        why, remedy = error.strerror or str(error), "choose another folder"
        if error.errno in DISK_FULL:
            why, remedy = "the disk is full", "free some space there, or choose another folder"
        elif error.errno in NOT_ALLOWED:
            why, remedy = "the folder is read-only", "choose a folder that you may write to"
        raise CannotWriteError(
            f"{path.name} could not be written in {path.parent}: {why}. Please {remedy} "
            "(the environment variable DLVC_RUNS_DIR names the one for runs)."
        ) from error


def display_path(path: Path) -> str:
    """The path as it may be printed: within the project, or with `~` for the home folder."""
    path = path.resolve()
    for folder, prefix in ((PROJECT, ""), (Path.home().resolve(), "~/")):
        if path != folder and path.is_relative_to(folder):
            return prefix + path.relative_to(folder).as_posix()
    return path.as_posix()


def remove_stale_parts(folder: Path, pattern: str = "*") -> None:
    """Remove what killed processes left of files in `folder` whose names fit `pattern`."""
    for part in folder.glob(f"{pattern}.*.part"):
        with suppress(OSError):  # another process was faster, or it is not ours to remove
            if time.time() - part.stat().st_mtime > STALE_PART_AGE:
                part.unlink()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
