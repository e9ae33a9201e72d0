"""Was the machine a run's own? Its times say something about the model only if nothing else was at work."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

# Of the machine's processor time, for others: an editor and a browser at rest stay below.
LARGEST_SHARE = 0.1
# Nothing to do; and what Linux counts among the seconds of users, too.
NOT_ADDED = {"idle", "iowait", "guest", "guest_nice"}


@dataclass(frozen=True, kw_only=True)
class MachineUse:
    """Who used the processors while a run trained and was tested, in seconds added up over all cores."""

    cores: int
    share_before: float  # of the processor time in the moment before the start, by anybody
    seconds: float  # on the clock, since the run began or was taken up again
    processor_seconds: float  # of the run's own process
    other_seconds: float  # of all other processes, those of the same torchrun among them

    def is_undisturbed(self, run_seconds: float) -> bool:
        """Whether others did next to nothing, before and during all of a run that took so long on the clock.

        Of a run that was taken up again nobody knows what happened before. And where the own seconds are not among
        those that the system counts, it counts none: then the others' are far below zero.
        """
        whole = self.seconds >= run_seconds
        alone = abs(self.other_seconds) <= LARGEST_SHARE * self.seconds * self.cores
        return whole and alone and self.share_before <= LARGEST_SHARE


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
            other_seconds=busy_seconds() - self.all - own,
        )


def busy_seconds() -> float:
    """The seconds, since the machine was started, in which its cores were at work, added up over all cores."""
    times = psutil.cpu_times()._asdict()
    return sum(times[name] for name in times.keys() - NOT_ADDED)
