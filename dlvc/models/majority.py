"""The majority model: the score every other model has to beat."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlvc.models.normalize import check_images


class MajorityClassifier(nn.Module):
    """Class scores (B, num_classes) that are the same for each image: the log of the classes' shares in training.

    So the most frequent class is predicted, and the softmax of the scores is the best guess without looking: its
    cross-entropy is the labels' entropy, ln 10 = 2.303 for ten equal classes. Call `fit` first.
    """

    def __init__(self, *, num_classes: int = 10) -> None:
        super().__init__()
        self.register_buffer("scores", torch.zeros(num_classes))

    def fit(self, labels: Tensor) -> MajorityClassifier:
        """Count the labels (N,) int64 of the training set."""
        counts = torch.bincount(labels.cpu(), minlength=len(self.scores)).double()
        # One count more for each class, so that a class without images has a finite score.
        self.scores.copy_(((counts + 1) / (counts + 1).sum()).log())
        return self

    def forward(self, images: Tensor) -> Tensor:
        check_images(images)
        return self.scores.expand(len(images), -1)
