"""The bench's record, the ratios in it, the targets, and the printed table."""

from __future__ import annotations

import json
import statistics
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd

from dlvc.bench.arms import ARMS
from dlvc.bench.curves import (
    batch_size_curve,
    cold_start,
    data_size_curve,
    fixed_and_per_image,
    thread_curve,
)
from dlvc.bench.limits import best_kind, measure_kinds
from dlvc.bench.measure import measure_model, ratio
from dlvc.data import ImageData
from dlvc.device import pick_device
from dlvc.files import write_whole
from dlvc.memory import keep_freed_memory
from dlvc.notices import say
from dlvc.provenance import describe_device, git_commit, versions
from dlvc.records import REFERENCE_RECORDS

FOLDER = REFERENCE_RECORDS / "bench"
BENCH_RECORD = (
    FOLDER / "cpu.json"
)  # the one that README shows; others beside it are of further runs
SMALL = "simple-cnn"  # the model for which the loop counts most
CURVES_OF = (SMALL, "deep-cnn-bn")
SAME_LOSS = 1e-4


def run_bench(data: ImageData, models: tuple[str, ...], rounds: int) -> dict:
    """Everything measured on this machine, ready for JSON."""
    keep_freed_memory()  # as `train` does: from the first loop on, so that all loops have it
    missing = [name for name, arm in ARMS.items() if not arm.available]
    if missing:
        say(f"without {', '.join(missing)}: for all arms, pip install -e '.[bench]'.")
    found: dict = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": describe_device(pick_device()),
        "versions": versions(),
        "git_commit": git_commit(),
        "data": data.title,
        "rounds": rounds,
        "models": {},
        "curves": {},
    }
    for key in models:
        measured = measure_model(key, data, rounds)
        measured["step_kinds"] = measure_kinds(key, data)
        found["models"][key] = measured
        loop = ratio(measured["seconds_per_step"], "dlvc", "bare step")
        print(f"{key}: {measured['steps']} steps, {rounds} rounds, R_loop {loop:.3f}", flush=True)
    for key in CURVES_OF:
        if key in models:
            sizes = data_size_curve(key, data) if key == SMALL else None
            found["curves"][key] = {
                "data size": sizes,
                "batch size": batch_size_curve(key, data),
                "threads": thread_curve(key, data),
            }
    found["cold_start"] = cold_start(models[0])
    return found


def save_bench(found: dict, path: Path) -> None:
    """Write what was measured as JSON."""
    write_whole(path, json.dumps(found, indent=1).encode())


def load_bench(path: Path) -> dict:
    """What `save_bench` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def speed_up(seconds: dict[str, list[float]], name: str) -> str:
    """How many times as fast as the arm `name` dlvc is, with the lowest and highest round; "-" if it was not run."""
    if name not in seconds:
        return "-"
    rounds = [one / ours for one, ours in zip(seconds[name], seconds["dlvc"], strict=True)]
    return f"{statistics.median(rounds):.2f} ({min(rounds):.2f} to {max(rounds):.2f})"


def step_ratio(measured: dict, precision: str) -> float:
    """R_step: dlvc's bare step over the fastest step of `precision` that was found."""
    kinds = measured["step_kinds"]
    return kinds["as dlvc"] / kinds[best_kind(kinds, precision)]


def bench_table(found: dict) -> pd.DataFrame:
    """One row for each model: the ratios of its loop to the floor, and to each other arm."""
    rows = []
    for key, measured in found["models"].items():
        seconds = measured["seconds_per_step"]
        loops = [
            one / bare for one, bare in zip(seconds["dlvc"], seconds["bare step"], strict=True)
        ]
        row = {
            "model": key,
            "bare step (ms)": f"{1000 * statistics.median(seconds['bare step']):.2f}",
            "R_loop": f"{statistics.median(loops):.3f} ({min(loops):.2f} to {max(loops):.2f})",
            "data share": f"{100 * ratio(seconds, 'data', 'dlvc'):.1f} %",
            "R_step": f"{step_ratio(measured, 'float32'):.2f}",
            "workers": measured["workers"],
        }
        row |= {f"x {name}": speed_up(seconds, name) for name in ARMS if name != "dlvc"}
        rows.append(row)
    return pd.DataFrame(rows)


def step_table(found: dict) -> pd.DataFrame:
    """One row for each model: its fastest kind of step in float32 and in bfloat16."""
    rows = []
    for key, measured in found["models"].items():
        kinds = measured["step_kinds"]
        half = best_kind(kinds, "bfloat16")
        rows.append(
            {
                "model": key,
                "as dlvc (ms)": f"{1000 * kinds['as dlvc']:.2f}",
                "fastest in float32": best_kind(kinds, "float32").removeprefix("float32, "),
                "R_step": f"{step_ratio(measured, 'float32'):.2f}",
                "bfloat16 is faster by": f"{kinds['as dlvc'] / kinds[half]:.2f}",
            }
        )
    return pd.DataFrame(rows)


def targets(found: dict) -> dict[str, bool]:
    """Each target with whether it was met: what the loop may cost, and whom it must not fall behind."""
    on_gpu = found["device"]["type"] == "cuda"
    met: dict[str, bool] = {}
    for key, measured in found["models"].items():
        seconds, small = measured["seconds_per_step"], key == SMALL
        limit = 1.10 if on_gpu else 1.15 if small else 1.08
        loop, data = ratio(seconds, "dlvc", "bare step"), ratio(seconds, "data", "dlvc")
        share = 0.15 if small else 0.10
        met[f"{key}: equal losses on equal batches"] = (
            measured["largest_loss_difference"] <= SAME_LOSS
        )
        met[f"{key}: R_loop {loop:.3f}, at most {limit}"] = loop <= limit
        met[f"{key}: data share {data:.3f}, at most {share}"] = data <= share
        step = step_ratio(measured, "float32")
        met[f"{key}: R_step {step:.2f}, at most 1.05"] = step <= 1.05
        if measured["host_syncs"] is not None:
            syncs = measured["host_syncs"]
            met[f"{key}: {syncs} waits for the GPU an epoch, at most 1"] = syncs <= 1
        for name in ARMS:
            if name == "dlvc" or name not in seconds:
                continue
            least = 1.0
            if small and name == "tutorial loop":
                least = 20.0 if on_gpu else 3.0
            elif small and name == "tutorial loop, tuned":
                least = 1.5
            times = ratio(seconds, name, "dlvc")
            met[f"{key}: {times:.2f} times as fast as {name}, at least {least}"] = times >= least
    return met


def summary(found: dict) -> str:
    """What is said below the table: the start, the fixed cost and the cost of an image, and missed targets."""
    start, lines = found["cold_start"], []
    lines.append(
        f"A start takes {start['import']:.1f} s for imports and {start['first step']:.2f} s until the first step "
        f"is done, with at most {start['peak memory (MB)']:.0f} MB of memory."
    )
    curve = found["curves"].get(SMALL, {}).get("data size")
    if curve:
        fixed, per_image = fixed_and_per_image(curve)
        lines.append(
            f"{SMALL}: a training of one epoch takes {1000 * fixed:.0f} ms and {1e6 * per_image:.0f} µs an image."
        )
    met = targets(found)
    lines.append(f"{sum(met.values())} of {len(met)} targets met.")
    lines += [f"missed: {name}" for name, done in met.items() if not done]
    return "\n".join(lines)
