"""What are trained weights worth? ResNet18 from three starts, on more and more labels.

    python -m dlvc.studies.transfer --weights FILE  # without FILE: ImageNet's weights, fetched once

writes figures/records/studies/transfer.json after each run; those that are there already are not made again.

All ways follow the registry's tuned recipe, with mirroring as the only augmentation. A frozen backbone, whose batch
normalisation stays in evaluation mode, then has two sets of features for each image, which are computed once. With the
same labels all ways take equally many steps, each at its best of the same few learning rates, which seed 0 chooses on
validation images. Seeds 1, 2, ... are then compared on the test images, which each of their runs sees once. A seed
decides the initial weights, the order of the images, and which images have a label.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.arguments import check_whole
from dlvc.config import TrainConfig
from dlvc.data import (
    CLASSES,
    ImageData,
    Split,
    epoch_generator,
    load_data,
    random_draws,
    split_batches,
)
from dlvc.experiments import (
    EXPERIMENTS,
    REFERENCE_RECORDS,
    build_model,
    find_weights,
    is_as_registered,
    load_records,
    mean_and_spread,
    pack_bits,
    unpack_bits,
)
from dlvc.files import load_json_rows, save_json
from dlvc.statistics import compare
from dlvc.training import (
    NonFiniteLoss,
    learning_rate_at,
    make_optimizer,
    pick_device,
    predict,
    train,
)

PATH = REFERENCE_RECORDS / "studies" / "transfer.json"
RANDOM, FROZEN, FINE_TUNED = WAYS = ("random start", "frozen backbone", "fine-tuned")
PAIRS = {  # second minus first
    f"{second} - {first}": (first, second)
    for first, second in ((RANDOM, FINE_TUNED), (FROZEN, FINE_TUNED), (RANDOM, FROZEN))
}
RATES = (3e-4, 3e-3, 3e-2)  # a head alone takes a hundred times the rate of a trained network
VALIDATION_IMAGES = 2_000


# Steps and batch size for a number of labels, whatever the start: 32, 13 and 4 times through the images. On two CPU
# cores an image of 64 pixels takes 5.8 ms to train on and 2 ms to classify, which makes 76 minutes: 65 for 2 ways x
# 6 runs x 56,000 training images, 8 for 36 x 2,000 validation images and 18 x 10,000 test images, and 3 for the
# frozen features of 101,000 images.
BUDGETS = {100: (100, 32), 1_000: (200, 64), 10_000: (625, 64)}


@dataclass(frozen=True)
class TransferRun:
    """One training run from one start; equal to another of the same settings, whatever came of them.

    Those with seed 0 chose a learning rate and saw no test image.
    """

    way: str
    labels: int
    seed: int
    learning_rate: float
    steps: int
    batch_size: int
    image_size: int
    data: str
    weights: str  # what the start was trained on, or "random"
    recipe: str = "study"  # "tuned" for a run of the registry: with crops, and steps of its own
    # of training, with the features that it needed first
    seconds: float = field(default=0.0, compare=False)
    validation_accuracy: float = field(default=0.0, compare=False)
    test_images: int = field(default=0, compare=False)
    # one bit a test image, packed as in a run record
    correct: str = field(default="", compare=False)

    def correct_images(self) -> np.ndarray:
        """For each test image (N,) whether it was classified correctly, bool."""
        return unpack_bits(self.correct, self.test_images)

    @property
    def test_accuracy(self) -> float:
        """The share of the test images that were classified correctly."""
        return float(self.correct_images().mean())


def labelled_images(split: Split, labels: int, seed: int) -> Split:
    """`labels` images of the split, equally many of each class, in an order of the seed's own.

    Those of fewer labels are the first of these. Raises ValueError if there are not so many.
    """
    each, rest = divmod(labels, len(CLASSES))
    check_whole("labels of a class", each, low=1, high=int(split.class_counts().min()))
    if rest:
        raise ValueError(f"labels must be as many of each of {len(CLASSES)} classes; got {labels}.")
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    by_class = [order[split.labels[order] == label][:each] for label in range(len(CLASSES))]
    index = torch.stack(by_class, dim=1).flatten()  # the first of each class, the second, ...
    return Split(split.images[index], split.labels[index])


def train_head(model: nn.Module, features: Tensor, labels: Tensor, config: TrainConfig) -> None:
    """Train the head of a frozen ResNet18 on stored features, to the weights that `training.train` gives it.

    `features` (2, N, 512) are those of N images and of their mirror images. The images are gone through again and
    again in one epoch, until there are as many as the config says.
    """
    generator = epoch_generator(config.seed, 1)
    order = torch.randperm(config.train_size, generator=generator)
    draws = random_draws(config.train_size, generator, padding=config.largest_shift)
    optimizer = make_optimizer(model, config)
    batches = split_batches(order, config.batch_size)
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, len(batches), config)
        image = batch % len(labels)
        logits = model.head(features[draws.mirrored[batch].long(), image])
        optimizer.zero_grad()
        cross_entropy(logits, labels[image]).backward()
        optimizer.step()


class Starts:
    """ResNet18 from its three starts, trained on images of `data`; `weights` are a file or a state dict."""

    def __init__(self, data: ImageData, weights: Any, image_size: int) -> None:
        self.data, self.weights, self.image_size = data, weights, image_size
        self.backbone = self.build(FROZEN, TrainConfig()).to(pick_device())
        self.backbone.head = nn.Identity()
        self.known: dict[Any, Tensor] = {}

    def build(self, way: str, config: TrainConfig) -> nn.Module:
        """The network before its training; with one seed it has the same head in all ways."""
        weights = None if way == RANDOM else self.weights
        options = {"image_size": self.image_size, "frozen": way == FROZEN}
        return build_model("resnet18", config, protocol="tuned", options=options, weights=weights)

    def features(self, name: Any, images: Tensor) -> Tensor:
        """What the frozen backbone makes of the images called `name`, (N, 512); computed once."""
        if name not in self.known:
            self.known[name] = predict(self.backbone, images)
        return self.known[name]

    def run(self, plan: TransferRun) -> TransferRun:
        """The planned run, made: trained once, and tested unless it is to choose a learning rate."""
        config = replace(
            EXPERIMENTS["resnet18"].tuned,
            epochs=1,  # a long one, of all steps
            train_size=plan.steps * plan.batch_size,
            evaluation_size=10,  # as few as `train` takes: there is no choice between epochs
            largest_shift=0,
            **{name: getattr(plan, name) for name in ("batch_size", "learning_rate", "seed")},
        )
        started, frozen = time.perf_counter(), plan.way == FROZEN
        model = self.build(plan.way, config)
        split = labelled_images(self.data.train, plan.labels, plan.seed)
        if frozen:
            both = torch.cat([split.images, split.images.flip(3)])
            features = self.features((plan.labels, plan.seed), both).view(2, plan.labels, -1)
            train_head(model, features, split.labels, config)
        else:
            index = torch.arange(config.train_size) % plan.labels
            again_and_again = Split(split.images[index], split.labels[index])
            data = replace(self.data, train=again_and_again)
            with suppress(NonFiniteLoss):  # then the network guesses, and another rate is chosen
                if train(model, data, config, progress=False).interrupted:
                    raise KeyboardInterrupt
        seconds = time.perf_counter() - started

        @torch.no_grad()
        def correct(name: str) -> np.ndarray:
            images, labels = getattr(self.data, name).images, getattr(self.data, name).labels
            logits = model.head(self.features(name, images)) if frozen else predict(model, images)
            return (logits.argmax(dim=1) == labels).numpy()

        validation = round(float(correct("validation").mean()), 4)
        run = replace(plan, seconds=round(seconds, 1), validation_accuracy=validation)
        if plan.seed == 0:
            return run
        return replace(run, test_images=len(self.data.test), correct=pack_bits(correct("test")))


def compare_starts(
    data: ImageData,
    weights: Any = "auto",
    budgets: Mapping[int, tuple[int, int]] = BUDGETS,
    *,
    weights_name: str = "",
    seeds: int = 3,
    rates: Sequence[float] = RATES,
    image_size: int = 64,
    known: Iterable[TransferRun] = (),
    on_run: Callable[[TransferRun], None] = lambda run: None,
) -> list[TransferRun]:
    """The runs of each way on each number of labels: one for each of `rates`, then `seeds` with the best of them.

    `budgets` says for a number of labels how long its runs train, such as {100: (12, 32)}: 12 steps of 32 images.
    `weights` and `weights_name` are those of `run_experiment`. Train weights of your own with a seed above `seeds`:
    with one of these the new head would begin as the one that they were trained with. Runs that are `known` are
    not made again; `on_run` is called after each that is made.
    Raises ValueError without weights, for too few images, and if `known` are runs on other data or from other weights.
    """
    weights, name = find_weights(EXPERIMENTS["resnet18"], weights, weights_name, "full")
    if weights is None:
        raise ValueError("transfer needs weights; got None. Give a file, or leave it out.")
    origins = {way: "random" if way == RANDOM else name for way in WAYS}
    known = {run: run for run in known}
    for run in known:
        if (run.data, run.weights) != (data.title, origins.get(run.way)):
            raise ValueError(
                f"there are runs on {run.data} from {run.weights} weights; got {data.title} and {name} weights. "
                "Use another file for these."
            )
    validation = data.validation.first(min(VALIDATION_IMAGES, len(data.validation)))
    starts = Starts(replace(data, validation=validation), weights, image_size)

    def made(way: str, labels: int, seed: int, rate: float) -> TransferRun:
        origin = data.title, origins[way]
        plan = TransferRun(way, labels, seed, rate, *budgets[labels], image_size, *origin)
        if plan not in known:
            known[plan] = starts.run(plan)
            on_run(known[plan])
        return known[plan]

    runs = []
    for labels in budgets:
        for way in WAYS:
            trials = [made(way, labels, 0, rate) for rate in rates]
            best = max(trials, key=lambda run: run.validation_accuracy).learning_rate
            runs += trials + [made(way, labels, seed, best) for seed in range(1, seeds + 1)]
    return runs


def load_runs(path: Path = PATH) -> list[TransferRun]:
    """The runs that are stored; [] if there are none. Raises ValueError if the file is another."""
    return load_json_rows(path, TransferRun, "runs of the transfer study")


def load_transfer(path: Path = PATH) -> list[TransferRun]:
    """The runs that are stored, and behind them the registry's tuned runs on the same data from the same weights."""
    runs = load_runs(path)
    origins = {(run.data, run.weights) for run in runs}
    for record in load_records(REFERENCE_RECORDS / "tuned"):
        origin = record.data["title"], record.model["weights"]
        if record.key == "resnet18" and origin in origins and is_as_registered(record):
            settings = {**record.config, **record.model["options"]}
            batches = -(-settings["train_size"] // settings["batch_size"])
            run = TransferRun(
                RANDOM if origin[1] == "random" else FINE_TUNED,
                settings["train_size"],
                record.seed,
                settings["learning_rate"],
                batches * len(record.epochs),
                settings["batch_size"],
                settings["image_size"],
                *origin,
                recipe="tuned",
                seconds=record.train_seconds,
                validation_accuracy=record.best.validation_accuracy,
                test_images=int(np.sum(record.test.confusion)),
                correct=record.test.correct,
            )
            runs.append(run)
    return runs


def transfer_table(runs: Iterable[TransferRun]) -> pd.DataFrame:
    """One row for each number of labels: test accuracy from each start, and how far one is ahead of another.

    Accuracies are mean and sample standard deviation over seeds. Differences are of the means, in points, with their
    95 % interval over images and seeds (`statistics.compare`), for which both need two runs; "-" where there is none.
    Runs by another recipe have a row of their own.
    """
    groups: dict[tuple[Any, ...], dict[str, list[TransferRun]]] = {}
    for run in sorted(runs, key=lambda run: (run.labels, run.steps)):
        if run.test_images:
            recipe = run.labels, run.recipe, run.steps, run.batch_size
            groups.setdefault(recipe, {way: [] for way in WAYS})[run.way].append(run)
    rows = []
    for (labels, recipe, steps, batch_size), ways in groups.items():
        row = {"labels": f"{labels:,}" if recipe == "study" else f"{labels:,} ({recipe} recipe)"}
        row["steps x batch"] = f"{steps:,} x {batch_size}"
        for way, own in ways.items():
            row[way] = mean_and_spread([run.test_accuracy for run in own]) if own else "-"
        for name, (first, second) in PAIRS.items():
            row[name] = difference_text(ways[first], ways[second])
        rows.append(row)
    columns = ["labels", "steps x batch", *WAYS, *PAIRS]
    return pd.DataFrame(rows, columns=columns).set_index("labels")


def difference_text(first: Sequence[TransferRun], second: Sequence[TransferRun]) -> str:
    """Second minus first in points with its interval, such as "+12.3 (+10.1 to +14.5)"."""
    if not (first and second):
        return "-"
    comparison = compare(*([run.correct_images() for run in own] for own in (first, second)))
    mean, low, high = (f"{100 * number:+.1f}" for number in comparison.difference)
    return f"{mean} ({low} to {high})" if comparison.covers_seeds else mean


def main(arguments: Sequence[str] | None = None) -> None:
    """Make what is missing of the study, on CIFAR-10."""
    parser = argparse.ArgumentParser(
        prog="python -m dlvc.studies.transfer", description=main.__doc__
    )
    parser.add_argument("--weights", default="auto", help="a file; default: ImageNet's weights")
    parser.add_argument("--seeds", type=int, default=3, help="how many runs are compared")
    parser.add_argument("--output", type=Path, default=PATH, help="where the runs are kept")
    options = parser.parse_args(arguments)

    def keep(run: TransferRun) -> None:
        runs.append(run)
        save_json(runs, options.output)
        tested = f", test {run.test_accuracy:.3f}" if run.test_images else ""
        print(
            f"{run.labels:6,} labels, {run.way}, seed {run.seed}, learning rate {run.learning_rate:g}: "
            f"validation {run.validation_accuracy:.3f}{tested}, {run.seconds:.0f} s",
            flush=True,
        )

    try:
        runs = load_runs(options.output)
        data, known = load_data("cifar10"), tuple(runs)
        compare_starts(data, options.weights, seeds=options.seeds, known=known, on_run=keep)
    except (ValueError, RuntimeError, OSError) as error:
        parser.exit(2, f"dlvc: {error}\n")


if __name__ == "__main__":
    main()
