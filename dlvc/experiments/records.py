"""What a run leaves behind, as one JSON file, and tables made from such files.

A record says everything needed to believe a number or to get it again: settings, seed, data digest, versions, device,
code version, every epoch, the test confusion counts, and for each test image whether it was classified correctly.
Knows no model and no data. Read `plots.py` next for pictures of records.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dlvc import stored
from dlvc.checks import brief, check_kind
from dlvc.experiments.record_content import check_content
from dlvc.files import PROJECT
from dlvc.metrics import accuracy, mean_per_class_accuracy
from dlvc.training import EpochRecord

# A learner's own runs, ignored by git.
RUNS = Path(os.environ.get("DLVC_RUNS_DIR") or PROJECT / "runs")
REFERENCE_RECORDS = PROJECT / "figures" / "records"  # committed reference runs

FORMAT_VERSION = 2  # 2: run_digest and micro_batch


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord:
    """A model's score on one split. `confusion[i][j]` counts images of class i that were called class j."""

    loss: float
    confusion: list[list[int]]
    correct: str  # one bit an image in the split's order, packed, base64
    seconds: float

    @property
    def accuracy(self) -> float:
        """The share of images classified correctly."""
        return accuracy(torch.tensor(self.confusion))

    @property
    def mean_per_class_accuracy(self) -> float:
        """The mean over classes of the share of the class's images classified correctly."""
        return mean_per_class_accuracy(torch.tensor(self.confusion))

    def correct_images(self) -> np.ndarray:
        """For each image (N,) whether it was classified correctly, bool, in the split's order."""
        packed = np.frombuffer(base64.b64decode(self.correct), dtype=np.uint8)
        return np.unpackbits(packed, count=int(np.sum(self.confusion))).astype(bool)


def pack_bits(correct: np.ndarray) -> str:
    """A bool array (N,) as base64 text, eight images a byte. `EvaluationRecord.correct_images` reads it back."""
    return base64.b64encode(np.packbits(correct)).decode()


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
    format_version: int = FORMAT_VERSION

    @property
    def best(self) -> EpochRecord:
        """The epoch whose weights were kept."""
        if not self.best_epoch:
            raise ValueError(
                f"the run of {self.key} was stopped before its first epoch ended: it has no best epoch."
            )
        return self.epochs[self.best_epoch - 1]


def record_from_json(text: str | bytes, *, origin: str = "record") -> RunRecord:
    """The record written in `text`. `origin` names it in errors.

    Raises ValueError if it is no record, or one of a newer format.
    """
    remedy = "Delete it or train again."
    return stored.read(text, RunRecord, origin, "run record of dlvc", remedy, check_content)


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
    return stored.save(record, path)


# The columns of the report's Table 1, each with how to read it from a record.
TABLE_COLUMNS = {
    "val. ACC": lambda record: record.best.validation_accuracy,
    "val. PACC": lambda record: record.best.validation_mean_per_class_accuracy,
    "test ACC": lambda record: record.test.accuracy,
    "test PACC": lambda record: record.test.mean_per_class_accuracy,
    "test loss": lambda record: record.test.loss,
    "train time (s)": lambda record: record.train_seconds,
    "test time (s)": lambda record: record.test.seconds,
}


def results_table(records: Iterable[RunRecord]) -> pd.DataFrame:
    """One row for each experiment as it was run, in order of first appearance: mean and spread over seeds, as text.

    Columns are the report's Table 1 with the test loss, the number of runs and of parameters, and how many images were
    trained on for how many epochs. `0.687 ± 0.004` is mean and sample standard deviation; a single run has no spread.
    Runs that differ in more than the seed get rows of their own; of two runs with one seed the newer counts. Unfinished
    runs are left out.
    """
    records = list(records)
    check_records(records)
    finished = [record for record in records if record.test is not None and record.best_epoch]
    several_data = len({record.data["title"] for record in finished}) > 1
    rows = []
    for runs in group_by_experiment(finished):
        first = runs[0]
        row = {"Model": first.title, "protocol": first.protocol}
        if several_data:
            row["data"] = first.data["title"]
        row["images x epochs"] = f"{first.config['train_size']:,} x {first.config['epochs']}"
        row |= {"runs": len(runs), "parameters": f"{first.model['parameters']:,}"}
        for name, read in TABLE_COLUMNS.items():
            digits = 1 if name.endswith("(s)") else 3
            row[name] = mean_and_spread([read(run) for run in runs], digits=digits)
        rows.append(row)
    columns = ["Model", "protocol", "images x epochs", "runs", "parameters", *TABLE_COLUMNS]
    return pd.DataFrame(rows, columns=list(rows[0]) if rows else columns)


def group_by_experiment(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """The records in groups that differ in nothing but the seed; of two runs with one seed the newer."""
    groups: dict[str, dict[int, RunRecord]] = {}
    for record in records:
        seeds = groups.setdefault(json.dumps(what_was_run(record), sort_keys=True), {})
        if record.seed not in seeds or seeds[record.seed].started <= record.started:
            seeds[record.seed] = record
    return [[seeds[seed] for seed in sorted(seeds)] for seeds in groups.values()]


def what_was_run(record: RunRecord) -> dict[str, Any]:
    """Everything that decides a run's result but the seed. Where the numbers were rounded is part of it."""
    config = {
        name: value
        for name, value in record.config.items()
        if name not in ("seed", "device", "precision")
    }
    return {
        **config,
        "title": record.title,
        "protocol": record.protocol,
        "profile": record.profile,
        "data": record.data["digest"],
        "weights": record.model["weights"],
        "options": record.model["options"],
        "device": [record.device["type"], record.device["name"]],
        "precision": record.precision,
    }


def check_same_experiment(runs: list[RunRecord]) -> None:
    """Raise ValueError unless `runs` differ in nothing but the seed, so that a spread over them is one over seeds."""
    if not runs:
        raise ValueError("runs must hold at least one record; got none. Train a model.")
    check_records(runs)
    first = what_was_run(runs[0])
    seeds = [run.seed for run in runs]
    if len(set(seeds)) < len(seeds):
        raise ValueError(
            f"two runs of {runs[0].title} have the same seed ({sorted(seeds)}): leave one of them out."
        )
    for run in runs[1:]:
        other = what_was_run(run)
        differing = [name for name in first if first[name] != other.get(name)]
        if differing:
            raise ValueError(
                f"runs of {run.title} differ in {', '.join(differing)} and not only in the seed: "
                "a mean over them would mean nothing. Choose records of one experiment."
            )


def mean_and_spread(values: list[float], *, digits: int = 3) -> str:
    """`mean ± sample standard deviation` as text; the mean alone if there is a single value."""
    if not all(isinstance(value, (int, float)) for value in values) or len(values) == 0:
        raise ValueError(
            f"values must hold at least one number and nothing else; got {brief(values)}. "
            "Take them from records."
        )
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def check_records(records: Iterable[Any]) -> None:
    """Raise ValueError unless all of `records` are run records."""
    for each in records:
        check_kind("a record", each, RunRecord, "Load some with load_records().")


def markdown_text(value: Any) -> str:
    """The value as Markdown that shows it as it is: nothing in it is a tag, a link, a formula or a table's border."""
    text = html.escape(" ".join(str(value).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|$~]|:(?=//))", r"\\\1", text)


def format_table(table: pd.DataFrame, style: str = "markdown") -> str:
    """The table as text in `style`: markdown, latex or csv. Raises ValueError for another one.

    Markdown is shown as HTML, and a title may hold the name of somebody's file: what it holds is shown as text.
    """
    check_kind("table", table, pd.DataFrame, "Make one with results_table(records).")
    styles = {
        "markdown": lambda: (
            table.rename(columns=markdown_text)
            .map(markdown_text)
            .to_markdown(index=False, disable_numparse=True)
        ),
        "latex": lambda: table.to_latex(index=False, escape=True),
        "csv": lambda: table.to_csv(index=False).rstrip("\n"),
    }
    if style not in styles:
        raise ValueError(
            f"the format must be one of {', '.join(styles)}; got {style!r}. Try markdown."
        )
    return styles[style]()
