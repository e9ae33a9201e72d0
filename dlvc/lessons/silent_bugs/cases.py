"""The cases of notebook 06: which letter is which fault, their traces, and what finds them."""

from __future__ import annotations

import pandas as pd

from dlvc.arguments import check_choice
from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.inspection import PreflightReport, preflight
from dlvc.lessons.silent_bugs.clues import clues
from dlvc.lessons.silent_bugs.correct import PlainTraining, PretrainedTraining
from dlvc.lessons.silent_bugs.faults import FAULTS
from dlvc.lessons.silent_bugs.minimal_tests import make_code
from dlvc.lessons.silent_bugs.traces import Trace, load_trace

CASES = {
    "A": "shuffled labels",
    "B": "last batch's loss",
    "C": "unscaled pixels",
    "D": "eval() forgotten",
    "E": "mean over epochs",
    "F": "softmax twice",
    "G": "first file only",
    "H": "attention over the batch",
    "I": "best score never updated",
    "J": "no weights loaded",
    "K": "augmented validation",
    "L": "decaying learning rate",
    "M": "four patches",
    "N": "chosen on the test set",
}
IMAGES = 300  # of each split, for a pre-flight check of a fault


def load_case(letter: str) -> tuple[Trace, Trace]:
    """The stored trace of a case, and that of correct code with the same model.

    Raises ValueError for a letter that is no case.
    """
    check_choice("letter", letter, tuple(CASES))
    fault = FAULTS[CASES[letter]]
    return load_trace(fault.__name__), load_trace(fault.__base__.__name__)


def preflight_of(code: PlainTraining) -> PreflightReport:
    """The pre-flight check of a training before its `run()`, with the claims of its text."""
    return preflight(
        code.model,
        code.data,
        prepare=code.prepare,
        loss=code.loss,
        scores=code.scores,
        train_size=code.config.train_size,
        pretrained=isinstance(code, PretrainedTraining),
    )


def who_caught_it(data: ImageData) -> pd.DataFrame:
    """One row for each case: the checks that raised an alarm before training, and the clues in its stored trace."""
    size = min(IMAGES, len(data.validation), len(data.test))
    config = TrainConfig(train_size=IMAGES, evaluation_size=size, device="cpu")
    rows = []
    for letter, fault in CASES.items():
        alarms = preflight_of(make_code(FAULTS[fault], data, config)).alarms
        rows.append(
            {
                "case": letter,
                "fault": fault,
                "alarms before training": "; ".join(alarms) or "none",
                "in the trace": "; ".join(clues(load_case(letter)[0])),
            }
        )
    return pd.DataFrame(rows)
