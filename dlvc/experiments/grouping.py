"""Which runs are the same? What a run was apart from its seed, and how much of that two runs must share.

Tables, figures and lessons ask here. Runs with equal conditions differ in nothing but the seed: they make one row, one
curve, one mean. Runs of equal `Work` by one protocol may be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from dlvc.config import TrainConfig
from dlvc.experiments.records import RunRecord


def conditions(record: RunRecord) -> dict[str, Any]:
    """Everything that decides a run's result but the seed, by name; options of the model as `model.NAME`.

    Where the numbers were rounded is part of it. The title is too: a run that was given another one stands alone.
    """
    kind, device = record.device["type"], record.device["name"]
    # An older record lacks a setting that came later, and had what is now its default.
    config = {
        name: value
        for name, value in {**TrainConfig().as_dict(), **record.config}.items()
        if name not in ("seed", "device", "precision")
    }
    return {
        "key": record.key,
        "title": record.title,
        "protocol": record.protocol,
        "profile": record.profile,
        "data": record.data["digest"],
        "weights": record.model["weights"],
        **config,
        **{f"model.{name}": value for name, value in record.model["options"].items()},
        # A GPU that is part of a processor has the processor's name.
        "device": device if kind in ("cpu", "cuda") else f"{device} ({kind})",
        "precision": record.precision,
    }


class Work(NamedTuple):
    """The conditions that runs by one protocol must share for their accuracies to be compared."""

    train_size: int
    epochs: int
    data: str  # its digest
    weights: str  # the first ones, as records call them

    @classmethod
    def of(cls, record: RunRecord) -> Work:
        """The work of a run."""
        return cls(*map(conditions(record).get, cls._fields))

    @property
    def rank(self) -> tuple[int, bool, Work]:
        """More for more images gone through; at equal numbers, more for a start from weights that were trained."""
        return self.train_size * self.epochs, self.weights != "random", self

    def __str__(self) -> str:
        return f"{self.train_size:,} x {self.epochs}"


def differing(runs: Sequence[dict[str, Any]]) -> list[str]:
    """The names of the conditions, one dict for each run, that not all of them share."""
    names = dict.fromkeys(name for run in runs for name in run)
    return [
        name
        for name in names
        if len({json.dumps(run[name]) if name in run else "" for run in runs}) > 1
    ]


def group_by_experiment(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """The records in groups that differ in nothing but the seed; of two runs with one seed the newer."""
    groups: dict[str, dict[int, RunRecord]] = {}
    for record in records:
        seeds = groups.setdefault(json.dumps(conditions(record), sort_keys=True), {})
        if record.seed not in seeds or seeds[record.seed].started <= record.started:
            seeds[record.seed] = record
    return [[seeds[seed] for seed in sorted(seeds)] for seeds in groups.values()]
