"""What more processes would bring: computed from the times of steps and of gradient sums that are measured here.

torchrun --nproc-per-node 2 -m dlvc.studies.scaling deep-cnn                # measures and prints; gloo or nccl
python -m dlvc.studies.scaling --show figures/records/scaling/resnet18.json  # prints what was measured before
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from dlvc.checks import check_whole
from dlvc.config import TrainConfig
from dlvc.data import to_float
from dlvc.experiments import EXPERIMENTS, build_model, describe_device, format_table, get_experiment
from dlvc.files import write_whole
from dlvc.training import (
    OneProcess,
    autocast,
    input_layout,
    keep_freed_memory,
    make_optimizer,
    memory_layout,
    pick_device,
    pick_precision,
    processes_of_torchrun,
)

PROCESSES = (1, 2, 4, 8)
SMALL, LARGE = 4 * 2**10, 16 * 2**20  # bytes: one takes as long as its hops, the other as its bytes


@dataclass(frozen=True)
class Measured:
    """Times of one model on one kind of device, in seconds; those of the slowest process."""

    key: str
    device: dict  # as `describe_device` has it
    batch_size: int
    steps: dict[int, float]  # by the number of images that one process computes
    gradient_bytes: int
    hop: float  # from one process to the next, without the bytes
    bandwidth: float  # bytes a second from one process to the next
    processes: int  # with how many all this was measured
    together: (
        float  # a whole step of a batch on so many: what the computed one is to be compared with
    )


def sum_seconds(processes: int, size: int, hop: float, bandwidth: float) -> float:
    """Seconds for a sum of `size` bytes over the processes in a ring: 2 (n-1) hop + 2 (n-1)/n size / bandwidth.

    Each process passes on n-th parts of the bytes, n-1 times to add them up and n-1 times to tell the sums.
    Source: Patarasuk and Yuan 2009, section 4.
    """
    check_whole("processes", processes, low=1, hint="Try 2.")
    steps = 2 * (processes - 1)
    return steps * hop + steps / processes * size / bandwidth


def expected_table(measured: Measured) -> pd.DataFrame:
    """What 1, 2, 4 and 8 processes would take, computed: a step takes as long as its slice and the sum of gradients.

    That the sum travels while gradients are still computed is left out, so more than this can be reached.
    """
    steps, batch = measured.steps, measured.batch_size
    rows = []
    for count in PROCESSES:
        summing = sum_seconds(count, measured.gradient_bytes, measured.hop, measured.bandwidth)
        shared, whole = steps[slice_size(batch, count)] + summing, steps[batch] + summing
        rows.append(
            {
                "processes": str(count),
                "sum of gradients (ms)": f"{1000 * summing:.2f}",
                f"step, batch {batch} in all (ms)": f"{1000 * shared:.2f}",
                "times as fast": f"{steps[batch] / shared:.2f}",
                f"step, batch {batch} each (ms)": f"{1000 * whole:.2f}",
                "times as many images": f"{count * steps[batch] / whole:.2f}",
            }
        )
    return pd.DataFrame(rows)


def slice_size(batch_size: int, processes: int) -> int:
    """The images of the largest slice of a batch."""
    return -(-batch_size // processes)


def measure(key: str, config: TrainConfig, processes: OneProcess) -> Measured:
    """The times of the experiment's model with this config, measured by several processes that all call this.

    Raises ValueError for a single process, which has nobody to add up gradients with, RuntimeError if the times of the
    sums make no sense.
    """
    if processes.size == 1:
        raise ValueError(
            "sums over processes need at least two. Start with torchrun --nproc-per-node 2 -m dlvc.studies.scaling ..."
        )
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    keep_freed_memory()  # as `train` does

    def step_of(images: int, *, together: bool = False) -> Callable[[], None]:
        model = build_model(key, config)
        layout = input_layout(model, device)
        model.to(device, memory_format=memory_layout(model, device)).train()
        forward = processes.wrap(model) if together else model
        optimizer = make_optimizer(model, config)
        batch = torch.randint(0, 256, (images, 3, 32, 32), dtype=torch.uint8, device=device)
        labels = torch.randint(0, 10, (images,), device=device)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            with autocast(device, precision):
                loss = cross_entropy(forward(to_float(batch, layout)).float(), labels)
            loss.backward()
            optimizer.step()

        return step

    def sum_of(size: int) -> Callable[[], None]:
        values = torch.zeros(size // 4, device=device)
        return lambda: processes.add_up(values)

    own = slice_size(config.batch_size, processes.size)
    slices = sorted({own, *(slice_size(config.batch_size, count) for count in PROCESSES)})
    works = [*map(step_of, slices), sum_of(SMALL), sum_of(LARGE), step_of(own, together=True)]
    medians = torch.tensor(median_seconds(works, device, processes), dtype=torch.float64)
    *steps, small, large, together = torch.stack(processes.gather(medians)).amax(dim=0).tolist()
    if large <= small:
        raise RuntimeError(
            f"a sum of {LARGE >> 20} MiB took no longer than one of {SMALL >> 10} KiB ({large:.2g} s, {small:.2g} s), "
            "so no bandwidth can be told. The machine is too busy; try again."
        )
    hops = 2 * (processes.size - 1)
    return Measured(
        key=key,
        device=describe_device(device),
        batch_size=config.batch_size,
        steps=dict(zip(slices, steps, strict=True)),
        gradient_bytes=4 * trained_parameters(build_model(key, config)),
        hop=small / hops,
        bandwidth=hops / processes.size * (LARGE - SMALL) / (large - small),
        processes=processes.size,
        together=together,
    )


def trained_parameters(model: nn.Module) -> int:
    """How many numbers of the model are trained; each has a gradient."""
    return sum(each.numel() for each in model.parameters() if each.requires_grad)


def median_seconds(
    works: list[Callable[[], None]], device: torch.device, processes: OneProcess
) -> list[float]:
    """The median seconds of each work over 15 rounds. In a round each is done three times in a row.

    In turns, so that what else the machine does meets all of them; and all processes begin each together.
    """
    rounds = []
    for _ in range(17):
        rounds.append([])
        for work in works:
            synchronise(device)
            processes.agree(False)
            started = time.perf_counter()
            for _ in range(3):
                work()
            synchronise(device)
            rounds[-1].append((time.perf_counter() - started) / 3)
    return [statistics.median(times) for times in zip(*rounds[2:], strict=True)]  # 2 to warm up


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def save_measured(measured: Measured, path: Path) -> None:
    """Write what was measured as JSON."""
    write_whole(path, json.dumps(asdict(measured), indent=1).encode())


def load_measured(path: Path) -> Measured:
    """What `save_measured` wrote. Raises FileNotFoundError if there is no such file, ValueError if it is another."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}. --output FILE writes one.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        steps = {int(size): seconds for size, seconds in found["steps"].items()}
        return Measured(**{**found, "steps": steps})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} does not hold what --output writes: {error!r}.") from error


def told(measured: Measured) -> str:
    """What was measured where, the formula, and the table, as text."""
    device, steps_of = measured.device, measured.steps
    steps = ", ".join(f"{1000 * value:.2f} ms for {size}" for size, value in steps_of.items())
    own = slice_size(measured.batch_size, measured.processes)
    summing = sum_seconds(
        measured.processes, measured.gradient_bytes, measured.hop, measured.bandwidth
    )
    way = "nccl" if device["type"] == "cuda" else "gloo"
    return (
        f"{measured.key} on {device['name']}, {device['threads']} thread(s) a process. "
        f"Measured with {measured.processes} processes ({way}): steps {steps} images; a sum of gradients "
        f"{1000 * measured.hop:.3f} ms a hop, {measured.bandwidth / 1e9:.2f} GB/s, "
        f"{measured.gradient_bytes / 1e6:.2f} MB.\n"
        "COMPUTED, NOT MEASURED: step of a slice + 2 (n-1) hop + 2 (n-1)/n bytes / bandwidth\n\n"
        f"{format_table(expected_table(measured), 'markdown')}\n\n"
        f"For comparison, {measured.processes} processes with {own} images each: measured "
        f"{1000 * measured.together:.2f} ms, computed {1000 * (steps_of[own] + summing):.2f} ms"
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure one experiment's model in the processes that torchrun started, and print what to expect."""
    parser = argparse.ArgumentParser(prog="torchrun --nproc-per-node 2 -m dlvc.studies.scaling")
    parser.add_argument(
        "key", metavar="KEY", nargs="?", help="an experiment of `python -m dlvc list`"
    )
    parser.add_argument("--batch-size", type=int, default=64, metavar="X")
    parser.add_argument("--device", default="auto", metavar="X")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write what was measured")
    parser.add_argument(
        "--show", type=Path, metavar="FILE", help="measure nothing, print what is in this file"
    )
    options = parser.parse_args(arguments)
    try:
        if options.show:
            print(told(load_measured(options.show)))
            return
        if options.key is None:
            raise ValueError(
                f"name an experiment to measure ({', '.join(EXPERIMENTS)}), or --show FILE."
            )
        get_experiment(options.key)
        config = TrainConfig(batch_size=options.batch_size, device=options.device)
        with processes_of_torchrun(config.device) as processes:
            measured = measure(options.key, config, processes)
            if processes.rank == 0:
                if options.output:
                    save_measured(measured, options.output)
                print(told(measured))
    except (ValueError, RuntimeError, OSError) as error:
        parser.exit(2, f"dlvc: {error}\n")


if __name__ == "__main__":
    main()
