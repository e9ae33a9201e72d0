"""Running one entry of the registry: build, train, test once, and leave a record with its weights.

`registry.py` says what there is to run; `records.py` what a run leaves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from dlvc.arguments import check_kind
from dlvc.config import TrainConfig, current_profile
from dlvc.data import ImageData
from dlvc.experiments.machine import MachineWatch
from dlvc.experiments.provenance import (
    describe_device,
    git_commit,
    versions,
    weights_origin,
)
from dlvc.experiments.records import (
    EvaluationRecord,
    RunRecord,
    load_record,
    save_record,
)
from dlvc.experiments.registry import (
    Experiment,
    build_model,
    config_for,
    get_experiment,
)
from dlvc.experiments.run_identity import (
    checkpoint_folder,
    find_finished,
    first_started,
    run_digest,
)
from dlvc.files import CannotWriteError, explained_write, remove_stale_parts, runs_folder
from dlvc.models import describe_model, describe_options, resnet18_weights
from dlvc.training import (
    ALONE,
    EpochRecord,
    OneProcess,
    check_sizes,
    end_at_step_border,
    evaluate,
    load_weights,
    pick_device,
    save_weights,
    say,
    train,
)


@dataclass(frozen=True)
class Run:
    """A trained model with its record, and where the record lies (None if it was not saved)."""

    model: nn.Module
    record: RunRecord
    path: Path | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to be, as its record will say it."""

    experiment: Experiment
    config: TrainConfig
    protocol: str
    profile: str
    changes: dict[str, Any]  # of the protocol's options of the model
    weights: Any  # to start from; None: random
    weights_name: str  # "" for random ones

    @property
    def title(self) -> str:
        """The experiment's title, with what is different in this run."""
        title = self.experiment.title
        if self.changes:
            title += f" ({describe_options(self.experiment.model, self.changes)})"
        if self.experiment.weights and self.weights_name != self.experiment.weights:
            title += f" ({self.weights_name} weights)" if self.weights_name else " (random start)"
        return title

    @property
    def stem(self) -> str:
        """The beginning of the names of the run's files."""
        return f"{self.experiment.key}_{self.protocol}_{self.profile}_seed{self.config.seed}"

    @property
    def names(self) -> dict[str, str]:
        """What the run is called."""
        return {
            "key": self.experiment.key,
            "title": self.title,
            "protocol": self.protocol,
            "profile": self.profile,
        }

    @property
    def start(self) -> dict[str, Any]:
        """Which model it is, and what it starts from."""
        options = self.experiment.model_options(self.protocol, self.changes)
        return {"options": options, "weights": self.weights_name or "random"}

    def build(self) -> nn.Module:
        """The new model."""
        return build_model(
            self.experiment.key,
            self.config,
            protocol=self.protocol,
            options=self.changes,
            weights=self.weights,
        )


def run_experiment(
    key: str,
    data: ImageData,
    config: TrainConfig | None = None,
    *,
    protocol: str = "report",
    profile: str | None = None,
    options: Mapping[str, Any] | None = None,
    weights: Any = "auto",
    weights_name: str = "",
    save: bool = True,
    fresh: bool = False,
    folder: Path | str | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_step: Callable[[int, int, int], None] | None = None,
    progress: bool = True,
    stop: threading.Event | None = None,
    checkpoint_seconds: float = 60.0,
    processes: OneProcess = ALONE,
) -> Run:
    """Train one experiment, test it once, and leave record and best weights in `folder` (default: runs/).

    `options` changes the model of the protocol, such as {"depth": 2}; the record says which it had.
    `weights` is "auto" (ImageNet for ResNet18, but random in the smoke profile, which uses no network), None (random),
    a file, or a state dict named by `weights_name`. `save=False` leaves nothing. The rest is that of `training.train`.
    Stopped before its end, also while testing, a run leaves its record and weights too, but no test score.

    The same call again goes on where the run was stopped or killed, and gives back a finished run as it is; it says so
    in one line, and calls `on_epoch` for the epochs that are done. `fresh=True` trains from the start in any case.
    If the disk refuses the finished run, that is said, and the run comes back without a path.
    Several `processes` must all call this alike; the first alone writes, and what it has in `folder` counts for all.
    Raises ValueError for what cannot be run, DownloadError without ImageNet weights, NonFiniteLoss,
    AlreadyRunningError if the very same run is going on elsewhere, CannotWriteError if `folder` cannot be used.
    """
    experiment = get_experiment(key)
    changes = experiment.changed_options(protocol, options)
    profile = current_profile(profile).name
    config = config or config_for(key, data, protocol=protocol, profile=profile)
    check_sizes(data, config, splits=("train", "validation", "test"))
    weights, weights_name = find_weights(experiment, weights, weights_name, profile)
    plan = Plan(
        experiment=experiment,
        config=config,
        protocol=protocol,
        profile=profile,
        changes=changes,
        weights=weights,
        weights_name=weights_name,
    )
    model = plan.build()
    with end_at_step_border(stop) as stop:
        fit = partial(
            train_and_test,
            plan,
            model,
            data,
            on_epoch=on_epoch,
            on_step=on_step,
            progress=progress,
            stop=stop,
            checkpoint_seconds=checkpoint_seconds,
            processes=processes,
        )
        if not save:
            return Run(model, fit(datetime.now(timezone.utc)), None)
        runs = Path(folder) if folder else runs_folder()
        digest, identity = run_digest(model, data, config, **plan.names, **plan.start)
        with processes.held_by_first(checkpoint_folder(runs, plan.stem, digest)) as checkpoints:
            if fresh:
                processes.from_first(checkpoints.clear)
            finished = processes.from_first(
                lambda: None if fresh else find_usable(runs, digest, model)
            )
            if finished:
                processes.copy_from_first(*model.state_dict().values())
                run = give_back(*finished, model, config, on_epoch)
            else:
                started = processes.from_first(lambda: first_started(checkpoints, identity))
                record = replace(fit(started, checkpoints=checkpoints), run_digest=digest)
                stem = f"{plan.stem}_{started:%Y%m%d-%H%M%S}"
                run = Run(model, *processes.from_first(lambda: save_run(model, record, runs, stem)))
            if run.path and not run.record.interrupted:
                processes.from_first(checkpoints.remove)
            return run


def train_and_test(
    plan: Plan,
    model: nn.Module,
    data: ImageData,
    started: datetime,
    *,
    progress: bool,
    stop: threading.Event,
    processes: OneProcess,
    **training: Any,
) -> RunRecord:
    """The record of the training of `model` in place, and of its test, unless it was stopped before."""
    config, fit = plan.config, plan.experiment.fit or train
    around = {"progress": progress, "stop": stop, "processes": processes}
    watch = MachineWatch()
    result = fit(model, data, config, **around, **training)
    test = None
    if not result.interrupted:
        split = data.test.first(config.evaluation_size)
        test = evaluate(model, split, precision=result.precision, **around)
    machine = watch.use
    return RunRecord(
        **plan.names,
        seed=config.seed,
        config=config.as_dict(),
        model={**describe_model(model, data.test), **plan.start},
        data={
            "title": data.title,
            "source": data.source,
            "verified": data.verified,
            "digest": data.digest,
            "sizes": data.sizes,
        },
        device={**describe_device(result.device), "processes": processes.size},
        precision=result.precision,
        versions=versions(),
        git_commit=git_commit(),
        started=started.isoformat(timespec="seconds"),
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        interrupted=test is None,
        train_seconds=result.train_seconds,
        validation=result.best_validation and EvaluationRecord.of(result.best_validation),
        test=test and EvaluationRecord.of(test),
        micro_batch=result.micro_batch,
        machine=machine,
    )


def save_run(
    model: nn.Module, record: RunRecord, runs: Path, stem: str
) -> tuple[RunRecord, Path | None]:
    """The record and its path, after writing it with its weights; if the disk refuses, that is said: no path."""
    path = None
    try:
        path = record_path(runs, stem, record.run_digest)
        weights_path = path.with_suffix(".safetensors")
        digest = save_weights(model, weights_path)
        record = replace(record, weights_file=weights_path.name, weights_sha256=digest)
        return record, save_record(record, path)
    except CannotWriteError as error:
        say(f"THE RUN IS NOT SAVED: {error} Then run the same again: what is done is kept.")
        return record, None
    finally:
        if path and not path.exists():
            with suppress(OSError):
                path.with_suffix(".safetensors").unlink(missing_ok=True)


def find_usable(runs: Path, digest: str, model: nn.Module) -> tuple[Path, RunRecord] | None:
    """The finished run with this digest and where its record lies, after loading its weights into `model`.

    None if there is none, or its weights are lost or damaged, which is said.
    """
    remove_stale_parts(runs)
    finished = find_finished(runs, digest)
    if finished:
        path, record = finished
        try:
            load_weights(model, path.with_name(record.weights_file), sha256=record.weights_sha256)
        except (OSError, ValueError) as error:
            say(f"finished before, but what is left cannot be used: {error}")
            return None
    return finished


def give_back(
    path: Path,
    record: RunRecord,
    model: nn.Module,
    config: TrainConfig,
    on_epoch: Callable[[EpochRecord], None] | None,
) -> Run:
    """The finished run of the record at `path`, whose weights `model` has; says that nothing was trained."""
    model.to(pick_device(config.device)).eval()
    say(
        f"finished before, nothing is trained: {path.parent.name}/{path.name} of {record.started:.10}, "
        f"test accuracy {record.test.accuracy:.4f}. To train again: "
        "fresh=True, --fresh on the command line, or the box beside a panel's Run."
    )
    for epoch in record.epochs if on_epoch else ():
        on_epoch(epoch)
    return Run(model, record, path)


def load_run(path: Path | str) -> nn.Module:
    """The trained model of the record at `path`, in evaluation mode on the CPU.

    Raises ValueError if record or weights are not what they should be, FileNotFoundError if one is missing.
    """
    record, path = load_record(path), Path(path)
    try:
        config, options = TrainConfig(**record.config), record.model["options"]
    except TypeError as error:
        raise ValueError(f"{path.name} has a setting that this dlvc has not: {error}.") from error
    model = build_model(record.key, config, protocol=record.protocol, options=options)
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


def record_path(folder: Path, stem: str, digest: str) -> Path:
    """A path in `folder` for a record that no other run has, reserved by an empty weights file beside it.

    A run that was stopped before, and has left its record, gets the same path again. Raises CannotWriteError.
    """
    for number in range(1, 1000):
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        try:
            with explained_write(path):
                folder.mkdir(parents=True, exist_ok=True)
                path.with_suffix(".safetensors").touch(exist_ok=False)
        except CannotWriteError as error:
            if not isinstance(error.__cause__, FileExistsError):
                raise
            if not is_stopped_run(path, digest):
                continue
        return path
    raise FileExistsError(f"1,000 runs called {stem} in {folder.name}/: move some away.")


def is_stopped_run(path: Path, digest: str) -> bool:
    """Whether the record at `path` is what the run with this digest left when it was stopped."""
    try:
        record = load_record(path)
    except (OSError, ValueError):
        return False
    return record.interrupted and record.run_digest == digest != ""
