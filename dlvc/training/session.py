"""What surrounds the steps of a training: device, seeds, lock, resume, checkpoints, progress, stop, several processes.

All of it happens before the first step, between two steps (in `Session.batches`), or at an epoch's end.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from dlvc.arguments import check_kind
from dlvc.config import TrainConfig
from dlvc.data import (
    ImageData,
    epoch_generator,
    prepare_batches,
    random_draws,
    split_batches,
    to_float,
)
from dlvc.metrics import NotFiniteError, check_scores, mean_loss
from dlvc.training.checkpoint import CheckpointFolder, as_folder
from dlvc.training.device import (
    autocast,
    input_layout,
    keep_freed_memory,
    memory_layout,
    pick_device,
    pick_precision,
    without_denormals,
)
from dlvc.training.evaluation import Evaluation, evaluate
from dlvc.training.identity import training_identity
from dlvc.training.interruption import end_at_step_border
from dlvc.training.memory import NotEnoughMemoryError, in_smaller_parts, made_in_memory
from dlvc.training.messages import say
from dlvc.training.optimization import learning_rate_at, make_optimizer
from dlvc.training.processes import OneProcess
from dlvc.training.randomness import own_random_numbers
from dlvc.training.result import EpochRecord, TrainResult
from dlvc.training.state import Saver, Stopwatch, TrainingState


class NonFiniteLoss(RuntimeError):
    """The loss became infinite or not a number: training cannot go on."""


class Session:
    """One training: where it is, what its steps need, and what happens around them. Arguments are those of `train`."""

    def __init__(
        self,
        model: nn.Module,
        data: ImageData,
        config: TrainConfig,
        *,
        on_epoch: Callable[[EpochRecord], None] | None,
        on_step: Callable[[int, int, int], None] | None,
        progress: bool,
        stop: threading.Event | None,
        checkpoints: CheckpointFolder | Path | str | None,
        checkpoint_seconds: float,
        processes: OneProcess,
    ) -> None:
        check_sizes(data, config)
        check_kind("model", model, nn.Module, "Build one with build_model(key, config).")
        keep_freed_memory()
        self.model, self.config, self.processes = model, config, processes
        self.on_epoch, self.on_step, self.stop = on_epoch, on_step, stop
        self.folder = None if checkpoints is None else as_folder(checkpoints)
        self.checkpoint_seconds = checkpoint_seconds
        self.device = device = pick_device(config.device)
        self.precision = pick_precision(config.precision, device)
        model.to(device, memory_format=memory_layout(model, device))
        self.layout = input_layout(model, device)
        self.train_split = data.train.first(config.train_size)
        self.validation = data.validation.first(config.evaluation_size)
        self.images = self.train_split.images.to(device)
        self.labels = self.train_split.labels.to(device)
        self.steps = len(split_batches(torch.arange(len(self.labels)), config.batch_size))
        self.wrapped = processes.wrap(model)
        self.optimizer = make_optimizer(model, config)
        # float16 has too small a range for most gradients; the other formats need no scaling.
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "float16")
        self.state = TrainingState(
            model=model,
            processes=processes,
            optimizer=self.optimizer,
            scaler=self.scaler,
            losses=torch.zeros(self.steps, device=device),
            correct=torch.zeros(self.steps, dtype=torch.int64, device=device),
            micro_batch=min(config.batch_size, config.train_size),
        )
        show = progress and processes.rank == 0
        self.bar = tqdm(total=config.epochs * self.steps, unit="step", delay=1, disable=not show)
        self.stopped = False
        # Of the epoch and of the step at work.
        self.rates: list[float] = []
        self.batch_size, self.is_counted = 0, True

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Inside, the training goes on; the model leaves in evaluation mode, with the weights of its best epoch."""
        try:
            with (
                self.bar,
                without_denormals(),
                own_random_numbers(self.processes.seed(self.config.seed), self.device),
                end_at_step_border(self.stop) as self.stop,
                self.processes.held_by_first(self.folder),
            ):
                self._resume()
                yield
        finally:  # also after an error the model is as good as it ever was
            if self.state.best_weights is not None:
                self.model.load_state_dict(self.state.best_weights)
            self.model.eval()

    def _resume(self) -> None:
        """Go on from the newest checkpoint, if there is one. Raises CheckpointError, with nothing changed."""
        identity = {}
        if self.folder or self.processes.size > 1:
            splits = (self.train_split, self.validation)
            identity = training_identity(self.model, self.config, self.precision, *splits)
        self.processes.check_same(**identity)
        self.saver = Saver(self.folder, self.state, identity, self.checkpoint_seconds)
        self.saver.resume()
        self.bar.update((self.state.epoch - 1) * self.steps + self.state.step)
        if self.on_epoch:
            with self.state.epoch_watch.paused():
                for record in self.state.epochs:
                    self.on_epoch(record)

    def epochs(self) -> Iterator[int]:
        """The number of each epoch that is left, until a stop."""
        while self.state.epoch <= self.config.epochs and not self.stopped:
            if self.state.step == 0:
                self.state.epoch_watch = Stopwatch()
            yield self.state.epoch

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, 3, H, W) uint8 and labels (B,) of each step that is left of the epoch, until a stop.

        What is not the step itself happens here, before and after each `yield`.
        Raises NonFiniteLoss naming epoch, step and learning rate.
        """
        state, config, processes = self.state, self.config, self.processes
        # All random numbers of an epoch, by image: neither batch size nor device changes them.
        generator = epoch_generator(config.seed, state.epoch)
        order = torch.randperm(len(self.labels), generator=generator).to(self.device)
        draws = random_draws(len(self.labels), generator, padding=config.largest_shift)
        batches = split_batches(order, config.batch_size)
        shares = [processes.share(batch) for batch in batches]
        own = [index for index, _ in shares[state.step :]]
        prepared = prepare_batches(self.images, self.labels, own, draws.to(self.device), config)
        done, all_steps = (state.epoch - 1) * self.steps, config.epochs * self.steps
        self.rates = [
            learning_rate_at(done + step, all_steps, config) for step in range(self.steps)
        ]
        self._forget_steps()
        self.model.train()
        for images, labels in made_in_memory(prepared):
            self.stopped, due = processes.agree_soon(self.stop.is_set(), self.saver.is_due())
            if self.stopped:
                break
            for group in self.optimizer.param_groups:
                group["lr"] = self.rates[state.step]
            self.batch_size, self.is_counted = len(batches[state.step]), shares[state.step][1]
            yield images, labels
            self._end_step(due)
        state.add_up()
        self._check_finite(state.step)  # what goes into a checkpoint is finite

    def _end_step(self, due: bool) -> None:
        state = self.state
        state.step += 1
        self.bar.update()
        if self.on_step is not None:
            self.on_step(state.epoch, state.step, self.steps)
        if due:
            state.add_up()
        # On a CPU the value is there at once; to look at another device's or process's all would have to wait.
        at_once = self.device.type == "cpu" and self.processes.size == 1
        if due or (at_once and not math.isfinite(state.losses[state.step - 1].item())):
            self._check_finite(state.step)
        if due:
            self.saver.save()

    def within_memory(
        self, step: Callable[[Session, Tensor, Tensor, int], None], images: Tensor, labels: Tensor
    ) -> None:
        """Call `step` with how many images to compute at once: half as many each time memory does not suffice."""
        work = partial(step, self, images, labels)
        in_smaller_parts(work, self.state.micro_batch, self._take_smaller_parts)

    def _take_smaller_parts(self, size: int) -> None:
        """From this step on compute at most `size` images at once, and say so; with several processes refuse."""
        if self.processes.size > 1:  # the others would wait for parts that they do not have
            raise NotEnoughMemoryError(
                "memory does not suffice for this process's slice of a batch. Start more processes, or take a smaller "
                "batch_size; in parts, a batch is computed by a single process only."
            )
        self._forget_steps()
        self.state.micro_batch = size
        line = (
            f"memory is short: from here on at most {size} images are computed at once. "
            f"A step still sees batches of {self.config.batch_size}"
        )
        # The base class of all batch norms; it has no public name.
        if any(
            isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in self.model.modules()
        ):
            line += (
                ", but batch normalisation takes its statistics over each part, so results differ"
            )
        say(f"{line}.")

    def _forget_steps(self) -> None:
        """Zero the sums of steps that are not done: of an earlier epoch, or of one for which memory did not suffice."""
        self.state.losses[self.state.step :] = 0
        self.state.correct[self.state.step :] = 0

    def autocast(self) -> AbstractContextManager:
        """A context in which the forward pass uses the training's number format."""
        return autocast(self.device, self.precision)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, 10), float32, of `images` (B, 3, H, W) uint8. Raises ValueError for another number of scores."""
        logits = self.wrapped(to_float(images, self.layout)).float()
        check_scores(logits, len(images))
        return logits

    def weigh(self, loss: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of a part with these labels, by its share of the batch, so that the gradients of all add up."""
        # Times the number of processes, because their gradients are averaged.
        share = self.processes.size * len(labels) / self.batch_size if self.is_counted else 0.0
        return loss if share == 1 else loss * share

    def count(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a part's loss and hits to its step's. They stay on the device and are read once an epoch."""
        if self.is_counted:
            step = self.state.step
            self.state.losses[step].add_(loss.detach(), alpha=len(labels))
            self.state.correct[step].add_((logits.detach().argmax(dim=1) == labels).sum())

    def end_epoch(self) -> None:
        """Evaluate, record, keep the best weights, write a checkpoint; after a stop the checkpoint only."""
        state, score = self.state, None
        if not self.stopped:
            loss = mean_loss(state.losses.double().sum(), len(self.labels))
            accuracy = state.correct.sum().item() / len(self.labels)
            seconds = state.epoch_watch.seconds
            score = self._evaluate()
        if score is None:
            self.stopped = True
            self.saver.save()
            return
        record = EpochRecord.of(state.epoch, self.rates[-1], loss, accuracy, seconds, score)
        state.end_epoch(record, score)
        self.saver.save()
        # Without refresh: the bar waits for its delay, so short runs print none.
        self.bar.set_postfix(epoch=record.epoch, validation=f"{score.accuracy:.3f}", refresh=False)
        if self.on_epoch is not None:
            self.on_epoch(record)

    def _evaluate(self) -> Evaluation | None:
        """The score on the validation images; None if a stop was asked for meanwhile."""
        self.processes.copy_from_first(*self.model.buffers())
        try:
            return evaluate(
                self.model,
                self.validation,
                precision=self.precision,
                progress=False,
                stop=self.stop,
                processes=self.processes,
            )
        except NotFiniteError as error:
            raise NonFiniteLoss(
                f"the validation loss is not finite after epoch {self.state.epoch}'s last step, with learning rate "
                f"{self.rates[-1]:.2g}. Try a tenth of the learning rate."
            ) from error

    def _check_finite(self, steps: int) -> None:
        """Raise NonFiniteLoss for the first of the epoch's first `steps` whose loss is not finite."""
        losses = self.state.losses[:steps]
        finite = torch.isfinite(losses).tolist()
        if not all(finite):
            at = finite.index(False)
            raise NonFiniteLoss(
                f"the loss is {losses[at].item()} at epoch {self.state.epoch}, step {1 + at}, with learning rate "
                f"{self.rates[at]:.2g}. Try a tenth of the learning rate, and check the inputs for nan."
            )

    def result(self) -> TrainResult:
        """What the training leaves."""
        state = self.state
        return TrainResult(
            epochs=tuple(state.epochs),
            best_epoch=state.best_epoch,
            best_validation=state.best_validation,
            interrupted=len(state.epochs) < self.config.epochs,
            train_seconds=state.watch.seconds,
            device=self.device,
            precision=self.precision,
            micro_batch=state.micro_batch,
        )


def check_sizes(
    data: ImageData, config: TrainConfig, *, splits: tuple[str, ...] = ("train", "validation")
) -> None:
    """Raise ValueError if the config asks for more images than there are in one of `splits`."""
    check_kind("data", data, ImageData, "Get them with load_data().")
    check_kind("config", config, TrainConfig, "Make one with TrainConfig(epochs=3).")
    for split_name in splits:
        name = "train_size" if split_name == "train" else "evaluation_size"
        split, size = getattr(data, split_name), getattr(config, name)
        low = TrainConfig.__dataclass_fields__[name].metadata["low"]
        if len(split) < low:
            raise ValueError(
                f"{data.title} has only {len(split):,} {split_name} images here, and at least {low} are needed. "
                "Load more data."
            )
        if size > len(split):
            raise ValueError(
                f"{name} is {size:,}, but {data.title} has only {len(split):,} such images here. "
                f"Set {name}={len(split)} or load more data."
            )
