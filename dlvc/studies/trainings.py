"""Small studies of the report's claims: many short trainings that differ in one thing, stored as one table each.

    python -m dlvc.studies.trainings                      # what there is
    python -m dlvc.studies.trainings deep-vit --seeds 3

writes figures/records/studies/NAME.json; runs that are there already are not made again.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlvc.config import TrainConfig, split_settings
from dlvc.data import ImageData, load_data
from dlvc.experiments import REFERENCE_RECORDS, build_model
from dlvc.files import load_json_rows, save_json
from dlvc.inspection import calibration, shift_consistency
from dlvc.studies.changes import changed
from dlvc.studies.deep_vit import WatchedRun, watched_run
from dlvc.studies.initialisation import FirstGradients
from dlvc.training import EpochRecord, evaluate, predict, train

FOLDER = REFERENCE_RECORDS / "studies"
SHIFTS = (1, 2, 3, 4)  # pixels: as far as the crops of the augmentation move an image
CLEAN_IMAGES = 2_000  # training images that are looked at without dropout and augmentation
PLAIN = {"dropout": 0.0, "weight_decay": 0.0, "augmentation": "none"}
# In what the report's recipe of the deep ViT differs from the tuned one, with the learning rate.
REPORT = {
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 1e-4,
    "schedule": "constant",
    "dropout": 0.5,
}
ADAMW = {"optimizer": "adamw", "weight_decay": 0.05}


@dataclass(frozen=True)
class Variant:
    """One way to train: a name, a model with its options, and what differs in the settings and by `changes.py`."""

    label: str
    key: str
    settings: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, float] = field(default_factory=dict)

    def all_settings(self, study: Study) -> dict[str, Any]:
        """Everything that decides its trainings but the seed and the data, as `StudyRun.settings` has it."""
        own = {**self.settings, **self.options, "key": self.key, "l1": 0.0, **self.changes}
        return {**study.common, **own}

    def config(self, study: Study, seed: int) -> TrainConfig:
        """The settings of the training."""
        training, _ = split_settings({**study.common, **self.settings})
        return TrainConfig(**training, seed=seed, device="cpu", precision="float32")

    def model(self, study: Study, config: TrainConfig) -> nn.Module:
        """A new model, as it is before `changes`."""
        _, options = split_settings({**study.common, **self.settings})
        return build_model(self.key, config, options={**options, **self.options})


@dataclass(frozen=True)
class Study:
    """Variants that differ in one thing, and what they have in common. At the steps in `watched` we look inside."""

    name: str
    question: str
    common: dict[str, Any]
    variants: tuple[Variant, ...]
    watched: tuple[int, ...] = ()

    @property
    def row(self) -> type[StudyRun] | type[WatchedRun]:
        """What one of its runs is stored as."""
        return WatchedRun if self.watched else StudyRun


def sizes(key: str, label: str, counts: tuple[int, ...], steps: int) -> tuple[Variant, ...]:
    """Variants with the same number of steps on more and more training images."""
    return tuple(
        Variant(label, key, {"train_size": count, "epochs": max(1, round(64 * steps / count))})
        for count in counts
    )


STUDIES = {
    study.name: study
    for study in (
        Study(
            "regularisation",
            "What keeps a network from learning its images by heart?",
            {**PLAIN, "train_size": 4_000, "epochs": 30, "evaluation_size": 2_000},
            (
                Variant("none", "deep-cnn", {}),
                Variant("augmentation", "deep-cnn", {"augmentation": "crop-and-mirror"}),
                Variant("dropout", "deep-cnn", {"dropout": 0.5}),
                Variant("L2", "deep-cnn", {"weight_decay": 3e-3}),
                Variant("L1", "deep-cnn", {}, changes={"l1": 3e-3}),
                Variant(
                    "all of them",
                    "deep-cnn",
                    {"augmentation": "crop-and-mirror", "dropout": 0.5, "weight_decay": 1e-3},
                    changes={"l1": 1e-3},
                ),
            ),
        ),
        Study(
            "training-size",
            "Who overfits, as the training set shrinks?",
            {**PLAIN, "evaluation_size": 1_000},
            (
                *sizes("deep-cnn-bn", "Deep Normalized CNN", (500, 2_000, 8_000, 32_000), 1_000),
                *sizes("shallow-vit", "Shallow ViT", (500, 2_000, 8_000, 32_000), 1_000),
            ),
        ),
        Study(
            "positions",
            "Fixed or learned positions?",
            {**PLAIN, "train_size": 8_000, "epochs": 8, "evaluation_size": 1_000},
            (
                Variant("fixed", "shallow-vit", {}, {"positions": "sinusoidal"}),
                Variant("learned", "shallow-vit", {}, {"positions": "learned"}),
            ),
        ),
        Study(
            "deep-vit",
            "Which change makes the deep ViT learn?",
            {**REPORT, "train_size": 8_000, "epochs": 4, "evaluation_size": 2_000},
            (
                Variant("report's recipe", "deep-vit", {}),
                Variant("warm-up", "deep-vit", {}, changes={"warm_up": 50}),
                Variant("one-cycle", "deep-vit", {"schedule": "one-cycle"}),
                Variant("AdamW", "deep-vit", ADAMW),
                Variant("no dropout", "deep-vit", {"dropout": 0.0}),
                Variant("learning rate 0.0003", "deep-vit", {"learning_rate": 3e-4}),
                Variant("learning rate 0.0001", "deep-vit", {"learning_rate": 1e-4}),
                Variant("larger weights", "deep-vit", {}, changes={"larger_start": 3**0.5}),
                Variant("identity attention", "deep-vit", {}, changes={"identity_attention": 2.0}),
                Variant(
                    "identity attention, 0.0003",
                    "deep-vit",
                    {"learning_rate": 3e-4},
                    changes={"identity_attention": 2.0},
                ),
                Variant("residual connections", "deep-vit", {}, {"residual": True}),
                Variant(
                    "tuned recipe", "deep-vit", {**ADAMW, "schedule": "one-cycle", "dropout": 0.0}
                ),
            ),
            watched=(0, 1, 3, 10, 30, 100, 200, 500),
        ),
    )
}


@dataclass(frozen=True)
class StudyRun:
    """What one training of a study left.

    Curves have one value an epoch: loss and accuracy on training images as they are, without dropout and crops, and on
    validation images. The other numbers are of the best epoch: on all validation images the accuracy, the share of
    answers kept after shifts of 1 to 4 pixels, and the calibration error; the weights' norm and the share of zeros.
    """

    label: str
    seed: int
    settings: dict[str, Any]
    data: str
    train_loss: list[float]
    train_accuracy: list[float]
    validation_loss: list[float]
    validation_accuracy: list[float]
    best_epoch: int
    accuracy: float
    consistency: list[float]
    calibration_error: float
    weight_norm: float
    zero_share: float


def run_variant(
    study: Study, variant: Variant, data: ImageData, seed: int
) -> StudyRun | WatchedRun:
    """Train one variant once and measure it."""
    config = variant.config(study, seed)
    model = variant.model(study, config)
    about = {"label": variant.label, "seed": seed, "settings": variant.all_settings(study)}
    with changed(model, variant.changes):
        if study.watched:
            return watched_run(model, data, config, study.watched, **about)
        return measured_run(model, data, config, **about)


def measured_run(model: nn.Module, data: ImageData, config: TrainConfig, **about: Any) -> StudyRun:
    """Train `model` and measure it, with four decimals: more are noise."""
    clean = data.train.first(min(config.train_size, CLEAN_IMAGES))
    train_loss, train_accuracy = [], []

    def look(_: EpochRecord) -> None:
        evaluation = evaluate(model, clean, progress=False)
        train_loss.append(round(evaluation.loss, 4))
        train_accuracy.append(round(evaluation.accuracy, 4))

    result = train(model, data, config, on_epoch=look, progress=False)
    logits, labels = predict(model, data.validation.images), data.validation.labels
    weights = torch.cat(
        [weight.detach().flatten() for weight in model.parameters() if weight.ndim > 1]
    )
    right = (logits.argmax(dim=1) == labels).float()
    consistency = shift_consistency(model, data.validation.images[:CLEAN_IMAGES], SHIFTS)
    return StudyRun(
        **about,
        data=data.title,
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        validation_loss=[round(epoch.validation_loss, 4) for epoch in result.epochs],
        validation_accuracy=[round(epoch.validation_accuracy, 4) for epoch in result.epochs],
        best_epoch=result.best_epoch,
        accuracy=round(right.mean().item(), 4),
        consistency=[round(share, 4) for share in consistency],
        calibration_error=round(calibration(logits, labels).error, 4),
        weight_norm=round(weights.norm().item(), 4),
        zero_share=round((weights == 0).float().mean().item(), 4),
    )


def load_study(
    name: str, folder: Path = FOLDER
) -> list[StudyRun] | list[WatchedRun] | list[FirstGradients]:
    """The runs of a study that are stored; [] if there are none. Raises ValueError if the file is another."""
    rows = {"initialisation": FirstGradients} | {name: study.row for name, study in STUDIES.items()}
    return load_json_rows(folder / f"{name}.json", rows.get(name, StudyRun), "runs of a study")


def run_study(
    study: Study, data: ImageData, seeds: int, folder: Path = FOLDER
) -> list[StudyRun] | list[WatchedRun]:
    """All runs of a study, those that are missing made now; the file is written after each.

    Raises ValueError if the file holds runs on other data.
    """
    path = folder / f"{study.name}.json"
    runs = load_json_rows(path, study.row, "runs of a study")
    if others := sorted({run.data for run in runs} - {data.title}):
        raise ValueError(
            f"{path.name} holds runs on {', '.join(others)}; data is {data.title}. Use another folder."
        )
    known = [(run.settings, run.seed) for run in runs]
    missing = [
        (variant, seed)
        for seed in range(seeds)
        for variant in study.variants
        if (variant.all_settings(study), seed) not in known
    ]
    configs = [variant.config(study, seed) for variant, seed in missing]
    steps = sum(config.epochs * -(-config.train_size // config.batch_size) for config in configs)
    plan = f"{len(runs)} runs are there, {len(missing)} are to be made, {steps:,} steps in all"
    print(f"{study.name}: {plan}", flush=True)
    started = time.perf_counter()
    for made, (variant, seed) in enumerate(missing, start=1):
        run = run_variant(study, variant, data, seed)
        runs.append(run)
        save_json(runs, path)
        left = (time.perf_counter() - started) / made * (len(missing) - made) / 60
        line = f"{study.name}: {run.label}, seed {seed}, {run.accuracy:.3f}"
        print(f"{line}; about {left:.0f} minutes left", flush=True)
    return runs


def main() -> None:
    """Make what is missing of a study."""
    parser = argparse.ArgumentParser(
        prog="python -m dlvc.studies.trainings", description=main.__doc__
    )
    parser.add_argument("name", nargs="?", choices=tuple(STUDIES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data", choices=("cifar10", "sketch10"), default="cifar10")
    options = parser.parse_args()
    if options.name is None:
        for study in STUDIES.values():
            print(f"{study.name:16}{study.question} {len(study.variants)} variants")
        return
    run_study(STUDIES[options.name], load_data(options.data), options.seeds)


if __name__ == "__main__":
    main()
