"""Runs grouped into series: what is one curve, bar or point in a figure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dlvc.experiments import (
    ModelStyle,
    RunRecord,
    Work,
    conditions,
    differing,
    group_by_experiment,
    in_registry_order,
)
from dlvc.plots.style import model_style

LABEL_WIDTH = 30  # characters; longer labels take several lines


@dataclass(frozen=True)
class Series:
    """Runs that differ in nothing but the seed."""

    key: str
    label: str
    style: ModelStyle
    runs: tuple[RunRecord, ...]
    first: bool  # False for a further series of the same model: its markers are hollow

    @property
    def test_accuracies(self) -> np.ndarray:
        """Test accuracy of each run in percent, (runs,)."""
        return np.array([100 * run.test.accuracy for run in self.runs])

    @property
    def test_confusion(self) -> np.ndarray:
        """Test confusion counts summed over the runs, int (C, C)."""
        return np.sum([run.test.confusion for run in self.runs], axis=0)

    @property
    def work(self) -> tuple[str, Work]:
        """The protocol and the work of the runs: what another model's must share to be compared with them."""
        return self.runs[0].protocol, Work.of(self.runs[0])

    @property
    def lines(self) -> int:
        """How many lines of text the label has."""
        return 1 + self.label.count("\n")

    @property
    def face(self) -> str:
        """The colour inside a marker."""
        return self.style.color if self.first else "white"


def series_of(
    records: Iterable[RunRecord], *, tested: bool = False, learning: bool = False
) -> list[Series]:
    """The records as series, in the registry's order of models.

    A label is the title and in what the series differ besides: protocol, data, a profile other than full, and what else
    tells two series of one model apart. With `tested`, runs without a test result are left out; with `learning`, those
    of models without parameters and those without an epoch.
    Raises ValueError if nothing is left to draw.
    """
    drawn = [
        record
        for record in in_registry_order(records)
        if (record.test is not None or not tested)
        and ((record.model["parameters"] and record.epochs) or not learning)
    ]
    if not drawn:
        wanted = " with a test result" * tested + " and at least one epoch" * learning
        raise ValueError(f"a figure needs at least one record{wanted}; got none. Train a model.")
    groups = group_by_experiment(drawn)
    facts = [_circumstances(runs[0]) for runs in groups]
    shared = set.intersection(*map(set, facts))
    series: list[Series] = []
    for runs, own in zip(groups, facts, strict=True):
        run = runs[0]
        # The full profile is what a reader expects, so only the others are named.
        named = [fact for fact in own if fact not in shared | {"full profile"}]
        twins = [
            conditions(other[0])
            for other, theirs in zip(groups, facts, strict=True)
            if (other[0].key, other[0].title, theirs) == (run.key, run.title, own)
        ]
        settings = conditions(run)
        named += [f"{name} {settings.get(name, '-')}"[:LABEL_WIDTH] for name in differing(twins)]
        label = textwrap.fill(", ".join([run.title.replace(") (", ", "), *named]), LABEL_WIDTH)
        first = all(run.key != other.key for other in series)
        series.append(Series(run.key, label, model_style(run.key), tuple(runs), first))
    return series


def means_text(series: Sequence[Series]) -> str:
    """What is drawn of the runs, in words: single ones, or means and bands."""
    text = runs_text(series)
    return text if text == "one run each" else f"means over {text}, bands from lowest to highest"


def runs_text(series: Sequence[Series]) -> str:
    """How many runs the series have, in words, such as `3 runs each`."""
    counts = sorted({len(one.runs) for one in series})
    if counts == [1]:
        return "one run each"
    return f"{counts[0]} to {counts[-1]} runs each" if len(counts) > 1 else f"{counts[0]} runs each"


def data_text(series: Sequence[Series]) -> str:
    """The titles of the data that the series' runs were made on."""
    return " and ".join(dict.fromkeys(run.data["title"] for one in series for run in one.runs))


def _circumstances(record: RunRecord) -> tuple[str, str, str]:
    """The conditions that a label names first, in words."""
    return f"{record.protocol} protocol", record.data["title"], f"{record.profile} profile"
