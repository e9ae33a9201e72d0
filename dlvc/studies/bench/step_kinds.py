"""The kinds of steps there could be: the fastest layout, precision and number of threads for each model here."""

from __future__ import annotations

from itertools import chain
from statistics import median

import torch

from dlvc.data import ImageData
from dlvc.experiments import build_model
from dlvc.studies.bench.measure import FEWEST_STEPS, Step, bare_steps, bench_config, by_turns
from dlvc.training import memory_layout, pick_device

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
TRY_SECONDS = 0.3  # that many of steps of a kind a round
ROUNDS = 4


def kind_name(precision: str, layout: str, threads: int) -> str:
    """The name of a kind of step in the record; `threads` is 0 on a GPU."""
    threaded = [f"{threads} thread{'s' if threads > 1 else ''}"] if threads else []
    return ", ".join([precision, layout, *threaded])


def all_threads() -> int:
    """The number of threads that a step has unless told otherwise; 0 on a GPU, where they do not matter."""
    return torch.get_num_threads() if pick_device().type == "cpu" else 0


def all_kinds() -> dict[str, Step]:
    """The kinds of a step that are tried, by name."""
    threads = sorted({min(1, all_threads()), all_threads()})
    return {
        kind_name(precision, name, count): Step(layout=layout, precision=precision, threads=count)
        for precision in ("float32", "bfloat16")
        for name, layout in LAYOUTS.items()
        for count in threads
    }


def own_kind(key: str) -> str:
    """The name of the kind of step that a training of `key` in float32 takes."""
    own = memory_layout(build_model(key, bench_config()), pick_device())
    name = next(name for name, layout in LAYOUTS.items() if layout == own)
    return kind_name("float32", name, all_threads())


def measure_kinds(key: str, data: ImageData) -> dict[str, float]:
    """The median seconds of each kind of step, tried by turns."""
    kinds = all_kinds()
    first = median(bare_steps(key, data, kinds[own_kind(key)], 2))
    count = max(FEWEST_STEPS // 2, round(TRY_SECONDS / first))
    rounds = by_turns(kinds, lambda name: bare_steps(key, data, kinds[name], count), ROUNDS)
    return {name: median(chain(*times)) for name, times in rounds.items()}


def best_kind(kinds: dict[str, float], precision: str) -> str:
    """The fastest kind of step in `precision`."""
    return min((name for name in kinds if name.startswith(precision)), key=kinds.__getitem__)
