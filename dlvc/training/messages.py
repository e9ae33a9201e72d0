"""What a training says besides its result: one line each, to be read by a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm.auto import tqdm

_LISTENER: ContextVar[Callable[[str], None]] = ContextVar("listener", default=tqdm.write)


def say(line: str) -> None:
    """Print the line, above any progress bar; inside `told_to` hand it to the listener instead."""
    _LISTENER.get()(line)


@contextmanager
def told_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Inside, `listener` gets what this thread says: printed from a thread, a line would land in any cell."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
