"""Kill a process at random moments and look at what it leaves: `python tests/kill_saving.py saving|training [TIMES]`.

`saving`: a process does nothing but write checkpoints; after each kill the newest that is whole must load, and be no
older than what the process had told that it was done with.
`training`: a process trains, with a checkpoint after each step; it is killed and started again until it gets to the
end, which must be the same bits as without a kill.
Prints one line and ends with status 0 if all is well. Needs os.fork, so it does not run on Windows.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from small_training import CONFIG, outcome, run

from dlvc.checkpoint import CheckpointFolder
from dlvc.data import load_data


def kill_at_random(work: Callable[[], None], longest: float) -> bool:
    """Whether a process that does `work` had to be killed, at a random moment after it began."""
    begun, begin = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.write(begin, b"x")
            work()
            status = 0
        finally:
            os._exit(status)  # without the parent's clean-up
    os.read(begun, 1)
    os.close(begun)
    os.close(begin)
    time.sleep(random.uniform(0, longest))
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("the process failed by itself")
    return os.WIFSIGNALED(status)


def save_for_ever(folder: Path, done: Path, last: float = float("inf")) -> None:
    """Write checkpoints whose tensors are all the number in `about`, and note in `done` the last finished one."""
    with CheckpointFolder(folder) as checkpoints:
        found = checkpoints.newest()
        number = found.about["number"] if found else 0
        while number < last:
            number += 1
            tensors = {str(each): torch.full((100, 100), float(number)) for each in range(5)}
            checkpoints.write(tensors, {"number": number})
            done.write_text(str(number))


def kill_saving(times: int) -> str:
    """Kill a saving process `times` times; the line to print. AssertionError for a checkpoint that is lost."""
    with tempfile.TemporaryDirectory() as name:
        folder, done = Path(name) / "checkpoints", Path(name) / "done"
        started = time.perf_counter()
        save_for_ever(folder, done, last=4)
        longest = time.perf_counter() - started  # so a life has time for up to 4 checkpoints
        parts = 0
        for _ in range(times):
            assert kill_at_random(lambda: save_for_ever(folder, done), longest)
            parts += len(list(folder.glob("*.part")))
            said: list[str] = []
            with CheckpointFolder(folder) as checkpoints:
                found = checkpoints.newest(say=said.append)
            assert said == [], said  # not even the newest is damaged
            assert found, "no checkpoint is left"
            number, finished = found.about["number"], int(done.read_text() or 0)
            assert number >= finished, f"checkpoint {finished} is lost; {number} is left"
            assert all((each == number).all() for each in found.tensors.values())
        return f"{times} kills, {parts} of them in the middle of a file, {number} checkpoints, none lost"


def kill_training(times: int) -> str:
    """Kill a training `times` times, each time going on from what is left; the line to print."""
    data = load_data("sketch10", sizes=(300, 100, 100), quiet=True)
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        expected = outcome(*run(data, Path(name), checkpoint_seconds=0))
        whole = time.perf_counter() - started
    kills = rounds = 0
    while kills < times:
        rounds += 1
        with tempfile.TemporaryDirectory() as name:
            folder, longest = Path(name), whole
            while kill_at_random(lambda folder=folder: quiet_run(data, folder), longest):
                kills += 1
                longest *= 1.3  # or a machine that has become busy would never get to the end
            result = outcome(*run(data, folder))
            assert result == expected, "another result than without a kill"
    return f"{kills} kills in {rounds} trainings of {CONFIG.epochs} epochs, each to the same bits"


def quiet_run(data, folder: Path) -> None:
    """Train with a checkpoint after each step, and say nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    run(data, folder, checkpoint_seconds=0)


if __name__ == "__main__":
    torch.set_num_threads(1)  # a forked process has no other threads
    which, times = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    print({"saving": kill_saving, "training": kill_training}[which](times))
