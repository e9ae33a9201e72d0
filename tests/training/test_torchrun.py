"""Under torchrun a job ends as a whole, in words, and whoever starts it again goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from two_processes import environment, free_port

from dlvc import __main__ as command_line
from dlvc.experiments.records import load_records

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[1] / "tools"
TRAIN = ["train", "simple-cnn", "--profile", "smoke", "--epochs", "3", "--device", "cpu"]
TRAIN += ["--train-size", "320", "--evaluation-size", "50"]


def torchrun(runs: Path, how: str) -> subprocess.CompletedProcess:
    """Two processes that train and end early."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    place = ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    return subprocess.run(
        [*launcher, *place, str(TESTS / "ending_early.py"), how, *TRAIN],
        env=environment(DLVC_RUNS_DIR=str(runs)),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="has no signals for single processes")
def test_a_job_that_is_ended_or_killed_says_so_and_goes_on_with_any_number_of_processes(
    tmp_path, monkeypatch, capsys
):
    terminated = torchrun(tmp_path, "terminated")
    assert terminated.returncode != 0
    assert "the same command goes on from there" in terminated.stdout, terminated.stderr
    (record,) = load_records(tmp_path)
    assert record.interrupted and len(record.epochs) == 1

    killed = torchrun(tmp_path, "killed")
    assert killed.returncode != 0
    assert "continues at epoch 2, step " in killed.stdout, killed.stderr
    assert "process 0 of 2 has lost the others" in killed.stderr
    assert "SIGKILL" in killed.stderr  # torchrun's own report

    monkeypatch.setenv("DLVC_RUNS_DIR", str(tmp_path))
    assert command_line.main(TRAIN) == 0
    said = capsys.readouterr().out
    assert "continues at epoch 3, step 0 of 5" in said and "another number of processes" in said
    (record,) = load_records(tmp_path)
    assert not record.interrupted and len(record.epochs) == 3
    assert record.device["processes"] == 1
