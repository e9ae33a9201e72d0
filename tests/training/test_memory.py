"""Where memory is short a batch is computed in parts, which add up to the same step, and that is said."""

import platform
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from small_training import run, same_weights
from torch import nn

from dlvc.config import TrainConfig
from dlvc.training.evaluation import evaluate, predict
from dlvc.training.loop import train
from dlvc.training.memory import NotEnoughMemoryError

CONFIG = TrainConfig(epochs=2, train_size=300, evaluation_size=100, device="cpu")


class Small(nn.Module):
    """A model for which at most `most` images at once fit into memory."""

    def __init__(self, most: int = 1000, *, batch_norm: bool = False, kind=torch.OutOfMemoryError):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layers = [nn.Conv2d(3, 4, 3, stride=4), nn.Flatten(), nn.Linear(256, 10)]
            self.layers = nn.Sequential(*layers)
        if batch_norm:
            self.layers.insert(1, nn.BatchNorm2d(4))
        self._most, self.kind, self.seen = most, kind, []

    def forward(self, images):
        if len(images) > self._most:
            raise self.kind("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")
        if self.training:
            self.seen.append(len(images))
        return self.layers(images)


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, RuntimeError])
def test_parts_of_a_batch_add_up_to_the_steps_of_whole_batches(sketches, kind, capsys):
    whole, parts = Small(), Small(20, kind=kind)
    expected = train(whole, sketches, CONFIG, progress=False)
    assert capsys.readouterr().out == ""
    result = train(parts, sketches, CONFIG, progress=False)
    assert parts.seen == ([16] * 4 * 4 + [16, 16, 12]) * 2  # four batches of 64 and one of 44
    assert (expected.micro_batch, result.micro_batch) == (64, 16)
    torch.testing.assert_close(whole.state_dict(), parts.state_dict(), atol=2e-4, rtol=0)
    for one, other in zip(expected.epochs, result.epochs, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        assert abs(one.train_accuracy - other.train_accuracy) < 0.02


def test_the_gradient_of_a_batch_in_parts_is_that_of_the_batch(sketches):
    """With plain gradients instead of Adam's, which hide a wrong length: 10 images in parts of 4 + 4 + 2."""
    gradients = []
    for most in (1000, 4):
        model = Small(most)
        config = replace(CONFIG, epochs=1, train_size=10, batch_size=10, evaluation_size=10)
        train(model, sketches, config, progress=False)
        gradients.append([each.grad for each in model.parameters()])
    assert model.seen == [2] * 5  # 10 -> 5 -> 2
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)


def test_a_step_that_ran_out_of_memory_half_way_counts_once(sketches):
    class FailsOnce(Small):
        """In the second step, memory suffices for the first part and not for the second."""

        def forward(self, images):
            if self.seen == [16] * 6:
                self.seen.append("failed")
                raise torch.OutOfMemoryError
            return super().forward(images)

    whole, parts = Small(), FailsOnce(20)
    config = replace(CONFIG, epochs=1)
    expected = train(whole, sketches, config, progress=False).epochs[0]
    result = train(parts, sketches, config, progress=False).epochs[0]
    assert parts.seen[:9] == [*[16] * 6, "failed", 8, 8]
    assert result.train_loss == pytest.approx(expected.train_loss, rel=1e-4)
    assert abs(result.train_accuracy - expected.train_accuracy) < 0.02
    torch.testing.assert_close(whole.state_dict(), parts.state_dict(), atol=2e-4, rtol=0)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_each_halving_is_said_and_what_batch_norm_makes_of_it(sketches, batch_norm, capsys):
    train(Small(20, batch_norm=batch_norm), sketches, CONFIG, progress=False)
    said = capsys.readouterr().out.splitlines()
    start = "memory is short: from here on at most {} images are computed at once. A step still sees batches of 64"
    end = (
        ", but batch normalisation takes its statistics over each part, so results differ"
        if batch_norm
        else ""
    )
    assert said == [f"{start.format(size)}{end}." for size in (32, 16)]


def test_a_memory_too_small_for_one_image_is_said(sketches):
    with pytest.raises(
        NotEnoughMemoryError, match=r"not suffice for a single image.*smaller model"
    ):
        train(Small(0), sketches, CONFIG, progress=False)


def test_another_error_is_not_taken_for_want_of_memory(sketches):
    class Broken(Small):
        def forward(self, images):
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        train(Broken(), sketches, CONFIG, progress=False)


def test_evaluation_and_prediction_give_the_same_in_smaller_parts(sketches):
    whole, parts = Small(), Small(7)
    one, other = (evaluate(each, sketches.test, progress=False) for each in (whole, parts))
    assert one.loss == pytest.approx(other.loss, rel=1e-6)
    assert torch.equal(one.confusion, other.confusion)
    images = sketches.test.images
    torch.testing.assert_close(predict(whole, images), predict(parts, images))


def test_a_training_with_short_memory_goes_on_in_the_same_parts(sketches, tmp_path):
    straight = Small(20)
    train(straight, sketches, CONFIG, progress=False)
    run(sketches, tmp_path, model=Small(20), config=CONFIG, stop_after=30)
    resumed, _ = run(sketches, tmp_path, model=Small(), config=CONFIG)  # a whole batch would fit
    assert set(resumed.seen) == {16, 12}
    assert same_weights(straight, resumed)


FAULTS = """
import resource, sys, torch
from dlvc.training.device import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()

def step():
    layers = [torch.ones(2**19) for _ in range(8)]  # 2 MB each, freed at the end of the step

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_memory_that_a_step_frees_is_not_fetched_from_the_system_again():
    """50 steps of 16 MB are 200,000 pages of 4 kB: kept, hardly any of them is fetched anew."""
    given_back, kept = (
        int(
            subprocess.run(
                [sys.executable, "-c", FAULTS, way], capture_output=True, text=True, check=True
            ).stdout
        )
        for way in ("give back", "keep")
    )
    assert kept < 50_000
    assert kept <= given_back
