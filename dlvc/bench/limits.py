"""What else a step could be: the fastest layout, precision and number of threads for each model on this machine."""

from __future__ import annotations

import statistics

import torch

from dlvc.bench.measure import FEWEST_STEPS, Step, bare_steps
from dlvc.data import ImageData
from dlvc.device import pick_device

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
TRY_SECONDS = 0.3  # that many of steps of a kind a round
ROUNDS = 2


def step_kinds() -> dict[str, Step]:
    """The kinds of a step that are tried, by name; "as dlvc" is the one that training takes, in float32."""
    threads = sorted({1, torch.get_num_threads()}) if pick_device().type == "cpu" else [0]
    kinds = {"as dlvc": Step()}
    for precision in ("float32", "bfloat16"):
        for layout in LAYOUTS:
            for count in threads:
                threaded = [f"{count} thread{'s' if count > 1 else ''}"] if count else []
                name = ", ".join([precision, layout, *threaded])
                kinds[name] = Step(layout=LAYOUTS[layout], precision=precision, threads=count)
    return kinds


def measure_kinds(key: str, data: ImageData) -> dict[str, float]:
    """Median seconds of each kind of step, tried by turns, every other time backwards."""
    kinds = step_kinds()
    first = statistics.median(bare_steps(key, data, kinds["as dlvc"], 2))
    count = max(FEWEST_STEPS // 2, round(TRY_SECONDS / first))
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(ROUNDS):
        for name in reversed(kinds) if turn % 2 else kinds:
            seconds[name] += bare_steps(key, data, kinds[name], count)
    return {name: statistics.median(each) for name, each in seconds.items()}


def best_kind(kinds: dict[str, float], precision: str) -> str:
    """The fastest kind of step in `precision`; that of dlvc is in float32."""
    own = ("as dlvc",) if precision == "float32" else ()
    return min(
        (name for name in kinds if name.startswith((precision, *own))), key=kinds.__getitem__
    )
