"""Small studies of the report's claims: many short trainings that differ in one thing, stored as one table each.

    python -m dlvc.studies.trainings                      # what there is
    python -m dlvc.studies.trainings regularisation --seeds 2

writes figures/records/studies/NAME.json; runs that are there already are not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from dlvc import stored
from dlvc.config import TrainConfig
from dlvc.data import ImageData, load_data
from dlvc.experiments import REFERENCE_RECORDS, build_model
from dlvc.inspection import calibration, shift_consistency
from dlvc.training import EpochRecord, evaluate, predict, train

FOLDER = REFERENCE_RECORDS / "studies"
SHIFTS = (1, 2, 3, 4)  # pixels: as far as the crops of the augmentation move an image
CLEAN_IMAGES = 2_000  # training images that are looked at without dropout and augmentation
PLAIN = {"dropout": 0.0, "weight_decay": 0.0, "augmentation": "none"}


@dataclass(frozen=True)
class Arm:
    """One way to train: a name, a model with its options, what differs in the settings, and an L1 penalty."""

    label: str
    key: str
    settings: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    l1: float = 0.0


@dataclass(frozen=True)
class Study:
    """Arms that differ in one thing, and what they have in common."""

    name: str
    question: str
    common: dict[str, Any]
    arms: tuple[Arm, ...]


def sizes(key: str, label: str, counts: tuple[int, ...], steps: int) -> tuple[Arm, ...]:
    """The same number of steps on more and more training images."""
    return tuple(
        Arm(label, key, {"train_size": count, "epochs": max(1, round(64 * steps / count))})
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
                Arm("none", "deep-cnn", {}),
                Arm("augmentation", "deep-cnn", {"augmentation": "crop-and-mirror"}),
                Arm("dropout", "deep-cnn", {"dropout": 0.5}),
                Arm("L2", "deep-cnn", {"weight_decay": 3e-3}),
                Arm("L1", "deep-cnn", {}, l1=3e-3),
                Arm(
                    "all of them",
                    "deep-cnn",
                    {"augmentation": "crop-and-mirror", "dropout": 0.5, "weight_decay": 1e-3},
                    l1=1e-3,
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
                Arm("fixed", "shallow-vit", {}, {"positions": "sinusoidal"}),
                Arm("learned", "shallow-vit", {}, {"positions": "learned"}),
            ),
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


@contextmanager
def l1_penalty(model: nn.Module, strength: float) -> Iterator[None]:
    """Inside, each step of an optimizer of `model` is followed by the step that an L1 penalty on its weights asks for.

    The step moves each weight by learning rate times `strength` towards 0, and stops there: this makes exact zeros,
    where a penalty in the loss would make small numbers that change their sign.
    Source: Beck and Teboulle 2009, "A fast iterative shrinkage-thresholding algorithm", equation 1.5.
    """
    weights = {id(each): each for each in model.parameters() if each.ndim > 1}

    @torch.no_grad()
    def shrink(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for weight in (each for each in group["params"] if id(each) in weights):
                kept = weight.abs() - group["lr"] * strength
                weight.copy_(weight.sign() * kept.clamp(min=0))

    hook = register_optimizer_step_post_hook(shrink)
    try:
        yield
    finally:
        hook.remove()


def run_arm(study: Study, arm: Arm, data: ImageData, seed: int) -> StudyRun:
    """Train one arm once and measure it."""
    settings = {**study.common, **arm.settings}
    config = TrainConfig(**settings, seed=seed, device="cpu", precision="float32")
    model = build_model(arm.key, config, options=arm.options)
    curves: dict[str, list[float]] = {
        f"{split}_{value}": []
        for split in ("train", "validation")
        for value in ("loss", "accuracy")
    }
    clean = data.train.first(min(config.train_size, CLEAN_IMAGES))

    def look(epoch: EpochRecord) -> None:
        seen = evaluate(model, clean, progress=False)
        for name, value in (
            ("train_loss", seen.loss),
            ("train_accuracy", seen.accuracy),
            ("validation_loss", epoch.validation_loss),
            ("validation_accuracy", epoch.validation_accuracy),
        ):
            curves[name].append(round(value, 4))

    with l1_penalty(model, arm.l1) if arm.l1 else nullcontext():
        result = train(model, data, config, on_epoch=look, progress=False)
    scores = predict(model, data.validation.images)
    weights = torch.cat([each.detach().flatten() for each in model.parameters() if each.ndim > 1])
    right = scores.argmax(dim=1) == data.validation.labels
    return StudyRun(
        arm.label,
        seed,
        {**settings, **arm.options, "key": arm.key, "l1": arm.l1},
        data.title,
        **curves,
        best_epoch=result.best_epoch,
        accuracy=right.float().mean().item(),
        consistency=shift_consistency(model, data.validation.images[:CLEAN_IMAGES], SHIFTS),
        calibration_error=calibration(scores, data.validation.labels).error,
        weight_norm=weights.norm().item(),
        zero_share=(weights == 0).float().mean().item(),
    )


def load_study(name: str, folder: Path = FOLDER) -> list[StudyRun]:
    """The runs of a study that are stored; [] if there are none."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return []
    return stored.load(
        path, list[StudyRun], "list of runs of a study", "Delete it or run them again."
    )


def run_study(study: Study, data: ImageData, seeds: int, folder: Path = FOLDER) -> list[StudyRun]:
    """All runs of a study, those that are missing made now; the file is written after each.

    Raises ValueError if the file holds runs on other data.
    """
    runs = load_study(study.name, folder)
    if others := sorted({each.data for each in runs} - {data.title}):
        raise ValueError(
            f"{study.name}.json holds runs on {', '.join(others)}; data is {data.title}. Use another folder."
        )
    for seed in range(seeds):
        for arm in study.arms:
            settings = {**study.common, **arm.settings, **arm.options, "key": arm.key, "l1": arm.l1}
            if any((each.settings, each.seed) == (settings, seed) for each in runs):
                continue
            runs.append(rounded(run_arm(study, arm, data, seed)))
            stored.save(runs, folder / f"{study.name}.json")
            newest = runs[-1]
            print(f"{study.name}: {newest.label}, seed {seed}, {newest.accuracy:.3f}", flush=True)
    return runs


def rounded(run: StudyRun) -> StudyRun:
    """The run with four decimals: more are noise."""
    numbers = {
        name: round(value, 4) for name, value in vars(run).items() if isinstance(value, float)
    }
    return replace(run, **numbers, consistency=[round(each, 4) for each in run.consistency])


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
            print(f"{study.name:16}{study.question} {len(study.arms)} arms")
        return
    run_study(STUDIES[options.name], load_data(options.data), options.seeds)


if __name__ == "__main__":
    main()
