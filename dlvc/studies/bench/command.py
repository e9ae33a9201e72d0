"""The command `python -m dlvc bench`: its options, and what it does. Imports the bench only when it runs."""

from __future__ import annotations

import argparse


def run_bench(options: argparse.Namespace) -> None:
    """Measure the loops, write the record, and print its table; or print that of a record."""
    from dlvc import stored
    from dlvc.data import load_data
    from dlvc.experiments import format_table
    from dlvc.studies.bench import results
    from dlvc.studies.bench.measure import MODELS
    from dlvc.studies.bench.targets import summary

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
        stored.save(found, options.output)

    results.run_bench(data, tuple(options.models or MODELS), options.rounds, keep)
    benches = results.load_benches(options.output)
    print(format_table(results.bench_table(results.as_one(benches)), "markdown"))
    print(summary(benches))
    print(f"record: {options.output}")
