"""Where a training may be ended from outside: at a step's end, by Ctrl-C, a notebook's stop button or SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def end_at_step_border(stop: threading.Event | None) -> Iterator[threading.Event]:
    """Inside, the first Ctrl-C (or a notebook's stop button) sets the event given out instead of raising at once."""
    stop = stop or threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may say what a signal does
        return

    def ask_to_stop(signal_number, frame) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield stop
    finally:
        # None: the handler before was not set by Python and cannot be set again.
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


@contextmanager
def stopped_by_sigterm() -> Iterator[threading.Event]:
    """Inside, SIGTERM sets the event given out: torchrun and schedulers of clusters send it before they kill."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, lambda signal_number, frame: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
