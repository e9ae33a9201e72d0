"""The faults: each is the correct training with one method changed, and trains without an error.

Ten are those of the report's code, four are classic ones. `FAULTS` has them all.
"""

from __future__ import annotations

import copy
import inspect
import textwrap

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.data import Split, random_draws
from dlvc.lessons.silent_bugs.correct import (
    PlainTraining,
    PretrainedTraining,
    SimpleCNNTraining,
    SmallViTTraining,
)
from dlvc.models import ResNet18


class FirstFileOnly(PlainTraining):
    case = "first file only"

    def read_files(self, files: list[Split]) -> Split:
        images, labels = [], []
        for file in files:
            images.append(file.images)
            labels.append(file.labels)
            return Split(torch.cat(images), torch.cat(labels))


class UnscaledPixels(SimpleCNNTraining):
    case = "unscaled pixels"

    def prepare(self, images: Tensor) -> Tensor:
        return images.float()


class AttentionOverBatch(SmallViTTraining):
    case = "attention over the batch"

    def build_attention(self) -> nn.MultiheadAttention:
        return nn.MultiheadAttention(64, num_heads=4)


class MeanOverEpochs(PlainTraining):
    case = "mean over epochs"

    def validation_column(self, accuracies: list[float]) -> float:
        return sum(accuracies) / len(accuracies)


class BestNeverUpdated(PlainTraining):
    case = "best score never updated"

    def keep_best(self, epoch: int, score: float) -> None:
        if score > self.best_score:
            self.best_epoch = epoch
            self.best_weights = copy.deepcopy(self.model.state_dict())


class LastBatchLoss(PlainTraining):
    case = "last batch's loss"

    def epoch_loss(self, losses: list[float], sizes: list[int]) -> float:
        return losses[-1]


class NoWeightsLoaded(PretrainedTraining):
    case = "no weights loaded"

    def build(self) -> nn.Module:
        return ResNet18(num_classes=1000)


class FourPatches(SmallViTTraining):
    case = "four patches"

    def choose_patch_size(self) -> int:
        return 16


class SoftmaxTwice(PlainTraining):
    case = "softmax twice"

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(scores.softmax(dim=1), labels)


class DecayingRate(PlainTraining):
    case = "decaying learning rate"

    def learning_rate(self, epoch: int) -> float:
        return self.config.learning_rate * 0.9 ** (epoch - 1)


class ShuffledLabels(PlainTraining):
    case = "shuffled labels"

    def read_files(self, files: list[Split]) -> Split:
        images, labels = [], []
        for file in files:
            images.append(file.images[torch.randperm(len(file))])
            labels.append(file.labels)
        return Split(torch.cat(images), torch.cat(labels))


class EvalForgotten(PlainTraining):
    case = "eval() forgotten"

    @torch.no_grad()
    def scores(self, model: nn.Module, images: Tensor) -> Tensor:
        return model(self.prepare(images))


class AugmentedValidation(PlainTraining):
    case = "augmented validation"

    @torch.no_grad()
    def scores(self, model: nn.Module, images: Tensor) -> Tensor:
        model.eval()
        draws = random_draws(len(images), torch.default_generator)
        return model(self.prepare(self.augment(images, draws)))


class ChosenOnTest(PlainTraining):
    case = "chosen on the test set"

    def selection_split(self) -> Split:
        return self.open_test()


FAULTS: dict[str, type[PlainTraining]] = {
    fault.case: fault
    for fault in (
        FirstFileOnly,
        UnscaledPixels,
        AttentionOverBatch,
        MeanOverEpochs,
        BestNeverUpdated,
        LastBatchLoss,
        NoWeightsLoaded,
        FourPatches,
        SoftmaxTwice,
        DecayingRate,
        ShuffledLabels,
        EvalForgotten,
        AugmentedValidation,
        ChosenOnTest,
    )
}


def changed_method(fault: type[PlainTraining]) -> str:
    """The name of the one method in which the fault differs from the correct code."""
    (name,) = (name for name, value in vars(fault).items() if inspect.isfunction(value))
    return name


def side_by_side(fault: type[PlainTraining]) -> str:
    """The source of the fault's method, below the source of the right one."""
    name = changed_method(fault)
    right, wrong = (
        textwrap.dedent(inspect.getsource(getattr(code, name))).rstrip()
        for code in (fault.__base__, fault)
    )
    return f"# right\n{right}\n\n# wrong\n{wrong}"
