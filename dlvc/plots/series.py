"""Runs grouped into series: what is one curve, bar or point in a figure."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dlvc.experiments import (
    EXPERIMENTS,
    ModelStyle,
    RunRecord,
    check_records,
    check_same_experiment,
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
    def circumstances(self) -> tuple[str, str, str]:
        """Protocol, data and profile of the runs."""
        return _circumstances(self.runs[0])

    @property
    def face(self) -> str:
        """The colour inside a marker."""
        return self.style.color if self.first else "white"


def series_of(records: Iterable[RunRecord], *, tested: bool = False) -> list[Series]:
    """Return the records as series, in the registry's order of models.

    A label is the title and whatever else differs among the records: protocol, data, or a profile
    other than full.
    With `tested`, runs without a test result are left out.

    Raises: ValueError if nothing is left to draw, or if runs that would share a series differ in
    more than the seed.
    """
    records = list(records)
    check_records(records)
    kept = [record for record in records if record.test is not None or not tested]
    if not kept:
        wanted = "with a test result" if tested else "of a run"
        raise ValueError(f"a figure needs at least one record {wanted}; got none. Train a model.")
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in sorted(kept, key=_rank):
        groups.setdefault((record.key, record.title, *_circumstances(record)), []).append(record)
    columns = zip(*map(_circumstances, kept), strict=True)
    differing = [place for place, values in enumerate(columns) if len(set(values)) > 1]
    series: list[Series] = []
    for (key, title, *facts), runs in groups.items():
        check_same_experiment(runs)
        # The full profile is what a reader expects, so only the others are named.
        named = [facts[place] for place in differing if facts[place] != "full profile"]
        label = textwrap.fill(", ".join([title.replace(") (", ", "), *named]), LABEL_WIDTH)
        first = all(key != other.key for other in series)
        series.append(Series(key, label, model_style(key), tuple(runs), first))
    return series


def learning_series(records: Iterable[RunRecord]) -> list[Series]:
    """Return the series that have parameters to learn and at least one epoch.

    Raises: ValueError if there is none.
    """
    trained = [record for record in records if record.model["parameters"] and record.epochs]
    if not trained:
        raise ValueError(
            "learning curves need a run with at least one epoch; got none. Train a model."
        )
    return series_of(trained)


def means_text(series: Sequence[Series]) -> str:
    """Return in words what is drawn of the runs: single ones, or means and bands."""
    text = runs_text(series)
    return text if text == "one run each" else f"means over {text}, bands from lowest to highest"


def runs_text(series: Sequence[Series]) -> str:
    """Return in words how many runs the series have, such as `3 runs each`."""
    counts = sorted({len(each.runs) for each in series})
    if counts == [1]:
        return "one run each"
    return f"{counts[0]} to {counts[-1]} runs each" if len(counts) > 1 else f"{counts[0]} runs each"


def data_text(series: Sequence[Series]) -> str:
    """Return the titles of the data that the series' runs were made on."""
    return " and ".join(dict.fromkeys(run.data["title"] for each in series for run in each.runs))


def _rank(record: RunRecord) -> int:
    order = list(EXPERIMENTS)
    return order.index(record.key) if record.key in EXPERIMENTS else len(order)


def _circumstances(record: RunRecord) -> tuple[str, str, str]:
    return f"{record.protocol} protocol", record.data["title"], f"{record.profile} profile"
