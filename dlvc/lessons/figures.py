"""Every committed figure: file name -> how it is drawn from the committed records.

`python -m dlvc figures` calls `draw_figures`, the only way a file `figures/*.png` changes. No
picture holds an image of CIFAR-10, which has no licence: images are drawn by Sketch-10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from dlvc.data import CLASSES, draw_sketches
from dlvc.experiments import COMPARISONS, EXPERIMENTS, REFERENCE_RECORDS, RunRecord, load_records
from dlvc.files import PROJECT
from dlvc.plots import (
    FIGURE_DPI,
    Picture,
    accuracy_bars,
    comparison_pairs,
    confusion_grid,
    cost_scatter,
    learning_curves,
    report_figure,
    show_images,
)
from dlvc.studies import load_recordings
from dlvc.studies.bench import BENCH_RECORDS, as_one, bench_figure, load_benches
from dlvc.widgets import AttentionViewer

FIGURES_FOLDER = PROJECT / "figures"
SHEET_ROWS = 4  # drawn images of each class on the contact sheet

FAMILIES = {
    family: tuple(key for key, model in EXPERIMENTS.items() if model.family == family)
    for family in dict.fromkeys(
        model.family for model in EXPERIMENTS.values() if not model.is_baseline
    )
}


def reported_accuracies() -> dict[str, float]:
    """The report's test accuracy by key, for the models that its Table 1 names."""
    rows = {key: experiment.report_row for key, experiment in EXPERIMENTS.items()}
    return {key: row["test ACC"] for key, row in rows.items() if "test ACC" in row}


def contact_sheet() -> Picture:
    """Drawn images in ten columns, one class each."""
    sketches = draw_sketches(SHEET_ROWS * len(CLASSES), seed=10)
    # Labels are balanced, so sorting by class and cutting gives SHEET_ROWS images of each.
    order = sketches.labels.argsort(stable=True).view(len(CLASSES), SHEET_ROWS).T.flatten()
    images = torch.as_tensor(sketches.images)[order]
    return show_images(
        images,
        CLASSES,
        columns=len(CLASSES),
        title="Sketch-10: drawn from a seed",
        says=f"{SHEET_ROWS} images of each of the ten classes of Sketch-10, 32 x 32 pixels, drawn "
        "by code with random pose, colour, background, clutter and noise.",
    )


def viewer_still() -> Picture:
    """What the attention viewer shows of a stored recording, as a still picture: the first image, layer and head."""
    recorded = load_recordings().first(1)
    viewer = AttentionViewer(
        {recorded.title: recorded.frames}, recorded.images, labels=recorded.labels
    )
    return viewer.show(layer=1, head=1, patch=(4, 4), scale="patch").picture()


Records = Sequence[RunRecord]


def of_families(records: Records) -> Records:
    """The records of the models of `FAMILIES`: without the baselines."""
    keys = {key for family in FAMILIES.values() for key in family}
    return [record for record in records if record.key in keys]


FIGURES: dict[str, Callable[[Records], Picture]] = {
    "attention-viewer.png": lambda records: viewer_still(),
    "bench.png": lambda records: bench_figure(as_one(load_benches(BENCH_RECORDS))),
    "comparisons.png": lambda records: comparison_pairs(
        records, COMPARISONS, reported=reported_accuracies()
    ),
    "confusion.png": lambda records: confusion_grid(of_families(records)),
    "cost.png": cost_scatter,
    "learning-curves.png": lambda records: learning_curves(of_families(records), groups=FAMILIES),
    "sketch10.png": lambda records: contact_sheet(),
    "test-accuracy.png": lambda records: accuracy_bars(records, reported=reported_accuracies()),
    "training-behaviour.png": lambda records: report_figure(of_families(records)),
}


def draw_figures(
    folder: Path | None = None, *, records: Records | None = None, names: Sequence[str] = ()
) -> list[Path]:
    """Draw the figures into `folder` (default: figures/), one file for each entry of `FIGURES`: their paths.

    `records` are by default the committed ones; only runs by the report's protocol are drawn. `names` selects some
    figures. A figure whose records do not exist is left out with a message.
    Raises ValueError for a name that is not in `FIGURES`.
    """
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise ValueError(f"figures are {', '.join(FIGURES)}; got {', '.join(unknown)}.")
    folder = FIGURES_FOLDER if folder is None else folder
    records = load_records(REFERENCE_RECORDS) if records is None else records
    records = [record for record in records if record.protocol == "report"]
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name in names or FIGURES:
        try:
            picture = FIGURES[name](records)
        except ValueError as error:  # it says which records it needs
            print(f"{name} is not drawn: {error}")
            continue
        drawn.append(folder / name)
        # Without the program's name and version, equal pictures are equal files.
        picture.savefig(drawn[-1], dpi=FIGURE_DPI, metadata={"Software": None})
    return drawn
