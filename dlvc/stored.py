"""Dataclasses as JSON files: written whole or not at all, read back only if every field has the type it is to have.

msgspec reads the types off the annotations: a bool is no number, text is none, and nan is no JSON. Beyond that a name
that no field has is refused, and so is a number too large to count or to draw with.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dlvc.checks import brief
from dlvc.files import write_whole

T = TypeVar("T")
LARGEST = 2**63  # of a number: torch and numpy count no further


def save(value: Any, path: Path) -> Path:
    """Write a dataclass, or lists and dictionaries of them, to `path` and give the path back.

    Raises CannotWriteError, and ValueError for nan or infinity, for which JSON has no word.
    """
    text = json.dumps(value, default=dataclasses.asdict, indent=1, allow_nan=False)
    write_whole(path, f"{text}\n".encode())
    return path


def load(path: Path, kind: type[T], what: str, remedy: str) -> T:
    """What `save` wrote to `path`, of the type `kind`; see `read`. Raises FileNotFoundError if it is not there."""
    return read(path.read_bytes(), kind, path.name, what, remedy)


def load_named(name: str, folder: Path, kind: type[T], what: str, remedy: str) -> T:
    """The content of NAME.json in `folder`; see `read`. Raises FileNotFoundError naming those that are there."""
    path = folder / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"no {what} called {name!r}; there is {there}.")
    return load(path, kind, what, remedy)


def load_rows(path: Path, kind: type[T], what: str) -> list[T]:
    """The dataclasses that were saved as a list, in order; [] if there is no such file. See `read`."""
    remedy = "Move it away to begin anew."
    return load(path, list[kind], f"list of {what}", remedy) if path.is_file() else []


def read(
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
                if type(number) in (int, float) and not abs(number) < LARGEST:
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
