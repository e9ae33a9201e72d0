"""The registry: every model of the report with its settings, and how one entry is run.

`EXPERIMENTS` is the only list of models there is. Command line, tables, figures, tests and notebooks read it.
To add an experiment, add an entry here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlvc.checkpoint import load_weights, save_weights
from dlvc.config import TrainConfig, current_profile
from dlvc.data import ImageData, load_data
from dlvc.data.download import resnet18_weights
from dlvc.device import pick_device
from dlvc.models.cnn import DeepCNN, SimpleCNN
from dlvc.models.majority import MajorityClassifier
from dlvc.models.resnet import ResNet18
from dlvc.models.vit import VisionTransformer
from dlvc.provenance import describe_device, describe_model, git_commit, versions, weights_origin
from dlvc.records import (
    RUNS,
    EpochRecord,
    EvaluationRecord,
    RunRecord,
    load_record,
    pack_bits,
    save_record,
)
from dlvc.training import Evaluation, TrainResult, evaluate, train

REPORT = TrainConfig()  # the defaults are the report's settings


@dataclass(frozen=True)
class Budget:
    """How much of the full protocol a shorter profile uses. Models that are compared share one."""

    train_size: int
    epochs: int
    evaluation_size: int


FULL = Budget(40_000, 10, 10_000)
CNN_BUDGETS = {"smoke": Budget(2_000, 3, 500), "class": FULL}
VIT_BUDGETS = {"smoke": Budget(400, 2, 200), "class": Budget(8_000, 4, 2_000)}
RESNET_BUDGETS = {"smoke": Budget(400, 1, 200), "class": Budget(10_000, 3, 2_000)}


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One row of the result table."""

    key: str
    title: str
    notebook: str
    build: Callable[..., nn.Module]  # a class with its options; the recorded architecture
    budgets: dict[str, Budget]  # per profile, on a CPU; a GPU runs "class" in full
    options: tuple[str, ...] = ("dropout",)  # settings of TrainConfig that the model itself takes
    report: TrainConfig = REPORT
    tuned: TrainConfig = REPORT
    weights: str = ""  # "ImageNet" if it starts from pre-trained weights
    report_row: dict[str, float] = field(default_factory=dict)  # the report's Table 1


@dataclass(frozen=True)
class Comparison:
    """Two experiments that differ in one factor. Source: report, section 3."""

    factor: str
    without: str
    with_factor: str
    report_says: str


def report_row(*values: float) -> dict[str, float]:
    """A row of the report's Table 1 under the names that `records.results_table` uses."""
    names = ("val. ACC", "val. PACC", "test ACC", "test PACC", "train time (s)", "test time (s)")
    return dict(zip(names, values, strict=False))


vit = partial(VisionTransformer, patch_size=4, embed_dim=128, num_heads=4, mlp_ratio=2)
# One hand-chosen recipe for each family, without a search.
tuned_cnn = replace(
    REPORT,
    optimizer="adamw",
    schedule="one-cycle",
    learning_rate=4e-3,
    weight_decay=0.01,
    dropout=0.1,
)
tuned_vit = replace(tuned_cnn, learning_rate=1e-3, weight_decay=0.05, dropout=0.0)
tuned_resnet = replace(tuned_vit, batch_size=128, image_size=64)

EXPERIMENTS: dict[str, Experiment] = {
    each.key: each
    for each in (
        Experiment(
            key="majority",
            title="Majority Model",
            notebook="01_data",
            build=MajorityClassifier,
            budgets=CNN_BUDGETS,
            options=(),
            report_row=report_row(0.1, 0.1, 0.1, 0.1),
        ),
        Experiment(
            key="simple-cnn",
            title="Simple CNN",
            notebook="02_cnns",
            build=SimpleCNN,
            budgets=CNN_BUDGETS,
            tuned=replace(tuned_cnn, dropout=0.0),
            report_row=report_row(0.1886, 0.1895, 0.2730, 0.2730, 53.46, 1.18),
        ),
        Experiment(
            key="deep-cnn",
            title="Deep CNN",
            notebook="02_cnns",
            build=DeepCNN,
            budgets=CNN_BUDGETS,
            tuned=replace(tuned_cnn, learning_rate=3e-3),
            report_row=report_row(0.3798, 0.3797, 0.4625, 0.4625, 108.25, 2.62),
        ),
        Experiment(
            key="deep-cnn-bn",
            title="Deep Normalized CNN",
            notebook="02_cnns",
            build=partial(DeepCNN, batch_norm=True),
            budgets=CNN_BUDGETS,
            tuned=replace(tuned_cnn, learning_rate=6e-3),
            report_row=report_row(0.4712, 0.4707, 0.5814, 0.5814, 113.07, 2.80),
        ),
        Experiment(
            key="shallow-vit",
            title="Shallow ViT",
            notebook="03_vits",
            build=partial(vit, depth=1, residual=False),
            budgets=VIT_BUDGETS,
            tuned=tuned_vit,
            report_row=report_row(0.1922, 0.1922, 0.2170, 0.2170, 89.76, 2.38),
        ),
        Experiment(
            key="deep-vit",
            title="Deep ViT",
            notebook="03_vits",
            build=partial(vit, depth=6, residual=False),
            budgets=VIT_BUDGETS,
            tuned=tuned_vit,
            report_row=report_row(0.0994, 0.1000, 0.1000, 0.1000, 138.06, 3.10),
        ),
        Experiment(
            key="deep-vit-residual",
            title="Deep Residual ViT",
            notebook="03_vits",
            build=partial(vit, depth=6, residual=True),
            budgets=VIT_BUDGETS,
            tuned=tuned_vit,
            report_row=report_row(0.2780, 0.2775, 0.3106, 0.3106, 136.58, 3.11),
        ),
        Experiment(
            key="resnet18",
            title="ResNet18",
            notebook="04_resnet18_transfer",
            build=ResNet18,
            budgets=RESNET_BUDGETS,
            options=("dropout", "image_size"),
            tuned=tuned_resnet,
            weights="ImageNet",
            report_row=report_row(0.5051, 0.5053, 0.6305, 0.6305, 1643.49, 61.08),
        ),
        Experiment(
            key="resnet18-plain",
            title="ResNet18 (no augmentation)",
            notebook="04_resnet18_transfer",
            build=ResNet18,
            budgets=RESNET_BUDGETS,
            options=("dropout", "image_size"),
            report=replace(REPORT, augmentation="none"),
            tuned=replace(tuned_resnet, augmentation="none"),
            weights="ImageNet",
        ),
    )
}

COMPARISONS: tuple[Comparison, ...] = (
    Comparison("depth", "simple-cnn", "deep-cnn", "the deep CNN is better"),
    Comparison(
        "batch normalisation", "deep-cnn", "deep-cnn-bn", "normalisation improves the deep CNN"
    ),
    Comparison("depth", "shallow-vit", "deep-vit", "the deep ViT is worse"),
    Comparison(
        "residual connections",
        "deep-vit",
        "deep-vit-residual",
        "residual connections repair the deep ViT",
    ),
    Comparison(
        "augmentation", "resnet18-plain", "resnet18", "named as an experiment, without a number"
    ),
)


def get_experiment(key: str) -> Experiment:
    """The entry called `key`. Raises ValueError naming all entries if there is none."""
    if key not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {key!r}; choose one of {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[key]


def in_registry_order(records: list[RunRecord]) -> list[RunRecord]:
    """The records in the order of `EXPERIMENTS`, report before tuned, seeds rising: the order of the result table."""
    keys = list(EXPERIMENTS)
    return sorted(records, key=lambda each: (keys.index(each.key), each.protocol, each.seed))


def data_for(profile: str | None = None) -> ImageData:
    """The data a profile trains on: a small Sketch-10 for smoke, else CIFAR-10 (Sketch-10 where it cannot be had)."""
    if current_profile(profile).name == "smoke":
        # A few seconds of drawing: without a progress bar, which would make outputs depend on the machine's speed.
        data = load_data("sketch10", sizes=(2_000, 500, 500), quiet=True)
        print(data.summary())
        return data
    return load_data("auto")


def config_for(
    key: str,
    data: ImageData,
    *,
    protocol: str = "report",
    profile: str | None = None,
    **changes: Any,
) -> TrainConfig:
    """The settings of an experiment: its protocol, cut to the profile's budget and the data's size, then `changes`.

    Raises ValueError for an unknown key, protocol, profile or setting, or a value out of range.
    """
    experiment = get_experiment(key)
    if protocol not in ("report", "tuned"):
        raise ValueError(f"protocol must be report or tuned; got {protocol!r}. Try 'report'.")
    names = [each.name for each in fields(TrainConfig)]
    for name in changes:
        if name not in names:
            raise ValueError(f"there is no setting {name!r}; choose from {', '.join(names)}.")
    config = experiment.report if protocol == "report" else experiment.tuned
    chosen = current_profile(profile).name
    device = pick_device(changes.get("device", config.device))
    on_gpu = device.type == "cuda" and chosen == "class"
    budget = FULL if on_gpu or chosen == "full" else experiment.budgets[chosen]
    config = replace(
        config,
        epochs=budget.epochs,
        train_size=min(budget.train_size, len(data.train)),
        evaluation_size=min(budget.evaluation_size, len(data.validation), len(data.test)),
    )
    return replace(config, **changes)


def build_model(key: str, config: TrainConfig, *, weights: Any = None) -> nn.Module:
    """A new model of the experiment `key`; its initial weights depend on `config.seed` alone.

    `weights` (a file or a state dict) is the start of a model that takes pre-trained weights.
    """
    experiment = get_experiment(key)
    options = {name: getattr(config, name) for name in experiment.options}
    if weights is not None:
        if not experiment.weights:
            raise ValueError(f"{key} starts from random weights; leave weights out.")
        options["weights"] = weights
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return experiment.build(**options)


@dataclass(frozen=True)
class Run:
    """A trained model with its record, and where the record lies (None if it was not saved)."""

    model: nn.Module
    record: RunRecord
    path: Path | None


def run_experiment(
    key: str,
    data: ImageData,
    config: TrainConfig | None = None,
    *,
    protocol: str = "report",
    profile: str | None = None,
    weights: Any = "auto",
    weights_name: str = "",
    save: bool = True,
    folder: Path | None = None,
    **options: Any,
) -> Run:
    """Train one experiment, test it once, and leave record and best weights in `folder` (default: runs/).

    `weights` is "auto" (ImageNet for ResNet18, but random in the smoke profile, which uses no network), None (random),
    a file, or a state dict named by `weights_name`. `save=False` leaves nothing. `options` go on to `training.train`.
    """
    experiment = get_experiment(key)
    chosen = current_profile(profile).name
    config = config or config_for(key, data, protocol=protocol, profile=chosen)
    weights, weights_name = find_weights(experiment, weights, weights_name, chosen)
    model = build_model(key, config, weights=weights)
    started = datetime.now(timezone.utc)
    result = (
        fit_majority(model, data, config)
        if key == "majority"
        else train(model, data, config, **options)
    )
    validation = test = None
    if not result.interrupted:
        progress = options.get("progress", True)
        score = partial(evaluate, model, precision=result.precision, progress=progress)
        validation = score(data.validation.first(config.evaluation_size))
        test = score(data.test.first(config.evaluation_size))
    title = experiment.title
    if experiment.weights and weights_name != experiment.weights:
        title += f" ({weights_name or 'random'} weights)".replace("random weights", "random start")
    record = RunRecord(
        key=key,
        title=title,
        protocol=protocol,
        profile=chosen,
        seed=config.seed,
        config=config.as_dict(),
        model={
            **describe_model(model, data.test),
            "options": model_options(experiment),
            "weights": weights_name or "random",
        },
        data={
            "title": data.title,
            "source": data.source,
            "verified": data.verified,
            "digest": data.digest,
            "sizes": data.sizes,
        },
        device=describe_device(result.device),
        precision=result.precision,
        versions=versions(),
        git_commit=git_commit(),
        started=started.isoformat(timespec="seconds"),
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        interrupted=result.interrupted,
        train_seconds=result.train_seconds,
        validation=validation and as_record(validation),
        test=test and as_record(test),
    )
    if not save:
        return Run(model, record, None)
    path = free_name(
        folder or RUNS, f"{key}_{protocol}_{chosen}_seed{config.seed}_{started:%Y%m%d-%H%M%S}"
    )
    weights_path = path.with_suffix(".safetensors")
    digest = save_weights(model, weights_path)
    record = replace(record, weights_file=weights_path.name, weights_sha256=digest)
    return Run(model, record, save_record(record, path))


def load_run(path: Path | str) -> nn.Module:
    """The trained model of the record at `path`, in evaluation mode on the CPU."""
    path = Path(path)
    record = load_record(path)
    model = build_model(record.key, TrainConfig(**record.config))
    return load_weights(model, path.with_name(record.weights_file), sha256=record.weights_sha256)


def find_weights(experiment: Experiment, weights: Any, name: str, profile: str) -> tuple[Any, str]:
    """The weights to start from (None: random) and what to call them in the record."""
    if isinstance(weights, str) and weights == "auto":
        if not experiment.weights or profile == "smoke":
            return None, ""
        return resnet18_weights(), experiment.weights
    if weights is None or isinstance(weights, dict):
        return weights, name
    path = Path(weights)
    if not name and path.is_file():
        name = weights_origin(path)
    return path, name or path.name


def fit_majority(model: MajorityClassifier, data: ImageData, config: TrainConfig) -> TrainResult:
    """Count the training labels: the majority model's whole training, as if it were one epoch."""
    started = time.perf_counter()
    model.fit(data.train.first(config.train_size).labels)
    seconds = time.perf_counter() - started
    train_score = evaluate(model, data.train.first(config.train_size), progress=False)
    score = evaluate(model, data.validation.first(config.evaluation_size), progress=False)
    epoch = EpochRecord(
        epoch=1,
        learning_rate=0.0,
        train_loss=train_score.loss,
        train_accuracy=train_score.accuracy,
        validation_loss=score.loss,
        validation_accuracy=score.accuracy,
        validation_mean_per_class_accuracy=score.mean_per_class_accuracy,
        seconds=seconds,
        validation_seconds=score.seconds,
    )
    return TrainResult((epoch,), 1, False, seconds, torch.device("cpu"), "float32")


def model_options(experiment: Experiment) -> dict[str, Any]:
    """The architecture's options as the registry sets them."""
    return dict(getattr(experiment.build, "keywords", {}))


def as_record(score: Evaluation) -> EvaluationRecord:
    """An evaluation in the form that is written to a record."""
    bits = pack_bits(score.correct.numpy())
    return EvaluationRecord(
        loss=score.loss, confusion=score.confusion.tolist(), correct=bits, seconds=score.seconds
    )


def free_name(folder: Path, stem: str) -> Path:
    """A path in `folder` for a record that no other run has, reserved by an empty weights file beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        try:
            path.with_suffix(".safetensors").touch(exist_ok=False)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"1,000 runs called {stem} in {folder.name}/: move some away.")
