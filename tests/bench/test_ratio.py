"""A training step of dlvc takes hardly longer than the bare step: a ratio, so it holds on slow machines too."""

import statistics
from dataclasses import replace

from dlvc import training
from dlvc.bench.measure import Step, bare_steps, bench_config
from dlvc.experiments import build_model

# Quietly 1.05 to 1.25. What it is for costs more: the second test's loop takes 1.5 to 2.1 times the bare step.
LIMIT = 1.4
STEPS, TRIES = 30, 4


def loop_ratio(data) -> float:
    """Time of an epoch's step over the bare step's: the median of three rounds, each with both side by side."""
    config = replace(bench_config(), train_size=STEPS * 64, epochs=2)
    rounds = []
    for _ in range(3):
        bare = statistics.median(bare_steps("simple-cnn", data, Step(), STEPS))
        result = training.train(build_model("simple-cnn", config), data, config, progress=False)
        rounds.append(result.epochs[-1].seconds / STEPS / bare)
    return statistics.median(rounds)


def test_a_step_of_the_loop_takes_hardly_longer_than_the_bare_step(many_sketches):
    """The best of a few tries: noise makes a ratio larger by chance, a slow loop makes it larger each time."""
    found = []
    for _ in range(TRIES):
        found.append(loop_ratio(many_sketches))
        if found[-1] < LIMIT:
            return
    raise AssertionError(f"the loop takes {found} times as long as the bare step")


def test_augmenting_each_image_alone_would_be_noticed(many_sketches, monkeypatch):
    real = training.crop_and_mirror

    def one_by_one(images, draws, *, padding):
        parts = [
            real(images[i : i + 1], draws.take(slice(i, i + 1)), padding=padding)
            for i in range(len(images))
        ]
        return training.torch.cat(parts)

    monkeypatch.setattr(training, "crop_and_mirror", one_by_one)
    assert all(loop_ratio(many_sketches) > LIMIT for _ in range(2))
