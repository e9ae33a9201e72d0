"""When a device's memory does not suffice: the same work once more, in smaller parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


class NotEnoughMemoryError(RuntimeError):
    """Memory does not suffice even for a single image."""


def in_smaller_parts(
    work: Callable[[int], Result], size: int, explain: Callable[[int], None]
) -> Result:
    """What `work(size)` returns; each time memory does not suffice it is called again with half the size.

    `size` is a number of images. `explain` is called with each new size before it is tried.
    Raises NotEnoughMemoryError if `work(1)` fails too; whatever else `work` raises.
    """
    while True:
        try:
            return work(size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise NotEnoughMemoryError(
                    f"memory does not suffice for a single image ({str(error).splitlines()[0]}). "
                    "Close other programs and notebooks, take a smaller model or image_size, or device='cpu'."
                ) from error
        # Outside the handler, because the error holds the tensors of the failed attempt.
        # Source: the FAQ of the torch documentation, "My out of memory exception handler can't allocate memory".
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        size //= 2
        explain(size)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the error says that memory could not be had; the CPU's has no type of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
