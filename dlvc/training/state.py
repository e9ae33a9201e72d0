"""Where a training is: everything that decides how it goes on, and how that goes into a checkpoint and comes back.

A training that is taken up at any step ends with the same bits as one that was never interrupted (on a CPU, with the
same versions and threads). So nothing that a later step reads may be missing here.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import torch
from torch import Tensor, nn

from dlvc.files import CannotWriteError
from dlvc.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointFolder,
    check_same_tensors,
)
from dlvc.training.evaluation import Evaluation
from dlvc.training.identity import ANOTHER_FOLDER, check_same_training
from dlvc.training.messages import say
from dlvc.training.processes import ALONE, OneProcess
from dlvc.training.result import EpochRecord


class Stopwatch:
    """Seconds at work. It can go on from an earlier reading, and pauses do not count."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.started = time.perf_counter() - seconds

    @property
    def seconds(self) -> float:
        """The reading."""
        return time.perf_counter() - self.started

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, the watch stands still."""
        before = time.perf_counter()
        try:
            yield
        finally:
            self.started += time.perf_counter() - before


@dataclass
class TrainingState:
    """A training at the border between two steps. Order and augmentation follow from the epoch's number."""

    model: nn.Module
    forward: nn.Module  # the model itself, or what wraps it for several processes
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    losses: Tensor  # (steps,) float32: the loss of each step of the epoch, summed over its images
    correct: Tensor  # (steps,) int64: how many of them were classified correctly
    micro_batch: int  # how many images are computed at once; fewer than a batch if memory is short
    processes: OneProcess = ALONE
    epoch: int = 1  # the one at work
    step: int = 0  # its steps that are done
    summed: int = (
        0  # the first of them have losses and hits of all processes, the others of this one
    )
    epochs: list[EpochRecord] = field(default_factory=list)  # those that are finished
    best_epoch: int = 0
    best_validation: Evaluation | None = None
    best_weights: dict[str, Tensor] | None = None
    watch: Stopwatch = field(default_factory=Stopwatch)  # the whole training
    epoch_watch: Stopwatch = field(default_factory=Stopwatch)  # the training pass of this epoch

    def end_epoch(self, record: EpochRecord, score: Evaluation) -> None:
        """Take down a finished epoch and stand before the next; the first epoch with the highest score is the best."""
        self.epochs.append(record)
        best = self.best_validation
        if best is None or score.mean_per_class_accuracy > best.mean_per_class_accuracy:
            self.best_epoch, self.best_validation = record.epoch, score
            self.best_weights = {
                name: value.clone() for name, value in self.model.state_dict().items()
            }
        self.epoch, self.step, self.summed = self.epoch + 1, 0, 0
        self.epoch_watch = Stopwatch()

    def add_up(self) -> None:
        """Sum losses and hits of the steps that are done over all processes."""
        new = slice(self.summed, self.step)
        self.processes.add_up(self.losses[new], self.correct[new])
        self.summed = self.step

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of the state by name, the random numbers' states of all processes among them."""
        found = {"losses": self.losses, "correct": self.correct}
        found |= {f"model.{name}": value for name, value in self.model.state_dict().items()}
        found |= {f"best.{name}": value for name, value in (self.best_weights or {}).items()}
        for number, parameter in enumerate(trained_parameters(self.optimizer)):
            for name, value in self.optimizer.state[parameter].items():
                found[f"optimizer.{number}.{name}"] = value
        if self.best_validation:
            found["best_validation.confusion"] = self.best_validation.confusion
            found["best_validation.correct"] = self.best_validation.correct
        states = {"random.cpu": torch.get_rng_state()}
        if self.losses.device.type == "cuda":
            states["random.cuda"] = torch.cuda.get_rng_state(self.losses.device)
        for name, state in states.items():
            for rank, each in enumerate(self.processes.gather(state)):
                found[name_of_rank(name, rank)] = each
        return found

    def numbers(self) -> dict[str, Any]:
        """All the rest of the state, ready for JSON."""
        best = self.best_validation
        return {
            "epoch": self.epoch,
            "step": self.step,
            "micro_batch": self.micro_batch,
            "epochs": [dataclasses.asdict(each) for each in self.epochs],
            "best_epoch": self.best_epoch,
            "best_validation": best and {"loss": best.loss, "seconds": best.seconds},
            "seconds": self.watch.seconds,
            "epoch_seconds": self.epoch_watch.seconds,
            "scaler": self.scaler.state_dict(),
        }

    def take_back(self, checkpoint: Checkpoint) -> None:
        """Stand where `checkpoint` of the same model was written. Raises CheckpointError, with nothing changed."""
        about, tensors = checkpoint.about, checkpoint.tensors
        device = self.losses.device
        weights = below("model.", tensors)
        self._check_shapes(checkpoint)
        self.model.load_state_dict(weights)
        best = below("best.", tensors)
        self.best_weights = None
        if best:
            own = self.model.state_dict()
            self.best_weights = {name: like(own[name], value) for name, value in best.items()}
        self.optimizer.state.clear()
        for number, parameter in enumerate(trained_parameters(self.optimizer)):
            for name, value in below(f"optimizer.{number}.", tensors).items():
                # Adam's counter of steps is a single number, the rest has the parameter's shape and memory layout.
                same = value.shape == parameter.shape
                self.optimizer.state[parameter][name] = (
                    like(parameter, value) if same else value.to(device, copy=True)
                )
        self.scaler.load_state_dict(about["scaler"])
        self.losses.copy_(tensors["losses"])
        self.correct.copy_(tensors["correct"])
        if self.processes.size == 1:  # several compute no batch in parts
            self.micro_batch = about["micro_batch"]
        self.epoch, self.step = about["epoch"], about["step"]
        self.summed = self.step
        self.epochs = [EpochRecord(**each) for each in about["epochs"]]
        self.best_epoch = about["best_epoch"]
        if about["best_validation"]:
            self.best_validation = Evaluation(
                confusion=tensors["best_validation.confusion"],
                correct=tensors["best_validation.correct"],
                **about["best_validation"],
            )
        self.watch = Stopwatch(about["seconds"])
        self.epoch_watch = Stopwatch(about["epoch_seconds"])
        # A process that had no part in the checkpoint keeps its own start.
        on_cpu, on_gpu = (
            name_of_rank(f"random.{kind}", self.processes.rank) for kind in ("cpu", "cuda")
        )
        if on_cpu in tensors:
            torch.set_rng_state(tensors[on_cpu])
        if device.type == "cuda" and on_gpu in tensors:
            torch.cuda.set_rng_state(tensors[on_gpu], device)

    def _check_shapes(self, checkpoint: Checkpoint) -> None:
        """Raise CheckpointError for a tensor of a wrong shape: the optimizer would write beside its memory."""
        found, parameters = checkpoint.tensors, trained_parameters(self.optimizer)
        expected = {"losses": [self.losses.shape], "correct": [self.correct.shape]}
        for name, value in self.model.state_dict().items():
            expected[f"best.{name}"] = [value.shape]
        wrong = [name for name in ("losses", "correct", "random.cpu") if name not in found]
        for name, value in found.items():
            shapes = expected.get(name, [value.shape])
            if name.startswith("optimizer."):
                number = int(name.split(".")[1])
                # Adam's counter of steps is a single number, the rest has the parameter's shape.
                known = number < len(parameters)
                shapes = [parameters[number].shape] if known else []
                shapes += [torch.Size([])] if name.endswith(".step") else []
            if value.shape not in shapes:
                wrong.append(name)
        if wrong:
            raise CheckpointError(
                f"{checkpoint.name} does not fit this training: missing, or of another shape, are "
                f"{', '.join(wrong[:5])}. {ANOTHER_FOLDER}"
            )


def below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {
        name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)
    }


def name_of_rank(name: str, rank: int) -> str:
    """What a tensor of which each process has one is called; the first one's has the plain name."""
    return f"{name}.{rank}" if rank else name


def like(pattern: Tensor, value: Tensor) -> Tensor:
    """A copy of `value` with type, device and memory layout of `pattern`."""
    return torch.empty_like(pattern, requires_grad=False).copy_(value)


def trained_parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The parameters in the optimizer's order, which depends on the model and the config alone."""
    return [each for group in optimizer.param_groups for each in group["params"]]


class Saver:
    """Writes a training's checkpoints and takes the newest back; without a folder it does nothing.

    `identity` says which training it is: {"config": ..., "data": ...}. Within an epoch one is due every `seconds`.
    """

    def __init__(
        self,
        folder: CheckpointFolder | None,
        state: TrainingState,
        identity: dict[str, Any],
        seconds: float,
    ) -> None:
        self.folder, self.state, self.identity, self.seconds = folder, state, identity, seconds
        self.saved = (0, 0)  # epoch and step
        self.failed = False
        self.last = time.perf_counter()

    def resume(self) -> None:
        """Take the newest checkpoint back, if there is one, and say so in one line.

        Raises CheckpointError, with nothing changed, if it belongs to another model or training, or to a newer dlvc.
        """
        folder, processes = self.folder, self.state.processes
        found = folder and processes.from_first(lambda: folder.newest(say=say))
        if found is None:
            return
        # First, because it says most about a difference.
        weights = below("model.", found.tensors)
        check_same_tensors(self.state.model.state_dict(), weights, found.name, ANOTHER_FOLDER)
        check_same_training(self.identity, found)
        self.state.take_back(found)
        self.saved = (self.state.epoch, self.state.step)
        say(self._resumed(found.about))

    def _resumed(self, about: dict[str, Any]) -> str:
        state, written = self.state, datetime.fromisoformat(about["written"])
        where = f"continues at epoch {state.epoch}, step {state.step} of {len(state.losses)}"
        if state.epoch > self.identity["config"]["epochs"]:
            where = f"continues after the last of {len(state.epochs)} epochs"
        today = written.date() == datetime.now(written.tzinfo).date()
        line = f"{where}; checkpoint of {written:{'%H:%M' if today else '%Y-%m-%d %H:%M'}}"
        # Checkpoints of older versions do not say that they were made by one process.
        changed = [name for name, value in made_with(state).items() if value != about.get(name, 1)]
        if changed:
            line += f" (made with another {', '.join(changed)}: the last digits may differ)"
        return line

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint in the middle of an epoch, by the clock of the first process."""
        if self.folder is None or self.state.processes.rank > 0:
            return False
        due = time.perf_counter() - self.last >= self.seconds
        if due:
            self.last = time.perf_counter()  # it is told only once
        return due

    def save(self) -> None:
        """Write a checkpoint, unless the state is in one already.

        A disk that refuses ends no training: it is said once, and tried again next time.
        """
        here = (self.state.epoch, self.state.step)
        if self.folder is None or here == self.saved:
            return
        about = {
            "written": datetime.now().astimezone().isoformat(timespec="seconds"),
            **made_with(self.state),
            **self.identity,
            **self.state.numbers(),
        }
        with self.state.watch.paused(), self.state.epoch_watch.paused():
            tensors = self.state.tensors()
            if self.state.processes.from_first(lambda: self._write(tensors, about)):
                self.saved = here
        self.last = time.perf_counter()

    def _write(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> bool:
        try:
            self.folder.write(tensors, about)
        except CannotWriteError as error:
            if not self.failed:
                say(f"training goes on without a new checkpoint: {error}")
            self.failed = True
            return False
        return True


def made_with(state: TrainingState) -> dict[str, Any]:
    """What may change the last digits of a result without being a setting."""
    return {
        "torch version": torch.__version__,
        "number of threads": torch.get_num_threads(),
        "device": state.losses.device.type,
        "number of processes": state.processes.size,
    }
