"""A training step of dlvc takes hardly longer than the bare step: a ratio, so it holds on slow machines too."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import mean

import torch

from dlvc.data import batches
from dlvc.studies.bench.measure import Step, bare_steps, bench_config, bench_model
from dlvc.training import loop as training

# Quietly 1.05 to 1.2; the loop of the second test takes 1.6 times the bare step or more.
LIMIT = 1.35
STEPS, TURNS, TRIES = 30, 4, 6


def loop_ratios(data, tries: int) -> Iterator[float]:
    """After each try the step of an epoch over the bare step, each the least seen so far: noise only ever adds."""
    config = replace(bench_config(), train_size=STEPS * 64, epochs=2)
    bare, loop = [], []
    for _ in range(tries):
        for _ in range(TURNS):
            result = training.train(bench_model("simple-cnn", config), data, config, progress=False)
            loop += [epoch.seconds / STEPS for epoch in result.epochs]
            bare += [mean(bare_steps("simple-cnn", data, Step(), STEPS)) for _ in range(2)]
        yield min(loop) / min(bare)


def test_a_step_of_the_loop_takes_hardly_longer_than_the_bare_step(many_sketches):
    """Nor less: then the clock, or the floor, would be wrong. A busy machine needs more tries than a quiet one."""
    found = []
    for ratio in loop_ratios(many_sketches, TRIES):
        found.append(ratio)
        if 0.9 <= ratio <= LIMIT:
            return
    raise AssertionError(f"the loop takes {found} times as long as the bare step")


def test_single_images_would_be_noticed(many_sketches, monkeypatch):
    """A loop that cuts and mirrors each image in a call of its own is over the limit."""
    real = batches.crop_and_mirror

    def one_by_one(images, draws, *, padding):
        each = (slice(i, i + 1) for i in range(len(images)))
        return torch.cat([real(images[one], draws.take(one), padding=padding) for one in each])

    monkeypatch.setattr(batches, "crop_and_mirror", one_by_one)
    *_, found = loop_ratios(many_sketches, 2)
    assert found > LIMIT
