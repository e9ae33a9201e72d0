"""Files that are whole or absent whenever the program ends, dataclasses as JSON, and a disk's refusals in words.

A file is written under another name in the same folder, forced to the disk, and only then given its name, in one step.
Source: the order of calls is that of LWN's "Ensuring data reaches disk" (Moyer 2011).
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from dlvc.arguments import brief

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


# Dataclasses as JSON files. msgspec reads the types off the annotations: a bool is no number, text is none, and nan is
# no JSON. Beyond that a name that no field has is refused, and so is a number too large to count or to draw with.
T = TypeVar("T")
LARGEST_NUMBER = 2**63  # of a number: torch and numpy count no further


def save_json(value: Any, path: Path) -> Path:
    """Write a dataclass, or lists and dictionaries of them, to `path` and give the path back.

    Raises CannotWriteError, and ValueError for nan or infinity, for which JSON has no word.
    """
    text = json.dumps(value, default=dataclasses.asdict, indent=1, allow_nan=False)
    write_whole(path, f"{text}\n".encode())
    return path


def load_json(path: Path, kind: type[T], what: str, remedy: str) -> T:
    """What `save_json` wrote to `path`; see `read_json`. Raises FileNotFoundError if it is not there."""
    return read_json(path.read_bytes(), kind, path.name, what, remedy)


def load_named_json(name: str, folder: Path, kind: type[T], what: str, remedy: str) -> T:
    """The content of NAME.json in `folder`; see `read_json`. Raises FileNotFoundError naming those that are there."""
    path = folder / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"no {what} called {name!r}; there is {there}.")
    return load_json(path, kind, what, remedy)


def load_json_rows(path: Path, kind: type[T], what: str) -> list[T]:
    """The dataclasses that were saved as a list, in order; [] if there is no such file. See `read_json`."""
    remedy = "Move it away to begin anew."
    return load_json(path, list[kind], f"list of {what}", remedy) if path.is_file() else []


def read_json(
    text: str | bytes,
    kind: type[T],
    origin: str,
    what: str,
    remedy: str,
    check: Callable[[T], None] | None = None,
) -> T:
    """The value of the type `kind` that `text` holds: a dataclass, or lists and dictionaries of them.

    `check` raises ValueError for what types cannot say; a dataclass may do the same in `__post_init__`.

    Raises ValueError naming `origin`, the field, `what` it should have been and the `remedy`; also for a file whose
    format_version is above the default of the field of that name.
    """
    try:
        raw = json.loads(text, parse_constant=_refuse_constant)
        newest = getattr(kind, "format_version", None)
        version = raw.get("format_version") if newest and isinstance(raw, dict) else None
        if type(version) is not int or version <= newest:
            for place, number in _places(raw):
                if type(number) in (int, float) and not abs(number) < LARGEST_NUMBER:
                    raise ValueError(f"{brief(number)} is too large a number - at `{place[:99]}`")
            value = msgspec.convert(raw, kind)
            known = dict(_places(msgspec.to_builtins(value)))
            for place, _ in _places(raw):
                if place not in known:
                    raise ValueError(f"there is no field `{place[:99]}`")
            if check:
                check(value)
            return value
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"{origin} is not a {what}: {error}. {remedy}") from error
    raise ValueError(
        f"{origin} has format {brief(version)}; this dlvc reads formats up to {newest}. Update the project."
    )


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads as JSON numbers."""
    raise ValueError(f"{name} is no number")


def _places(value: Any, place: str = "$") -> Iterator[tuple[str, Any]]:
    """Each value in nested lists and dictionaries, with its place as msgspec writes it: $.epochs[0].seconds."""
    yield place, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(inner, f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _places(inner, f"{place}[{number}]")
