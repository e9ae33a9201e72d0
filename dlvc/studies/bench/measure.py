"""One epoch of every loop, by turns, beside the bare step: the floor that no loop can go below."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import mean, median
from typing import Any, TypeVar

import torch
from torch import nn

from dlvc.config import TrainConfig
from dlvc.data import ImageData, to_float
from dlvc.experiments import EXPERIMENTS, build_model
from dlvc.studies.bench.loaders import OurBatches, worker_batches
from dlvc.studies.bench.loops import LOOPS, Loop, losses_on_record, run_loop, tuned_loop
from dlvc.training import bare_step, input_layout, make_optimizer, memory_layout, pick_device, train

MODELS = tuple(key for key, model in EXPERIMENTS.items() if model.learns and not model.same_step_as)
BARE_SECONDS = 0.4  # that many of bare steps make an epoch, but at least FEWEST_STEPS
FEWEST_STEPS, MOST_STEPS = 8, 300
LARGE_BATCH = 512  # measured beside 64 on a GPU, which a batch of 64 does not fill
K, V = TypeVar("K"), TypeVar("V")
WARM_UP = 3  # first steps are slower: memory is fetched, kernels are chosen


@dataclass(frozen=True)
class Step:
    """A way to compute a step: number of images, layout, precision, threads (0: as they are)."""

    batch_size: int = 64
    layout: torch.memory_format | None = None  # None: as dlvc chooses
    precision: str = "float32"
    threads: int = 0


def bench_config(batch_size: int = 64, **changes: Any) -> TrainConfig:
    """The report's settings in float32, for one epoch."""
    fixed = {"epochs": 1, "evaluation_size": 10, "precision": "float32"}
    return TrainConfig(batch_size=batch_size, **fixed, **changes)


def bench_model(key: str, config: TrainConfig) -> nn.Module:
    """The report's model without dropout, whose random numbers would differ between the loops."""
    return build_model(key, config, options={"dropout": 0.0})


def bare_steps(key: str, data: ImageData, step: Step, count: int) -> list[float]:
    """Seconds of each of `count` steps on one batch that is there already: forward, backward, optimizer.

    A GPU works through a queue of steps: they are timed together, and each has the mean.
    """
    config = bench_config(step.batch_size)
    device = pick_device(config.device)
    model = bench_model(key, config).train()
    ours = step.layout is None
    model.to(device, memory_format=memory_layout(model, device) if ours else step.layout)
    layout = input_layout(model, device) if ours or device.type == "cpu" else step.layout
    optimizer = make_optimizer(model, config)
    images = to_float(data.train.images[: step.batch_size].to(device), layout)
    labels = data.train.labels[: step.batch_size].to(device)
    one_step = partial(bare_step, model, optimizer, images, labels, precision=step.precision)
    threads = torch.get_num_threads()
    torch.set_num_threads(step.threads or threads)
    try:
        timed_calls(one_step, WARM_UP, device)
        return timed_calls(one_step, count, device)
    finally:
        torch.set_num_threads(threads)


def timed_calls(work: Callable[[], None], count: int, device: torch.device) -> list[float]:
    """Seconds of each of `count` calls; on a GPU all together, divided evenly."""
    times = [time.perf_counter()]
    for _ in range(count):
        work()
        times.append(time.perf_counter())
    if device.type != "cuda":
        return [end - start for start, end in pairwise(times)]
    torch.cuda.synchronize()
    return [(time.perf_counter() - times[0]) / count] * count


def by_turns(kinds: Iterable[K], measure: Callable[[K], V], rounds: int) -> dict[K, list[V]]:
    """By kind what `measure` gives in each round: in turns, so that what disturbs the machine meets all of them.

    Every other round goes backwards: no kind always comes after the same one.
    """
    values: dict[K, list[V]] = {kind: [] for kind in kinds}
    for turn in range(rounds):
        for kind in reversed(values) if turn % 2 else values:
            values[kind].append(measure(kind))
    return values


def data_seconds(key: str, data: ImageData, config: TrainConfig) -> float:
    """Seconds of an epoch that dlvc needs to cut out, augment and convert its batches, with nothing trained."""
    device = pick_device(config.device)
    layout = input_layout(build_model(key, config), device)
    batches = OurBatches(data.train.first(config.train_size), config, layout)
    started = time.perf_counter()
    for _ in batches:
        pass
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def best_workers(key: str, data: ImageData, config: TrainConfig) -> int:
    """The number of worker processes that makes the tuned loop fastest: none, 1, 2, 4, ... up to as many as cores."""
    cores = usable_cores()
    doubled = [2**power for power in range(cores.bit_length()) if 2**power < cores]

    def seconds(workers: int) -> float:
        batches = worker_batches(data.train.first(config.train_size), config, workers=workers)
        return tuned_loop(bench_model(key, config), batches, replace(config, epochs=2))[-1]

    times = by_turns((0, *doubled, cores), seconds, 2)
    return min(times, key=lambda workers: min(times[workers]))


def usable_cores() -> int:
    """The number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def host_syncs(key: str, data: ImageData, config: TrainConfig) -> int | None:
    """The number of waits for the GPU in an epoch of dlvc; None on a CPU, where nothing has to be waited for."""
    if pick_device(config.device).type != "cuda":
        return None

    def count(epochs: int) -> int:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                train(
                    bench_model(key, config), data, replace(config, epochs=epochs), progress=False
                )
            finally:
                torch.cuda.set_sync_debug_mode("default")
        return sum("synchroniz" in str(warning.message) for warning in caught)

    # Epochs more, without what a start waits for; rounded up, as half a wait is one every other epoch.
    return math.ceil((count(3) - count(1)) / 2)


def equal_work(key: str, data: ImageData, steps: int = 10) -> float:
    """The largest relative difference of a loss between dlvc and any loop, over `steps` steps on the same batches.

    Few steps and a small learning rate: threads and memory layouts round differently, and Adam, whose steps are as long
    for a tiny gradient as for a large one, amplifies that. Raises RuntimeError if a loss is not a finite number.
    """
    config = replace(bench_config(), train_size=steps * 64, learning_rate=1e-4)
    losses = {
        name: losses_on_record(loop, bench_model(key, config), data, config)
        for name, loop in LOOPS.items()
        if loop.available
    }
    for name, values in losses.items():
        if not all(map(math.isfinite, values)):
            raise RuntimeError(f"{name} has losses of {key} that are not finite numbers: {values}.")
    return max(
        abs(one - other) / one
        for values in losses.values()
        for one, other in zip(losses["dlvc"], values, strict=True)
    )


def measure_model(key: str, data: ImageData, rounds: int) -> dict:
    """The numbers of one model: by round the bare step and an epoch of each loop, in seconds a step."""
    config = bench_config()
    first = median(bare_steps(key, data, Step(), FEWEST_STEPS))
    steps = min(max(FEWEST_STEPS, round(BARE_SECONDS / first)), MOST_STEPS, len(data.train) // 64)
    config = replace(config, train_size=steps * config.batch_size)
    workers = best_workers(key, data, config)
    best = partial(worker_batches, workers=workers)
    loops = {
        name: replace(loop, batches=best) if loop.batches is worker_batches else loop
        for name, loop in LOOPS.items()
        if loop.available
    }
    large = replace(
        config, batch_size=LARGE_BATCH, train_size=len(data.train) // LARGE_BATCH * LARGE_BATCH
    )
    on_gpu = pick_device(config.device).type == "cuda"
    return {
        "steps": steps,
        "workers": workers,
        "largest_loss_difference": equal_work(key, data, min(steps, 10)),
        "seconds_per_step": seconds_of_rounds(key, data, config, loops, rounds),
        "seconds_per_large_step": (
            seconds_of_rounds(key, data, large, {"dlvc": LOOPS["dlvc"]}, rounds) if on_gpu else None
        ),
        "host_syncs": host_syncs(key, data, config),
    }


def seconds_of_rounds(
    key: str, data: ImageData, config: TrainConfig, loops: dict[str, Loop], rounds: int
) -> dict[str, list[float]]:
    """By round the seconds a step of the bare step, of dlvc's batches alone and of each loop, which take turns."""
    steps = config.train_size // config.batch_size
    floor: dict[str, list[float]] = {"bare step": [], "data": []}

    def half_of_bare() -> list[float]:
        return bare_steps(key, data, Step(config.batch_size), -(-steps // 2))

    def seconds(name: str) -> float:
        # The floor before and after dlvc's pass, so that what disturbs the machine disturbs both.
        bare = half_of_bare() if name == "dlvc" else []
        # Two passes of a loop, of which the second counts: worker processes have started, memory is there.
        passes = run_loop(loops[name], bench_model(key, config), data, replace(config, epochs=2))
        if name == "dlvc":
            bare += half_of_bare()
            floor["bare step"].append(mean(bare))  # the mean, as an epoch has slow steps too
            floor["data"].append(data_seconds(key, data, config) / steps)
        return passes[-1] / steps

    return floor | by_turns(loops, seconds, rounds)


def ratios(seconds: dict[str, list[float]], above: str, below: str) -> list[float]:
    """By round, the seconds of the loop `above` over those of the loop `below`."""
    return [one / other for one, other in zip(seconds[above], seconds[below], strict=True)]


def ratio(seconds: dict[str, list[float]], above: str, below: str) -> float:
    """The median over rounds of `ratios`."""
    return median(ratios(seconds, above, below))
