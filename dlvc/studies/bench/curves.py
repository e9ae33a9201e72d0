"""How time grows: with the number of images, the batch size and the threads; and what a start costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from dlvc.data import ImageData
from dlvc.studies.bench.loops import dlvc_loop
from dlvc.studies.bench.measure import (
    FEWEST_STEPS,
    Step,
    bare_steps,
    bench_config,
    bench_model,
    by_turns,
)
from dlvc.training import pick_device

DATA_SIZES = (640, 1_280, 2_560, 5_120, 10_240)
BATCH_SIZES = (32, 64, 128, 256, 512)
REPEATS = 3
# What a learner waits for, in a process of its own: the imports; then, with the images there, a training of one step,
# which ends with its evaluation.
START = r"""
import json, re, sys, time
started = time.perf_counter()
from dlvc.config import TrainConfig
from dlvc.data import load_data
from dlvc.experiments import build_model
from dlvc.training import train
imported = time.perf_counter()
data = load_data("sketch10", sizes=(640, 64, 64), quiet=True)
loaded = time.perf_counter()
config = TrainConfig(epochs=1, train_size=64, evaluation_size=10, precision="float32")
train(build_model(sys.argv[1], config, options={"dropout": 0.0}), data, config, progress=False)
stepped = time.perf_counter()
try:  # what getrusage says begins with the memory of the process that started this one
    status = open("/proc/self/status").read()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
except (OSError, TypeError):  # no Linux
    peak = None
print(json.dumps({"import": imported - started, "first step": stepped - loaded, "peak memory (MB)": peak}))
"""


def data_size_curve(key: str, data: ImageData) -> dict[str, list[float]]:
    """Seconds of a whole call of `train` with one epoch, by the number of training images."""

    def seconds(size: int) -> float:
        config = replace(bench_config(), train_size=size)
        model = bench_model(key, config)
        started = time.perf_counter()
        dlvc_loop(model, data, config)
        return time.perf_counter() - started

    times = by_turns([size for size in DATA_SIZES if size <= len(data.train)], seconds, REPEATS)
    return {"images": list(times), "seconds": list(map(median, times.values()))}


def fixed_and_per_image(curve: dict[str, list[float]]) -> tuple[float, float]:
    """The a and b of seconds = a + b * images: least squares of the relative error, at least 0 for a."""
    images, seconds = np.array(curve["images"]), np.array(curve["seconds"])
    per_image, fixed = np.polyfit(images, seconds, 1, w=1 / seconds)
    return max(0.0, float(fixed)), float(per_image)


def batch_size_curve(key: str, data: ImageData) -> dict[str, list[float]]:
    """Images a second in training steps, by batch size."""

    def rate(size: int) -> float:
        return size / median(bare_steps(key, data, Step(batch_size=size), FEWEST_STEPS))

    rates = by_turns([size for size in BATCH_SIZES if size <= len(data.train)], rate, REPEATS)
    return {"batch sizes": list(rates), "images a second": list(map(median, rates.values()))}


def thread_curve(key: str, data: ImageData) -> dict[str, list[float]]:
    """Images a second in training steps of 64 images, by the number of CPU threads; empty on a GPU."""

    def rate(threads: int) -> float:
        step = Step(threads=threads)
        return step.batch_size / median(bare_steps(key, data, step, 3 * FEWEST_STEPS))

    counts = range(1, torch.get_num_threads() + 1) if pick_device().type == "cpu" else ()
    rates = by_turns(counts, rate, REPEATS)
    return {"threads": list(rates), "images a second": list(map(median, rates.values()))}


def cold_start(key: str) -> dict[str, float | None]:
    """Seconds of imports and until the first step is done, and the memory at its peak, in new processes.

    Medians of a few; memory is None where there is no /proc. Raises RuntimeError if such a process fails.
    """
    starts = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", START, key], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"a first step in a new process failed:\n{done.stderr.strip()}")
        starts.append(json.loads(done.stdout.splitlines()[-1]))
    return {
        name: None if starts[0][name] is None else median(start[name] for start in starts)
        for name in starts[0]
    }
