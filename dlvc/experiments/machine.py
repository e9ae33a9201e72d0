"""Was the machine a run's own? Its times say something about the model only if nothing else was at work."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

LARGEST_SHARE = (
    0.1  # of the machine's processor time, for others: an editor and a browser at rest stay below
)


@dataclass(frozen=True, kw_only=True)
class MachineUse:
    """Who used the processors while a run trained and was tested, in seconds added up over all cores."""

    cores: int
    share_before: float  # of the processor time in the moment before the start, by anybody
    seconds: float  # on the clock, since the run began or was taken up again
    processor_seconds: float  # of the run's own process
    other_seconds: float  # of all other processes

    def is_undisturbed(self, train_seconds: float) -> bool:
        """Whether others had next to nothing, before and during all of a training that took so long on the clock."""
        others = self.other_seconds / (self.seconds * self.cores)
        # A run that was taken up again knows nothing of what happened before.
        whole = self.seconds >= train_seconds
        return whole and max(self.share_before, others) <= LARGEST_SHARE


class MachineWatch:
    """Watches from its making on who uses the processors; the look at the moment before takes a fifth of a second."""

    def __init__(self) -> None:
        self.share_before = psutil.cpu_percent(interval=0.2) / 100
        self.started = time.perf_counter()
        self.own, self.all = time.process_time(), busy_seconds()

    @property
    def use(self) -> MachineUse:
        """Who used the processors up to now."""
        own = time.process_time() - self.own
        return MachineUse(
            cores=psutil.cpu_count() or 1,
            share_before=self.share_before,
            seconds=time.perf_counter() - self.started,
            processor_seconds=own,
            other_seconds=max(0.0, busy_seconds() - self.all - own),
        )


def busy_seconds() -> float:
    """The seconds, since the machine was started, in which its cores were not idle, added up over all cores."""
    times = psutil.cpu_times()._asdict()
    for not_busy in ("idle", "iowait"):
        times.pop(not_busy, None)
    for counted_twice in ("guest", "guest_nice"):  # Linux counts them in user and nice, too
        times.pop(counted_twice, None)
    return sum(times.values())
