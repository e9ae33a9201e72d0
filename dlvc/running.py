"""Running one entry of the registry: build, train, test once, and leave a record with its weights.

`experiments.py` says what there is to run; `records.py` what a run leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlvc.checkpoint import load_weights, save_weights
from dlvc.checks import check_choice, check_kind
from dlvc.config import TrainConfig, current_profile
from dlvc.data import ImageData
from dlvc.data.download import resnet18_weights
from dlvc.experiments import Experiment, build_model, config_for, get_experiment
from dlvc.models.majority import MajorityClassifier
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
from dlvc.training import Evaluation, TrainResult, check_sizes, end_at_step_border, evaluate, train


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
    Stopped before its end, also while testing, a run leaves its record and weights too, but no test score.
    Raises ValueError for what cannot be run, DownloadError without ImageNet weights, NonFiniteLoss.
    """
    experiment = get_experiment(key)
    check_choice("protocol", protocol, ("report", "tuned"))
    chosen = current_profile(profile).name
    config = config or config_for(key, data, protocol=protocol, profile=chosen)
    check_sizes(data, config, splits=("train", "validation", "test"))
    weights, weights_name = find_weights(experiment, weights, weights_name, chosen)
    model = build_model(key, config, weights=weights)
    started = datetime.now(timezone.utc)
    fit = fit_majority if key == "majority" else train
    with end_at_step_border(options.pop("stop", None)) as stop:
        result = fit(model, data, config, stop=stop, **options)
        test = None
        if not result.interrupted:
            split, show = data.test.first(config.evaluation_size), options.get("progress", True)
            test = evaluate(model, split, precision=result.precision, progress=show, stop=stop)
    title = experiment.title
    if experiment.weights and weights_name != experiment.weights:
        title += f" ({weights_name} weights)" if weights_name else " (random start)"
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
        interrupted=test is None,
        train_seconds=result.train_seconds,
        validation=result.best_validation and as_record(result.best_validation),
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
    """The trained model of the record at `path`, in evaluation mode on the CPU.

    Raises ValueError if record or weights are not what they should be, FileNotFoundError if one is missing.
    """
    record, path = load_record(path), Path(path)
    model = build_model(record.key, TrainConfig(**record.config))
    return load_weights(model, path.with_name(record.weights_file), sha256=record.weights_sha256)


def find_weights(experiment: Experiment, weights: Any, name: str, profile: str) -> tuple[Any, str]:
    """The weights to start from (None: random) and what to call them in the record."""
    if isinstance(weights, str) and weights == "auto":
        if not experiment.weights or profile == "smoke":
            return None, ""
        return resnet18_weights(), experiment.weights
    if weights is None:
        return None, ""
    if isinstance(weights, dict):
        if not name:
            raise ValueError(
                "a state dict needs weights_name, which says in the record what it was trained on."
            )
        return weights, name
    check_kind("weights", weights, (str, Path), "Give auto, None, a file or a state dict.")
    path = Path(weights)
    if not name and path.is_file():
        name = weights_origin(path)
    return path, name or path.name


def fit_majority(
    model: MajorityClassifier,
    data: ImageData,
    config: TrainConfig,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    **options: Any,
) -> TrainResult:
    """Count the training labels: the majority model's whole training, told as one epoch of `training.train`."""
    started = time.perf_counter()
    model.fit(data.train.first(config.train_size).labels)
    seconds = time.perf_counter() - started
    trained = evaluate(model, data.train.first(config.train_size), progress=False)
    score = evaluate(model, data.validation.first(config.evaluation_size), progress=False)
    epoch = EpochRecord(
        epoch=1,
        learning_rate=0.0,
        train_loss=trained.loss,
        train_accuracy=trained.accuracy,
        validation_loss=score.loss,
        validation_accuracy=score.accuracy,
        validation_mean_per_class_accuracy=score.mean_per_class_accuracy,
        seconds=seconds,
        validation_seconds=score.seconds,
    )
    if on_epoch is not None:
        on_epoch(epoch)
    cpu = torch.device("cpu")
    return TrainResult((epoch,), 1, score, False, seconds + score.seconds, cpu, "float32")


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
