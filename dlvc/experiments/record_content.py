"""What belongs in each field of a run record: the check of a file that may come from anywhere.

`records.py` says what the fields mean.
"""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

from dlvc.checks import brief


class ContentError(ValueError):
    """A record whose fields have the right names but not what belongs there."""


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads as JSON numbers."""
    raise ContentError(f"{name} is no result")


KINDS = {"str": str, "int": int, "float": float, "bool": bool}
# What tables and figures read from the parts that are plain dictionaries.
PARTS = {
    "config": {"train_size": int, "epochs": int},
    "model": {"parameters": int, "options": dict, "weights": str},
    "data": {"title": str, "digest": str},
    "device": {"type": str, "name": str},
}


def check_content(record: Any) -> None:
    """Raise ContentError for a field that would fail later, in a table or a figure, and there without a name."""
    _check_types("", record)
    for part, wanted in PARTS.items():
        for name, kind in wanted.items():
            _check_type(f"{part}.{name}", getattr(record, part).get(name), kind)
    for number, epoch in enumerate(record.epochs, start=1):
        _check_types(f"epoch {number}: ", epoch)
    if not 0 <= record.best_epoch <= len(record.epochs):
        raise ContentError(f"best_epoch is {record.best_epoch} of {len(record.epochs)}")
    for split in ("validation", "test"):
        if (score := getattr(record, split)) is not None:
            _check_score(split, score)


def _check_score(split: str, score: Any) -> None:
    _check_types(f"{split}: ", score)
    rows, size = score.confusion, len(score.confusion)
    counts = [count for row in rows for count in (row if type(row) is list else [None])]
    square = len(counts) == size**2 and all(type(row) is list and len(row) == size for row in rows)
    if not square or not all(type(count) is int and 0 <= count < 2**40 for count in counts):
        raise ContentError(f"{split}: confusion must be a square of counts")
    if not sum(counts):
        raise ContentError(f"{split}: confusion counts no image")
    try:
        packed = base64.b64decode(score.correct, validate=True)
    except ValueError as error:
        raise ContentError(f"{split}: correct is no base64 ({error})") from error
    if len(packed) != -(-sum(counts) // 8):
        raise ContentError(f"{split}: correct has {len(packed)} bytes for {sum(counts)} images")


def _check_types(where: str, part: Any) -> None:
    """Check the fields of a dataclass that are single values, or a list or dictionary."""
    for each in dataclasses.fields(part):
        kind = KINDS.get(each.type) or {"dict": dict, "list": list}.get(each.type.partition("[")[0])
        if kind is not None:
            _check_type(f"{where}{each.name}", getattr(part, each.name), kind)


def _check_type(name: str, value: Any, kind: type) -> None:
    kinds = (int, float) if kind is float else (kind,)
    # 1e400 is read as infinity, and a whole number of 400 digits is no float.
    endless = kind in (int, float) and type(value) in kinds and not abs(value) < 2**63
    if type(value) not in kinds or endless:
        raise ContentError(f"{name} must be of type {kind.__name__}, not {brief(value)}")
