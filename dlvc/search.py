"""The search for the tuned recipes: which settings of a training give the best validation accuracy?

    python -m dlvc.search simple-cnn --trials 12 --epochs 4    # short trainings, each learning from those before
    python -m dlvc.search simple-cnn --confirm 3               # the three best again, with all ten epochs

Every trial is written to figures/records/search/KEY.json, so a broken-off search goes on and anyone can see how far it
went. The test split is never touched. The best confirmed trial is the experiment's `tuned` in `experiments.py`; a test
holds the two together. Needs the extra `search` (Optuna).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution

from dlvc.config import TrainConfig
from dlvc.data import ImageData, load_data
from dlvc.experiments import EXPERIMENTS, build_model
from dlvc.files import write_whole
from dlvc.records import REFERENCE_RECORDS
from dlvc.training import NonFiniteLoss, train

FOLDER = REFERENCE_RECORDS / "search"
FULL_EPOCHS = TrainConfig().epochs
# What a search may change; everything else is as in the recipe that it starts from.
SPACE = {
    "learning_rate": FloatDistribution(5e-4, 2e-2, log=True),
    "weight_decay": FloatDistribution(1e-3, 0.3, log=True),
    "batch_size": CategoricalDistribution((32, 64, 128)),
    "label_smoothing": CategoricalDistribution((0.0, 0.05, 0.1)),
    "dropout": CategoricalDistribution((0.0, 0.1, 0.2, 0.3)),
    "augmentation": CategoricalDistribution(("mirror", "crop-and-mirror")),
}


@dataclass(frozen=True)
class Trial:
    """One training of a search: its settings in `SPACE`, how long it was, and its best validation accuracy.

    A training whose loss became infinite has an accuracy of 0.
    """

    settings: dict[str, Any]
    epochs: int
    train_size: int
    seed: int
    data: str
    validation_accuracy: float
    train_accuracy: float
    seconds: float


def load_trials(key: str, folder: Path = FOLDER) -> list[Trial]:
    """The trials of an experiment that are stored; [] if there are none."""
    path = folder / f"{key}.json"
    if not path.is_file():
        return []
    return [Trial(**each) for each in json.loads(path.read_text(encoding="utf-8"))]


def best_trials(trials: list[Trial], epochs: int | None = None) -> list[Trial]:
    """The trials with so many epochs (default: all of the protocol), the best first."""
    epochs = epochs or FULL_EPOCHS
    long_enough = [each for each in trials if each.epochs == epochs]
    return sorted(long_enough, key=lambda each: -each.validation_accuracy)


def run_trial(key: str, settings: dict[str, Any], data: ImageData, epochs: int) -> Trial:
    """Train once with these settings, and keep what validation says."""
    start = EXPERIMENTS[key].tuned
    sizes = {"train_size": len(data.train), "evaluation_size": len(data.validation)}
    config = replace(start, **settings, **sizes, epochs=epochs)
    started = time.perf_counter()
    try:
        result = train(build_model(key, config), data, config, progress=False)
        reached = result.best_validation.accuracy
        trained = result.epochs[result.best_epoch - 1].train_accuracy
    except NonFiniteLoss:
        reached = trained = 0.0
    return Trial(
        settings,
        epochs,
        config.train_size,
        config.seed,
        data.title,
        round(reached, 4),
        round(trained, 4),
        round(time.perf_counter() - started, 1),
    )


def add_trial(key: str, trial: Trial, folder: Path = FOLDER) -> None:
    """Write the trial behind those that are stored."""
    trials = [dataclasses.asdict(each) for each in (*load_trials(key, folder), trial)]
    write_whole(folder / f"{key}.json", json.dumps(trials, indent=1).encode())
    print(f"{key}: {trial.validation_accuracy:.4f} after {trial.epochs} epochs, {trial.settings}")


def propose(trials: list[Trial], epochs: int) -> dict[str, Any]:
    """The settings to try next, from all trials with so many epochs.

    The first eight are drawn at random, later ones where good settings are dense in comparison with bad ones.
    Source: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization", section 4.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = best_trials(trials, epochs)
    sampler = optuna.samplers.TPESampler(seed=len(known), n_startup_trials=8)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for each in known:
        study.add_trial(
            optuna.trial.create_trial(
                params=each.settings, distributions=SPACE, value=each.validation_accuracy
            )
        )
    return study.ask(SPACE).params


def search(key: str, data: ImageData, trials: int, epochs: int, folder: Path = FOLDER) -> None:
    """Try settings until there are `trials` of so many epochs; the first are those of the present recipe."""
    while len(best_trials(load_trials(key, folder), epochs)) < trials:
        known = load_trials(key, folder)
        present = {name: getattr(EXPERIMENTS[key].tuned, name) for name in SPACE}
        settings = propose(known, epochs) if best_trials(known, epochs) else present
        add_trial(key, run_trial(key, settings, data, epochs), folder)


def confirm(key: str, data: ImageData, count: int, folder: Path = FOLDER) -> None:
    """Train the `count` best short trials again with all epochs."""
    known = load_trials(key, folder)
    short = [each for each in known if each.epochs < FULL_EPOCHS]
    confirmed = [each.settings for each in best_trials(known)]
    for each in sorted(short, key=lambda each: -each.validation_accuracy)[:count]:
        if each.settings not in confirmed:
            add_trial(key, run_trial(key, each.settings, data, FULL_EPOCHS), folder)


def main() -> None:
    """Search for settings, or confirm the best ones."""
    parser = argparse.ArgumentParser(prog="python -m dlvc.search", description=main.__doc__)
    parser.add_argument("key", choices=[key for key in EXPERIMENTS if key != "majority"])
    parser.add_argument("--trials", type=int, default=0, help="how many short trials in all")
    parser.add_argument("--epochs", type=int, default=4, help="length of a short trial")
    parser.add_argument("--confirm", type=int, default=0, help="how many to repeat in full")
    options = parser.parse_args()
    data = load_data("cifar10")
    search(options.key, data, options.trials, options.epochs)
    confirm(options.key, data, options.confirm)


if __name__ == "__main__":
    main()
