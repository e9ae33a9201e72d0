"""What one training shows of itself, in a file: its log, its row of the table and a few of its answers.

A trace holds numbers as the training code reported them, right or wrong. Read `correct` next.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlvc.arguments import check_whole
from dlvc.experiments import REFERENCE_RECORDS
from dlvc.files import load_named_json

FOLDER = REFERENCE_RECORDS / "silent_bugs"
CURVES = ("learning_rates", "train_accuracy", "validation_loss", "validation_accuracy")


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The log of one training. Losses in nats, accuracies and probabilities as shares, one entry an epoch.

    case: what was trained, "correct" or a fault. images: how many training images its text claims.
    step_losses: the loss of each step, all epochs one after the other.
    validation_column, test_accuracy: what the result table says. kept_epoch: whose weights were kept.
    test_openings: how often the test images were looked at.
    attention_map: rows and columns of the patches that a ViT attends to, None for a CNN.
    answers: for each of a few validation images the probability given to its class: asked once, asked again, and asked
    together with other images. answered_in_training_mode: whether the model was in that mode then.
    Raises ValueError for what cannot be a log: no epoch, epochs or steps that are missing.
    """

    case: str
    model: str
    data: str
    images: int
    parameters: int
    step_losses: list[float]
    learning_rates: list[float]
    train_loss: list[float]
    train_accuracy: list[float]
    validation_loss: list[float]
    validation_accuracy: list[float]
    validation_column: float
    test_accuracy: float
    kept_epoch: int
    test_openings: int
    answers: list[list[float]]
    answered_in_training_mode: bool
    attention_map: list[int] | None = None

    def __post_init__(self) -> None:
        if not self.epochs:
            raise ValueError("train_loss must have at least one epoch.")
        for name in CURVES:
            if len(getattr(self, name)) != self.epochs:
                raise ValueError(f"{name} must be a list of {self.epochs} numbers, one an epoch.")
        if len(self.step_losses) < self.epochs:
            raise ValueError(f"step_losses must have a step for each of {self.epochs} epochs.")
        if any(len(row) != 3 for row in self.answers):
            raise ValueError("an entry of answers must be a list of 3 numbers.")
        if self.attention_map is not None and len(self.attention_map) != 2:
            raise ValueError("attention_map must be a list of 2 numbers.")
        check_whole("kept_epoch", self.kept_epoch, low=1, high=self.epochs)
        for name in ("images", "parameters", "test_openings"):
            check_whole(name, getattr(self, name), low=0)

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.train_loss)


def load_trace(name: str, folder: Path = FOLDER) -> Trace:
    """The stored trace called `name`.

    Raises FileNotFoundError naming what there is, ValueError for a file that is no trace.
    """
    return load_named_json(name, folder, Trace, "trace", "Record it again.")


def describe_trace(trace: Trace) -> str:
    """What the log of the training says, as lines of text; the name of the case is not among them."""
    numbered = range(1, trace.epochs + 1)
    columns = (
        ("epoch", numbered, "{}"),
        ("learning rate", trace.learning_rates, "{:.6f}"),
        ("train. loss", trace.train_loss, "{:.4f}"),
        ("train. ACC", trace.train_accuracy, "{:.5f}"),
        ("val. loss", trace.validation_loss, "{:.4f}"),
        ("val. ACC", trace.validation_accuracy, "{:.4f}"),
    )
    lines = [
        f"{trace.model}, {trace.parameters:,} parameters, on {trace.data}; the text says: trained on "
        f"{trace.images:,} images",
        "",
        "  ".join(name for name, _, _ in columns),
    ]
    lines += [
        "  ".join(form.format(values[epoch - 1]).rjust(len(name)) for name, values, form in columns)
        for epoch in numbered
    ]
    steps = len(trace.step_losses) // trace.epochs
    firsts, lasts = trace.step_losses[:4], trace.step_losses[steps - 4 : steps]
    lines += [
        "",
        f"losses of the steps of epoch 1: {spelled(firsts)}, ..., {spelled(lasts)}",
        f"table row: val. ACC {trace.validation_column:.4f}, test ACC {trace.test_accuracy:.4f}, "
        f"weights of epoch {trace.kept_epoch}",
        f"test images evaluated: {trace.test_openings} x",
    ]
    if trace.attention_map:
        lines.append("attention map: {} x {} patches".format(*trace.attention_map))
    mode = "training" if trace.answered_in_training_mode else "evaluation"
    lines.append(f"probability of the right class (the model is in {mode} mode):")
    for number, (once, again, others) in enumerate(trace.answers, start=1):
        lines.append(
            f"  image {number}: {once:.4f}, asked again {again:.4f}, among other images {others:.4f}"
        )
    return "\n".join(lines)


def spelled(losses: list[float]) -> str:
    """A few losses with three decimals."""
    return ", ".join(f"{loss:.3f}" for loss in losses)
