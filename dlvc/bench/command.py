"""The command `python -m dlvc bench`: its options, and what it does. Imports the bench only when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_bench_options(bench: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    bench.add_argument(
        "--models",
        nargs="+",
        metavar="KEY",
        help="experiments that are measured (default: all that differ in their steps)",
    )
    bench.add_argument(
        "--rounds",
        type=int,
        default=3,
        metavar="N",
        help="how often each loop is timed (default: 3)",
    )
    bench.add_argument(
        "--show", type=Path, metavar="FILE", help="measure nothing, print the table of this record"
    )
    bench.add_argument(
        "--steps", action="store_true", help="with --show: the table of layouts and precisions"
    )
    bench.add_argument(
        "--output",
        type=Path,
        default=Path("runs/bench/latest.json"),
        metavar="FILE",
        help="the record",
    )


def run_bench(options: argparse.Namespace) -> None:
    """Measure the loops, write the record, and print its table; or print that of a record."""
    from dlvc.bench import results
    from dlvc.bench.measure import MODELS
    from dlvc.data import load_data
    from dlvc.records import format_table

    if options.steps and not options.show:
        raise ValueError("--steps needs a record. Try --show figures/records/bench/cpu.json.")
    if options.show:
        found = results.load_bench(options.show)
        table = results.step_table(found) if options.steps else results.bench_table(found)
        print(format_table(table, "markdown"))
        return
    unknown = sorted(set(options.models or ()) - set(MODELS))
    if unknown or options.rounds < 1:
        raise ValueError(
            f"bench measures {', '.join(MODELS)} in at least 1 round; got {', '.join(unknown) or options.rounds}."
        )
    # Drawn images: what an image shows does not change how long it takes, and they need no network.
    data = load_data("sketch10", sizes=(20_000, 64, 64), quiet=True)
    found = results.run_bench(data, tuple(options.models or MODELS), options.rounds)
    results.save_bench(found, options.output)
    print(format_table(results.bench_table(found), "markdown"))
    print(results.summary(found))
    print(f"record: {options.output}")
