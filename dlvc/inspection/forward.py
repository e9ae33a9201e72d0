"""A forward pass that looks into a model and leaves it as it was: its mode, its device and its number format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from dlvc.data import to_float


def to_input(model: nn.Module, images: Tensor) -> Tensor:
    """`images` (B, 3, H, W), uint8 or float, as floats on the model's device and in its number format."""
    parameter = next(model.parameters())
    return to_float(images.to(parameter.device)).to(parameter.dtype)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in evaluation mode (no dropout); afterwards each of its layers is in the mode it was in."""
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training
