"""The bench's record, and what it says: the ratios of a run or of several, and the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median, median_low
from typing import Any, TypedDict

import pandas as pd

from dlvc.experiments import REFERENCE_RECORDS
from dlvc.files import load_json
from dlvc.studies.bench.loops import LOOPS
from dlvc.studies.bench.measure import ratio, ratios
from dlvc.studies.bench.step_kinds import best_kind

BENCH_RECORDS = REFERENCE_RECORDS / "bench" / "cpu"  # several runs in a row on one machine
SMALL = "simple-cnn"  # the model for which the loop counts most


class Measured(TypedDict):
    """What `measure_model` and `measure_kinds` measured of one model; seconds by loop, or by kind of step."""

    steps: int
    workers: int
    largest_loss_difference: float
    seconds_per_step: dict[str, list[float]]
    seconds_per_large_step: dict[str, list[float]] | None
    host_syncs: int | None
    step_kinds: dict[str, float]
    own_kind: str


class Bench(TypedDict):
    """The record of one run of the bench. Models and curves stand under the key of their experiment."""

    started: str
    device: dict[str, Any]
    versions: dict[str, str]
    git_commit: str
    data: str
    rounds: int
    cold_start: dict[str, float | None]
    models: dict[str, Measured]
    curves: dict[str, dict[str, dict[str, list[float]] | None]]


def load_benches(path: Path) -> list[Bench]:
    """The record in the file, or those in the files of the folder, in the order of their names.

    Raises FileNotFoundError if there is none, ValueError if one is no such record.
    """
    paths = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not paths or not paths[0].is_file():
        raise FileNotFoundError(f"there is no record of the bench at {path}. Try {BENCH_RECORDS}.")
    remedy = "`python -m dlvc bench --output FILE` writes one."
    return [load_json(path, Bench, "record of the bench", remedy) for path in paths]


ALIKE: dict[str, Callable[[Bench], Any]] = {
    "device": lambda bench: bench["device"],
    "versions": lambda bench: bench["versions"],
    "code": lambda bench: bench["git_commit"],
    "images": lambda bench: bench["data"],
    "models": lambda bench: list(bench["models"]),
    "loops": lambda bench: [list(model["seconds_per_step"]) for model in bench["models"].values()],
}


def as_one(benches: list[Bench]) -> Bench:
    """Several runs as if they were one: all their rounds, and the medians of what each measured once.

    Of what must not be large, such as the difference of losses, it has the largest.
    Raises ValueError naming what is not the same in all of them.
    """
    first = benches[0]
    for name, what in ALIKE.items():
        values = [what(bench) for bench in benches]
        if any(value != values[0] for value in values):
            raise ValueError(
                f"runs of the bench can be taken together only if they are of the same {name}; got "
                f"{' and '.join(dict.fromkeys(map(str, values)))}."
            )
    models = {}
    for key, measured in first["models"].items():
        runs = [bench["models"][key] for bench in benches]
        models[key] = {
            **measured,
            "largest_loss_difference": max(run["largest_loss_difference"] for run in runs),
            "host_syncs": _largest([run["host_syncs"] for run in runs]),
            "seconds_per_step": _all_rounds([run["seconds_per_step"] for run in runs]),
            "seconds_per_large_step": _all_rounds([run["seconds_per_large_step"] for run in runs]),
            "step_kinds": _medians([run["step_kinds"] for run in runs]),
            "workers": median_low(run["workers"] for run in runs),
        }
    return {
        **first,
        "rounds": sum(bench["rounds"] for bench in benches),
        "models": models,
        "curves": _medians([bench["curves"] for bench in benches]),
        "cold_start": _medians([bench["cold_start"] for bench in benches]),
    }


def _largest(values: list[int | None]) -> int | None:
    """The largest value; None if it was not measured."""
    return None if None in values else max(values)


def _all_rounds(seconds: list[dict[str, list[float]] | None]) -> dict[str, list[float]] | None:
    """By loop the seconds of the rounds of all runs; None if they were not measured."""
    if None in seconds:
        return None
    return {name: [one for run in seconds for one in run[name]] for name in seconds[0]}


def _medians(values: list) -> dict | list | float | None:
    """The median of numbers; in dictionaries and lists place by place. What is no number is as in the first."""
    first = values[0]
    if isinstance(first, dict):
        return {name: _medians([value[name] for value in values]) for name in first}
    if isinstance(first, list):
        return [_medians(list(column)) for column in zip(*values, strict=True)]
    return median(values) if isinstance(first, (int, float)) else first


def spread(values: list[float], digits: int) -> str:
    """The median with the lowest and the highest value."""
    shown = (f"{value:.{digits}f}" for value in (median(values), min(values), max(values)))
    return "{} ({} to {})".format(*shown)


def step_ratio(measured: Measured) -> float:
    """R_step: the kind of step that dlvc takes over the fastest kind in float32, which may be the same one."""
    kinds = measured["step_kinds"]
    return kinds[measured["own_kind"]] / kinds[best_kind(kinds, "float32")]


def bench_table(bench: Bench) -> pd.DataFrame:
    """One row for each model: the ratios of its loop to the floor, and to each other loop ("-" if it was not run)."""
    rows = []
    for key, measured in bench["models"].items():
        seconds = measured["seconds_per_step"]
        row = {
            "model": key,
            "bare step (ms)": f"{1000 * median(seconds['bare step']):.2f}",
            "R_loop": spread(ratios(seconds, "dlvc", "bare step"), 3),
            "data share": f"{100 * ratio(seconds, 'data', 'dlvc'):.1f} %",
            "R_step": f"{step_ratio(measured):.2f}",
            "workers": measured["workers"],
        }
        for name in LOOPS:
            if name != "dlvc":
                known = name in seconds
                row[f"x {name}"] = spread(ratios(seconds, name, "dlvc"), 2) if known else "-"
        rows.append(row)
    return pd.DataFrame(rows)


def step_table(bench: Bench) -> pd.DataFrame:
    """One row for each model: its fastest kind of step in float32 and in bfloat16."""
    rows = []
    for key, measured in bench["models"].items():
        kinds = measured["step_kinds"]
        own, half = kinds[measured["own_kind"]], best_kind(kinds, "bfloat16")
        rows.append(
            {
                "model": key,
                "dlvc's": measured["own_kind"].removeprefix("float32, "),
                "ms": f"{1000 * own:.2f}",
                "fastest in float32": best_kind(kinds, "float32").removeprefix("float32, "),
                "R_step": f"{step_ratio(measured):.2f}",
                "fastest in bfloat16": half.removeprefix("bfloat16, "),
                "bfloat16 is faster by": f"{own / kinds[half]:.2f}",
            }
        )
    return pd.DataFrame(rows)
