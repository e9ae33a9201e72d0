"""Kill a process at random moments and look at what it leaves: `python kill_saving.py saving|training [TIMES]`.

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
from functools import partial
from pathlib import Path

import torch
from small_training import CONFIG, make_model, outcome, run

from dlvc.data import load_data
from dlvc.training.checkpoint import CheckpointFolder


def kill_at_random(work: Callable[[Callable], None], beats: int, longest: float) -> bool:
    """Whether a process that does `work` had to be killed: after so many calls of what `work` is given, plus a moment.

    The moment is random, up to `longest` seconds.
    """
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.close(read)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work(lambda *_: os.write(write, b"x") and None)
            status = 0
        finally:
            os._exit(status)  # without the parent's clean-up
    os.close(write)
    while beats and os.read(read, 1):  # nothing is read when the process has ended
        beats -= 1
    time.sleep(random.uniform(0, longest))
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    os.close(read)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("the process failed by itself")
    return os.WIFSIGNALED(status)


def save_for_ever(folder: Path, done: Path, last: float = float("inf")) -> None:
    """Write checkpoints whose tensors are all their `number`, and note in `done` the last finished one."""
    with CheckpointFolder(folder) as checkpoints:
        newest = checkpoints.newest()
        number = newest[0]["number"] if newest else 0
        while number < last:
            number += 1
            tensors = {str(each): torch.full((100, 100), float(number)) for each in range(5)}
            checkpoints.write({"number": number, "tensors": tensors})
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
            assert kill_at_random(lambda beat: save_for_ever(folder, done), 0, longest)
            parts += len(list(folder.glob("*.part")))
            said: list[str] = []
            with CheckpointFolder(folder) as checkpoints:
                newest = checkpoints.newest(say=said.append)
            assert said == [], said  # not even the newest is damaged
            assert newest, "no checkpoint is left"
            number, finished = newest[0]["number"], int(done.read_text() or 0)
            assert number >= finished, f"checkpoint {finished} is lost; {number} is left"
            assert all((each == number).all() for each in newest[0]["tensors"].values())
        return f"{times} kills, {parts} of them in the middle of a file, {number} checkpoints, none lost"


def kill_training(times: int) -> str:
    """Kill a training `times` times, each time going on from what is left; the line to print."""
    data = load_data("sketch10", sizes=(300, 100, 100), quiet=True)
    expected = outcome(*run(data))

    def train(folder: Path, beat: Callable) -> tuple:
        model = make_model()
        model.register_forward_hook(beat)
        return outcome(*run(data, folder, model=model, checkpoint_seconds=0))

    kills = rounds = 0
    while kills < times:
        rounds += 1
        with tempfile.TemporaryDirectory() as name:
            work = partial(train, Path(name))
            # A life of a few of the 15 steps, and then somewhere in a step or in its checkpoint.
            while kill_at_random(work, random.randint(1, 6), 0.02):
                kills += 1
            result = train(Path(name), beat=lambda *_: None)
            assert result == expected, "another result than without a kill"
    return f"{kills} kills in {rounds} trainings of {CONFIG.epochs} epochs, each to the same bits"


if __name__ == "__main__":
    torch.set_num_threads(1)  # a forked process has no other threads
    which, times = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    print({"saving": kill_saving, "training": kill_training}[which](times))
