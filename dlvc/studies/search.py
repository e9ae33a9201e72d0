"""The search for the tuned recipes: which settings of a training give the best validation accuracy?

    python -m dlvc.studies.search simple-cnn --trials 12 --epochs 4  # short trainings, one learning from the last
    python -m dlvc.studies.search simple-cnn --confirm 3 --epochs 4  # the three best of them again, with all ten epochs
    python -m dlvc.studies.search simple-cnn --by-hand learning_rate=0.003 dropout=0.1  # ten epochs

Every trial is written to figures/records/search/KEY.json, so a broken-off search goes on and anyone can see how far it
went. The test split is never touched. The best trial with all epochs is the experiment's tuned recipe; a test holds
the two together. Needs the extra `search` (Optuna).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

try:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
except ImportError as error:
    raise ImportError("a search needs Optuna: pip install -e '.[search]'.") from error

from dlvc.arguments import brief, check_whole
from dlvc.config import TrainConfig, split_settings
from dlvc.data import ImageData, load_data
from dlvc.experiments import EXPERIMENTS, REFERENCE_RECORDS, build_model
from dlvc.files import load_json_rows, save_json
from dlvc.training import NonFiniteLoss, pick_device, pick_precision, train

FOLDER = REFERENCE_RECORDS / "search"
FULL_EPOCHS = TrainConfig().epochs
# What a search may change; everything else is as in the recipe that it starts from.
SPACE = {
    "learning_rate": FloatDistribution(5e-4, 2e-2, log=True),
    "weight_decay": FloatDistribution(1e-3, 0.3, log=True),
    "batch_size": CategoricalDistribution((32, 64, 128)),
    "label_smoothing": CategoricalDistribution((0.0, 0.05, 0.1)),
    "dropout": CategoricalDistribution((0.0, 0.1, 0.2, 0.3)),
    "largest_shift": CategoricalDistribution((0, 1, 2, 4)),
}
# ResNet18's recipes were not searched: a trial of it takes hours on a CPU, and starts from weights of its own.
SEARCHABLE = [
    key for key, entry in EXPERIMENTS.items() if not entry.is_baseline and not entry.weights
]


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
    precision: str
    validation_accuracy: float
    train_accuracy: float
    seconds: float


def load_trials(key: str, folder: Path = FOLDER) -> list[Trial]:
    """The trials of an experiment that are stored; [] if there are none. Raises ValueError if the file is another."""
    return load_json_rows(folder / f"{key}.json", Trial, "trials of a search")


def add_trial(key: str, trial: Trial, folder: Path = FOLDER) -> None:
    """Write the trial behind those that are stored."""
    save_json([*load_trials(key, folder), trial], folder / f"{key}.json")
    print(f"{key}: {trial.validation_accuracy:.4f} after {trial.epochs} epochs, {trial.settings}")


def comparable(key: str, data: ImageData, precision: str, folder: Path) -> list[Trial]:
    """The stored trials of an experiment on the same images in the same precision, with the same seed.

    What is not in `SPACE` is not compared: after a change of the optimizer or schedule of a recipe, begin a new file.
    """
    kind = (data.title, len(data.train), precision, EXPERIMENTS[key].tuned.seed)
    return [
        trial
        for trial in load_trials(key, folder)
        if (trial.data, trial.train_size, trial.precision, trial.seed) == kind
    ]


def best_trials(trials: list[Trial], epochs: int | None = None) -> list[Trial]:
    """The trials with so many epochs (default: all of the protocol), the best first."""
    long_enough = [trial for trial in trials if trial.epochs == (epochs or FULL_EPOCHS)]
    return sorted(long_enough, key=lambda trial: -trial.validation_accuracy)


def run_trial(
    key: str, settings: dict[str, Any], data: ImageData, epochs: int, precision: str
) -> Trial:
    """Train once with these settings: what validation says."""
    start, _ = EXPERIMENTS[key].recipe("tuned")
    changes, options = split_settings(settings)
    sizes = {"train_size": len(data.train), "evaluation_size": len(data.validation)}
    config = replace(start, **changes, **sizes, epochs=epochs, precision=precision)
    model = build_model(key, config, protocol="tuned", options=options)
    started = time.perf_counter()
    try:
        result = train(model, data, config, progress=False)
        if result.interrupted:  # shorter than it says: not a trial
            raise KeyboardInterrupt
        reached = result.best_validation.accuracy
        trained = result.epochs[result.best_epoch - 1].train_accuracy
    except NonFiniteLoss:
        reached = trained = 0.0
    return Trial(
        settings=settings,
        epochs=epochs,
        train_size=config.train_size,
        seed=config.seed,
        data=data.title,
        precision=precision,
        validation_accuracy=round(reached, 4),
        train_accuracy=round(trained, 4),
        seconds=round(time.perf_counter() - started, 1),
    )


def present_settings(key: str) -> dict[str, Any]:
    """What the present recipe of the experiment has for each name in `SPACE`."""
    config, options = EXPERIMENTS[key].recipe("tuned")
    recipe = {**config.as_dict(), **options}
    return {name: recipe[name] for name in SPACE}


def search(
    key: str, data: ImageData, trials: int, epochs: int, precision: str, folder: Path = FOLDER
) -> None:
    """Try settings until there are `trials` of so many epochs; the first are those of the present recipe.

    Until there are eight they are drawn at random, then where good settings are dense in comparison with bad ones.
    Source: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization", section 4.
    """
    known = best_trials(comparable(key, data, precision, folder), epochs)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=len(known), n_startup_trials=8)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in known:
        settings, value = trial.settings, trial.validation_accuracy
        study.add_trial(
            optuna.trial.create_trial(params=settings, distributions=SPACE, value=value)
        )
    if not known:
        study.enqueue_trial(present_settings(key))
    for _ in range(len(known), trials):
        asked = study.ask(SPACE)
        trial = run_trial(key, asked.params, data, epochs, precision)
        study.tell(asked, trial.validation_accuracy)
        add_trial(key, trial, folder)


def confirm(
    key: str, data: ImageData, count: int, epochs: int, precision: str, folder: Path = FOLDER
) -> None:
    """Train the `count` best trials of so many epochs again with all epochs."""
    known = comparable(key, data, precision, folder)
    confirmed = [trial.settings for trial in best_trials(known)]
    for trial in best_trials(known, epochs)[:count]:
        if trial.settings not in confirmed:
            add_trial(key, run_trial(key, trial.settings, data, FULL_EPOCHS, precision), folder)


def by_hand(assignments: list[str], key: str) -> dict[str, Any]:
    """The present settings, but for the values in `assignments` such as "dropout=0.1".

    Raises ValueError for what is not in `SPACE`.
    """
    settings = present_settings(key)
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        if name not in SPACE:
            raise ValueError(f"a search changes {', '.join(SPACE)}; got {brief(assignment)}.")
        try:
            settings[name] = type(settings[name])(value)
            fits = is_in(SPACE[name], settings[name])
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f"a search takes {name} {in_words(SPACE[name])}; got {brief(value)}.")
    return settings


def is_in(allowed: BaseDistribution, value: float) -> bool:
    """Whether a search could have drawn `value`."""
    if isinstance(allowed, CategoricalDistribution):
        return value in allowed.choices
    return allowed.low <= value <= allowed.high


def in_words(allowed: BaseDistribution) -> str:
    """What a search draws from, as part of a sentence."""
    if isinstance(allowed, CategoricalDistribution):
        return f"from {', '.join(map(str, allowed.choices))}"
    return f"between {allowed.low:g} and {allowed.high:g}"


def main(arguments: list[str] | None = None) -> None:
    """Search for settings, confirm the best ones, or try some that are given."""
    parser = argparse.ArgumentParser(prog="python -m dlvc.studies.search", description=main.__doc__)
    parser.add_argument("key", choices=SEARCHABLE)
    parser.add_argument("--trials", type=int, default=0, help="how many short trials in all")
    parser.add_argument("--epochs", type=int, default=4, help="length of a short trial")
    parser.add_argument("--confirm", type=int, default=0, help="how many to repeat in full")
    parser.add_argument(
        "--by-hand", nargs="+", metavar="NAME=VALUE", help="one trial in full with these settings"
    )
    parser.add_argument("--precision", default="auto", help="number format of the forward passes")
    options = parser.parse_args(arguments)
    try:
        precision = pick_precision(options.precision, pick_device())
        check_whole("--epochs", options.epochs, low=1, high=FULL_EPOCHS, hint="Try 4.")
        check_whole("--trials", options.trials, low=0, hint="Try 12.")
        check_whole("--confirm", options.confirm, low=0, hint="Try 3.")
        given = by_hand(options.by_hand, options.key) if options.by_hand else None
        data = load_data("cifar10")
        search(options.key, data, options.trials, options.epochs, precision)
        confirm(options.key, data, options.confirm, options.epochs, precision)
        if given is not None:
            add_trial(options.key, run_trial(options.key, given, data, FULL_EPOCHS, precision))
    except (ValueError, RuntimeError, OSError) as error:
        parser.exit(2, f"dlvc: {error}\n")


if __name__ == "__main__":
    main()
