"""Pre-flight checks of data alone: their size, images in two splits, labels that do not belong to their images."""

from __future__ import annotations

import hashlib
import itertools

import torch
from scipy.stats import binom
from torch import Tensor
from torch.nn.functional import avg_pool2d

from dlvc.data import ImageData, Split, to_float
from dlvc.inspection.preflight_checks.findings import Finding, judged, skipped

PROBE_IMAGES = 1_000  # to fit the probe on, and as many to try it on
LEAST_IMAGES = 100  # with fewer the probe can see nothing
CHANCE = 1e-3  # so rarely may labels at random pass the test of labels


def check_train_size(data: ImageData, train_size: int | None) -> Finding:
    """Whether there are as many training images as the text says."""
    name = "training images"
    if train_size is None:
        return skipped(name, "no number was claimed")
    count = len(data.train)
    return judged(
        name,
        count == train_size,
        f"{count:,}",
        f"{train_size:,}, as claimed",
        "count the images after each file that is read: does the loop end early?",
    )


def check_no_shared_images(data: ImageData) -> Finding:
    """Whether no image is in two splits; equal means equal in every pixel."""
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    digests = {
        name: {hashlib.sha256(image.tobytes()).digest() for image in split.images.numpy()}
        for name, split in splits.items()
    }
    shared = {
        f"{first} and {second}": len(digests[first] & digests[second])
        for first, second in itertools.combinations(splits, 2)
    }
    counts = [f"{count:,} in {pair}" for pair, count in shared.items() if count]
    return judged(
        "splits share no image",
        not counts,
        ", ".join(counts) or "none shared",
        "none shared",
        "take an image out of all splits but one: what was trained on cannot test",
    )


def check_label_fit(data: ImageData) -> Finding:
    """Whether a simple classifier learns from the labels: better than it could from labels at random.

    It is fitted on training images, and tried on other training images and on validation images.
    """
    name = "labels fit the images"
    fitted, tried = halves(data.train)
    validation = data.validation.first(min(PROBE_IMAGES, len(data.validation)))
    if min(map(len, (fitted, tried, validation))) < LEAST_IMAGES // 2:
        return skipped(name, f"needs at least {LEAST_IMAGES} training images")
    weights, center, spread = fit_probe(features(fitted.images), fitted.labels)
    right, texts = True, []
    for what, split in (("other training", tried), ("validation", validation)):
        predicted = (((features(split.images) - center) / spread) @ weights).argmax(dim=1)
        hits, count = int((predicted == split.labels).sum()), len(split)
        bound = chance_bound(predicted, split.labels)
        right &= hits > bound
        texts.append(f"{hits / count:.0%} of {what} images (chance: up to {bound / count:.0%})")
    return judged(
        name,
        right,
        f"a linear classifier on edges and colours: {', '.join(texts)}",
        "more than chance on both",
        "show 20 images with their labels: images and labels must be ordered together",
    )


def halves(split: Split) -> tuple[Split, Split]:
    """The even and the odd ones of the split's first images, at most `PROBE_IMAGES` each."""
    count = min(2 * PROBE_IMAGES, len(split))
    return tuple(
        Split(split.images[start:count:2], split.labels[start:count:2]) for start in (0, 1)
    )


def features(images: Tensor) -> Tensor:
    """Colours and edges in four directions, mean over squares of 4 x 4 pixels, (N, features).

    Edges, because drawings of one class need not share their colours.
    """
    pixels = to_float(images)
    grey = pixels.mean(dim=1, keepdim=True)
    across = (grey[..., 1:] - grey[..., :-1])[..., :-1, :]
    down = (grey[..., 1:, :] - grey[..., :-1, :])[..., :-1]
    slanted = 10 * across * down  # about as large as the others
    edges = torch.cat((across.abs(), down.abs(), slanted.clamp(min=0), slanted.clamp(max=0)), dim=1)
    pooled = [avg_pool2d(maps, 4, ceil_mode=True).flatten(1) for maps in (pixels, edges)]
    return torch.cat(pooled, dim=1)


def fit_probe(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The weights (features, classes) of a ridge regression of the classes, and mean and spread of its inputs."""
    center, spread = inputs.mean(dim=0), inputs.std(dim=0) + 1e-3
    scaled = (inputs - center) / spread
    targets = torch.eye(int(labels.max()) + 1)[labels]
    targets = targets - targets.mean(dim=0)
    # In its dual form, with as many unknowns as images. The penalty is one for each feature: it was not tuned.
    penalty = scaled.shape[1] * torch.eye(len(scaled))
    return scaled.T @ torch.linalg.solve(scaled @ scaled.T + penalty, targets), center, spread


def chance_bound(predicted: Tensor, labels: Tensor) -> int:
    """How many hits labels that know nothing of the images reach at most, but for one case in 1 / `CHANCE`."""
    classes = int(max(predicted.max(), labels.max())) + 1
    shares = [torch.bincount(y, minlength=classes) / len(y) for y in (predicted, labels)]
    return int(binom.ppf(1 - CHANCE, len(labels), float(shares[0] @ shares[1])))
