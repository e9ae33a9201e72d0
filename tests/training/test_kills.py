"""Killed or interrupted at a random moment, a process leaves what another can go on with.

Each test runs a script that can be run by hand with a larger number; DLVC_KILLS=200 takes that number here too.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[1] / "tools"
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def run_script(name: str, *arguments: str, times: int) -> str:
    """The last line that the script printed, after trying it `times` times."""
    times = int(os.environ.get("DLVC_KILLS") or times)
    done = subprocess.run(
        [sys.executable, str(TESTS / name), *arguments, str(times)],
        env={**os.environ, "PYTHONPATH": str(TESTS.parents[1]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@needs_fork
def test_a_kill_at_any_moment_of_saving_leaves_a_whole_checkpoint():
    assert "none lost" in run_script("kill_saving.py", "saving", times=15)


@needs_fork
def test_a_training_killed_again_and_again_ends_with_the_same_bits():
    assert "each to the same bits" in run_script("kill_saving.py", "training", times=3)


@pytest.mark.skipif(sys.platform == "win32", reason="has no signal for a single process")
def test_interrupts_in_a_real_kernel_leave_it_alive_and_the_run_resumable():
    assert "the kernel lives" in run_script("interrupt_kernel.py", times=3)
