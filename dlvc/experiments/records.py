"""What a run leaves behind, as one JSON file.

A record says everything needed to believe a number or to get it again: settings, seed, data digest, versions, device,
code version, every epoch, the test confusion counts, and for each test image whether it was classified correctly.
Knows no model and no data. Read `grouping.py` next for which runs are the same, `tables.py` for tables of records.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlvc.arguments import check_kind
from dlvc.experiments.machine import MachineUse
from dlvc.experiments.record_content import check_content
from dlvc.files import PROJECT, read_json, save_json
from dlvc.metrics import Counted
from dlvc.training import EpochRecord, Evaluation

REFERENCE_RECORDS = PROJECT / "figures" / "records"  # committed reference runs

# 2: run_digest and micro_batch; 3: dropout and image_size among the options of the model; 4: machine
FORMAT_VERSION = 4


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord(Counted):
    """A model's score on one split. `confusion[i][j]` counts images of class i that were called class j."""

    loss: float
    confusion: list[list[int]]
    correct: str  # one bit an image in the split's order, packed, base64
    seconds: float

    @classmethod
    def of(cls, evaluation: Evaluation) -> EvaluationRecord:
        """An evaluation in the form that is written to a record."""
        return cls(
            loss=evaluation.loss,
            confusion=evaluation.confusion.tolist(),
            correct=pack_bits(evaluation.correct.numpy()),
            seconds=evaluation.seconds,
        )

    def correct_images(self) -> np.ndarray:
        """For each image (N,) whether it was classified correctly, bool, in the split's order."""
        return unpack_bits(self.correct, int(np.sum(self.confusion)))


def pack_bits(correct: np.ndarray) -> str:
    """A bool array (N,) as base64 text, eight images a byte."""
    return base64.b64encode(np.packbits(correct)).decode()


def unpack_bits(packed: str, count: int) -> np.ndarray:
    """The bool array (count,) that `pack_bits` made the text of."""
    numbers = np.frombuffer(base64.b64decode(packed), dtype=np.uint8)
    return np.unpackbits(numbers, count=count).astype(bool)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One training run of one experiment."""

    key: str
    title: str
    protocol: str  # report or tuned
    profile: str  # smoke, class or full
    seed: int
    config: dict[str, Any]
    model: dict[str, Any]  # parameters, multiply_adds (an image), options, weights
    data: dict[str, Any]  # title, source, verified, digest, sizes
    device: dict[str, Any]  # type, name, threads
    precision: str
    versions: dict[str, str]
    git_commit: str
    started: str  # UTC, ISO 8601
    epochs: tuple[EpochRecord, ...]
    best_epoch: int  # by validation mean per-class accuracy; 0 = no epoch was finished
    interrupted: bool
    train_seconds: float  # all epochs with their validation
    validation: EvaluationRecord | None
    test: EvaluationRecord | None  # None after an interruption
    weights_file: str = ""  # beside the record
    weights_sha256: str = ""
    run_digest: str = (
        ""  # of all that determines the result; "" in format 1 and in runs that were not kept
    )
    micro_batch: int = 0  # images computed at once in the end; 0 in format 1
    machine: MachineUse | None = None  # while it ran; None before format 4
    format_version: int = FORMAT_VERSION

    @property
    def best(self) -> EpochRecord:
        """The epoch whose weights were kept."""
        if not self.best_epoch:
            raise ValueError(
                f"the run of {self.key} was stopped before its first epoch ended: it has no best epoch."
            )
        return self.epochs[self.best_epoch - 1]

    @property
    def is_undisturbed(self) -> bool:
        """Whether the machine is known to have been the run's own, so that its times can be compared."""
        seconds = self.train_seconds + (self.test.seconds if self.test else 0)
        return self.machine is not None and self.machine.is_undisturbed(seconds)


def record_from_json(text: str | bytes, *, origin: str = "record") -> RunRecord:
    """The record written in `text`. `origin` names it in errors.

    Raises ValueError if it is no record, or one of a newer format.
    """
    remedy = "Delete it or train again."
    record = read_json(text, RunRecord, origin, "run record of dlvc", remedy, check_content)
    _move_model_options(record)
    return replace(record, format_version=FORMAT_VERSION)


def _move_model_options(record: RunRecord) -> None:
    """Put two options of the model in their place; before format 3 they stood among the settings of every training."""
    for name, takes_it in (
        ("dropout", record.key != "majority"),
        ("image_size", record.key.startswith("resnet18")),
    ):
        if name in record.config:
            value = record.config.pop(name)
            if takes_it:
                record.model["options"].setdefault(name, value)


def load_record(path: Path | str) -> RunRecord:
    """The record in the file `path`. Raises ValueError if it is no record, FileNotFoundError if it is not there."""
    check_kind("path", path, (str, Path), "Give the path of a record.")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no record at {path}. Give a file runs/*.json, which each training leaves."
        )
    return record_from_json(path.read_bytes(), origin=path.name)


def load_records(folder: Path | str = REFERENCE_RECORDS) -> list[RunRecord]:
    """All records in `folder`, sorted by file name; an empty list if there is no such folder."""
    check_kind("folder", folder, (str, Path), "Give the path of a folder.")
    return [load_record(path) for path in sorted(Path(folder).glob("*.json"))]


def save_record(record: RunRecord, path: Path) -> Path:
    """`path`, after writing the record there whole or not at all. Raises CannotWriteError."""
    return save_json(record, path)


def check_records(records: Iterable[Any]) -> None:
    """Raise ValueError unless all of `records` are run records."""
    for record in records:
        check_kind("a record", record, RunRecord, "Load some with load_records().")
