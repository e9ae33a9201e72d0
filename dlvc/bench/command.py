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
        "--show",
        type=Path,
        metavar="PATH",
        help="measure nothing, print the table of this record, or of all in a folder",
    )
    shown = bench.add_mutually_exclusive_group()
    shown.add_argument(
        "--steps", action="store_true", help="with --show: the table of layouts and precisions"
    )
    shown.add_argument(
        "--summary", action="store_true", help="with --show: the start, and the targets missed"
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
    from dlvc.bench.targets import summary
    from dlvc.data import load_data
    from dlvc.records import format_table

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

    def keep(found: dict) -> None:
        results.save_bench(found, options.output)

    results.run_bench(data, tuple(options.models or MODELS), options.rounds, keep)
    benches = results.load_benches(options.output)
    print(format_table(results.bench_table(results.as_one(benches)), "markdown"))
    print(summary(benches))
    print(f"record: {options.output}")
