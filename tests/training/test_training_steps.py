"""What reaches the model and the optimizer in each step is what the config and the image's own draws say."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from dlvc.config import TrainConfig
from dlvc.data.augment import crop_and_mirror, epoch_generator, random_draws
from dlvc.training.loop import train
from dlvc.training.optimization import learning_rate_at

QUICK = TrainConfig(epochs=1, train_size=300, evaluation_size=100, device="cpu")


class Recorder(nn.Module):
    """A linear model that keeps the images it was trained on."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.head = nn.Linear(3 * 32 * 32, 10)
        self.seen = []

    def forward(self, images):
        if self.training:
            self.seen.append((images * 255).round().to(torch.uint8))
        return self.head(images.flatten(1))


def test_each_step_uses_its_own_learning_rate(sketches, monkeypatch):
    used = []

    class Spy(torch.optim.SGD):
        def step(self, *arguments):
            used.append(self.param_groups[0]["lr"])

    monkeypatch.setattr(
        "dlvc.training.session.make_optimizer",
        lambda model, config: Spy(model.parameters(), lr=1.0),
    )
    config = replace(QUICK, epochs=2, schedule="one-cycle", learning_rate=0.1)
    train(Recorder(), sketches, config, progress=False)
    assert used == [learning_rate_at(step, 10, config) for step in range(10)]


def test_an_image_is_cropped_by_its_own_draw_wherever_the_order_puts_it(sketches):
    model = Recorder()
    train(model, sketches, QUICK, progress=False)
    generator = epoch_generator(QUICK.seed, 1)
    order = torch.randperm(300, generator=generator)
    cropped = crop_and_mirror(sketches.train.images, random_draws(300, generator))
    assert torch.equal(torch.cat(model.seen), cropped[order])


def test_a_largest_shift_of_zero_leaves_only_the_mirroring(sketches):
    model = Recorder()
    train(model, sketches, replace(QUICK, largest_shift=0), progress=False)
    generator = epoch_generator(QUICK.seed, 1)
    order = torch.randperm(300, generator=generator)
    mirrored = random_draws(300, generator, padding=0).mirrored[:, None, None, None]
    images = sketches.train.images
    assert torch.equal(torch.cat(model.seen), torch.where(mirrored, images.flip(3), images)[order])


def test_no_image_is_shifted_further_than_the_setting_says(sketches):
    def largest(shift: int) -> int:
        model = Recorder()
        pictures = torch.zeros_like(sketches.train.images)
        pictures[:, :, 16, 16] = 255  # one bright pixel
        marked = replace(sketches, train=replace(sketches.train, images=pictures))
        train(model, marked, replace(QUICK, largest_shift=shift), progress=False)
        rows = torch.cat(model.seen).amax(dim=(1, 3)).argmax(dim=1)
        return int((rows - 16).abs().max())

    assert [largest(shift) for shift in (0, 2, 7)] == [0, 2, 7]


def test_another_seed_gives_another_order_and_other_crops(sketches):
    models = [Recorder(), Recorder()]
    for seed, model in enumerate(models):
        train(model, sketches, replace(QUICK, seed=seed, augmentation="none"), progress=False)
    first, second = (torch.cat(model.seen) for model in models)
    assert not torch.equal(first, second)


def test_label_smoothing_is_part_of_the_training_loss(sketches):
    model = Recorder()
    with torch.no_grad():
        model.head.weight *= 10  # far from guessing, where smoothing would change nothing
        logits = model.eval()(sketches.train.images / 255)
    config = replace(QUICK, augmentation="none", batch_size=300, label_smoothing=0.5)
    epoch = train(model, sketches, config, progress=False).epochs[0]
    expected = cross_entropy(logits, sketches.train.labels, label_smoothing=0.5).item()
    plain = cross_entropy(logits, sketches.train.labels).item()
    assert epoch.train_loss == pytest.approx(expected, rel=1e-4)
    assert abs(plain - expected) > 0.005 * expected
