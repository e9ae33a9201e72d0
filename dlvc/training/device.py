"""Where a model runs, in which number format and memory layout: the choices between CPU and CUDA, in one place."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain

import torch
from torch import nn

from dlvc.arguments import check_choice

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" is the CUDA GPU if there is one, else the CPU. Raises ValueError without it."""
    check_choice("device", name, ("auto", "cpu", "cuda"))
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device is cuda, but torch finds no CUDA GPU here. Try device='auto' or 'cpu'."
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def pick_precision(name: str, device: torch.device) -> str:
    """The number format for `device`; "auto" is bfloat16 on newer GPUs, float16 on older ones, else float32."""
    check_choice("precision", name, ("auto", *DTYPES))
    if name != "auto":
        return name
    if device.type != "cuda":
        return "float32"
    # Compute capability 8 (Ampere) is the first with bfloat16 in its tensor cores; a T4 has 7.5.
    return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float16"


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """A context in which the forward pass uses `precision` where that is safe."""
    check_choice("precision", precision, tuple(DTYPES))
    return (
        nullcontext() if precision == "float32" else torch.autocast(device.type, DTYPES[precision])
    )


@contextmanager
def without_denormals() -> Iterator[None]:
    """A context in which a CPU takes numbers below 1.2e-38 as zero.

    Beside numbers of usual size they vanish in float32. But where weight decay has driven weights there, as
    in the collapsed deep ViT, each product costs a processor many cycles: a step took 0.65 s instead of 0.16 s.
    """
    before = not torch.full((1,), 1e-39).mul(1).any()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def memory_layout(model: nn.Module, device: torch.device) -> torch.memory_format:
    """channels_last where it makes the model's convolutions faster; else the usual layout.

    On a GPU that is wherever there are convolutions. On a CPU it made the CNNs 1.1 to 2.5 times as fast and a ViT with
    a convolutional stem of 128 filters 1.1 to 1.4 times, but ResNet18 at 32 pixels up to 2 times as slow (AMD EPYC, one
    and two threads, batch 64).
    """
    filters = [layer.out_channels for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    if filters and (device.type == "cuda" or max(filters) <= 128):
        return torch.channels_last
    return torch.contiguous_format


def input_layout(model: nn.Module, device: torch.device) -> torch.memory_format:
    """The layout of the images that go into the model: on a GPU the model's own, on a CPU always contiguous.

    There the first convolution rearranges images faster than a copy of them would: a step of the simple CNN was about
    4 % shorter. The scores are the same bits.
    """
    return torch.contiguous_format if device.type == "cpu" else memory_layout(model, device)


def model_device(model: nn.Module) -> torch.device:
    """Where the model's parameters or buffers are."""
    tensors = chain(model.parameters(), model.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def keep_freed_memory() -> bool:
    """Let this process keep freed memory for its next step; whether that could be arranged (on Linux with glibc).

    A step frees as many megabytes as the next one takes. glibc gives them back to the system meanwhile, which has to
    clear each page anew: in the slowest epochs measured that took about a quarter of the deep CNN's time.
    Source: mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    trim_threshold, mmap_threshold = -1, -3  # their numbers in malloc.h
    return bool(mallopt(mmap_threshold, 32 * 2**20) and mallopt(trim_threshold, 2**31 - 1))
