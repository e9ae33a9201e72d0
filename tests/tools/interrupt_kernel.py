"""Interrupt a run in a real Jupyter kernel at random moments: `python tests/tools/interrupt_kernel.py [TIMES]`.

A notebook's stop button does nothing else. After each one the kernel must live and the same cell must go on; a run
that has got to its end must have the bits of one that nobody touched.
Prints one line and ends with status 0 if all is well.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

LONGEST = 0.6  # seconds until an interrupt: from before the first step to a late one
PATIENCE = 120  # seconds for an answer of a kernel on a busy machine

SET_UP = """
import sys
from pathlib import Path
import torch
from dlvc.data import load_data
from dlvc.experiments.registry import config_for
from dlvc.experiments.running import run_experiment

torch.set_num_threads(1)
data = load_data("sketch10", sizes=(300, 100, 100), quiet=True)
settings = {"epochs": 3, "train_size": 240, "batch_size": 16, "evaluation_size": 100, "device": "cpu"}

def go(seed, **options):
    config = config_for("simple-cnn", data, seed=seed, **settings)
    return run_experiment(
        "simple-cnn", data, config, profile="smoke", progress=False, checkpoint_seconds=0, **options
    )

def same(seed):
    one, other = go(seed, folder=Path(FOLDER)), go(seed, save=False)
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs) and one.record.test.loss == other.record.test.loss
"""


class Kernel:
    """A kernel of this Python that can be asked, and interrupted while it works."""

    def __enter__(self) -> Kernel:
        self.manager, self.client = start_new_kernel(kernel_name="python3")
        return self

    def __exit__(self, *error) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def ask(self, code: str, *, interrupt_after: float | None = None) -> tuple[str, str]:
        """What the cell printed, and the name of the error that ended it ("" if none)."""
        printed, error = [], ""
        sent = self.client.execute(code)
        if interrupt_after is not None:
            time.sleep(interrupt_after)
            self.manager.interrupt_kernel()
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != sent:
                continue
            content = message["content"]
            printed.append(content.get("text", ""))
            if message["msg_type"] == "error":
                error = f"{content['ename']}: {content['evalue']}"
            if content.get("execution_state") == "idle":
                return "".join(printed), error


def interrupt(times: int) -> str:
    """Interrupt `times` times; the line to print. AssertionError for a dead kernel, or a run that cannot go on."""
    continued = finished = raised = 0
    with tempfile.TemporaryDirectory() as folder, Kernel() as kernel:
        _, error = kernel.ask(f"FOLDER = {str(Path(folder))!r}\n{SET_UP}")
        assert not error, error
        seed = 0
        for _ in range(times):
            said, error = kernel.ask(
                f"run = go({seed}, folder=Path(FOLDER))\nprint('finished' * (not run.record.interrupted))",
                interrupt_after=random.uniform(0, LONGEST),
            )
            # Before the training begins there is nothing to keep, and an interrupt is one like everywhere.
            assert error.partition(":")[0] in ("", "KeyboardInterrupt"), error
            raised += bool(error)
            continued += "continues" in said
            assert kernel.manager.is_alive()
            assert kernel.ask("print(1 + 1)") == ("2\n", "")
            if "finished" in said:
                finished, seed = finished + 1, seed + 1
        for each in range(seed + 1):
            said, error = kernel.ask(f"print(same({each}))")
            assert (said.splitlines()[-1:], error) == (["True"], ""), (said, error)
    return (
        f"{times} interrupts, {raised} of them outside the training: the kernel lives, "
        f"{continued} runs went on, {seed + 1} runs ended with the same bits"
    )


if __name__ == "__main__":
    print(interrupt(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
