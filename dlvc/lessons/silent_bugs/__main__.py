"""Make the records of figures/records/silent_bugs/ (about ten minutes on two CPU cores).

    DLVC_DATA_DIR=FOLDER python -m dlvc.lessons.silent_bugs [--only NAME ...]

trains the code of each case and the correct code beside it on 3,000 images of CIFAR-10 for 6 epochs, and puts all
questions to it. NAME is the name of a record, such as PlainTraining-seed1.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from dlvc.config import TrainConfig
from dlvc.data import load_data
from dlvc.files import save_json
from dlvc.lessons.silent_bugs.case_files import CASES, REFERENCE_SEEDS
from dlvc.lessons.silent_bugs.correct import PlainTraining
from dlvc.lessons.silent_bugs.evidence import investigate
from dlvc.lessons.silent_bugs.faults import SoftmaxTwice, UnscaledNormalized
from dlvc.lessons.silent_bugs.traces import FOLDER

CONFIG = TrainConfig(epochs=6, train_size=3_000, evaluation_size=1_000, device="cpu")


def wanted_records() -> dict[str, tuple[type[PlainTraining], int]]:
    """The code and the seed of each record, by its name."""
    compared = (PlainTraining, SoftmaxTwice, UnscaledNormalized)
    runs = [(code, seed) for code in compared for seed in REFERENCE_SEEDS]
    for file in CASES.values():
        runs += [(file.code, file.seed), (file.right, file.seed)]
    return {f"{code.__name__}-seed{seed}": (code, seed) for code, seed in runs}


def main() -> None:
    """Train each code once and store its trace."""
    wanted = wanted_records()
    parser = argparse.ArgumentParser(
        prog="python -m dlvc.lessons.silent_bugs", description=main.__doc__
    )
    parser.add_argument("--only", nargs="*", metavar="NAME", choices=wanted, default=list(wanted))
    data = load_data("cifar10")
    for name in parser.parse_args().only:
        code, seed = wanted[name]
        trace = investigate(code(data, replace(CONFIG, seed=seed)))
        print(save_json(trace, FOLDER / f"{name}.json").name, trace.table_test)


if __name__ == "__main__":
    main()
