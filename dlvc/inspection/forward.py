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


def check_classes(name: str, classes: Tensor, scores: Tensor) -> None:
    """Raise ValueError if one of `classes` (B,) has no column in `scores` (B, C)."""
    if classes.min() < 0 or classes.max() >= scores.shape[1]:
        raise ValueError(
            f"{name} must lie between 0 and {scores.shape[1] - 1}, the model's classes; "
            f"got {classes.min().item()} to {classes.max().item()}."
        )
