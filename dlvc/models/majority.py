"""The majority model: the score every other model has to beat."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlvc.arguments import check_whole
from dlvc.metrics import check_class_numbers, check_class_range
from dlvc.models.normalize import check_images


class MajorityClassifier(nn.Module):
    """Class scores (B, num_classes) that are the same for each image: the log of the classes' shares in training.

    So the most frequent class is predicted, and the softmax of the scores is the best guess without looking: its
    cross-entropy is the labels' entropy, ln 10 = 2.303 for ten equal classes. Call `fit` first.
    """

    def __init__(self, *, num_classes: int = 10) -> None:
        super().__init__()
        check_whole("num_classes", num_classes, low=1, hint="Try 10.")
        self.register_buffer("scores", torch.zeros(num_classes))

    def fit(self, labels: Tensor) -> MajorityClassifier:
        """Count the labels (N,) int64 of the training set. Raises ValueError for none, or one that is no class."""
        check_class_numbers("labels", labels)
        if len(labels) == 0:
            raise ValueError("labels must hold at least one class number; got none. Pass more.")
        check_class_range("labels", labels, len(self.scores))
        counts = torch.bincount(labels.cpu(), minlength=len(self.scores)).double()
        # One count more for each class, so that a class without images has a finite score.
        self.scores.copy_(((counts + 1) / (counts + 1).sum()).log())
        return self

    def forward(self, images: Tensor) -> Tensor:
        check_images(images)
        return self.scores.expand(len(images), -1)
