"""Which part of the image an output depends on: measured by gradients, in pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def effective_field(part: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """How much the output in the middle of a feature map depends on each pixel: (H, W), shares that sum to 1.

    `part` turns images (B, 3, H, W), floats, into features (B, C, rows, columns). The shares are the mean over images
    of the absolute gradient of the middle output, summed over its channels with random signs, so that channels do not
    cancel. Where the output cannot depend on a pixel, its share is 0: the receptive field is where it is not.
    Source: Luo et al. 2016, "Understanding the effective receptive field in deep convolutional neural networks".
    """
    inputs = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        features = part(inputs)
        middle = features[:, :, features.shape[2] // 2, features.shape[3] // 2]  # (B, C)
        draws = torch.rand(middle.shape, generator=torch.Generator().manual_seed(0))
        signs = (draws.to(middle) < 0.5) * 2.0 - 1
        (gradient,) = torch.autograd.grad((middle * signs).sum(), inputs)
    field = gradient.abs().sum(dim=(0, 1))
    return (field / field.sum()).cpu()


def field_width(field: Tensor) -> tuple[int, int]:
    """The rows and columns of the box around all pixels of `field` (H, W) that are not 0."""
    sides = []
    for axis in (1, 0):
        places = (field != 0).any(dim=axis).nonzero()
        sides.append(int(places.max() - places.min()) + 1 if len(places) else 0)
    return sides[0], sides[1]


def mean_distance(field: Tensor) -> float:
    """How far away the pixels lie that an output depends on, in pixels: from the field's centre, weighted by it.

    Comparable with `attention_distance`, which weighs by attention instead.
    """
    rows, columns = (torch.arange(size, dtype=torch.float64) for size in field.shape)
    shares = field.double() / field.sum()
    row = (shares.sum(dim=1) * rows).sum()
    column = (shares.sum(dim=0) * columns).sum()
    distances = torch.hypot((rows - row)[:, None], columns - column)
    return (shares * distances).sum().item()
