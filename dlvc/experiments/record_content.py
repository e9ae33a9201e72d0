"""What the types of a run record cannot say: the check of a file that may come from anywhere.

`records.py` says what the fields mean.
"""

from __future__ import annotations

import base64
from typing import Any

from dlvc.arguments import brief

# What tables and figures read from the parts that are plain dictionaries.
PARTS = {
    "config": {"train_size": int, "epochs": int},
    "model": {"parameters": int, "multiply_adds": int, "options": dict, "weights": str},
    "data": {"title": str, "digest": str},
    "device": {"type": str, "name": str},
}


def check_content(record: Any) -> None:
    """Raise ValueError for a field that would fail later, in a table or a figure, and there without a name."""
    for part, fields in PARTS.items():
        for name, kind in fields.items():
            value = getattr(record, part).get(name)
            if type(value) is not kind:
                raise ValueError(
                    f"{part}.{name} must be of type {kind.__name__}, not {brief(value)}"
                )
    if not 0 <= record.best_epoch <= len(record.epochs):
        raise ValueError(f"best_epoch is {record.best_epoch} of {len(record.epochs)}")
    for split in ("validation", "test"):
        if (score := getattr(record, split)) is not None:
            _check_score(split, score)


def _check_score(split: str, score: Any) -> None:
    size = len(score.confusion)
    counts = [count for row in score.confusion for count in row]
    square = all(len(row) == size for row in score.confusion)
    if not square or not all(0 <= count < 2**40 for count in counts):
        raise ValueError(f"{split}: confusion must be a square of counts")
    if not sum(counts):
        raise ValueError(f"{split}: confusion counts no image")
    try:
        packed = base64.b64decode(score.correct, validate=True)
    except ValueError as error:
        raise ValueError(f"{split}: correct is no base64 ({error})") from error
    if len(packed) != -(-sum(counts) // 8):
        raise ValueError(f"{split}: correct has {len(packed)} bytes for {sum(counts)} images")
