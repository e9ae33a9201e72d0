"""A training as the report's text describes it, in small methods: each is one decision, so a fault can change one.

Does what `dlvc.training` does, a test compares the weights, but leaves out checkpoints, GPUs and everything else that
is not needed to see what is decided where.
"""

from __future__ import annotations

import copy
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
from dlvc.models import ResNet18, VisionTransformer
from dlvc.training import make_optimizer, memory_layout, own_random_numbers

CPU = torch.device("cpu")
FILES = 4  # the training images come in so many files, as in CIFAR-10
ASKED = 3  # so many images are asked several times
NEIGHBOURS = 32  # with so many others


class PlainTraining:
    """One training of the deep normalised CNN on a CPU; `run()` trains and returns the trace.

    data: after construction what the code works on. model: after `run()` the one that was kept, in evaluation mode.
    """

    key = "deep-cnn-bn"  # in the registry
    title = "Deep Normalized CNN"
    case = "correct"  # in each fault its name

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
        self.best_score, self.best_epoch, self.test_openings = -1.0, 0, 0
        self.modes: list[bool] = []  # whether the model was in training mode, at each answer
        self.step_losses: list[float] = []
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

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(scores, labels)

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
            scores = self.model(batch)
            loss = self.loss(scores, labels[index])
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
            sizes.append(len(index))
            correct += int((scores.argmax(dim=1) == labels[index]).sum())
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
        scores = torch.cat([self.scores(self.model, part) for part in split.images.split(500)])
        loss = self.loss(scores, split.labels).item()
        return loss, (scores.argmax(dim=1) == split.labels).float().mean().item()

    def open_test(self) -> Split:
        self.test_openings += 1
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
                train_loss, train_accuracy = self.train_epoch(epoch)
                validation_loss, validation_accuracy = self.evaluate(self.data.validation)
                self.note("learning_rates", self.optimizer.param_groups[0]["lr"])
                self.note("train_loss", round(train_loss, 4))
                self.note("train_accuracy", train_accuracy)
                self.note("validation_loss", round(validation_loss, 4))
                self.note("validation_accuracy", round(validation_accuracy, 4))
                chosen_on = self.selection_split()
                score = validation_accuracy
                if chosen_on is not self.data.validation:
                    score = self.evaluate(chosen_on)[1]
                self.keep_best(epoch, score)
            self.model.load_state_dict(self.best_weights)
            test_accuracy = self.evaluate(self.open_test())[1]
            self.model.train()
            answers = self.ask()
        self.model.eval()
        return Trace(
            case=self.case,
            model=self.title,
            data=self.data.title,
            images=self.config.train_size,
            parameters=sum(each.numel() for each in self.model.parameters()),
            step_losses=[round(loss, 4) for loss in self.step_losses],
            **self.log,
            validation_column=round(self.validation_column(self.log["validation_accuracy"]), 4),
            test_accuracy=round(test_accuracy, 4),
            kept_epoch=self.best_epoch,
            test_openings=self.test_openings,
            answers=answers,
            answered_in_training_mode=any(self.modes),
            attention_map=self.attention_map(),
        )

    def note(self, name: str, value: float) -> None:
        """Write one number of this epoch into the log."""
        self.log.setdefault(name, []).append(value)

    def ask(self) -> list[list[float]]:
        """The probabilities of `Trace.answers`."""
        images, labels = self.data.validation.images, self.data.validation.labels[:ASKED, None]
        together = images[:NEIGHBOURS]
        others = torch.cat([images[:ASKED], images[NEIGHBOURS : 2 * NEIGHBOURS - ASKED]])
        watch = self.model.register_forward_pre_hook(
            lambda model, _: self.modes.append(model.training)
        )
        asked = [
            self.scores(self.model, batch)[:ASKED].softmax(dim=1).gather(1, labels)
            for batch in (together, together, others)
        ]
        watch.remove()
        return [[round(value, 4) for value in row] for row in torch.cat(asked, dim=1).tolist()]

    def attention_map(self) -> list[int] | None:
        """Rows and columns of the patches, None where there are none."""
        return None


class SimpleCNNTraining(PlainTraining):
    """The same training of the simple CNN."""

    key = "simple-cnn"
    title = "Simple CNN"


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
    patch_size = 4

    def build(self) -> nn.Module:
        size = self.choose_patch_size()
        model = VisionTransformer(patch_size=size, embed_dim=64, depth=2, num_heads=4)
        for block in model.blocks:
            block.attention = TorchAttention(self.build_attention())
        return model

    def choose_patch_size(self) -> int:
        return 4

    def build_attention(self) -> nn.MultiheadAttention:
        return nn.MultiheadAttention(64, num_heads=4, batch_first=True)

    def attention_map(self) -> list[int]:
        side = self.model.image_size // self.model.patch_embedding.patch_size
        return [side, side]


class PretrainedTraining(PlainTraining):
    """The training of a ResNet18 that starts from the weights in `weights`, a file or a state dict."""

    title = "ResNet18"

    def __init__(self, data: ImageData, config: TrainConfig, weights: object) -> None:
        self.weights = weights
        super().__init__(data, config)

    def build(self) -> nn.Module:
        return ResNet18(num_classes=10, weights=self.weights)


def files_of(split: Split) -> list[Split]:
    """The split as a list of `FILES` files, in their order."""
    images, labels = split.images.tensor_split(FILES), split.labels.tensor_split(FILES)
    return [Split(*file) for file in zip(images, labels, strict=True)]
