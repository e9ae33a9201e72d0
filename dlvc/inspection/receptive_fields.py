"""Which part of the image an output depends on: measured by gradients, in pixels, and where its middle is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


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


def cell_span(model: nn.Module, layer: str, side: int) -> tuple[float, float]:
    """Where the cells of a layer's output lie: beginning of the first and end of the last, in shares of the side.

    A cell stands in the middle of its receptive field and is as wide as the step to the next one. (0, 1) if padding
    keeps the size; without padding the cells leave the border free. `layer` is a name in `model.named_modules()`, and
    all convolutions and poolings before it come one after the other (of ResNet18's shortcuts the longer way counts);
    `side` is that of the image, in pixels.
    Source: Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks".
    """
    names = [name for name, _ in model.named_modules()]
    end = max(number for number, name in enumerate(names) if f"{name}.".startswith(f"{layer}."))
    middle, step, cells = (
        0.5,
        1,
        side,
    )  # of the first cell, in pixels; at the start a cell is a pixel
    for name, module in list(model.named_modules())[: end + 1]:
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)) and "downsample" not in name:
            kernel, stride, padding = (
                value if isinstance(value, int) else value[0]
                for value in (module.kernel_size, module.stride, module.padding)
            )
            middle += ((kernel - 1) / 2 - padding) * step
            cells = (cells + 2 * padding - kernel) // stride + 1
            step *= stride
    first = middle - step / 2
    return first / side, (first + cells * step) / side
