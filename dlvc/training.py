"""Training and evaluation on one device, CPU or CUDA, with one loop that can be read in one sitting.

Knows no particular model and no notebook: a model is anything that turns float images (B, 3, H, W) in [0, 1] into class
scores (B, 10). The data lie on the device as a whole, a batch is an index, and nothing waits for a GPU inside an epoch.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from dlvc.augment import crop_and_mirror, epoch_generator, random_draws
from dlvc.checks import check_kind, check_whole
from dlvc.config import TrainConfig
from dlvc.data import CLASSES, ImageData, Split
from dlvc.device import autocast, memory_layout, model_device, pick_device, pick_precision
from dlvc.metrics import (
    accuracy,
    add_to_confusion,
    check_scores,
    mean_loss,
    mean_per_class_accuracy,
)
from dlvc.models.normalize import check_pixels, to_float
from dlvc.records import EpochRecord


class NonFiniteLoss(RuntimeError):
    """The loss became infinite or not a number: training cannot go on."""


@dataclass(frozen=True)
class Evaluation:
    """A model's score on one split; `confusion` is int64 (10, 10), `correct` bool (N,), both on the CPU."""

    loss: float
    confusion: Tensor
    correct: Tensor
    seconds: float

    @property
    def accuracy(self) -> float:
        """The share of images classified correctly."""
        return accuracy(self.confusion)

    @property
    def mean_per_class_accuracy(self) -> float:
        """The mean over classes of the share of the class's images classified correctly."""
        return mean_per_class_accuracy(self.confusion)


@dataclass(frozen=True)
class TrainResult:
    """What a training leaves: one record an epoch, and which epoch's weights the model now has (0 = none finished)."""

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    best_validation: Evaluation | None
    interrupted: bool
    train_seconds: float
    device: torch.device
    precision: str


def train(
    model: nn.Module,
    data: ImageData,
    config: TrainConfig,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    progress: bool = True,
    stop: threading.Event | None = None,
) -> TrainResult:
    """Train `model` in place and say how it went; it ends in evaluation mode with the weights of its best epoch.

    The best epoch is the first with the highest validation mean per-class accuracy. The test split is never touched.
    `on_epoch` is called after each epoch. Setting `stop`, Ctrl-C, or a notebook's stop button end the training at the
    next step border: the unfinished epoch is dropped, the model stays usable. A second Ctrl-C ends it at once.
    Order, augmentation and dropout depend on the config alone, not on random numbers drawn before.
    Raises ValueError if the data are smaller than the config says, NonFiniteLoss if the loss is not finite.
    """
    check_sizes(data, config)
    check_kind("model", model, nn.Module, "Build one with build_model(key, config).")
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    model.to(device, memory_format=memory_layout(model, device))
    train_split = data.train.first(config.train_size)
    validation = data.validation.first(config.evaluation_size)
    images, labels = train_split.images.to(device), train_split.labels.to(device)
    steps = len(split_batches(torch.arange(len(labels)), config.batch_size))
    optimizer = make_optimizer(model, config)
    # float16 has too small a range for most gradients; the other formats need no scaling.
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")

    epochs: list[EpochRecord] = []
    best_epoch, best_validation, best_weights = 0, None, None
    started = time.perf_counter()
    bar = tqdm(total=config.epochs * steps, unit="step", delay=1, disable=not progress)
    try:
        with bar, own_random_numbers(config.seed, device), end_at_step_border(stop) as stop:
            for epoch in range(1, config.epochs + 1):
                epoch_started = time.perf_counter()
                passed = train_epoch(
                    model, images, labels, optimizer, scaler, config, epoch, precision, bar, stop
                )
                seconds = time.perf_counter() - epoch_started
                score = passed and evaluate_finite(
                    model, validation, precision, stop, epoch, passed
                )
                if score is None:
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
                epochs.append(record)
                if (
                    best_validation is None
                    or score.mean_per_class_accuracy > best_validation.mean_per_class_accuracy
                ):
                    best_epoch, best_validation = epoch, score
                    best_weights = {
                        name: value.clone() for name, value in model.state_dict().items()
                    }
                # Without refresh: the bar waits for its delay, so short runs print none.
                bar.set_postfix(epoch=epoch, validation=f"{score.accuracy:.3f}", refresh=False)
                if on_epoch is not None:
                    on_epoch(record)
    finally:  # also after an error the model is as good as it ever was
        if best_weights is not None:
            model.load_state_dict(best_weights)
        model.eval()
    return TrainResult(
        epochs=tuple(epochs),
        best_epoch=best_epoch,
        best_validation=best_validation,
        interrupted=len(epochs) < config.epochs,
        train_seconds=time.perf_counter() - started,
        device=device,
        precision=precision,
    )


class Pass(NamedTuple):
    """One pass through the training images: mean loss, accuracy, and the last step's learning rate."""

    loss: float
    accuracy: float
    learning_rate: float


def train_epoch(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    config: TrainConfig,
    epoch: int,
    precision: str,
    bar: tqdm,
    stop: threading.Event,
) -> Pass | None:
    """Train on each of `images` (N, 3, H, W) uint8 with `labels` (N,) once; None if `stop` was set meanwhile.

    Loss and hits stay on the device and are read once, at the end.
    Raises NonFiniteLoss naming epoch, step and learning rate.
    """
    device, layout = images.device, memory_layout(model, images.device)
    # All random numbers of an epoch, by image: neither batch size nor device changes them.
    generator = epoch_generator(config.seed, epoch)
    order = torch.randperm(len(labels), generator=generator).to(device)
    draws = random_draws(len(labels), generator).to(device)
    batches = split_batches(order, config.batch_size)
    first_step, all_steps = (epoch - 1) * len(batches), config.epochs * len(batches)
    losses = torch.zeros(len(batches), device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    rates = [learning_rate_at(first_step + step, all_steps, config) for step in range(len(batches))]
    model.train()
    for step, index in enumerate(batches):
        if stop.is_set():
            return None
        batch, targets = images[index], labels[index]
        if config.augmentation == "crop-and-mirror":
            batch = crop_and_mirror(batch, draws.take(index))
        with autocast(device, precision):
            logits = model(to_float(batch, layout)).float()
            check_scores(logits, len(index), len(CLASSES))
            loss = cross_entropy(logits, targets, label_smoothing=config.label_smoothing)
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses[step] = loss.detach() * len(index)
        correct += (logits.detach().argmax(dim=1) == targets).sum()
        bar.update()
        # On a CPU the value is there at once; on a GPU looking at it would wait, so that is done once an epoch.
        if device.type == "cpu":
            check_finite(losses[step : step + 1], epoch, rates[step:], first_step=step + 1)
    check_finite(losses, epoch, rates)
    return Pass(
        mean_loss(losses.double().sum(), len(labels)), correct.item() / len(labels), rates[-1]
    )


def split_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """The order (N,) cut into batches; a last batch of a single image joins the one before it.

    Batch normalisation cannot train on one image: it has no variance.
    """
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def evaluate_finite(
    model: nn.Module, split: Split, precision: str, stop: threading.Event, epoch: int, passed: Pass
) -> Evaluation | None:
    """`evaluate` after an epoch; a loss that is not finite names the epoch and its last learning rate."""
    try:
        return evaluate(model, split, precision=precision, progress=False, stop=stop)
    except ValueError as error:
        raise NonFiniteLoss(
            f"the validation loss is not finite after epoch {epoch}'s last step, with learning rate "
            f"{passed.learning_rate:.2g}. Try a tenth of the learning rate."
        ) from error


@torch.no_grad()
def evaluate(
    model: nn.Module,
    split: Split,
    *,
    batch_size: int = 500,
    precision: str = "float32",
    progress: bool = True,
    stop: threading.Event | None = None,
) -> Evaluation | None:
    """The model's score on all images of `split`, on the device where the model is; None if `stop` was set meanwhile.

    The model is in evaluation mode during and after. Neither `batch_size` nor the order changes the result.
    """
    check_kind("split", split, Split, "Pass data.train, data.validation or data.test.")
    check_whole("batch_size", batch_size, low=1, hint="Try 500.")
    started = time.perf_counter()
    device = model_device(model)
    layout = memory_layout(model, device)
    model.eval()
    images, labels = split.images.to(device), split.labels.to(device)
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    confusion = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.int64, device=device)
    correct = torch.empty(len(labels), dtype=torch.bool, device=device)
    bar = tqdm(total=len(labels), unit="image", delay=1, disable=not progress)
    with bar:
        for start in range(0, len(labels), batch_size):
            if stop is not None and stop.is_set():
                return None
            part = slice(start, start + batch_size)
            with autocast(device, precision):
                logits = model(to_float(images[part], layout)).float()
            check_scores(logits, len(labels[part]), len(CLASSES))
            predictions = logits.argmax(dim=1)
            loss_sum += cross_entropy(logits, labels[part], reduction="sum")
            add_to_confusion(confusion, labels[part], predictions)
            correct[part] = predictions == labels[part]
            bar.update(len(predictions))
    loss = mean_loss(loss_sum, len(labels))
    return Evaluation(loss, confusion.cpu(), correct.cpu(), time.perf_counter() - started)


@torch.no_grad()
def predict(model: nn.Module, images: Tensor, *, batch_size: int = 500) -> Tensor:
    """Class scores (N, 10), float32 on the CPU, for uint8 or float images (N, 3, H, W); the model ends in eval mode.

    Computed in float32; `evaluate` with a record's precision repeats what the record counted.
    """
    check_pixels(images)
    check_whole("batch_size", batch_size, low=1, hint="Try 500.")
    device = model_device(model)
    layout = memory_layout(model, device)
    model.eval()
    return torch.cat(
        [model(to_float(part.to(device), layout)).cpu() for part in images.split(batch_size)]
    )


def learning_rate_at(step: int, steps: int, config: TrainConfig) -> float:
    """The learning rate of `step` (from 0) out of `steps`.

    "one-cycle" rises linearly from a 25th of the peak to the peak over the first quarter of the steps, then falls
    linearly towards zero. Source: Smith and Topin 2018, section 3, with two straight lines.
    """
    if config.schedule == "constant":
        return config.learning_rate
    warm_up = max(1, steps // 4)
    if step < warm_up:
        return config.learning_rate * (1 / 25 + (1 - 1 / 25) * step / warm_up)
    return config.learning_rate * (steps - step) / (steps - warm_up)


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam or AdamW over the weights that are to be trained, with one fused kernel a step.

    adam decays every weight, as the report did; adamw only matrices and filters, not biases, norms or positions.
    """
    trained = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    if not trained:
        raise ValueError(
            "the model has no parameter to train: unfreeze a layer, or evaluate it as it is."
        )
    if config.optimizer == "adam":
        parameters = [each for _, each in trained]
        return torch.optim.Adam(
            parameters, config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
    decayed = [each for name, each in trained if name.endswith("weight") and each.ndim >= 2]
    others = [each for name, each in trained if not (name.endswith("weight") and each.ndim >= 2)]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, config.learning_rate, fused=True)


def check_sizes(
    data: ImageData, config: TrainConfig, *, splits: tuple[str, ...] = ("train", "validation")
) -> None:
    """Raise ValueError if the config asks for more images than there are in one of `splits`."""
    check_kind("data", data, ImageData, "Get them with load_data().")
    check_kind("config", config, TrainConfig, "Make one with TrainConfig(epochs=3).")
    for split_name in splits:
        name = "train_size" if split_name == "train" else "evaluation_size"
        split, size = getattr(data, split_name), getattr(config, name)
        if size > len(split):
            raise ValueError(
                f"{name} is {size:,}, but {data.title} has only {len(split):,} such images here. "
                f"Set {name}={len(split)} or load more data."
            )


def check_finite(losses: Tensor, epoch: int, rates: list[float], *, first_step: int = 1) -> None:
    """Raise NonFiniteLoss naming epoch, step and learning rate of the first loss that is not finite."""
    finite = torch.isfinite(losses).tolist()
    if not all(finite):
        at = finite.index(False)
        raise NonFiniteLoss(
            f"the loss is {losses[at].item()} at epoch {epoch}, step {first_step + at}, with learning rate "
            f"{rates[at]:.2g}. Try a tenth of the learning rate, and check the inputs for nan."
        )


@contextmanager
def own_random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, torch's global random numbers (dropout uses them) start from `seed`; outside, nothing has changed."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield


@contextmanager
def end_at_step_border(stop: threading.Event | None) -> Iterator[threading.Event]:
    """Inside, the first Ctrl-C (or a notebook's stop button) sets the event given out instead of raising at once."""
    stop = stop or threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may say what a signal does
        return

    def ask_to_stop(signal_number, frame) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield stop
    finally:
        # None: the handler before was not set by Python and cannot be set again.
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
