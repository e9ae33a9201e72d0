"""A model's score on images it was not trained on, and its scores for single images."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from dlvc.arguments import check_kind, check_whole
from dlvc.data import CLASSES, Split, check_labels, check_pixels, to_float
from dlvc.metrics import Counted, add_to_confusion, check_scores, mean_loss
from dlvc.training.device import autocast, input_layout, model_device, without_denormals
from dlvc.training.memory import in_smaller_parts
from dlvc.training.processes import ALONE, OneProcess


@dataclass(frozen=True)
class Evaluation(Counted):
    """A model's score on one split; `confusion` is int64 (10, 10), `correct` bool (N,), both on the CPU."""

    loss: float
    confusion: Tensor
    correct: Tensor
    seconds: float


def evaluate(
    model: nn.Module,
    split: Split,
    *,
    batch_size: int = 500,
    precision: str = "float32",
    progress: bool = True,
    stop: threading.Event | None = None,
    processes: OneProcess = ALONE,
) -> Evaluation | None:
    """The model's score on all images of `split`, on the device where the model is; None if `stop` was set meanwhile.

    The model is in evaluation mode during and after. Neither `batch_size` nor the order changes the result, so where
    memory is short the batches are halved without a word. Several `processes` share the images and all get the score.
    Raises ValueError for an empty split, wrong labels, a model without ten scores an image, a loss that is not finite.
    """
    check_kind("split", split, Split, "Pass data.train, data.validation or data.test.")
    check_whole("batch_size", batch_size, low=1, hint="Try 500.")
    check_not_empty(len(split), "evaluate")
    check_labels(split.labels)
    return in_smaller_parts(
        lambda size: evaluate_in_batches(model, split, size, precision, progress, stop, processes),
        min(batch_size, len(split)),
        lambda size: None,
    )


@torch.no_grad()
@without_denormals()
def evaluate_in_batches(
    model: nn.Module,
    split: Split,
    batch_size: int,
    precision: str,
    progress: bool,
    stop: threading.Event | None,
    processes: OneProcess,
) -> Evaluation | None:
    """`evaluate`, with batches of a size that memory must suffice for."""
    started = time.perf_counter()
    device = model_device(model)
    layout = input_layout(model, device)
    model.eval()
    images, labels = split.images.to(device), split.labels.to(device)
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    confusion = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.int64, device=device)
    correct = torch.zeros(len(labels), dtype=torch.bool, device=device)
    own, stopped = processes.images(len(labels)), False
    show = progress and processes.rank == 0
    with tqdm(total=len(own), unit="image", delay=1, disable=not show) as bar:
        for start in own[::batch_size]:
            stopped = stop is not None and stop.is_set()
            if stopped:
                break
            part = slice(start, min(start + batch_size, own.stop))
            with autocast(device, precision):
                logits = model(to_float(images[part], layout)).float()
            check_scores(logits, len(labels[part]))
            predictions = logits.argmax(dim=1)
            loss_sum += cross_entropy(logits, labels[part], reduction="sum")
            add_to_confusion(confusion, labels[part], predictions)
            correct[part] = predictions == labels[part]
            bar.update(len(predictions))
    if processes.agree(stopped):
        return None
    processes.add_up(loss_sum, confusion, correct.view(torch.uint8))
    loss = mean_loss(loss_sum, len(labels))
    return Evaluation(loss, confusion.cpu(), correct.cpu(), time.perf_counter() - started)


@torch.no_grad()
@without_denormals()
def predict(model: nn.Module, images: Tensor, *, batch_size: int = 500) -> Tensor:
    """Class scores (N, 10), float32 on the CPU, for uint8 or float images (N, 3, H, W); the model ends in eval mode.

    Computed in float32; `evaluate` with a record's precision repeats what the record counted.
    Raises ValueError for images of another shape or type, for floats outside [0, 1], and for none at all.
    """
    check_pixels(images)
    check_whole("batch_size", batch_size, low=1, hint="Try 500.")
    check_not_empty(len(images), "predict")
    device = model_device(model)
    layout = input_layout(model, device)
    model.eval()
    return in_smaller_parts(
        lambda size: torch.cat(
            [model(to_float(part.to(device), layout)).cpu() for part in images.split(size)]
        ),
        min(batch_size, len(images)),
        lambda size: None,
    )


def check_not_empty(count: int, name: str) -> None:
    """Raise ValueError if there is no image."""
    if count == 0:
        raise ValueError(f"{name} needs at least one image; got none. Load more data.")
