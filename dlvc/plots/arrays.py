"""Tensors and arrays made ready to draw, or refused with what came and what is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlvc.metrics import check_confusion


def as_array(values: Any) -> np.ndarray:
    """`values` (a tensor on any device, an array or a list) as a numpy array."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.dtype == torch.bfloat16:  # numpy has no such type
            values = values.float()
    return np.asarray(values)


def as_pictures(images: Any, *, name: str = "images") -> np.ndarray:
    """Images (N, 3, H, W), uint8 or floats in [0, 1], as (N, H, W, 3) for matplotlib.

    Raises ValueError for another shape, type or range.
    """
    if hasattr(images, "images"):  # a Split: thousands of them
        raise ValueError(f"{name} must be a few images; got a Split. Pass its images[:8].")
    array = as_array(images)
    if array.ndim != 4 or array.shape[1] != 3:
        hint = "Add a batch axis with images[None]." if array.ndim == 3 else ""
        raise ValueError(f"{name} must have shape (N, 3, H, W); got {array.shape}. {hint}".strip())
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one image; got none.")
    if array.dtype != np.uint8:
        if not np.issubdtype(array.dtype, np.floating):
            raise ValueError(f"{name} must be uint8 or floats in [0, 1]; got {array.dtype}.")
        # A little over 1 is rounding; more means 0..255 or normalised values.
        if not (array.min() >= -1e-3 and array.max() <= 1 + 1e-3):
            raise ValueError(
                f"{name} given as floats must lie in [0, 1]; "
                f"got {array.min():.3g} to {array.max():.3g}. Draw them before normalisation."
            )
        array = array.astype(np.float32).clip(0, 1)
    return array.transpose(0, 2, 3, 1)


def check_classes(classes: Any, count: int) -> None:
    """Raise ValueError unless there are `count` names of classes."""
    if len(classes) != count:
        raise ValueError(
            f"classes must name {count} classes; got {len(classes)}. Pass classes=[...] with one name each."
        )


def as_picture(image: Any, *, name: str = "image") -> np.ndarray:
    """One image (3, H, W), uint8 or floats in [0, 1], as (H, W, 3).

    Raises ValueError for another shape, type or range.
    """
    array = as_array(image)
    if array.ndim != 3:
        raise ValueError(f"{name} must have shape (3, H, W); got {array.shape}. Pass one image.")
    return as_pictures(array[None], name=name)[0]


def as_counts(confusion: Any) -> np.ndarray:
    """A confusion matrix of counts as an int array (C, C). Raises ValueError for another shape or type."""
    array = as_array(confusion)
    check_confusion(torch.from_numpy(array))
    return array
