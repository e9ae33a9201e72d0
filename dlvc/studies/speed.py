"""Where the time of a training goes: the loop of a tutorial, then one technique more in each loop after it.

All loops train the simple CNN on the same number of images and do the same work: `losses_on_record` and
`each_image_once` prove it. How long they take is measured by `time_techniques`, and which part of a step takes how long
by `profile_parts`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from dlvc.arguments import check_whole
from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.studies.bench.loaders import OurBatches
from dlvc.studies.bench.loops import (
    LOOPS,
    Loop,
    made_ready,
    run_loop,
    tuned_loop,
    tutorial_loop,
)
from dlvc.studies.bench.measure import bench_config, bench_model, by_turns
from dlvc.training import bare_step, keep_freed_memory

MODEL = "simple-cnn"
PARTS = ("images", "forward", "backward", "optimizer", "counting")


# Each loop has one technique more than the one before; the last one is what every training here runs in.
TECHNIQUES: dict[str, Loop] = {
    "tutorial loop": LOOPS["tutorial loop"],
    "whole batches": Loop("whole batches", tutorial_loop, OurBatches, tuned=False),
    "no questions": Loop(
        "no questions", partial(tuned_loop, fused=False, own_layout=False), OurBatches, tuned=False
    ),
    "fused optimizer": Loop(
        "fused optimizer", partial(tuned_loop, own_layout=False), OurBatches, tuned=False
    ),
    "channels_last": LOOPS["short loop, our batches"],
    "dlvc": LOOPS["dlvc"],
}


def speed_config(count: int) -> TrainConfig:
    """Two passes over `count` images in batches of 64, augmented: the first one warms up, the second counts."""
    return replace(bench_config(), train_size=count, epochs=2)


def each_image_once(loop: Loop, data: ImageData, count: int) -> bool:
    """Whether a pass of the loop takes each of the first `count` training images exactly once."""
    config = replace(speed_config(count), augmentation="none", epochs=1)
    model, seen = bench_model(MODEL, config), []

    def keep(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if module.training:  # images (B, 3, H, W) in [0, 1]
            seen.append((255 * inputs[0].detach()).round().to(torch.uint8).cpu())

    with model.register_forward_pre_hook(keep):
        run_loop(loop, model, data, config)
    seen_images, expected = (
        sorted(image.numpy().tobytes() for image in images)
        for images in (torch.cat(seen), data.train.first(count).images)
    )
    return seen_images == expected


def time_techniques(data: ImageData, count: int = 2_000, repeats: int = 3) -> dict[str, float]:
    """By loop the seconds an image: the median of `repeats` passes over `count` images, each after one to warm up.

    Raises ValueError for fewer than one repeat, or for more images than there are.
    """
    check_whole("repeats", repeats, low=1, hint="Try 3.")
    keep_freed_memory()  # as `train` does: from the first loop on, so that all loops have it
    config = speed_config(count)

    def seconds(name: str) -> float:
        return run_loop(TECHNIQUES[name], bench_model(MODEL, config), data, config)[-1] / count

    return {name: median(times) for name, times in by_turns(TECHNIQUES, seconds, repeats).items()}


def profile_parts(data: ImageData, count: int = 2_000) -> dict[str, dict[str, float]]:
    """Seconds of a pass over `count` images by part, for the tutorial loop and with all techniques.

    A GPU is waited for after each part, or its work would be counted where the loop happens to wait: so the sum
    is more than a pass takes that nobody looks into.
    """
    keep_freed_memory()
    loops = {"tutorial loop": LOOPS["tutorial loop"], "all techniques": TECHNIQUES["channels_last"]}
    return {name: part_seconds(loop, data, speed_config(count)) for name, loop in loops.items()}


class LapTimer:
    """Adds up `seconds` by part: what has passed since the lap before belongs to the part that is named."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds = device, dict.fromkeys(PARTS, 0.0)
        self.last = time.perf_counter()

    def lap(self, part: str) -> None:
        """End a part, as soon as the device is done with it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        started, self.last = self.last, time.perf_counter()
        self.seconds[part] += self.last - started


def part_seconds(loop: Loop, data: ImageData, config: TrainConfig) -> dict[str, float]:
    """Seconds of the loop's last pass in each of `PARTS`: its batches, in its layout, with its optimizer and counts."""
    model, tuned = bench_model(MODEL, config), loop.tuned
    device, layout, optimizer = made_ready(model, config, fused=tuned, own_layout=tuned)
    batches = loop.batches(data.train.first(config.train_size), config)
    for _ in range(config.epochs):
        total, watch = torch.zeros((), device=device), LapTimer(device)
        for images, labels in batches:
            images, labels = images.to(device, memory_format=layout), labels.to(device)
            watch.lap("images")
            loss, scores = bare_step(model, optimizer, images, labels, lap=watch.lap)
            hits = (scores.argmax(dim=1) == labels).sum()
            if tuned:
                total += loss * len(labels) + hits
            else:
                loss.item(), hits.item()
            watch.lap("counting")
    return watch.seconds
