"""Guesses that a learner commits before an experiment, what came out, and how far the guesses can be trusted.

A guess is a range that should hold the number in 80 of 100 cases, or one of several choices and how sure one is of it.
All are kept in one file of the learner's runs; deleting it starts anew.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from scipy.stats import binomtest

from dlvc.arguments import brief, check_choice
from dlvc.files import LARGEST_NUMBER, explained_write, load_json, runs_folder, save_json

SURE = 0.8  # how often a range should hold the number
MOST_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A question before an experiment, the learner's guess, and the outcome; both are None until they are known.

    guess: (low, high) for a number, one of `choices` if there are any. confidence: from 0 to 1, of a choice.
    committed: when the guess was made, as the record of a run writes its times (ISO 8601, UTC).
    Raises ValueError for a guess, a confidence or an outcome that cannot be.
    """

    notebook: str
    name: str
    question: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    guess: tuple[float, float] | str | None = None
    confidence: float = SURE
    measured: float | str | None = None
    committed: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        for name in ("notebook", "name", "question", "unit", "committed"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(
                    f"{name} must be text; got {brief(getattr(self, name))}. Use quotes."
                )
        if not _is_number(self.confidence) or not 0 <= self.confidence <= 1:
            raise ValueError(
                f"confidence must be a number from 0 to 1; got {brief(self.confidence)}. Try 0.8."
            )
        if self.choices:
            for name in ("guess", "measured"):
                if getattr(self, name) is not None:
                    check_choice(name, getattr(self, name), self.choices)
            return
        if self.measured is not None:
            if not _is_number(self.measured):
                raise ValueError(
                    f"measured must be a finite number; got {brief(self.measured)}. Use float(...)."
                )
            object.__setattr__(self, "measured", float(self.measured))
        if self.guess is not None:
            object.__setattr__(self, "guess", _checked_range(self.guess))

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.notebook}/{self.name}"

    @property
    def resolved(self) -> bool:
        """Whether there is a guess, and its outcome is known."""
        return self.guess is not None and self.measured is not None

    @property
    def right(self) -> bool:
        """Whether the guess holds the outcome; only of one that is resolved."""
        if self.choices:
            return self.guess == self.measured
        low, high = self.guess
        return low <= self.measured <= high

    def resolve(self, measured: float | str) -> Prediction:
        """The same with its outcome, which is kept if there is a guess. The first outcome stays."""
        done = dataclasses.replace(self, measured=measured if self.choices else float(measured))
        if self.guess is None or self.measured is not None:
            return self
        save_prediction(done)
        return done


def _is_number(value: Any) -> bool:
    # NaN fails the comparison, and so does a whole number that no float can hold.
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and abs(value) < LARGEST_NUMBER


def _checked_range(guess: Any) -> tuple[float, float]:
    """The two ends of a range. Raises ValueError unless they are numbers in order."""
    pair = isinstance(guess, (tuple, list)) and len(guess) == 2 and all(map(_is_number, guess))
    if not pair or guess[0] > guess[1]:
        came = " to ".join(map(brief, guess)) if isinstance(guess, (tuple, list)) else brief(guess)
        raise ValueError(
            f"a guess must be two numbers, the lower one first; got {came}. Try 10 to 20."
        )
    return float(guess[0]), float(guess[1])


@dataclass(frozen=True)
class PredictionFile:
    """The content of the file."""

    predictions: list[Prediction]
    format_version: int = 1


@dataclass(frozen=True)
class Stored:
    """What the file of predictions holds; `note` is a sentence about what in it could not be used, or empty."""

    predictions: dict[str, Prediction]
    note: str = ""


def predictions_path() -> Path:
    """The file of the learner's predictions, in a folder of its own: it is not taken for the record of a run."""
    return runs_folder() / "predictions" / "predictions.json"


def load_predictions(path: Path | None = None) -> Stored:
    """All predictions by their keys. Nothing in a damaged file is believed: its `note` says what is wrong."""
    path = path or predictions_path()
    if not path.exists():
        return Stored({})
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        content = load_json(path, PredictionFile, "file of predictions", "Delete it.")
    except (OSError, ValueError):
        return Stored(
            {},
            f"{path.name} in {path.parent.name}/ is damaged or of another version and is left out: "
            "it holds no predictions as saved here.",
        )
    return Stored({prediction.key: prediction for prediction in content.predictions})


def save_prediction(prediction: Prediction, path: Path | None = None) -> None:
    """Keep `prediction` in place of an earlier one of its key. Raises CannotWriteError.

    A file that could not be read is set aside, not lost.
    """
    path = path or predictions_path()
    with explained_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):  # two notebooks may be open
        there = load_predictions(path)
        if there.note:
            os.replace(path, path.with_suffix(".unreadable.json"))
        predictions = {**there.predictions, prediction.key: prediction}
        save_json(PredictionFile(list(predictions.values())), path)


@dataclass(frozen=True)
class GuessCalibration:
    """How many guesses of one kind were right, beside how many should be.

    stated: the mean confidence. interval: Wilson's, 95 %, for the share that is right. brier: mean squared distance of
    confidence and outcome; 0 is best, and whoever always says 50 % gets 0.25.
    """

    count: int
    right: int
    stated: float
    interval: tuple[float, float]
    brier: float

    @property
    def verdict(self) -> str:
        """What the interval allows to say, in a few words."""
        low, high = self.interval
        if high < self.stated:
            return "too sure"
        return "too cautious" if low > self.stated else "not told apart from well calibrated"


def guess_calibration(
    predictions: Iterable[Prediction], *, choices: bool
) -> GuessCalibration | None:
    """The calibration of the resolved ranges, or of the resolved choices; None if there is none.

    Source: the score is Brier 1950; the interval Wilson 1927, as scipy computes it.
    """
    resolved = [guess for guess in predictions if guess.resolved and bool(guess.choices) == choices]
    if not resolved:
        return None
    right = np.array([guess.right for guess in resolved], dtype=float)
    sure = np.array([guess.confidence if choices else SURE for guess in resolved])
    hits = int(right.sum())
    share = binomtest(hits, len(resolved)).proportion_ci(method="wilson")
    return GuessCalibration(
        count=len(resolved),
        right=hits,
        stated=float(sure.mean()),
        interval=(float(share.low), float(share.high)),
        brier=float(np.square(sure - right).mean()),
    )
