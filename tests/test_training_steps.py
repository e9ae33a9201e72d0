"""What reaches the model and the optimizer in each step is what the config and the image's own draws say."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from dlvc.augment import crop_and_mirror, epoch_generator, random_draws
from dlvc.config import TrainConfig
from dlvc.optimization import learning_rate_at
from dlvc.training import train

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
        "dlvc.training.make_optimizer", lambda model, config: Spy(model.parameters(), lr=1.0)
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


def test_mirror_alone_is_the_mirroring_of_crop_and_mirror_without_its_crops(sketches):
    model = Recorder()
    train(model, sketches, replace(QUICK, augmentation="mirror"), progress=False)
    generator = epoch_generator(QUICK.seed, 1)
    order = torch.randperm(300, generator=generator)
    mirrored = random_draws(300, generator).mirrored[:, None, None, None]
    images = sketches.train.images
    assert torch.equal(torch.cat(model.seen), torch.where(mirrored, images.flip(3), images)[order])


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
