"""All that a GPU is wanted for happens in one call; here it is rehearsed on the CPU."""

import json
import time

from dlvc.experiments import EXPERIMENTS, load_records
from dlvc.studies import gpu


def test_a_rehearsal_leaves_every_part_and_a_record_of_every_experiment(tmp_path):
    gpu.main([str(tmp_path), "--rehearse"])
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert record["errors"] == {}
    steps = record["seconds a step"]["simple-cnn"]
    assert {size: len(rounds["dlvc"]) for size, rounds in steps.items()} == {"16": 1, "32": 1}
    assert set(record["seconds a step by precision"]["simple-cnn"]["16"]) == set(gpu.PRECISIONS)
    assert (
        record["waits an epoch"] == record["seconds a step as CUDA graph"] == {"simple-cnn": None}
    )
    assert {run.key for run in load_records(tmp_path / "runs")} == set(EXPERIMENTS)


def test_a_part_that_fails_is_named_and_the_others_go_on(tmp_path, sketches, monkeypatch):
    def fail(*_):
        raise RuntimeError("no such kernel")

    monkeypatch.setitem(gpu.PARTS, "waits an epoch", fail)
    record = gpu.measure_all(sketches, gpu.REHEARSAL, tmp_path, time.monotonic() + 60)
    assert record["errors"] == {"simple-cnn, waits an epoch": "no such kernel"}
    assert record["seconds a step as CUDA graph"] == {"simple-cnn": None}


def test_no_run_is_begun_that_would_end_too_late_if_it_took_as_long_as_the_longest(
    tmp_path, sketches, monkeypatch
):
    now, begun = [0.0], []
    lengths = {key: 10.0 * number for number, key in enumerate(EXPERIMENTS)}

    def run(key, *_, **__):
        begun.append(key)
        now[0] += lengths[key]

    monkeypatch.setattr(gpu, "run_experiment", run)
    monkeypatch.setattr(gpu.time, "monotonic", lambda: now[0])
    gpu.train_seeds(sketches, gpu.Extent(changes={"train_size": 64}), tmp_path, 45.0, None)
    assert begun == list(EXPERIMENTS)[:3]  # 0, 10 and 20 s; the fourth might end after 50 s
