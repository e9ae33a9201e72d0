"""The command `python -m dlvc bench`: measure everything and write the record, or show one."""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial

from dlvc.data import ImageData, load_data
from dlvc.experiments import describe_device, format_table, git_commit, versions
from dlvc.files import save_json
from dlvc.studies.bench import results
from dlvc.studies.bench.curves import batch_size_curve, cold_start, data_size_curve, thread_curve
from dlvc.studies.bench.loops import LOOPS
from dlvc.studies.bench.measure import MODELS, measure_model, ratio
from dlvc.studies.bench.step_kinds import measure_kinds, own_kind
from dlvc.studies.bench.targets import summary
from dlvc.training import keep_freed_memory, pick_device, say

CURVES_OF = (results.SMALL, "deep-cnn-bn")


def run_bench(options: argparse.Namespace) -> None:
    """Measure the loops, write the record, and print its table; or print that of a record."""
    if options.show:
        benches = results.load_benches(options.show)
        if options.summary:
            print(summary(benches))
        else:
            table = results.step_table if options.steps else results.bench_table
            print(format_table(table(results.as_one(benches)), "markdown"))
        return
    if options.steps or options.summary:
        raise ValueError(
            "--steps and --summary need a record. Try --show figures/records/bench/cpu."
        )
    unknown = sorted(set(options.models or ()) - set(MODELS))
    if unknown or options.rounds < 1:
        raise ValueError(
            f"bench measures {', '.join(MODELS)} in at least 1 round; got {', '.join(unknown) or options.rounds}."
        )
    # Drawn images: what an image shows does not change how long it takes, and they need no network.
    data = load_data("sketch10", sizes=(20_000, 64, 64), quiet=True)
    keep = partial(save_json, path=options.output)
    bench = measure_bench(data, tuple(options.models or MODELS), options.rounds, keep)
    print(format_table(results.bench_table(bench), "markdown"))
    print(summary([bench]))
    print(f"record: {options.output}")


def measure_bench(
    data: ImageData, models: tuple[str, ...], rounds: int, keep: Callable[[results.Bench], object]
) -> results.Bench:
    """The record of everything measured on this machine; `keep` gets what there is of it after each model."""
    keep_freed_memory()  # as `train` does: from the first loop on, so that all loops have it
    missing = [name for name, loop in LOOPS.items() if not loop.available]
    if missing:
        say(f"without {', '.join(missing)}: for all loops, pip install -e '.[bench]'.")
    peers = {loop.needs for loop in LOOPS.values() if loop.needs and loop.available}
    bench: results.Bench = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": describe_device(pick_device()),
        "versions": versions() | {name: importlib.metadata.version(name) for name in sorted(peers)},
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
        bench["models"][key] = measured
        if key in CURVES_OF:
            bench["curves"][key] = {
                "data size": data_size_curve(key, data) if key == results.SMALL else None,
                "batch size": batch_size_curve(key, data),
                "threads": thread_curve(key, data),
            }
        loop = ratio(measured["seconds_per_step"], "dlvc", "bare step")
        print(f"{key}: {measured['steps']} steps, {rounds} rounds, R_loop {loop:.3f}", flush=True)
        keep(bench)
    return bench
