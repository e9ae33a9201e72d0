"""What one training run shows of itself, in a file: its log, its row of the table, and the answers to all questions.

A trace holds numbers as the code reported them, right or wrong. Read `correct` next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dlvc.experiments import REFERENCE_RECORDS
from dlvc.files import load_named_json

FOLDER = REFERENCE_RECORDS / "silent_bugs"
CURVES = ("train_accuracy", "validation_loss", "validation_accuracy", "seconds")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The log of one training run: one entry an epoch, losses in nats, accuracies as shares.

    faults: the names of what is wrong with the code, none for correct code.
    table_validation, table_test: the accuracies in the result table. answers: the answer to each question.
    Raises ValueError for what cannot be a log: no epoch, or a column with more or fewer.
    """

    model: str
    data: str
    seed: int
    faults: list[str]
    train_loss: list[float]
    train_accuracy: list[float]
    validation_loss: list[float]
    validation_accuracy: list[float]
    seconds: list[float]
    table_validation: float
    table_test: float
    answers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.epochs:
            raise ValueError("train_loss must have at least one epoch.")
        for name in CURVES:
            if len(getattr(self, name)) != self.epochs:
                raise ValueError(f"{name} must be a list of {self.epochs} numbers, one an epoch.")

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.train_loss)


def load_trace(name: str, folder: Path = FOLDER) -> Trace:
    """The stored trace called `name`: the class of its code and its seed, as in "PlainTraining-seed1".

    Raises FileNotFoundError naming what there is, ValueError for a file that is no trace.
    """
    return load_named_json(name, folder, Trace, "trace", "Record it again.")


def describe_trace(trace: Trace) -> str:
    """The log and the row of the table, as Markdown: what a programmer sees after a training run."""
    columns = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds")
    titles = ("epoch", "train. loss", "train. ACC", "val. loss", "val. ACC", "seconds")
    lines = [f"| {' | '.join(titles)} |", f"|{'---:|' * len(titles)}"]
    for epoch, values in enumerate(zip(*(getattr(trace, name) for name in columns), strict=True)):
        *numbers, seconds = values
        shown = [f"{number:.4f}" for number in numbers]
        lines.append(f"| {' | '.join([str(epoch + 1), *shown, f'{seconds:.1f}'])} |")
    row = f"val. ACC **{trace.table_validation:.4f}**, test ACC **{trace.table_test:.4f}**"
    return "\n".join([*lines, "", f"Row of the table: {row}."])
