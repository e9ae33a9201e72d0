"""One training at a time in a thread of its own, so that the kernel stays free. Knows no widget and no model."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

IDLE, RUNNING, STOPPING = "idle", "running", "stopping"
STOPPED, FINISHED, FAILED = "stopped", "finished", "failed"
EXIT_SECONDS = 10.0  # how long the end of the program waits for a step and a checkpoint

_TRAINING = threading.Lock()  # held by the one worker of this program that trains


def training_goes_on() -> bool:
    """Whether some worker of this program is at work, be it of this panel or of another."""
    return _TRAINING.locked()


class BusyError(RuntimeError):
    """A training is going on in this program already."""


class TrainingWorker:
    """Does some work in a thread: idle, running, stopping, then stopped, finished or failed; and again.

    `on_change` is called after each change of `state`, by the thread that changed it; never twice at a time.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.state = IDLE
        self.error: BaseException | None = None
        self._on_change = on_change
        self._lock = threading.RLock()  # a stop and the work's own end may come at once
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether the work is going on."""
        return self.state in (RUNNING, STOPPING)

    def start(self, work: Callable[[threading.Event], bool]) -> None:
        """Begin `work` and return at once. It gets the event that asks it to stop, and says whether it got to its end.

        Raises BusyError if this or another worker is at work: two trainings would share one machine and, in torch, one
        sequence of random numbers.
        """
        if not _TRAINING.acquire(blocking=False):
            raise BusyError(
                "A training is going on in this notebook already. Wait for its end, or stop it, and press Run again."
            )
        with self._lock:
            self._stop, self.error = threading.Event(), None
            # A daemon, as Python waits for others before it asks anybody to stop.
            thread = threading.Thread(target=self._do, args=(work,), name="training", daemon=True)
            try:
                self._change(RUNNING)
                thread.start()
            except BaseException:
                self.state = IDLE
                _TRAINING.release()
                raise
            self._thread = thread
            atexit.register(self.close)

    def stop(self) -> None:
        """Ask the work to stop at its next step; it goes on to `stopped` by itself."""
        with self._lock:
            if self.state == RUNNING:
                self._stop.set()
                self._change(STOPPING)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the work has ended, after waiting for it so long at most."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.busy

    def close(self) -> None:
        """Stop, and wait a little: for the end of the program."""
        self.stop()
        self.wait(EXIT_SECONDS)

    def _do(self, work: Callable[[threading.Event], bool]) -> None:
        try:
            state = FINISHED if work(self._stop) else STOPPED
        except BaseException as error:  # nobody above would see it: it is shown, and kept
            self.error, state = error, FAILED
        with self._lock:
            _TRAINING.release()
            atexit.unregister(self.close)
            self._change(state)

    def _change(self, state: str) -> None:
        self.state = state
        self._on_change()
