"""What a model's answers are worth: when images change a little, and when it says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.transforms.v2.functional import gaussian_blur

from dlvc.arguments import check_choice, check_whole
from dlvc.data import check_pixels, to_float
from dlvc.training import predict

CORRUPTIONS = ("noise", "blur", "shift")


def shift(images: Tensor, rows: int, columns: int) -> Tensor:
    """`images` (N, 3, H, W) moved down by `rows` and right by `columns`, or up and left; what comes in is black.

    Black as at the edges of a random crop in training.
    """
    height, width = images.shape[2:]
    padded = pad(images, (max(columns, 0), max(-columns, 0), max(rows, 0), max(-rows, 0)))
    top, left = max(-rows, 0), max(-columns, 0)
    return padded[:, :, top : top + height, left : left + width]


def corrupt(images: Tensor, kind: str, strength: float, *, seed: int = 0) -> Tensor:
    """`images` (N, 3, H, W), uint8 or floats, as floats in [0, 1], made worse in one way; strength 0 changes nothing.

    noise: normal with this standard deviation, the same for a seed. blur: by a normal curve with this standard
    deviation in pixels. shift: to the right by this whole number of pixels.
    """
    check_choice("kind", kind, CORRUPTIONS)
    check_pixels(images)
    floats = to_float(images)
    if strength == 0:
        return floats
    if kind == "noise":
        generator = torch.Generator().manual_seed(seed)
        return (floats + strength * torch.randn(floats.shape, generator=generator)).clamp(0, 1)
    if kind == "blur":
        reach = 2 * int(np.ceil(3 * strength)) + 1  # three deviations to each side
        return gaussian_blur(floats, [reach, reach], [strength, strength])
    check_whole("strength", strength, low=0, hint="A shift is by whole pixels.")
    return shift(floats, 0, strength)


def shift_consistency(model: nn.Module, images: Tensor, pixels: Sequence[int]) -> list[float]:
    """How often the model names the same class after a shift by so many pixels: the mean of four directions, 0 to 1.

    Says nothing about being right: a model that always names one class has 1.
    Source: Zhang 2019, "Making convolutional networks shift-invariant again", section 4.
    """
    classes = predict(model, images).argmax(dim=1)
    shares = []
    for size in pixels:
        moves = [(size, 0), (-size, 0), (0, size), (0, -size)]
        same = [predict(model, shift(images, *move)).argmax(dim=1) == classes for move in moves]
        shares.append(torch.stack(same).float().mean().item())
    return shares


def accuracy_when(
    model: nn.Module, images: Tensor, labels: Tensor, kind: str, strengths: Sequence[float]
) -> list[float]:
    """The accuracy on `images` corrupted in one way, for each strength."""
    predicted = (predict(model, corrupt(images, kind, strength)) for strength in strengths)
    return [(scores.argmax(dim=1) == labels).float().mean().item() for scores in predicted]


class Calibration(NamedTuple):
    """Predictions in groups of like confidence (groups,): how sure the model was, how often right, how many there are.

    error: the mean gap between sure and right, weighted by how many; 0 is perfect. Groups without predictions are
    left out.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    error: float


def calibration(scores: Tensor, labels: Tensor, *, groups: int = 10) -> Calibration:
    """How well the probability of the named class says how often it is right; scores (N, C) are logits.

    Source: Guo et al. 2017, "On calibration of modern neural networks", section 2.
    """
    check_whole("groups", groups, low=1)
    confidence, predicted = scores.softmax(dim=1).max(dim=1)
    right = (predicted == labels).double()
    group = (confidence.double() * groups).ceil().long().clamp(1, groups) - 1
    count = torch.bincount(group, minlength=groups).double()
    filled = count > 0
    sure, correct = (
        torch.bincount(group, weights=values, minlength=groups)[filled] / count[filled]
        for values in (confidence.double(), right)
    )
    count = count[filled]
    error = ((sure - correct).abs() * count).sum() / count.sum()
    return Calibration(sure.numpy(), correct.numpy(), count.long().numpy(), error.item())


def confident_errors(scores: Tensor, labels: Tensor, count: int) -> Tensor:
    """The places (at most `count`,) of the wrong predictions, the surest first."""
    check_whole("count", count, low=1)
    confidence, predicted = scores.softmax(dim=1).max(dim=1)
    wrong = (predicted != labels).nonzero()[:, 0]
    return wrong[confidence[wrong].argsort(descending=True, stable=True)][:count]
