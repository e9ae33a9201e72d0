"""The baselines, which every other model has to beat: the usual class, one linear layer, the most similar image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from dlvc.arguments import check_whole
from dlvc.data import Split, to_float
from dlvc.metrics import check_class_numbers, check_class_range
from dlvc.models.normalize import Normalize, check_images, check_size

SIDE = 8  # pixels of a thumbnail on each side
FARTHEST = 3 * SIDE**2 * 255.0**2  # from a black thumbnail to a white one, squared
AT_ONCE = 100  # images whose distances are computed together: 16 MB for 40,000 training images


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


class SoftmaxRegression(nn.Module):
    """Logits (B, num_classes) for images (B, 3, 32, 32) in [0, 1]: weighted sums of the pixels; 30,730 parameters.

    Also called multinomial logistic regression. A row of `linear.weight`, seen as (3, 32, 32), is the template of a
    class. Raises ValueError for anything but float images of 32 x 32 pixels.
    """

    def __init__(self, *, num_classes: int = 10) -> None:
        super().__init__()
        check_whole("num_classes", num_classes, low=1, hint="Try 10.")
        self.normalize = Normalize()
        self.linear = nn.Linear(3 * 32 * 32, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        check_size(images)
        return self.linear(self.normalize(images).flatten(start_dim=1))


class NearestNeighbour(nn.Module):
    """Logits (B, num_classes): minus the distance of an image to the most similar training image of each class.

    Compared are thumbnails of 8 x 8 pixels, by the Euclidean distance of their 192 values in [0, 1]. `fit` keeps those
    of the training images. Until then there are `images` black ones, equally many of each class; the weights of a model
    that was fitted to so many can take their place. A class without an image is as far away as white is from black.
    """

    def __init__(self, *, num_classes: int = 10, images: int = 40_000) -> None:
        super().__init__()
        check_whole("num_classes", num_classes, low=1, hint="Try 10.")
        check_whole("images", images, low=1, hint="It is the number of training images.")
        self.num_classes = num_classes
        self.register_buffer("thumbnails", torch.zeros(images, 3 * SIDE**2, dtype=torch.uint8))
        self.register_buffer("labels", torch.arange(images) % num_classes)

    def fit(self, split: Split) -> NearestNeighbour:
        """Keep thumbnails and labels of the training images. Raises ValueError for a label that is no class."""
        check_class_range("labels", split.labels, self.num_classes)
        device = self.labels.device
        parts = map(to_float, split.images.split(1_000))
        small = torch.cat([as_thumbnails(part).to(torch.uint8) for part in parts])
        self.thumbnails, self.labels = small.to(device), split.labels.to(device)
        return self

    def forward(self, images: Tensor) -> Tensor:
        check_images(images)
        # Whole numbers up to 128: float32 holds all that follows exactly, so every device finds the same neighbour.
        kept, asked = (values.float() - 128 for values in (self.thumbnails, as_thumbnails(images)))
        lengths = kept.square().sum(dim=1)
        nearest = []
        for part in asked.split(AT_ONCE):
            squares = torch.addmm(lengths, part, kept.T, alpha=-2)  # |x - y|² is |x|² - 2xy + |y|²
            squares += part.square().sum(dim=1, keepdim=True)
            farthest = squares.new_full((len(part), self.num_classes), FARTHEST)
            labels = self.labels.expand_as(squares)
            nearest.append(farthest.scatter_reduce(1, labels, squares, "amin"))
        return -torch.cat(nearest).sqrt() / 255


def as_thumbnails(images: Tensor) -> Tensor:
    """The images (B, 3, H, W) in [0, 1] as 8 x 8 mean pixels: whole numbers from 0 to 255, as floats (B, 192)."""
    return adaptive_avg_pool2d((255 * images).round(), SIDE).round().flatten(start_dim=1)
