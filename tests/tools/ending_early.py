"""`python -m dlvc` with processes that end early: `torchrun ... tests/tools/ending_early.py HOW ARGUMENTS`.

HOW is `terminated` (after one epoch the first process asks torchrun to end, as a cluster does) or `killed` (after two
the last one dies).
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from dlvc import __main__ as command_line
from dlvc.training.result import EpochRecord


def terminate() -> None:
    """Ask torchrun to end, and wait until it has told this process."""
    heard, handler = threading.Event(), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *arguments: (handler(*arguments), heard.set()))
    os.kill(os.getppid(), signal.SIGTERM)
    assert heard.wait(120)


def end_early(how: str) -> None:
    """Let one of the processes end as HOW says."""
    show = command_line.print_epoch

    def print_epoch(epoch: EpochRecord) -> None:
        show(epoch)
        if how == "terminated" and os.environ["RANK"] == "0":
            terminate()
        if how == "killed" and os.environ["RANK"] == "1" and epoch.epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    command_line.print_epoch = print_epoch


if __name__ == "__main__":
    how, *arguments = sys.argv[1:]
    end_early(how)
    sys.exit(command_line.main(arguments))
