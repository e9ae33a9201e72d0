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
from dlvc.training.checkpoint import CheckpointError, CheckpointFolder, check_same_tensors
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
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    losses: Tensor  # (steps,) float32: the loss of each step of the epoch, summed over its images
    correct: Tensor  # (steps,) int64: how many of them were classified correctly
    micro_batch: int  # how many images are computed at once; fewer than a batch if memory is short
    processes: OneProcess = ALONE
    epoch: int = 1  # the one at work
    step: int = 0  # its steps that are done
    summed: int = 0  # of them, those whose losses and hits are the sums over all processes already
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

    def content(self) -> dict[str, Any]:
        """The whole state, the random numbers' states of all processes among it, as a checkpoint holds it."""
        best = self.best_validation
        random = {"cpu": self.processes.gather(torch.get_rng_state())}
        if self.losses.device.type == "cuda":
            random["cuda"] = self.processes.gather(torch.cuda.get_rng_state(self.losses.device))
        return {
            "model": self.model.state_dict(),
            "best_weights": self.best_weights,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "losses": self.losses,
            "correct": self.correct,
            "random": random,
            "micro_batch": self.micro_batch,
            "epoch": self.epoch,
            "step": self.step,
            "epochs": [dataclasses.asdict(record) for record in self.epochs],
            "best_epoch": self.best_epoch,
            "best_validation": best and dataclasses.asdict(best),
            "seconds": self.watch.seconds,
            "epoch_seconds": self.epoch_watch.seconds,
        }

    def take_back(self, content: dict[str, Any]) -> None:
        """Stand where the checkpoint with this `content` was written, by a training of the same model."""
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        # Another device may want another memory layout: a fused step needs that of the parameter.
        for parameter, state in self.optimizer.state.items():
            for name, value in state.items():
                if value.shape == parameter.shape:
                    state[name] = torch.empty_like(parameter, requires_grad=False).copy_(value)
        self.scaler.load_state_dict(content["scaler"])
        self.losses.copy_(content["losses"])
        self.correct.copy_(content["correct"])
        if content["best_weights"] is not None:
            self.best_weights = {
                name: torch.empty_like(value).copy_(content["best_weights"][name])
                for name, value in self.model.state_dict().items()
            }
        if self.processes.size == 1:  # several compute no batch in parts
            self.micro_batch = content["micro_batch"]
        self.epoch, self.step = content["epoch"], content["step"]
        self.summed = self.step
        self.epochs = [EpochRecord(**record) for record in content["epochs"]]
        self.best_epoch, best = content["best_epoch"], content["best_validation"]
        self.best_validation = best and Evaluation(**best)
        self.watch = Stopwatch(content["seconds"])
        self.epoch_watch = Stopwatch(content["epoch_seconds"])
        # A process that had no part in the checkpoint keeps its own start.
        rank, random = self.processes.rank, content["random"]
        if rank < len(random["cpu"]):
            torch.set_rng_state(random["cpu"][rank])
        if self.losses.device.type == "cuda" and rank < len(random.get("cuda", ())):
            torch.cuda.set_rng_state(random["cuda"][rank], self.losses.device)

    def check_fits(self, content: dict[str, Any], name: str) -> None:
        """Raise CheckpointError, before anything is changed, for a tensor that does not fit this training.

        The optimizer takes any shape, and would then write beside the tensor's memory.
        """
        own = self.model.state_dict()
        check_same_tensors(own, content["best_weights"] or own, name, ANOTHER_FOLDER)
        parameters = [value for group in self.optimizer.param_groups for value in group["params"]]
        wrong = [
            f"{key} of parameter {number}"
            for number, state in content["optimizer"]["state"].items()
            for key, value in state.items()
            # Adam's counter of steps is a single number, the rest has the parameter's shape.
            if number not in range(len(parameters))
            or value.shape != (() if key == "step" else parameters[number].shape)
        ]
        wrong += [
            key for key in ("losses", "correct") if content[key].shape != getattr(self, key).shape
        ]
        if wrong:
            raise CheckpointError(
                f"{name} does not fit this training: of another shape are {', '.join(wrong[:5])}. "
                f"{ANOTHER_FOLDER}"
            )


class Saver:
    """Writes a training's checkpoints and takes the newest back; without a folder it does nothing.

    `identity` says which training it is (`identity.py`). Within an epoch a checkpoint is due every `seconds`.
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

        Raises CheckpointError, with nothing changed, if it belongs to another model or training.
        """
        folder, processes = self.folder, self.state.processes
        newest = folder and processes.from_first(lambda: folder.newest(say=say))
        if newest is None:
            return
        content, name = newest
        # First, because it says most about a difference.
        check_same_tensors(self.state.model.state_dict(), content["model"], name, ANOTHER_FOLDER)
        check_same_training(self.identity, content["identity"], name)
        self.state.check_fits(content, name)
        self.state.take_back(content)
        self.saved = (self.state.epoch, self.state.step)
        say(self._resumed(content))

    def _resumed(self, content: dict[str, Any]) -> str:
        state, written = self.state, datetime.fromisoformat(content["written"])
        where = f"continues at epoch {state.epoch}, step {state.step} of {len(state.losses)}"
        if state.epoch > self.identity["config"]["epochs"]:
            where = f"continues after the last of {len(state.epochs)} epochs"
        today = written.date() == datetime.now(written.tzinfo).date()
        line = f"{where}; checkpoint of {written:{'%H:%M' if today else '%Y-%m-%d %H:%M'}}"
        changed = [
            name for name, value in made_with(state).items() if value != content["made_with"][name]
        ]
        if changed:
            line += f" (made with another {', '.join(changed)}: the last digits may differ)"
        return line

    def is_due(self) -> bool:
        """Whether it is time for a checkpoint in the middle of an epoch, by the clock of the first process."""
        if self.folder is None or self.state.processes.rank > 0:
            return False
        due = time.perf_counter() - self.last >= self.seconds
        if due:
            self.last = time.perf_counter()  # asked again, it is not due
        return due

    def save(self) -> None:
        """Write a checkpoint, unless the state is in one already.

        A disk that refuses ends no training: it is said once, and tried again next time.
        """
        here = (self.state.epoch, self.state.step)
        if self.folder is None or here == self.saved:
            return
        with self.state.watch.paused(), self.state.epoch_watch.paused():
            content = {
                "written": datetime.now().astimezone().isoformat(timespec="seconds"),
                "made_with": made_with(self.state),
                "identity": self.identity,
                **self.state.content(),
            }
            if self.state.processes.from_first(lambda: self._write(content)):
                self.saved = here
        self.last = time.perf_counter()

    def _write(self, content: dict[str, Any]) -> bool:
        try:
            self.folder.write(content)
        except CannotWriteError as error:
            if not self.failed:
                say(f"training goes on without a new checkpoint: {error}")
            self.failed = True
            return False
        return True


def made_with(state: TrainingState) -> dict[str, Any]:
    """What may change the last digits of a result without being a setting."""
    return {
        "torch version": str(torch.__version__),
        "number of threads": torch.get_num_threads(),
        "device": state.losses.device.type,
        "number of processes": state.processes.size,
    }
