"""The step that is measured is the step that is trained with."""

import copy
from dataclasses import replace

import torch
from torch.nn.functional import cross_entropy

from dlvc.config import TrainConfig
from dlvc.data import epoch_generator, to_float
from dlvc.models.cnn import SimpleCNN
from dlvc.training.device import input_layout
from dlvc.training.loop import train
from dlvc.training.one_step import bare_step
from dlvc.training.optimization import make_optimizer


def test_a_bare_step_is_that_of_the_loop(sketches):
    config = replace(
        TrainConfig(epochs=1, train_size=20, batch_size=20, evaluation_size=10, device="cpu"),
        augmentation="none",
    )
    model = SimpleCNN(dropout=0.0)
    trained = copy.deepcopy(model)
    train(trained, sketches, config, progress=False)
    order = torch.randperm(20, generator=epoch_generator(config.seed, 1))
    device = torch.device("cpu")
    images = to_float(sketches.train.images[order], input_layout(model, device))
    labels = sketches.train.labels[order]
    optimizer = make_optimizer(model.train(), config)
    loss, logits = bare_step(model, optimizer, images, labels)
    assert loss == cross_entropy(logits, labels)
    for one, other in zip(model.parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(one, other)
