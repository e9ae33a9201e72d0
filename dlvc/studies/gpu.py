"""All that is measured on a GPU, in one call that ends in time.

    python -m dlvc.studies.gpu FOLDER --minutes 8 --weights FILE

writes FOLDER/gpu.json anew after each part (steps, waits, precisions, CUDA graphs) and, with the time that is left, the
records of the report's experiments, one seed after the other. `--rehearse` does the same in seconds on a few drawings.
A part that fails leaves its error in the file, and the others go on.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from dlvc.data import ImageData, load_data, to_float
from dlvc.experiments import (
    EXPERIMENTS,
    config_for,
    describe_device,
    git_commit,
    run_experiment,
    versions,
)
from dlvc.files import save_json
from dlvc.studies.bench.loops import LOOPS
from dlvc.studies.bench.measure import (
    LARGE_BATCH,
    MODELS,
    WARM_UP,
    Step,
    bare_steps,
    bench_config,
    bench_model,
    host_syncs,
    seconds_of_rounds,
    timed_calls,
)
from dlvc.training import bare_step, make_optimizer, pick_device

PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Extent:
    """How much is measured: models, batch sizes, steps a pass and rounds."""

    models: tuple[str, ...] = MODELS
    batch_sizes: tuple[int, ...] = (64, LARGE_BATCH)
    steps: int = 60
    rounds: int = 3
    changes: dict[str, Any] = field(default_factory=dict)  # of the training runs' settings


REHEARSAL = Extent(
    ("simple-cnn",), (16, 32), 2, 1, {"epochs": 1, "train_size": 64, "evaluation_size": 32}
)


def measure_steps(key: str, data: ImageData, extent: Extent) -> dict[int, dict[str, list[float]]]:
    """By batch size and round the seconds of the bare step, of the batches alone and of a step of `train`."""
    rows = {}
    for size in extent.batch_sizes:
        steps = min(extent.steps, len(data.train) // size)
        config = bench_config(size, train_size=steps * size)
        loops = {"dlvc": LOOPS["dlvc"]}
        rows[size] = seconds_of_rounds(key, data, config, loops, extent.rounds)
    return rows


def measure_precisions(key: str, data: ImageData, extent: Extent) -> dict[int, dict[str, float]]:
    """By batch size and number format the median seconds of a bare step."""
    return {
        size: {
            name: median(bare_steps(key, data, Step(size, precision=name), extent.steps))
            for name in PRECISIONS
        }
        for size in extent.batch_sizes
    }


def measure_graphs(key: str, data: ImageData, extent: Extent) -> dict[int, float] | None:
    """By batch size the median seconds of a bare step that is replayed as one CUDA graph; None without a GPU."""
    if pick_device().type != "cuda":
        return None
    return {
        size: median(graphed_steps(key, data, size, extent.steps)) for size in extent.batch_sizes
    }


def graphed_steps(key: str, data: ImageData, size: int, count: int) -> list[float]:
    """Seconds of each of `count` replays of one captured step in float32.

    Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture
    """
    device, config = pick_device(), bench_config(size)
    model = bench_model(key, config).train().to(device, memory_format=torch.channels_last)
    optimizer = make_optimizer(model, config)
    for group in optimizer.param_groups:
        group["capturable"] = True
    images = to_float(data.train.images[:size].to(device), torch.channels_last)
    one_step = partial(bare_step, model, optimizer, images, data.train.labels[:size].to(device))
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            one_step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        one_step()
    timed_calls(graph.replay, WARM_UP, device)
    return timed_calls(graph.replay, count, device)


def measure_waits(key: str, data: ImageData, extent: Extent) -> int | None:
    """How often an epoch of `train` waits for the GPU; None without one."""
    steps = min(extent.steps, len(data.train) // 64)
    return host_syncs(key, data, bench_config(train_size=steps * 64))


PARTS: dict[str, Callable[[str, ImageData, Extent], Any]] = {
    "seconds a step": measure_steps,
    "waits an epoch": measure_waits,
    "seconds a step by precision": measure_precisions,
    "seconds a step as CUDA graph": measure_graphs,
}


def measure_all(data: ImageData, extent: Extent, folder: Path, deadline: float) -> dict[str, Any]:
    """What gpu.json holds, after measuring all parts of all models that begin before `deadline`."""
    record: dict[str, Any] = {
        "device": describe_device(pick_device()),
        "versions": versions(),
        "git_commit": git_commit(),
        "data": data.title,
        "errors": {},
        **{part: {} for part in PARTS},
    }
    for key, (part, measure) in itertools.product(extent.models, PARTS.items()):
        if time.monotonic() > deadline:
            record["errors"][f"{key}, {part}"] = "not begun: the time was up"
            continue
        try:
            record[part][key] = measure(key, data, extent)
        except (RuntimeError, ValueError) as error:
            record["errors"][f"{key}, {part}"] = str(error)
        save_json(record, folder / "gpu.json")
        print(f"{key}: {part}", flush=True)
    return record


def train_seeds(
    data: ImageData, extent: Extent, folder: Path, deadline: float, weights: Path | None
) -> None:
    """Train every experiment by the report's protocol, seed after seed; a run that cannot end in time is not begun."""
    seconds: dict[str, float] = {}  # of the last run of each experiment
    runs = ((seed, key) for seed in itertools.count() for key in EXPERIMENTS)
    for seed, key in runs:
        experiment = EXPERIMENTS[key]
        expected = seconds.get(key) or max(seconds.values(), default=0.0)
        if time.monotonic() + expected > deadline or (extent.changes and seed):
            return
        config = config_for(
            key, data, profile="full", seed=seed, precision="float32", **extent.changes
        )
        started = time.monotonic()
        start = weights if experiment.weights else None
        run_experiment(
            key, data, config, profile="full", weights=start, folder=folder / "runs", progress=False
        )
        seconds[key] = time.monotonic() - started
        print(f"{key}, seed {seed}: {seconds[key]:.0f} s", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure, then train as long as time allows."""
    parser = argparse.ArgumentParser(prog="python -m dlvc.studies.gpu", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="for gpu.json and runs/")
    parser.add_argument("--minutes", type=float, default=8.0, help="when to be done (default: 8)")
    parser.add_argument("--weights", type=Path, help="start of ResNet18 (default: random)")
    parser.add_argument("--rehearse", action="store_true", help="in seconds, on a few drawings")
    options = parser.parse_args(arguments)
    deadline = time.monotonic() + 60 * options.minutes
    if options.rehearse:
        data, extent = load_data("sketch10", sizes=(64, 32, 32), quiet=True), REHEARSAL
    else:
        data, extent = load_data("cifar10"), Extent()
    measure_all(data, extent, options.folder, deadline)
    train_seeds(data, extent, options.folder, deadline, options.weights)


if __name__ == "__main__":
    main()
