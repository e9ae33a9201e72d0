"""One training at a time, in a thread that can be stopped and that never outlives its program."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dlvc.widgets.panel.worker import BusyError, TrainingWorker

PROJECT = Path(__file__).resolve().parents[2]
AT_EXIT = """
import time
from dlvc.widgets.panel.worker import TrainingWorker

def work(stop):
    print("at work", flush=True)
    stop.wait(600)
    time.sleep(0.3)
    print("saved", flush=True)
    return False

worker = TrainingWorker()
worker.start(work)
"""


def until_stopped(stop: threading.Event) -> bool:
    stop.wait(60)
    return False


def test_states_follow_one_another():
    seen = []
    worker = TrainingWorker(lambda: seen.append(worker.state))
    assert worker.state == "idle"
    worker.start(until_stopped)
    worker.stop()
    assert worker.wait(10)
    worker.start(lambda stop: True)
    assert worker.wait(10)
    assert seen == ["running", "stopping", "stopped", "running", "finished"]


def test_a_stop_at_the_moment_of_the_works_own_end_leaves_no_stopping_for_good():
    seen = []
    worker = TrainingWorker(lambda: seen.append(worker.state))
    worker.start(until_stopped)
    ask, thread = worker._stop.set, worker._thread

    def ask_and_let_it_end() -> None:
        ask()
        thread.join(0.2)  # time enough for a thread that nothing holds back

    worker._stop.set = ask_and_let_it_end
    worker.stop()
    assert worker.wait(10)
    assert seen == ["running", "stopping", "stopped"]


def test_a_start_at_the_moment_of_an_end_waits_until_that_is_told():
    seen = []
    worker, begun = TrainingWorker(), threading.Event()

    def change() -> None:
        if worker.state == "finished" and not begun.is_set():
            begun.set()
            again.join(0.2)  # the other training may begin now, but not be told of
        seen.append(worker.state)

    worker._on_change = change
    again = threading.Thread(
        target=lambda: begun.wait(10) and worker.start(until_stopped), daemon=True
    )
    again.start()
    worker.start(lambda stop: True)
    again.join(10)
    assert seen == ["running", "finished", "running"]
    worker.stop()
    assert worker.wait(10)


def test_an_error_is_kept_and_a_new_start_forgets_it():
    worker = TrainingWorker()
    worker.start(lambda stop: 1 / 0)
    worker.wait(10)
    assert worker.state == "failed"
    assert isinstance(worker.error, ZeroDivisionError)
    worker.start(lambda stop: True)
    worker.wait(10)
    assert (worker.state, worker.error) == ("finished", None)


def test_a_second_training_is_refused_in_words_and_the_first_goes_on():
    first, second = TrainingWorker(), TrainingWorker()
    first.start(until_stopped)
    with pytest.raises(BusyError, match="going on in this notebook already"):
        second.start(until_stopped)
    assert (first.state, second.state) == ("running", "idle")
    first.stop()
    assert first.wait(10)
    second.start(lambda stop: True)
    assert second.wait(10)


def test_stop_without_a_training_does_nothing():
    worker = TrainingWorker()
    worker.stop()
    worker.close()
    assert worker.state == "idle"


def test_a_listener_that_fails_at_the_start_leaves_nothing_behind():
    def fail() -> None:
        raise KeyError("page")

    worker = TrainingWorker(fail)
    with pytest.raises(KeyError):
        worker.start(until_stopped)
    other = TrainingWorker()
    other.start(lambda stop: True)
    assert other.wait(10)


@pytest.mark.slow
def test_the_end_of_the_program_stops_the_training_and_waits_for_what_it_saves():
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT], capture_output=True, text=True, cwd=PROJECT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["at work", "saved", ""]
