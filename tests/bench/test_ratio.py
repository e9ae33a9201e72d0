"""A training step of dlvc takes hardly longer than the bare step: a ratio, so it holds on slow machines too."""

from dataclasses import replace
from statistics import mean

import torch

from dlvc import batches, training
from dlvc.bench.measure import Step, bare_steps, bench_config
from dlvc.experiments import build_model

# Quietly 1.05 to 1.2; the loop of the second test takes 1.6 times the bare step or more.
LIMIT = 1.35
STEPS, TURNS, TRIES = 30, 4, 6


def loop_ratio(data) -> float:
    """Seconds of an epoch's step over the bare step's, each the least that was seen: noise only ever adds.

    As many turns as it takes to come below the limit: a busy machine needs more of them, a slow loop never does.
    """
    config = replace(bench_config(), train_size=STEPS * 64, epochs=2)
    bare, loop = [], []
    for _ in range(TRIES):
        for _ in range(TURNS):
            bare.append(mean(bare_steps("simple-cnn", data, Step(), STEPS)))
            result = training.train(build_model("simple-cnn", config), data, config, progress=False)
            loop += [epoch.seconds / STEPS for epoch in result.epochs]
        if min(loop) / min(bare) <= LIMIT:
            break
    return min(loop) / min(bare)


def test_a_step_of_the_loop_takes_hardly_longer_than_the_bare_step(many_sketches):
    """Nor less: then the clock, or the floor, would be wrong."""
    assert 0.9 <= loop_ratio(many_sketches) <= LIMIT


def test_single_images_would_be_noticed(many_sketches, monkeypatch):
    """A loop that cuts and mirrors each image in a call of its own is over the limit."""
    real = batches.crop_and_mirror

    def one_by_one(images, draws, *, padding):
        each = (slice(i, i + 1) for i in range(len(images)))
        return torch.cat([real(images[one], draws.take(one), padding=padding) for one in each])

    monkeypatch.setattr(batches, "crop_and_mirror", one_by_one)
    assert loop_ratio(many_sketches) > LIMIT
