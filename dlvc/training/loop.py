"""Training on one device or several, CPU or CUDA, with one loop that can be read in one sitting.

Knows no particular model and no notebook: a model is anything that turns float images (B, 3, H, W) in [0, 1] into class
scores (B, 10). The data lie on the device as a whole, a batch is an index, and nothing waits for a GPU inside an epoch.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from dlvc.checks import check_kind
from dlvc.config import TrainConfig
from dlvc.data import (
    ImageData,
    Split,
    epoch_generator,
    prepare_batches,
    random_draws,
    split_batches,
    to_float,
)
from dlvc.metrics import NotFiniteError, check_scores, mean_loss
from dlvc.training.checkpoint import CheckpointFolder, as_folder
from dlvc.training.device import autocast, input_layout, memory_layout, pick_device, pick_precision
from dlvc.training.evaluation import Evaluation, evaluate
from dlvc.training.identity import training_identity
from dlvc.training.interruption import end_at_step_border, own_random_numbers
from dlvc.training.memory import NotEnoughMemoryError, in_smaller_parts, keep_freed_memory
from dlvc.training.messages import say
from dlvc.training.optimization import learning_rate_at, make_optimizer
from dlvc.training.processes import ALONE, OneProcess
from dlvc.training.result import EpochRecord, TrainResult
from dlvc.training.state import Saver, Stopwatch, TrainingState


class NonFiniteLoss(RuntimeError):
    """The loss became infinite or not a number: training cannot go on."""


def train(
    model: nn.Module,
    data: ImageData,
    config: TrainConfig,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_step: Callable[[int, int, int], None] | None = None,
    progress: bool = True,
    stop: threading.Event | None = None,
    checkpoints: CheckpointFolder | Path | str | None = None,
    checkpoint_seconds: float = 60.0,
    processes: OneProcess = ALONE,
) -> TrainResult:
    """Train `model` in place and say how it went; it ends in evaluation mode with the weights of its best epoch.

    The best epoch is the first with the highest validation mean per-class accuracy. The test split is never touched.
    `on_epoch` is called after each epoch, `on_step` after each step with three numbers: the epoch, its steps that are
    done, all its steps; it waits for no GPU, so there it runs a little ahead. Setting `stop`, Ctrl-C, or a notebook's
    stop button end the training at the next step border: the unfinished epoch is dropped, the model stays usable. A
    second Ctrl-C ends it at once.
    Order, augmentation and dropout depend on the config alone, not on random numbers drawn before.

    `checkpoints` is a folder for this training alone. A checkpoint is written there after each epoch, every
    `checkpoint_seconds` within one, and at a stop; the same call again goes on from it, to the same bits on a CPU, and
    calls `on_epoch` for the epochs that are finished already.

    Where memory is short, a batch is computed in parts, which is said. Several `processes` share each batch: all must
    call this alike, the first alone writes, and their number hardly changes the result (`processes.py` says how).
    Raises ValueError for wrong data or a checkpoint of another training, NonFiniteLoss if the loss is not finite,
    AlreadyRunningError if another uses the folder.
    """
    check_sizes(data, config)
    check_kind("model", model, nn.Module, "Build one with build_model(key, config).")
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    keep_freed_memory()
    model.to(device, memory_format=memory_layout(model, device))
    train_split = data.train.first(config.train_size)
    validation = data.validation.first(config.evaluation_size)
    images, labels = train_split.images.to(device), train_split.labels.to(device)
    steps = len(split_batches(torch.arange(len(labels)), config.batch_size))
    state = TrainingState(
        model=model,
        processes=processes,
        forward=processes.wrap(model),
        optimizer=make_optimizer(model, config),
        # float16 has too small a range for most gradients; the other formats need no scaling.
        scaler=torch.amp.GradScaler(device.type, enabled=precision == "float16"),
        losses=torch.zeros(steps, device=device),
        correct=torch.zeros(steps, dtype=torch.int64, device=device),
        micro_batch=min(config.batch_size, config.train_size),
    )
    folder = None if checkpoints is None else as_folder(checkpoints)
    show = progress and processes.rank == 0
    bar = tqdm(total=config.epochs * steps, unit="step", delay=1, disable=not show)

    def count_step() -> None:
        bar.update()
        if on_step is not None:
            on_step(state.epoch, state.step, steps)

    try:
        with (
            bar,
            own_random_numbers(processes.seed(config.seed), device),
            end_at_step_border(stop) as stop,
            processes.held_by_first(folder) as folder,
        ):
            identity = (folder or processes.size > 1) and training_identity(
                model, config, precision, train_split, validation
            )
            processes.check_same(**(identity or {}))
            saver = Saver(folder, state, identity, checkpoint_seconds)
            saver.resume()
            bar.update((state.epoch - 1) * steps + state.step)
            with state.epoch_watch.paused():
                for record in state.epochs if on_epoch else ():
                    on_epoch(record)
            for epoch in range(state.epoch, config.epochs + 1):
                if state.step == 0:
                    state.epoch_watch = Stopwatch()
                passed = in_smaller_parts(
                    lambda size: train_epoch(
                        state, images, labels, config, size, precision, count_step, stop, saver
                    ),
                    state.micro_batch,
                    lambda size: say(batch_in_parts(state, config.batch_size, size)),
                )
                seconds = state.epoch_watch.seconds
                score = passed and evaluate_finite(state, validation, precision, stop, passed)
                if score is None:
                    saver.save()
                    break
                record = EpochRecord(
                    epoch=epoch,
                    learning_rate=passed.learning_rate,
                    train_loss=passed.loss,
                    train_accuracy=passed.accuracy,
                    validation_loss=score.loss,
                    validation_accuracy=score.accuracy,
                    validation_mean_per_class_accuracy=score.mean_per_class_accuracy,
                    seconds=seconds,
                    validation_seconds=score.seconds,
                )
                state.end_epoch(record, score)
                saver.save()
                # Without refresh: the bar waits for its delay, so short runs print none.
                bar.set_postfix(epoch=epoch, validation=f"{score.accuracy:.3f}", refresh=False)
                if on_epoch is not None:
                    on_epoch(record)
    finally:  # also after an error the model is as good as it ever was
        if state.best_weights is not None:
            model.load_state_dict(state.best_weights)
        model.eval()
    return TrainResult(
        epochs=tuple(state.epochs),
        best_epoch=state.best_epoch,
        best_validation=state.best_validation,
        interrupted=len(state.epochs) < config.epochs,
        train_seconds=state.watch.seconds,
        device=device,
        precision=precision,
        micro_batch=state.micro_batch,
    )


class Pass(NamedTuple):
    """One pass through the training images: mean loss, accuracy, and the last step's learning rate."""

    loss: float
    accuracy: float
    learning_rate: float


def train_epoch(
    state: TrainingState,
    images: Tensor,
    labels: Tensor,
    config: TrainConfig,
    micro_batch: int,
    precision: str,
    count_step: Callable[[], None],
    stop: threading.Event,
    saver: Saver,
) -> Pass | None:
    """Train on each of `images` (N, 3, H, W) uint8 with `labels` (N,) once; None if `stop` was set meanwhile.

    Starts at `state.step`. At most `micro_batch` images are computed at once: their gradients add up to the batch's.
    Loss and hits stay on the device and are read once, at the end.
    Raises NonFiniteLoss naming epoch, step and learning rate.
    """
    model, optimizer, scaler, epoch = state.model, state.optimizer, state.scaler, state.epoch
    processes = state.processes
    device, layout = images.device, input_layout(model, images.device)
    # All random numbers of an epoch, by image: neither batch size nor device changes them.
    generator = epoch_generator(config.seed, epoch)
    order = torch.randperm(len(labels), generator=generator).to(device)
    draws = random_draws(len(labels), generator, padding=config.largest_shift).to(device)
    batches = split_batches(order, config.batch_size)
    shares = [processes.share(batch) for batch in batches]
    own = [index for index, _ in shares[state.step :]]
    prepared = prepare_batches(images, labels, own, draws, config)
    first_step, all_steps = (epoch - 1) * len(batches), config.epochs * len(batches)
    rates = [learning_rate_at(first_step + step, all_steps, config) for step in range(len(batches))]
    state.micro_batch = micro_batch
    # What is there is of an earlier epoch, or of a step for which memory did not suffice.
    state.losses[state.step :] = 0
    state.correct[state.step :] = 0
    model.train()
    for step in range(state.step, len(batches)):
        stopping, due = processes.agree_soon(stop.is_set(), saver.is_due())
        if stopping:
            state.add_up()
            check_finite(state.losses[:step], epoch, rates)  # what goes into a checkpoint is finite
            return None
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        optimizer.zero_grad(set_to_none=True)
        counts = shares[step][1]
        parts = [split_batches(each, micro_batch) for each in next(prepared)]
        for batch, targets in zip(*parts, strict=True):  # one part, unless memory is short
            with autocast(device, precision):
                logits = state.forward(to_float(batch, layout)).float()
                check_scores(logits, len(targets))
                loss = cross_entropy(logits, targets, label_smoothing=config.label_smoothing)
            # Times the number of processes, because their gradients are averaged.
            share = processes.size * len(targets) / len(batches[step]) if counts else 0.0
            scaler.scale(loss if share == 1 else loss * share).backward()
            if counts:
                state.losses[step].add_(loss.detach(), alpha=len(targets))
                state.correct[step].add_((logits.detach().argmax(dim=1) == targets).sum())
        scaler.step(optimizer)
        scaler.update()
        state.step = step + 1
        count_step()
        if due:
            state.add_up()
        # On a CPU the value is there at once; to look at another device's or process's all would have to wait.
        at_once = device.type == "cpu" and processes.size == 1
        if due or (at_once and not math.isfinite(state.losses[step].item())):
            check_finite(state.losses[: step + 1], epoch, rates)
        if due:
            saver.save()
    state.add_up()
    check_finite(state.losses, epoch, rates)
    return Pass(
        mean_loss(state.losses.double().sum(), len(labels)),
        state.correct.sum().item() / len(labels),
        rates[-1],
    )


def evaluate_finite(
    state: TrainingState, split: Split, precision: str, stop: threading.Event, passed: Pass
) -> Evaluation | None:
    """`evaluate` after an epoch; a loss that is not finite names the epoch and its last learning rate."""
    model, processes = state.model, state.processes
    processes.copy_from_first(*model.buffers())
    try:
        return evaluate(
            model, split, precision=precision, progress=False, stop=stop, processes=processes
        )
    except NotFiniteError as error:
        raise NonFiniteLoss(
            f"the validation loss is not finite after epoch {state.epoch}'s last step, with learning rate "
            f"{passed.learning_rate:.2g}. Try a tenth of the learning rate."
        ) from error


def batch_in_parts(state: TrainingState, batch_size: int, size: int) -> str:
    """What is said when memory is short for a whole batch. Raises NotEnoughMemoryError with several processes."""
    if state.processes.size > 1:  # the others would wait for parts that they do not have
        raise NotEnoughMemoryError(
            "memory does not suffice for this process's slice of a batch. Start more processes, or take a smaller "
            "batch_size; in parts, a batch is computed by a single process only."
        )
    line = (
        f"memory is short: from here on at most {size} images are computed at once. "
        f"A step still sees batches of {batch_size}"
    )
    # The base class of all batch norms; it has no public name.
    if any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in state.model.modules()):
        line += ", but batch normalisation takes its statistics over each part, so results differ"
    return f"{line}."


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


def check_finite(losses: Tensor, epoch: int, rates: list[float]) -> None:
    """Raise NonFiniteLoss naming epoch, step and learning rate of the first loss that is not finite."""
    finite = torch.isfinite(losses).tolist()
    if not all(finite):
        at = finite.index(False)
        raise NonFiniteLoss(
            f"the loss is {losses[at].item()} at epoch {epoch}, step {1 + at}, with learning rate "
            f"{rates[at]:.2g}. Try a tenth of the learning rate, and check the inputs for nan."
        )
