"""Accuracy and its relatives as pure functions of one confusion matrix of counts.

A confusion matrix is a (C, C) tensor of int64 counts: row = true class, column = predicted class.
Counts are exact and add up over batches, so every metric here is the same whatever the batch size,
and a mean over images can never turn into a mean over batches. Two metrics that are one number by
their formulas are the same float. All functions return plain numbers or new tensors and change
nothing, except `add_to_confusion`, which adds to the tensor given.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import torch
from torch import Tensor

from dlvc.arguments import brief, check_whole

MOST_IMAGES = 2**53  # up to here whole numbers are exact as float64, too
INTEGER_TYPES = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def confusion_matrix(labels: Tensor, predictions: Tensor, *, num_classes: int = 10) -> Tensor:
    """How often each true class was given each predicted class, int64 (C, C).

    `labels` and `predictions` are integer tensors of the same shape (N,), values in 0..C-1.
    The result lies on their device; entry [i, j] counts images of class i called class j.

    Raises ValueError for another type or shape, no images, or a class number out of range.
    """
    check_whole("num_classes", num_classes, low=1, hint="Try 10.")
    check_class_numbers("labels", labels)
    check_class_numbers("predictions", predictions)
    if labels.shape != predictions.shape:
        raise ValueError(
            "labels and predictions must have one entry per image each; "
            f"got {labels.shape[0]} labels and {predictions.shape[0]} predictions. "
            "Pass both for the same images."
        )
    if labels.numel() == 0:
        raise ValueError("a confusion matrix needs at least one image; got none. Pass more images.")
    check_class_range("labels", labels, num_classes)
    check_class_range("predictions", predictions, num_classes)
    confusion = torch.zeros((num_classes, num_classes), dtype=torch.int64, device=labels.device)
    return add_to_confusion(confusion, labels, predictions.to(labels.device))


def add_to_confusion(confusion: Tensor, labels: Tensor, predictions: Tensor) -> Tensor:
    """`confusion`, after adding one batch of (label, prediction) pairs to it in place.

    Made for training loops: everything stays on the device and nothing waits for it, so the
    values are *not* checked. `confusion` is a contiguous int64 (C, C), the others are integer (N,).
    """
    cells = labels.long() * confusion.shape[1] + predictions.long()
    # Not torch.bincount: on CUDA it reads the largest value back to the host and so waits.
    confusion.view(-1).scatter_add_(0, cells, torch.ones_like(cells))
    return confusion


def accuracy(confusion: Tensor) -> float:
    """The share of images whose class was predicted right, 0 to 1."""
    check_confusion(confusion)
    return confusion.diagonal().sum().item() / confusion.sum().item()


def per_class_accuracy(confusion: Tensor) -> Tensor:
    """For each true class the share predicted right (its recall), float64 (C,) on the CPU.

    A class without images has no accuracy: its entry is nan.
    """
    check_confusion(confusion)
    counts = confusion.cpu().to(torch.float64)
    return counts.diagonal() / counts.sum(dim=1)


def mean_per_class_accuracy(confusion: Tensor) -> float:
    """The mean of the per-class accuracies, 0 to 1; classes without images are left out.

    Every class weighs the same here, however many images it has: a model that always answers the
    most frequent of C classes scores 1/C, whatever its accuracy. (scikit-learn calls this
    balanced accuracy.) Where all classes have equally many images it is the accuracy.
    """
    check_confusion(confusion)
    classes = zip(confusion.diagonal().tolist(), confusion.sum(dim=1).tolist(), strict=True)
    shares = [Fraction(right, images) for right, images in classes if images]
    return float(sum(shares) / len(shares))


class Counted:
    """A score with its confusion counts (C, C), a tensor or lists, and what follows from them."""

    confusion: Tensor | list[list[int]]

    @property
    def accuracy(self) -> float:
        """The share of images classified correctly."""
        return accuracy(torch.as_tensor(self.confusion))

    @property
    def mean_per_class_accuracy(self) -> float:
        """The mean over classes of the share of the class's images classified correctly."""
        return mean_per_class_accuracy(torch.as_tensor(self.confusion))


def rounded(value: float, digits: int = 3) -> Decimal:
    """`value` with so many `digits` after the point, halves away from zero as by hand, ready to be printed.

    A float stands a little beside its number: the difference of 63.5 and 10.05 points is printed as 53.4 where it was
    computed as 100 * (0.635 - 0.1005), and as 53.5 elsewhere. So the first twelve digits are the number here.
    """
    return Decimal(f"{value:.12g}").quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


class NotFiniteError(ValueError):
    """A loss that is infinite or not a number."""


def mean_loss(loss_sum: float | Tensor, count: int) -> float:
    """The loss per image, from the sum of all images' losses and their number.

    Sum over images: a mean of batch means would count those of a short last batch more.

    Raises ValueError if `count` is below 1 or the sum is not a single number, NotFiniteError if it is not finite.
    """
    if isinstance(loss_sum, Tensor) and loss_sum.numel() != 1:
        raise ValueError(
            f"loss_sum must be a single number; got a tensor of shape {tuple(loss_sum.shape)}. "
            "Add the losses of all images up first."
        )
    if not isinstance(loss_sum, (int, float, Tensor)):
        raise ValueError(
            f"loss_sum must be a single number; got {brief(loss_sum)}. Add the losses of all images up first."
        )
    check_whole("count", count, low=1, hint="It is the number of images.")
    total = float(loss_sum)
    if not math.isfinite(total):
        raise NotFiniteError(
            f"loss_sum must be a finite number; got {total}. Try a lower learning_rate."
        )
    return total / count


def check_scores(scores: Tensor, count: int, num_classes: int = 10) -> None:
    """Raise ValueError unless `scores` are floats (count, num_classes). Looks at no value, so waits for no GPU."""
    fits = isinstance(scores, Tensor) and scores.is_floating_point()
    if not fits or scores.shape != (count, num_classes):
        raise ValueError(
            f"a model must turn {count} images into floating class scores of shape ({count}, {num_classes}); "
            f"got {brief(scores)}. End it with a layer of {num_classes} outputs."
        )


def check_class_numbers(name: str, values: Tensor) -> None:
    """Raise ValueError unless `values` is an integer tensor (N,)."""
    if not isinstance(values, Tensor):
        raise ValueError(
            f"{name} must be an integer torch tensor of shape (N,); got {type(values).__name__}. "
            "Convert it with torch.as_tensor."
        )
    if values.dtype not in INTEGER_TYPES:
        hint = "Take logits.argmax(dim=1)." if values.is_floating_point() else "Use .long()."
        raise ValueError(
            f"{name} must hold class numbers as integers; got a tensor of {values.dtype}. {hint}"
        )
    if values.dim() != 1:
        raise ValueError(
            f"{name} must have shape (N,), one class number per image; "
            f"got shape {tuple(values.shape)}."
        )


def check_class_range(name: str, values: Tensor, num_classes: int) -> None:
    """Raise ValueError unless all of `values`, at least one, lie between 0 and num_classes - 1."""
    smallest, largest = values.min().item(), values.max().item()
    if smallest < 0 or largest >= num_classes:
        wrong = smallest if smallest < 0 else largest
        raise ValueError(
            f"{name} must lie between 0 and {num_classes - 1} for {num_classes} classes; "
            f"got {wrong}. Check the labels, or raise num_classes."
        )


def check_confusion(confusion: Tensor) -> None:
    """Raise ValueError unless `confusion` holds counts (C, C) of at least one image."""
    if not isinstance(confusion, Tensor):
        raise ValueError(
            "confusion must be an integer torch tensor of shape (C, C); "
            f"got {type(confusion).__name__}. Make one with confusion_matrix(labels, predictions)."
        )
    if confusion.dtype not in INTEGER_TYPES:
        raise ValueError(
            f"confusion must hold counts as integers; got a tensor of {confusion.dtype}. "
            "Pass the counts, not shares."
        )
    if confusion.dim() != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(
            "confusion must have shape (C, C), one row and one column per class; "
            f"got shape {tuple(confusion.shape)}."
        )
    if confusion.numel() == 0 or not confusion.any():
        raise ValueError("confusion must count at least one image; got none. Evaluate some.")
    if (confusion < 0).any():
        raise ValueError(
            f"confusion must hold counts from 0 up; got {confusion.min().item()}. "
            "Make one with confusion_matrix(labels, predictions)."
        )
    if confusion.double().sum() > MOST_IMAGES:
        raise ValueError(
            f"confusion must count at most {MOST_IMAGES:.0e} images; got {confusion.double().sum():.0e}. "
            "Larger sums of whole numbers overflow."
        )
