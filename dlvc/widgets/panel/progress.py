"""How far a training has come, in numbers and words. Knows no widget."""

from __future__ import annotations

import time
from collections.abc import Callable

from dlvc.config import TrainConfig
from dlvc.training import EpochRecord

UPDATE_SECONDS = 0.25  # a reader sees no more, and a training should not wait for pictures


class RunProgress:
    """What `train` tells after steps and epochs, put together. `clock` gives seconds."""

    def __init__(
        self, config: TrainConfig, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.config, self.clock = config, clock
        self.records: list[EpochRecord] = []  # of the epochs that are done
        self.epoch, self.done, self.steps = 1, 0, 0
        self.images_per_second = 0.0
        self._begun: tuple[float, int] | None = None  # when and where this part of the run began
        self._epoch_begun = (0.0, 0, 0)  # when, epoch, step
        self._shown = -UPDATE_SECONDS
        self.ended = False  # stopped, failed or finished

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Take down that `done` of the epoch's `steps` are done."""
        now = self.clock()
        self.epoch, self.done, self.steps = epoch, done, steps
        if self._begun is None:
            self._begun = (now, self.finished_steps)
        if self._epoch_begun[1] != epoch:
            self._epoch_begun = (now, epoch, done)
        seconds, images = now - self._epoch_begun[0], (done - self._epoch_begun[2])
        if seconds > 0:
            self.images_per_second = images * self.config.batch_size / seconds

    def due(self) -> bool:
        """Whether it is time to show this: at most four times a second."""
        now = self.clock()
        if now - self._shown < UPDATE_SECONDS:
            return False
        self._shown = now
        return True

    @property
    def finished_steps(self) -> int:
        """Steps of all epochs that are done."""
        return (self.epoch - 1) * self.steps + self.done

    @property
    def position(self) -> float:
        """Epochs that are done, with the part of the one at work."""
        at_work = self.epoch - 1 + (self.done / self.steps if self.steps else 0.0)
        return max(at_work, float(len(self.records)))

    @property
    def fraction(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        return min(1.0, self.position / self.config.epochs)

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end if it goes on as it went until now; None before that can be said."""
        if self._begun is None or self.finished_steps == self._begun[1]:
            return None
        seconds = self.clock() - self._begun[0]
        left = self.config.epochs * self.steps - self.finished_steps
        return seconds / (self.finished_steps - self._begun[1]) * left

    def text(self) -> str:
        """Epoch, batch, speed and time left in a line."""
        if not self.steps:
            if not self.ended:
                return "preparing"
            epochs = f"{len(self.records)} of {self.config.epochs} epochs · "
            return f"{epochs if self.records else ''}no step done now"
        epoch = f"epoch {self.epoch} of {self.config.epochs}"
        parts = [epoch, f"batch {self.done} of {self.steps}"]
        if self.ended and self.fraction < 1:
            return " · ".join([*parts, "not running"])  # no speed, and no time left
        if self.images_per_second:
            parts.append(f"{self.images_per_second:,.0f} images/s")
        if self.finished_steps == self.config.epochs * self.steps:
            parts.append("all steps done")
        elif self.seconds_left is not None:
            parts.append(f"{duration(self.seconds_left)} left")
        return " · ".join(parts)


def duration(seconds: float) -> str:
    """Seconds in words, with as many digits as a plan needs."""
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "less than 0.1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
