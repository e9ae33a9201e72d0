"""All loops of the bench do the same work, so that their times may be compared."""

from dataclasses import replace

import pytest
import torch

from dlvc.bench import arms, measure
from dlvc.bench.arms import ARMS, OurBatches, losses_on_record, run_arm
from dlvc.bench.measure import bench_config, equal_work, fewest_seconds
from dlvc.experiments import build_model

AVAILABLE = [name for name, arm in ARMS.items() if arm.available]


def config():
    """Two passes over two batches."""
    return replace(bench_config(), train_size=128, epochs=2)


@pytest.mark.parametrize("name", AVAILABLE)
def test_an_arm_has_the_losses_of_dlvc_on_the_same_batches(name, sketches):
    ours, theirs = (
        losses_on_record(ARMS[each], build_model("simple-cnn", config()), sketches, config())
        for each in ("dlvc", name)
    )
    assert len(ours) == 2
    assert theirs == pytest.approx(ours, rel=1e-4)


def test_the_proof_of_equal_work_notices_another_optimizer(sketches, monkeypatch):
    assert equal_work("simple-cnn", sketches, 3) < 1e-4

    def wrong(model, config):
        return torch.optim.SGD(model.parameters(), 0.1)

    monkeypatch.setattr(arms, "make_optimizer", wrong)
    assert equal_work("simple-cnn", sketches, 4) > 5e-4


@pytest.mark.parametrize("name", AVAILABLE)
def test_an_arm_goes_through_each_image_once_a_pass_and_says_how_long_each_pass_took(
    name, sketches
):
    model, seen = build_model("simple-cnn", config()), []
    model.register_forward_hook(
        lambda module, _, scores: seen.append(len(scores)) if module.training else None
    )
    seconds = run_arm(ARMS[name], model, sketches, config())
    assert seen == [64, 64, 64, 64]
    assert len(seconds) == 2
    assert min(seconds) > 0


def test_our_batches_are_those_that_dlvc_trains_on(sketches):
    """The first pass holds each label as often as the images, and another pass has another order."""
    batches = OurBatches(sketches.train.first(128), config())
    first, second = (torch.cat([labels for _, labels in batches]) for _ in range(2))
    expected = sketches.train.labels[:128]
    assert len(batches) == 2
    assert torch.equal(first.sort().values, expected.sort().values)
    assert not torch.equal(first, second)


def test_the_number_of_workers_is_the_one_with_which_the_tuned_loop_is_fastest(
    sketches, monkeypatch
):
    asked = []

    def loop(model, batches, config):
        asked.append(batches.num_workers)
        return [9.0, {0: 3.0, 1: 1.0}.get(batches.num_workers, 2.0)]

    monkeypatch.setattr(measure, "tuned_loop", loop)
    monkeypatch.setattr(measure.os, "cpu_count", lambda: 2)
    assert fewest_seconds("simple-cnn", sketches, config()) == 1
    assert asked == [0, 1, 2, 0, 1, 2]
