"""What the command line prints of trainings: a line an epoch, two a run. Imports no torch, which is slow to load."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlvc.records import EpochRecord, RunRecord


def print_epoch(epoch: EpochRecord) -> None:
    """Print one epoch as one line, above the progress bar."""
    from tqdm import tqdm

    tqdm.write(
        f"epoch {epoch.epoch:3}: training loss {epoch.train_loss:.3f}, accuracy {epoch.train_accuracy:.3f}; "
        f"validation loss {epoch.validation_loss:.3f}, accuracy {epoch.validation_accuracy:.3f}; {epoch.seconds:.1f} s"
    )


def summarise(record: RunRecord, path: Path | None) -> str:
    """What a run gave, in two lines."""
    where = f"record: {path.parent.name}/{path.name}" if path else "record: not saved"
    if record.test is None:
        epochs = len(record.epochs)
        finished = "no epoch" if not epochs else "1 epoch" if epochs == 1 else f"{epochs} epochs"
        return f"stopped with {finished} finished and no test; the same command goes on from there\n{where}"
    return (
        f"best epoch {record.best_epoch}: test accuracy {record.test.accuracy:.4f}, mean per-class accuracy "
        f"{record.test.mean_per_class_accuracy:.4f} on {sum(map(sum, record.test.confusion)):,} images; "
        f"trained in {record.train_seconds:.0f} s on {record.device['name']}\n{where}"
    )


def say_failed(key: str, seed: int, error: Exception) -> None:
    """Print in one line why a run of a list has failed; the others go on."""
    if os.environ.get("DLVC_DEBUG"):
        raise error
    print(f"dlvc: {key} with seed {seed} failed: {error}", file=sys.stderr, flush=True)
