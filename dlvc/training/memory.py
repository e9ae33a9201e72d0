"""When a device's memory does not suffice: the same work once more, in smaller parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

Result = TypeVar("Result")


class NotEnoughMemoryError(RuntimeError):
    """Memory does not suffice, however few images are computed at once."""


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
                raise too_little_for("a single image", error) from error
        # Outside the handler, because the error holds the tensors of the failed attempt.
        # Source: the FAQ of the torch documentation, "My out of memory exception handler can't allocate memory".
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        size //= 2
        explain(size)


def made_in_memory(batches: Iterator[Result]) -> Iterator[Result]:
    """The same batches. Raises NotEnoughMemoryError if memory does not suffice to make one."""
    try:
        yield from batches
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise too_little_for("the images of a batch", error) from error


def too_little_for(what: str, error: RuntimeError) -> NotEnoughMemoryError:
    """The error in words, with what to do."""
    return NotEnoughMemoryError(
        f"memory does not suffice for {what} ({str(error).splitlines()[0]}). "
        "Close other programs and notebooks, take a smaller model or smaller images, or device='cpu'."
    )


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the error says that memory could not be had; the CPU's has no type of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
