"""The bench's record, and what it says: the ratios of a run or of several, and the table."""

from __future__ import annotations

import importlib.metadata
import statistics
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from dlvc import stored
from dlvc.data import ImageData
from dlvc.experiments import REFERENCE_RECORDS, describe_device, git_commit, versions
from dlvc.studies.bench.curves import batch_size_curve, cold_start, data_size_curve, thread_curve
from dlvc.studies.bench.limits import best_kind, measure_kinds, own_kind
from dlvc.studies.bench.loops import ARMS
from dlvc.studies.bench.measure import measure_model, ratio, ratios
from dlvc.training import keep_freed_memory, pick_device, say

BENCH_RECORDS = REFERENCE_RECORDS / "bench" / "cpu"  # several runs in a row on one machine
SMALL = "simple-cnn"  # the model for which the loop counts most
CURVES_OF = (SMALL, "deep-cnn-bn")


def run_bench(
    data: ImageData, models: tuple[str, ...], rounds: int, keep: Callable[[dict], None]
) -> None:
    """Measure everything on this machine; `keep` gets what there is, ready for JSON, after each model."""
    keep_freed_memory()  # as `train` does: from the first loop on, so that all loops have it
    missing = [name for name, arm in ARMS.items() if not arm.available]
    if missing:
        say(f"without {', '.join(missing)}: for all arms, pip install -e '.[bench]'.")
    found: dict = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": describe_device(pick_device()),
        "versions": versions() | peer_versions(),
        "git_commit": git_commit(),
        "data": data.title,
        "rounds": rounds,
        "cold_start": cold_start(models[0]),
        "models": {},
        "curves": {},
    }
    for key in models:
        measured = measure_model(key, data, rounds)
        measured |= {"step_kinds": measure_kinds(key, data), "own_kind": own_kind(key)}
        found["models"][key] = measured
        if key in CURVES_OF:
            found["curves"][key] = {
                "data size": data_size_curve(key, data) if key == SMALL else None,
                "batch size": batch_size_curve(key, data),
                "threads": thread_curve(key, data),
            }
        loop = ratio(measured["seconds_per_step"], "dlvc", "bare step")
        print(f"{key}: {measured['steps']} steps, {rounds} rounds, R_loop {loop:.3f}", flush=True)
        keep(found)


def peer_versions() -> dict[str, str]:
    """The versions of the libraries that have an arm and are installed."""
    needed = sorted({arm.needs for arm in ARMS.values() if arm.needs and arm.available})
    return {name: importlib.metadata.version(name) for name in needed}


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
    return [stored.load(path, Bench, "record of the bench", remedy) for path in paths]


ALIKE: dict[str, Callable[[dict], Any]] = {
    "device": lambda found: found["device"],
    "versions": lambda found: found["versions"],
    "code": lambda found: found["git_commit"],
    "images": lambda found: found["data"],
    "models": lambda found: list(found["models"]),
    "loops": lambda found: [list(each["seconds_per_step"]) for each in found["models"].values()],
}


def as_one(benches: list[dict]) -> dict:
    """Several runs as if they were one: all their rounds, and the medians of what each measured once.

    Of what must not be large, such as the difference of losses, it has the largest.
    Raises ValueError naming what is not the same in all of them.
    """
    first = benches[0]
    for name, what in ALIKE.items():
        found = [what(each) for each in benches]
        if any(each != found[0] for each in found):
            raise ValueError(
                f"runs of the bench can be taken together only if they are of the same {name}; got "
                f"{' and '.join(dict.fromkeys(map(str, found)))}."
            )
    models = {}
    for key, measured in first["models"].items():
        runs = [each["models"][key] for each in benches]
        models[key] = {
            **measured,
            "largest_loss_difference": max(run["largest_loss_difference"] for run in runs),
            "host_syncs": largest([run["host_syncs"] for run in runs]),
            "seconds_per_step": all_rounds([run["seconds_per_step"] for run in runs]),
            "seconds_per_large_step": all_rounds([run["seconds_per_large_step"] for run in runs]),
            "step_kinds": medians([run["step_kinds"] for run in runs]),
            "workers": statistics.median_low(run["workers"] for run in runs),
        }
    return {
        **first,
        "rounds": sum(each["rounds"] for each in benches),
        "models": models,
        "curves": medians([each["curves"] for each in benches]),
        "cold_start": medians([each["cold_start"] for each in benches]),
    }


def largest(values: list[int | None]) -> int | None:
    """The largest value; None if it was not measured."""
    return None if None in values else max(values)


def all_rounds(seconds: list[dict[str, list[float]] | None]) -> dict[str, list[float]] | None:
    """By arm the seconds of the rounds of all runs; None if they were not measured."""
    if None in seconds:
        return None
    return {name: [one for run in seconds for one in run[name]] for name in seconds[0]}


def medians(values: list) -> dict | list | float | None:
    """The median of numbers; in dictionaries and lists place by place. What is no number is as in the first."""
    first = values[0]
    if isinstance(first, dict):
        return {name: medians([each[name] for each in values]) for name in first}
    if isinstance(first, list):
        return [medians(list(each)) for each in zip(*values, strict=True)]
    return statistics.median(values) if isinstance(first, (int, float)) else first


def spread(values: list[float], digits: int) -> str:
    """The median with the lowest and the highest value."""
    shown = (f"{each:.{digits}f}" for each in (statistics.median(values), min(values), max(values)))
    return "{} ({} to {})".format(*shown)


def step_ratio(measured: dict) -> float:
    """R_step: the kind of step that dlvc takes over the fastest kind in float32, which may be the same one."""
    kinds = measured["step_kinds"]
    return kinds[measured["own_kind"]] / kinds[best_kind(kinds, "float32")]


def bench_table(found: dict) -> pd.DataFrame:
    """One row for each model: the ratios of its loop to the floor, and to each other arm ("-" if it was not run)."""
    rows = []
    for key, measured in found["models"].items():
        seconds = measured["seconds_per_step"]
        row = {
            "model": key,
            "bare step (ms)": f"{1000 * statistics.median(seconds['bare step']):.2f}",
            "R_loop": spread(ratios(seconds, "dlvc", "bare step"), 3),
            "data share": f"{100 * ratio(seconds, 'data', 'dlvc'):.1f} %",
            "R_step": f"{step_ratio(measured):.2f}",
            "workers": measured["workers"],
        }
        for name in ARMS:
            if name != "dlvc":
                known = name in seconds
                row[f"x {name}"] = spread(ratios(seconds, name, "dlvc"), 2) if known else "-"
        rows.append(row)
    return pd.DataFrame(rows)


def step_table(found: dict) -> pd.DataFrame:
    """One row for each model: its fastest kind of step in float32 and in bfloat16."""
    rows = []
    for key, measured in found["models"].items():
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
