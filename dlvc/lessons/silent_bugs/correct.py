"""A training as the report's text describes it, in small methods: each is one decision, so a fault can change one.

Does what `dlvc.training` does, a test compares the weights, but leaves out checkpoints, GPUs and everything else that
is not needed to see what is decided where.
"""

from __future__ import annotations

import copy
import time
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.config import TrainConfig
from dlvc.data import (
    Draws,
    ImageData,
    Split,
    crop_and_mirror,
    epoch_generator,
    random_draws,
    split_batches,
)
from dlvc.experiments import build_model
from dlvc.lessons.silent_bugs.traces import Trace
from dlvc.models import VisionTransformer
from dlvc.training import make_optimizer, memory_layout, own_random_numbers

CPU = torch.device("cpu")
FILES = 4  # the training images come in so many files, as in CIFAR-10


class PlainTraining:
    """One training of the deep normalised CNN on a CPU; `run()` trains and returns the trace.

    data: after construction what the code works on. model: after `run()` the one that was kept, in evaluation mode.
    """

    key = "deep-cnn-bn"  # in the registry
    title = "Deep Normalized CNN"
    faults: tuple[str, ...] = ()  # their names, if the code has any

    def __init__(self, data: ImageData, config: TrainConfig) -> None:
        self.config = config
        with own_random_numbers(config.seed, CPU):
            self.data = replace(
                data,
                train=self.read_files(files_of(data.train.first(config.train_size))),
                validation=data.validation.first(config.evaluation_size),
                test=data.test.first(config.evaluation_size),
            )
            self.model = self.build()
        self.model.to(memory_format=memory_layout(self.model, CPU))
        self.optimizer = make_optimizer(self.model, config)
        self.best_score, self.best_epoch, self.test_evaluations = -1.0, 0, 0
        self.step_losses: list[float] = []
        self.learning_rates: list[float] = []
        self.log: dict[str, list[float]] = {}

    def read_files(self, files: list[Split]) -> Split:
        images, labels = [], []
        for file in files:
            images.append(file.images)
            labels.append(file.labels)
        return Split(torch.cat(images), torch.cat(labels))

    def build(self) -> nn.Module:
        return build_model(self.key, self.config)

    def prepare(self, images: Tensor) -> Tensor:
        return images.float() / 255

    def augment(self, images: Tensor, draws: Draws) -> Tensor:
        return crop_and_mirror(images, draws)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits, labels)

    def learning_rate(self, epoch: int) -> float:
        return self.config.learning_rate

    def train_epoch(self, epoch: int) -> tuple[float, float]:
        """Train on each image once: the loss to report, and the accuracy."""
        images, labels = self.data.train.images, self.data.train.labels
        generator = epoch_generator(self.config.seed, epoch)
        order = torch.randperm(len(labels), generator=generator)
        draws = random_draws(len(labels), generator)
        losses, sizes, correct = [], [], 0
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(epoch)
        for index in split_batches(order, self.config.batch_size):
            batch = self.prepare(self.augment(images[index], draws.take(index)))
            self.optimizer.zero_grad()
            logits = self.model(batch)
            loss = self.loss(logits, labels[index])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
            sizes.append(len(index))
            correct += int((logits.argmax(dim=1) == labels[index]).sum())
        self.step_losses += losses
        return self.epoch_loss(losses, sizes), correct / len(labels)

    def epoch_loss(self, losses: list[float], sizes: list[int]) -> float:
        total = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
        return total / sum(sizes)

    @torch.no_grad()
    def scores(self, model: nn.Module, images: Tensor) -> Tensor:
        model.eval()
        return model(self.prepare(images))

    def evaluate(self, split: Split) -> tuple[float, float]:
        """Loss and accuracy on all images of `split`."""
        logits = torch.cat([self.scores(self.model, part) for part in split.images.split(500)])
        loss = self.loss(logits, split.labels).item()
        return loss, (logits.argmax(dim=1) == split.labels).float().mean().item()

    def open_test(self) -> Split:
        self.test_evaluations += 1
        return self.data.test

    def selection_split(self) -> Split:
        return self.data.validation

    def keep_best(self, epoch: int, score: float) -> None:
        if score > self.best_score:
            self.best_score = score
            self.best_epoch = epoch
            self.best_weights = copy.deepcopy(self.model.state_dict())

    def validation_column(self, accuracies: list[float]) -> float:
        return accuracies[self.best_epoch - 1]

    def run(self) -> Trace:
        """Train all epochs, keep the best one and test it once."""
        with own_random_numbers(self.config.seed, CPU):
            for epoch in range(1, self.config.epochs + 1):
                start = time.perf_counter()
                train_loss, train_accuracy = self.train_epoch(epoch)
                validation_loss, validation_accuracy = self.evaluate(self.data.validation)
                chosen_on = self.selection_split()
                score = validation_accuracy
                if chosen_on is not self.data.validation:
                    score = self.evaluate(chosen_on)[1]
                self.keep_best(epoch, score)
                self.learning_rates.append(self.optimizer.param_groups[0]["lr"])
                self.note("train_loss", train_loss)
                self.note("train_accuracy", train_accuracy)
                self.note("validation_loss", validation_loss)
                self.note("validation_accuracy", validation_accuracy)
                self.note("seconds", time.perf_counter() - start, digits=1)
            self.model.load_state_dict(self.best_weights)
            test_accuracy = self.evaluate(self.open_test())[1]
        self.model.eval()
        return Trace(
            model=self.title,
            data=self.data.title,
            seed=self.config.seed,
            faults=list(self.faults),
            **self.log,
            table_validation=round(self.validation_column(self.log["validation_accuracy"]), 4),
            table_test=round(test_accuracy, 4),
        )

    def note(self, name: str, value: float, *, digits: int = 4) -> None:
        """Write one number of this epoch into the log."""
        self.log.setdefault(name, []).append(round(value, digits))


class SimpleCNNTraining(PlainTraining):
    """The same training of the simple CNN."""

    key = "simple-cnn"
    title = "Simple CNN"


class DeepViTTraining(PlainTraining):
    """The same training of the deep ViT without residual connections."""

    key = "deep-vit"
    title = "Deep ViT"


class TorchAttention(nn.Module):
    """torch's own attention, in the place of `SelfAttention`: tokens (B, N, D), each replaced by a weighted mean."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, tokens: Tensor) -> Tensor:
        return self.attention(tokens, tokens, tokens, need_weights=False)[0]


class SmallViTTraining(PlainTraining):
    """The training of a small residual ViT whose attention is torch's own."""

    title = "Small ViT"

    def build(self) -> nn.Module:
        model = VisionTransformer(patch_size=4, embed_dim=64, depth=2, num_heads=4)
        for block in model.blocks:
            block.attention = TorchAttention(self.build_attention())
        return model

    def build_attention(self) -> nn.MultiheadAttention:
        return nn.MultiheadAttention(64, num_heads=4, batch_first=True)


def files_of(split: Split) -> list[Split]:
    """The split as a list of `FILES` files, in their order."""
    images, labels = split.images.tensor_split(FILES), split.labels.tensor_split(FILES)
    return [Split(*file) for file in zip(images, labels, strict=True)]
