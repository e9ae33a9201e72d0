"""Tensors and arrays made ready to draw, or refused with what came and what is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlvc.data import check_pixels
from dlvc.metrics import check_confusion


def as_array(values: Any) -> np.ndarray:
    """`values` (a tensor on any device, an array or a list) as a numpy array."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.dtype == torch.bfloat16:  # numpy has no such type
            values = values.float()
    return np.asarray(values)


def as_shaped(values: Any, shape: str, *, name: str, hint: str = "") -> np.ndarray:
    """`values` as an array of `shape`, such as "(heads, N, N)": axes of one name are equal, a number is the size.

    Raises ValueError for another shape.
    """
    array = as_array(values)
    axes = shape.strip("()").split(", ")
    sizes = dict(zip(axes, array.shape, strict=False))
    fits = array.ndim == len(axes) and all(
        size == (int(axis) if axis.isdigit() else sizes[axis])
        for axis, size in zip(axes, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} must have shape {shape}; got {array.shape}. {hint}".rstrip())
    return array


def as_pictures(images: Any, *, name: str = "images") -> np.ndarray:
    """Images (N, 3, H, W), uint8 or floats in [0, 1], as (N, H, W, 3) for matplotlib.

    Raises ValueError for another shape, type or range.
    """
    if hasattr(images, "images"):  # a Split: thousands of them
        raise ValueError(f"{name} must be a few images; got a Split. Pass its images[:8].")
    array = np.ascontiguousarray(as_array(images))
    check_pixels(torch.from_numpy(array), name)
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one image; got none.")
    if array.dtype != np.uint8:
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
    array = as_shaped(image, "(3, H, W)", name=name, hint="Pass one image.")
    return as_pictures(array[None], name=name)[0]


def as_counts(confusion: Any) -> np.ndarray:
    """A confusion matrix of counts as an int array (C, C). Raises ValueError for another shape or type."""
    array = as_array(confusion)
    check_confusion(torch.from_numpy(array))
    return array
