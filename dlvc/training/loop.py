"""The training loop: epochs, batches, and the step. Everything else happens around it, in `session.py`.

Knows no particular model: a model is anything that turns float images (B, 3, H, W) in [0, 1] into class scores (B, 10).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.config import TrainConfig
from dlvc.data import ImageData, split_batches
from dlvc.training.checkpoint import CheckpointFolder
from dlvc.training.processes import ALONE, OneProcess
from dlvc.training.result import EpochRecord, TrainResult
from dlvc.training.session import Session


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
    """How the training of `model` went; the model itself ends in evaluation mode with the weights of its best epoch.

    The best epoch is the first with the highest validation mean per-class accuracy. The test split is never touched.
    `on_epoch` is called after each epoch, `on_step` after each step with three numbers: the epoch, its steps that are
    done, all its steps; it waits for no GPU, so there it runs a little ahead. Setting `stop`, Ctrl-C, or a notebook's
    stop button end the training at the next step border: the unfinished epoch is dropped, the model stays usable. A
    second Ctrl-C ends it at once. Order, augmentation and dropout depend on the config alone.

    `checkpoints` is a folder for this training alone. A checkpoint is written there after each epoch, every
    `checkpoint_seconds` within one, and at a stop; the same call again goes on from it, to the same bits on a CPU, and
    calls `on_epoch` for the epochs that are finished already. Where memory is short, a batch is computed in parts, and
    that is said. Several `processes` share each batch: all must call this alike (`processes.py` says more).
    Raises ValueError for wrong data or a checkpoint of another training, NonFiniteLoss if the loss is not finite,
    AlreadyRunningError if another uses the folder.
    """
    session = Session(
        model,
        data,
        config,
        on_epoch=on_epoch,
        on_step=on_step,
        progress=progress,
        stop=stop,
        checkpoints=checkpoints,
        checkpoint_seconds=checkpoint_seconds,
        processes=processes,
    )
    with session.opened():
        for _ in session.epochs():
            for images, labels in session.batches():
                session.within_memory(train_step, images, labels)
            session.end_epoch()
    return session.result()


def train_step(session: Session, images: Tensor, labels: Tensor, at_once: int) -> None:
    """One step of the optimizer on `images` (B, 3, H, W) uint8, of which at most `at_once` are computed together."""
    session.optimizer.zero_grad(set_to_none=True)
    parts = split_batches(images, at_once), split_batches(labels, at_once)
    for part, targets in zip(*parts, strict=True):  # one part, unless memory is short
        with session.autocast():
            logits = session.forward(part)
            loss = cross_entropy(logits, targets, label_smoothing=session.config.label_smoothing)
        session.scaler.scale(session.weigh(loss, targets)).backward()
        session.count(loss, logits, targets)
    session.scaler.step(session.optimizer)
    session.scaler.update()
