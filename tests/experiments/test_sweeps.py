"""The parts of a sweep are the sweep: nothing is left out, done twice, or lost with what goes wrong elsewhere."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from dlvc import __main__ as command_line
from dlvc.experiments import running
from dlvc.experiments.records import load_records
from dlvc.experiments.registry import EXPERIMENTS
from dlvc.experiments.sweeps import Job, jobs_of_shard, run_jobs
from dlvc.training.processes import LostProcessError
from dlvc.training.session import Session

SMALL = ["--profile", "smoke", "--epochs", "2", "--train-size", "64", "--evaluation-size", "50"]


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch, sketches):
    """A folder that takes the place of runs/, and small data."""
    monkeypatch.setenv("DLVC_RUNS_DIR", str(tmp_path))
    monkeypatch.setattr("dlvc.experiments.data_for", lambda profile: sketches)
    return tmp_path


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 27, 40])
def test_the_parts_are_disjoint_and_together_all_runs(parts):
    every = [(key, seed) for key in EXPERIMENTS for seed in range(3)]
    shards = [jobs_of_shard(list(EXPERIMENTS), range(3), f"{i + 1}/{parts}") for i in range(parts)]
    assert sorted(job for shard in shards for job in shard) == sorted(every)
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


def test_a_part_takes_every_nth_run():
    assert jobs_of_shard(["a", "b"], [0, 1, 2], "2/4") == [("a", 1), ("b", 2)]


def test_the_commands_of_a_job_array_run_everything_once(monkeypatch):
    asked = []

    def note(key, data, config, **options):
        asked.append((key, config.seed))
        return SimpleNamespace(record=SimpleNamespace(interrupted=False), path="somewhere")

    monkeypatch.setattr("dlvc.experiments.run_experiment", note)
    monkeypatch.setattr(command_line, "summarise", lambda record, path: "")
    for part in ("1/4", "2/4", "3/4", "4/4"):
        assert command_line.main(["train", "--all", "--seeds", "2", "--shard", part, *SMALL]) == 0
    assert sorted(asked) == sorted((key, seed) for key in EXPERIMENTS for seed in range(2))


def test_a_part_that_was_ended_goes_on_and_trains_nothing_twice(runs, monkeypatch, capsys):
    passes, told = [], []
    batches = Session.batches

    def note_pass(session):
        yield from batches(session)
        if not session.stopped:
            passes.append((session.config.seed, session.state.epoch))

    def end_in_the_second_run(epoch):
        told.append(epoch)
        if len(told) == 3:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Session, "batches", note_pass)
    monkeypatch.setattr(command_line, "print_epoch", end_in_the_second_run)
    part = ["train", "simple-cnn", "--seeds", "4", "--shard", "1/2", *SMALL]  # seeds 0 and 2
    before = signal.getsignal(signal.SIGTERM)
    assert command_line.main(part) == 130
    assert passes == [(0, 1), (0, 2), (2, 1)]
    assert signal.getsignal(signal.SIGTERM) is before
    assert command_line.main(part) == 0
    assert command_line.main(part) == 0
    assert passes == [(0, 1), (0, 2), (2, 1), (2, 2)]
    assert capsys.readouterr().out.count("finished before, nothing is trained") == 3
    assert sorted(record.seed for record in load_records(runs)) == [0, 2]
    assert not any(record.interrupted for record in load_records(runs))


def test_a_run_that_fails_is_named_and_does_not_end_the_others(runs, monkeypatch, capsys):
    build_model = running.build_model

    def refuse_seed_0(key, config, **options):
        if config.seed == 0:
            raise RuntimeError("no model of this seed")
        return build_model(key, config, **options)

    monkeypatch.setattr("dlvc.experiments.running.build_model", refuse_seed_0)
    assert command_line.main(["train", "simple-cnn", "--seeds", "2", *SMALL]) == 2
    error = capsys.readouterr().err
    assert "dlvc: simple-cnn with seed 0 failed: no model of this seed" in error
    assert [record.seed for record in load_records(runs)] == [1]


def test_the_status_is_that_of_what_went_wrong_and_a_stop_ends_the_list():
    jobs = [Job("a", seed) for seed in range(4)]
    done = []

    def run(statuses):
        done.clear()
        return run_jobs(
            jobs, lambda job: done.append(job.seed) or statuses[job.seed], print, stopped=130
        )

    assert run([0, 0, 0, 0]) == 0 and done == [0, 1, 2, 3]
    assert run([0, 2, 0, 0]) == 2 and done == [0, 1, 2, 3]
    assert run([0, 2, 130, 0]) == 130 and done == [0, 1, 2]


def test_a_lost_process_ends_the_list():
    def run(job):
        raise LostProcessError("process 0 of 2 has lost the others")

    with pytest.raises(LostProcessError):
        run_jobs([Job("a", 0), Job("a", 1)], run, print, stopped=130)
