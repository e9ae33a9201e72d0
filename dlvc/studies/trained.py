"""The networks of `load_trained`: their training on drawings of Sketch-10, and how a run becomes one of them.

    python -m dlvc.studies.trained train deep-vit-residual --class-token   # leaves a run in runs/
    python -m dlvc.studies.trained store runs/NAME.json                    # in 16 bits, in figures/records/trained/

Those on CIFAR-10 are runs of `python -m dlvc train KEY --protocol tuned --profile full --data cifar10`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache

from dlvc.data import ImageData, Split, content_digest, draw_sketches, load_data
from dlvc.experiments import (
    EXPERIMENTS,
    RunRecord,
    config_for,
    load_record,
    run_experiment,
    store_trained,
)

TRAIN, VALIDATION = 40_000, 2_000
# `load_data` numbers its drawings from 0 and has three splits of a million at most: it gives none of these, whatever
# its sizes.
FIRST_INDEX = 3_000_000


@cache
def own_drawings() -> ImageData:
    """Sketch-10 with training and validation drawings that are in no split of `load_data`; the test split is its own.

    So a network that was trained on them can be tested on the drawings of any `load_data("sketch10")`.
    """
    data = load_data("sketch10", quiet=True)
    drawn = draw_sketches(TRAIN + VALIDATION, first_index=FIRST_INDEX)
    both = drawn.images, drawn.labels, drawn.masks
    train, validation = (
        Split(*(tensor[rows] for tensor in both)) for rows in (slice(TRAIN), slice(TRAIN, None))
    )
    return replace(
        data,
        train=train,
        validation=validation,
        source=f"{data.source} Training and validation: from number {FIRST_INDEX:,} on.",
        digest=content_digest(train, validation, data.test),
    )


def train_network(key: str, *, class_token: bool, seed: int) -> str:
    """The name of the record in runs/, after training one network by the tuned recipe on `own_drawings`."""
    data, recipe = own_drawings(), {"protocol": "tuned", "profile": "full"}
    config = config_for(key, data, **recipe, seed=seed, precision="float32", device="cpu")
    options = {"class_token": True} if class_token else {}
    run = run_experiment(key, data, config, **recipe, options=options)
    return f"{run.path.name}: test accuracy {run.record.test.accuracy:.4f}"


def data_of(record: RunRecord) -> ImageData:
    """The data on which a run was made, CIFAR-10 or `own_drawings`. Raises ValueError if it had others."""
    drawn = record.data["title"] == "Sketch-10"
    data = own_drawings() if drawn else load_data("cifar10", quiet=True)
    if record.data["digest"] != data.digest:
        raise ValueError(
            f"the run of {record.title} was made on {record.data['title']} with digest {record.data['digest'][:12]}; "
            f"here is {data.title} with digest {data.digest[:12]}. Train again on these."
        )
    return data


def store_run(path: str) -> str:
    """The name of the record in figures/records/trained/, after storing the run there."""
    stored = store_trained(path, data_of(load_record(path)))
    return f"{stored.name}: test accuracy {load_record(stored).test.accuracy:.4f} with 16 bits"


def main() -> None:
    """Train a network on drawings, or store runs."""
    parser = argparse.ArgumentParser(
        prog="python -m dlvc.studies.trained", description=main.__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train on 40,000 drawings; the run goes to runs/")
    train.add_argument("key", choices=tuple(EXPERIMENTS))
    train.add_argument("--class-token", action="store_true", help="of a vision transformer")
    train.add_argument("--seed", type=int, default=0)
    store = commands.add_parser("store", help="store runs with 16-bit weights")
    store.add_argument("runs", nargs="+", metavar="RECORD")
    options = parser.parse_args()
    if options.command == "train":
        print(train_network(options.key, class_token=options.class_token, seed=options.seed))
    for path in options.runs if options.command == "store" else ():
        print(store_run(path))


if __name__ == "__main__":
    main()
