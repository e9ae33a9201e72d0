"""Many runs, one after the other or spread over the tasks of a cluster's job array.

Which runs there are, and in which order, follows from the names of the experiments and the number of seeds alone, so
tasks that know nothing of one another share them without overlap. A run that is finished is given back and one that
was stopped goes on (`running.run_experiment`), so a task that was killed is started again with the same command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from dlvc.arguments import brief
from dlvc.training import LostProcessError


class Job(NamedTuple):
    """One run of a sweep."""

    key: str
    seed: int


def jobs_of_shard(keys: Sequence[str], seeds: Sequence[int], shard: str = "1/1") -> list[Job]:
    """The runs of all `keys` with all `seeds` that fall to the part `shard`: "2/8" is the second of eight.

    Part i takes every n-th run from the i-th on. Seeds change fastest, so each part gets quick and slow models.
    Raises ValueError for another form of `shard`, or a part that does not exist.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard) if isinstance(shard, str) else None
    part, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= parts:
        raise ValueError(
            f"shard must be i/n with i from 1 to n, such as 2/8 for the second of eight parts; got {brief(shard)}."
        )
    return [Job(key, seed) for key in keys for seed in seeds][part - 1 :: parts]


def run_jobs(
    jobs: Iterable[Job],
    run: Callable[[Job], int],
    say_failed: Callable[[str, int, Exception], None],
    *,
    stopped: int,
) -> int:
    """The exit status after `run` of each job: 0, or that of the last one that went wrong.

    A job that raises does not end the others: `say_failed` is told, and the status is 2. One with the status `stopped`
    ends them all, just as Ctrl-C does; so does a process of the same training that is lost.
    """
    status = 0
    for job in jobs:
        try:
            ended = run(job)
        except LostProcessError:
            raise
        except Exception as error:
            say_failed(*job, error)
            ended = 2
        if ended == stopped:
            return ended
        status = ended or status
    return status
