"""Times count only if nothing else was at work: sums done by hand, and a process that is really busy."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_run import ALONE, make_run

from dlvc.experiments.machine import MachineWatch
from dlvc.experiments.registry import config_for
from dlvc.experiments.running import run_experiment


@pytest.mark.parametrize(
    ("change", "undisturbed"),
    [
        ({}, True),
        ({"other_seconds": 50.0}, False),  # of 4 x 100 seconds: 12.5 %
        ({"share_before": 0.2}, False),
        ({"cores": 2}, False),  # 30 of 2 x 100 seconds
        ({"other_seconds": -150.0}, False),  # of a system that counts no seconds at all
    ],
)
def test_others_may_have_a_tenth_of_the_processor_time(change, undisturbed):
    run = make_run(train_seconds=90.0, machine=replace(ALONE, **change))
    assert run.is_undisturbed == undisturbed


def test_a_run_that_was_taken_up_again_knows_nothing_of_before():
    """It was watched for 100 seconds; the test took 1."""
    assert make_run(train_seconds=99.0, machine=ALONE).is_undisturbed
    assert not make_run(train_seconds=99.5, machine=ALONE).is_undisturbed
    assert not make_run(train_seconds=100.5, machine=ALONE, test=None).is_undisturbed


def test_a_run_without_a_watch_is_not_known_to_be_undisturbed():
    assert not make_run(machine=None).is_undisturbed


def test_a_busy_process_beside_a_run_disturbs_it(monkeypatch):
    monkeypatch.setattr("psutil.cpu_count", lambda: 1)  # so that one process is all of the machine
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        watch = MachineWatch()
        time.sleep(0.3)
        use = watch.use
    finally:
        other.kill()
        other.wait()
    assert not use.is_undisturbed(0.3)


def test_others_have_what_the_cores_were_busy_less_the_runs_own_seconds(monkeypatch):
    """Waiting for a disk is not being busy, and what a guest system had is among the seconds of users already."""
    before = {
        "user": 100.0,
        "system": 20.0,
        "idle": 500.0,
        "iowait": 5.0,
        "steal": 1.0,
        "guest": 3.0,
    }
    passed = {"user": 10.0, "system": 2.0, "idle": 50.0, "iowait": 4.0, "steal": 1.0, "guest": 6.0}
    monkeypatch.setattr("psutil.cpu_percent", lambda interval: 2.0)
    now = dict(before)
    monkeypatch.setattr("psutil.cpu_times", lambda: SimpleNamespace(_asdict=lambda: dict(now)))
    monkeypatch.setattr(time, "process_time", lambda: now["user"] / 2)
    watch = MachineWatch()
    now |= {name: before[name] + passed[name] for name in passed}
    use = watch.use
    assert use.share_before == 0.02
    assert use.processor_seconds == 10 / 2
    assert use.other_seconds == 10 + 2 + 1 - 5


def test_a_run_is_watched_from_before_its_first_step_to_the_end_of_its_test(sketches):
    config = config_for("simple-cnn", sketches, epochs=1, train_size=20, evaluation_size=20)
    record = run_experiment("simple-cnn", sketches, config, save=False, progress=False).record
    assert record.machine.seconds >= record.train_seconds + record.test.seconds
    assert record.machine.processor_seconds > 0
