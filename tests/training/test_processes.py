"""A training on two processes is the training on one: the same images, gradients, numbers, files and ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_training import STEPS
from two_processes import PLAIN, RUN, environment, free_port, plain_model, told, train_plain

from dlvc.data.augment import crop_and_mirror, epoch_generator, random_draws
from dlvc.data.batches import split_batches
from dlvc.experiments.records import load_record
from dlvc.experiments.running import load_run
from dlvc.training.evaluation import evaluate
from dlvc.training.processes import ALONE, SeveralProcesses, processes_of_torchrun

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[1] / "tools"
BEGUN = 10  # steps that one process does before two go on: of 7 in the first epoch, 3 in the second


@pytest.fixture(scope="module")
def alone(sketches):
    """The plain training on a single process."""
    model, result, seen = train_plain(sketches)
    return SimpleNamespace(weights=model.state_dict(), told=told(result), seen=seen)


@pytest.fixture(scope="module")
def ranks(sketches, tmp_path_factory):
    """What each of two processes found, and the folder in which they worked."""
    folder = tmp_path_factory.mktemp("two")
    stop = threading.Event()
    train_plain(
        sketches,
        checkpoints=folder / "begun",
        on_step=lambda *step: stop.set() if step == (2, 3, 7) else None,
        stop=stop,
    )
    port = str(free_port())
    shared = environment(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE="2")
    started = [
        subprocess.Popen(
            [sys.executable, str(TESTS / "two_processes.py"), str(folder)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    found = [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    return SimpleNamespace(found=found, folder=folder, said=said)


def largest_difference(one: dict, other: dict) -> float:
    """The largest difference between two models' weights."""
    assert list(one) == list(other)
    return max((one[name] - other[name]).abs().max().item() for name in one)


def test_the_weights_are_the_same_bits_in_all_processes_after_21_steps(ranks):
    first, second = (each["training"] for each in ranks.found)
    assert len(first["seen"]) == 21
    assert largest_difference(first["weights"], second["weights"]) == 0
    assert first["told"] == second["told"]


def test_two_processes_end_with_the_weights_and_numbers_of_one(ranks, alone):
    found = ranks.found[0]["training"]
    assert largest_difference(alone.weights, plain_model().state_dict()) > 1e-3  # it has learned
    assert largest_difference(alone.weights, found["weights"]) < 1e-5
    assert torch.tensor(found["told"]) == pytest.approx(torch.tensor(alone.told), abs=1e-5)


def test_the_slices_of_each_batch_are_disjoint_and_make_up_the_order_with_its_crops(
    ranks, sketches
):
    seen = [each["training"]["seen"] for each in ranks.found]
    for epoch in (1, 2, 3):
        generator = epoch_generator(PLAIN.seed, epoch)
        order = torch.randperm(PLAIN.train_size, generator=generator)
        images = sketches.train.images[: PLAIN.train_size]
        cropped = crop_and_mirror(images, random_draws(PLAIN.train_size, generator))
        for step, batch in enumerate(split_batches(order, PLAIN.batch_size), start=7 * (epoch - 1)):
            parts = [rank[step] for rank in seen]
            if len(batch) == 3:  # the second computes two of them, without a part of its own
                assert len(parts[1]) == 2
                parts = parts[:1]
            assert torch.equal(torch.cat(parts), cropped[batch])


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 15, 16, 64])
def test_the_slices_that_count_are_a_batch_and_none_is_of_a_single_image(size, count):
    batch = torch.randperm(count, generator=torch.Generator().manual_seed(count))
    shares = [
        SeveralProcesses.share(SimpleNamespace(size=size, rank=r), batch) for r in range(size)
    ]
    assert torch.equal(torch.cat([index for index, counts in shares if counts]), batch)
    assert min(len(index) for index, _ in shares) >= min(2, count)
    evaluated = [
        SeveralProcesses.images(SimpleNamespace(size=size, rank=r), count) for r in range(size)
    ]
    assert [number for each in evaluated for number in each] == list(range(count))


def test_a_stop_in_one_process_ends_all_at_the_same_step(ranks):
    steps = [each["stopping"]["stopped"]["steps"] for each in ranks.found]
    assert steps[0] == steps[1]
    # Asked for after the second step of the second epoch, heard by all one step later at the latest.
    assert steps[0][-1] in [(2, 2, STEPS), (2, 3, STEPS), (2, 4, STEPS)]


def test_a_stopped_training_ends_with_the_bits_of_one_that_was_not(ranks):
    for each in (rank["stopping"] for rank in ranks.found):
        assert each["resumed"]["outcome"] == each["whole"]
        assert each["stopped"]["outcome"] != each["whole"]
        done, left = each["stopped"]["steps"], each["resumed"]["steps"]
        assert done + left == [(e, s, STEPS) for e in (1, 2, 3) for s in range(1, STEPS + 1)]


def test_two_processes_go_on_where_one_was_stopped(ranks, alone):
    for each in ranks.found:
        assert each["going on"]["steps"] == 21 - BEGUN
        assert largest_difference(alone.weights, each["going on"]["weights"]) < 1e-5
        assert torch.tensor(each["going on"]["told"]) == pytest.approx(
            torch.tensor(alone.told), abs=1e-5
        )


def test_the_test_score_of_two_processes_is_that_of_one(ranks, sketches):
    (path,) = (ranks.folder / "runs").glob("*.json")
    record = load_record(path)
    score = evaluate(load_run(path), sketches.test.first(RUN.evaluation_size), progress=False)
    assert record.test.confusion == score.confusion.tolist()
    assert record.test.correct_images().tolist() == score.correct.tolist()
    assert record.test.loss == pytest.approx(score.loss, rel=1e-6)
    assert record.device["processes"] == 2
    assert [each["running"]["test"] for each in ranks.found] == [record.test.confusion] * 2


def test_a_finished_run_is_given_back_to_all_processes(ranks):
    (path,) = (ranks.folder / "runs").glob("*.json")
    weights = [again["weights"] for each in ranks.found for again in each["running"]["runs"]]
    assert all(largest_difference(weights[0], each) == 0 for each in weights)
    for each in ranks.found:
        first, again = each["running"]["runs"]
        assert first["path"] == again["path"] == str(path)
        assert first["started"] == again["started"]


def test_the_first_process_alone_writes_and_prints(ranks):
    first, second = (each["written"] for each in ranks.found)
    assert any("checkpoint-" in line for line in first) and any(".json" in line for line in first)
    assert second == []
    assert "finished before, nothing is trained" in ranks.said[0][0]
    assert ranks.said[1][0] == ""


def test_a_fault_of_one_process_is_told_by_all_alike(ranks):
    assert ranks.found[0]["errors"] == ranks.found[1]["errors"]
    said = ranks.found[0]["errors"]
    assert said["not finite"].startswith("the loss is nan at epoch 2, step 3, with learning rate")
    assert "the 2 processes of this training have not the same config" in said["other settings"]
    assert "invalid literal for int()" in said["first"]


def test_a_single_process_is_never_wrapped(monkeypatch):
    model = plain_model()
    assert ALONE.wrap(model) is model
    for size in ("", "1"):
        monkeypatch.setenv("WORLD_SIZE", size)
        with processes_of_torchrun() as processes:
            assert processes is ALONE
    monkeypatch.delenv("WORLD_SIZE")
    with processes_of_torchrun() as processes:
        assert processes is ALONE
    assert not torch.distributed.is_initialized()


def test_more_processes_than_gpus_are_refused_in_words(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with (
        pytest.raises(ValueError, match=r"has 1 CUDA GPUs, but at least 2 processes.*--device cpu"),
        processes_of_torchrun(),
    ):
        pass
