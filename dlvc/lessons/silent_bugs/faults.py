"""The suspects: each is correct training with one method changed, and trains without an error.

The first line of a fault's docstring says what the code does, `shows` which question gives it away.
"""

from __future__ import annotations

import copy
import inspect
import textwrap

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.data import Split, random_draws
from dlvc.lessons.silent_bugs.correct import PlainTraining, SimpleCNNTraining, SmallViTTraining
from dlvc.models import DeepCNN


class FirstFileOnly(PlainTraining):
    """The loop that reads the training images returns after the first of four files."""

    faults = ("first file only",)
    shows = "*class counts*: a quarter of the images"

    def read_files(self, files: list[Split]) -> Split:
        images, labels = [], []
        for file in files:
            images.append(file.images)
            labels.append(file.labels)
            return Split(torch.cat(images), torch.cat(labels))


class ShuffledLabels(PlainTraining):
    """The images of each file are put into another order, their labels are not."""

    faults = ("shuffled labels",)
    shows = "*linear classifier*: no better than chance"

    def read_files(self, files: list[Split]) -> Split:
        images, labels = [], []
        for file in files:
            images.append(file.images[torch.randperm(len(file))])
            labels.append(file.labels)
        return Split(torch.cat(images), torch.cat(labels))


class UnscaledPixels(SimpleCNNTraining):
    """Pixels go in as 0 to 255, without the division by 255."""

    faults = ("unscaled pixels",)
    shows = "*input range*: up to 1,100 instead of 2.6"

    def prepare(self, images: Tensor) -> Tensor:
        return images.float()


class UnscaledNormalized(PlainTraining):
    """The same fault in a network with batch normalisation."""

    faults = UnscaledPixels.faults
    prepare = UnscaledPixels.prepare


class ThousandOutputs(PlainTraining):
    """The network has 1,000 outputs, for ten classes."""

    faults = ("1,000 outputs",)
    shows = "*parameters*: 1,000 outputs; *first loss*: near ln 1000 = 6.9"

    def build(self) -> nn.Module:
        return DeepCNN(num_classes=1000, batch_norm=True)


class AttentionOverBatch(SmallViTTraining):
    """A ViT's attention mixes the images of a batch instead of the patches of an image."""

    faults = ("attention over the batch",)
    shows = "*other neighbours*: other probabilities; *scored twice*: the same"

    def build_attention(self) -> nn.MultiheadAttention:
        return nn.MultiheadAttention(64, num_heads=4)


class SoftmaxTwice(PlainTraining):
    """Probabilities are given to a loss that expects logits and applies softmax itself."""

    faults = ("softmax twice",)
    shows = "*ten images*: all right, and yet the loss stays above 1.46"

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits.softmax(dim=1), labels)


class DecayingRate(PlainTraining):
    """The learning rate is multiplied by 0.9 after each epoch."""

    faults = ("decaying learning rate",)
    shows = "*learning rates*: each is 0.9 times the one before"

    def learning_rate(self, epoch: int) -> float:
        return self.config.learning_rate * 0.9 ** (epoch - 1)


class LastBatchLoss(PlainTraining):
    """The loss of an epoch's last step is reported as the loss of the epoch."""

    faults = ("last batch's loss",)
    shows = "*last steps*: the reported loss is that of the very last one"

    def epoch_loss(self, losses: list[float], sizes: list[int]) -> float:
        return losses[-1]


class EvalForgotten(PlainTraining):
    """The network is evaluated in training mode."""

    faults = ("eval() forgotten",)
    shows = "*scored twice*: two results; which of two reasons, *code of scores* says"

    @torch.no_grad()
    def scores(self, model: nn.Module, images: Tensor) -> Tensor:
        return model(self.prepare(images))


class AugmentedValidation(PlainTraining):
    """Validation and test images are cropped and mirrored at random."""

    faults = ("augmented validation",)
    shows = EvalForgotten.shows

    @torch.no_grad()
    def scores(self, model: nn.Module, images: Tensor) -> Tensor:
        model.eval()
        draws = random_draws(len(images), torch.default_generator)
        return model(self.prepare(self.augment(images, draws)))


class ChosenOnTest(PlainTraining):
    """The epoch that is kept is the one with the best test accuracy."""

    faults = ("chosen on the test set",)
    shows = "*test evaluations*: one after each epoch"

    def selection_split(self) -> Split:
        return self.open_test()


class BestNeverUpdated(PlainTraining):
    """Every epoch counts as the best one so far, so the last one is kept."""

    faults = ("best score never updated",)
    shows = "*kept epoch*: the last one, although an earlier one was better"

    def keep_best(self, epoch: int, score: float) -> None:
        if score > self.best_score:
            self.best_epoch = epoch
            self.best_weights = copy.deepcopy(self.model.state_dict())


class MeanOverEpochs(PlainTraining):
    """The table's validation accuracy is the mean over all epochs."""

    faults = ("mean over epochs",)
    shows = "the log: the table's validation accuracy stands in no line of it"

    def validation_column(self, accuracies: list[float]) -> float:
        return sum(accuracies) / len(accuracies)


class MeanAndLast(MeanOverEpochs, BestNeverUpdated):
    """Two faults in one program."""

    faults = (*MeanOverEpochs.faults, *BestNeverUpdated.faults)


SUSPECTS: dict[str, type[PlainTraining]] = {
    fault.faults[0]: fault
    for fault in (
        FirstFileOnly,
        ShuffledLabels,
        UnscaledPixels,
        ThousandOutputs,
        AttentionOverBatch,
        SoftmaxTwice,
        DecayingRate,
        LastBatchLoss,
        EvalForgotten,
        AugmentedValidation,
        ChosenOnTest,
        BestNeverUpdated,
        MeanOverEpochs,
    )
}


def suspect_table() -> str:
    """Each suspect and what its code does, as a table in Markdown."""
    rows = [f"| {name} | {inspect.getdoc(fault)} |" for name, fault in SUSPECTS.items()]
    return "\n".join(["| suspect | what the code does |", "|:---|:---|", *rows])


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
