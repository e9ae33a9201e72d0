"""Figures: one function = one figure, drawn from records and arrays.

Never sees a model and never shows a window. Each function returns the figure, a matplotlib
`Figure` that a notebook shows when it is the last value of a cell; `description(figure)` says in
one sentence what is on it. Read on in `curves.py` and `results.py` (figures of records),
`classes.py` (data and confusion counts), `images.py`, `attention_maps.py`, `explanations.py` (maps
put to the test), `lines.py` (one factor measured), `bench.py` and `speed.py` (what loops cost),
`guesses.py` (a learner's guesses), `traces.py` (one training's log), `drawings.py` (one step of
an operation) and `diagrams.py` (how parts are connected); `style.py` holds the common look.
"""

from dlvc.plots.attention_maps import attention_overlay, position_similarity
from dlvc.plots.bench import bench_figure
from dlvc.plots.classes import (
    class_histogram,
    confusion_grid,
    confusion_heatmap,
    per_class_bars,
    pixel_statistics,
)
from dlvc.plots.curves import learning_curves, report_figure
from dlvc.plots.diagrams import receptive_field, residual_block
from dlvc.plots.drawings import convolution_step, image_patches, max_pooling
from dlvc.plots.explanations import deletion_curves, head_shares, interval_rows, map_mosaic
from dlvc.plots.guesses import calibration_figure, guess_and_result, mark_guess
from dlvc.plots.images import (
    feature_maps,
    field_maps,
    filters_grid,
    show_augmentations,
    show_images,
)
from dlvc.plots.lines import calibration_diagram, measured_lines
from dlvc.plots.results import accuracy_bars, comparison_pairs, cost_scatter
from dlvc.plots.speed import speed_bars
from dlvc.plots.style import description, set_description
from dlvc.plots.traces import training_trace

__all__ = [
    "accuracy_bars",
    "attention_overlay",
    "bench_figure",
    "calibration_diagram",
    "calibration_figure",
    "class_histogram",
    "comparison_pairs",
    "confusion_grid",
    "confusion_heatmap",
    "convolution_step",
    "cost_scatter",
    "deletion_curves",
    "description",
    "feature_maps",
    "field_maps",
    "filters_grid",
    "guess_and_result",
    "head_shares",
    "image_patches",
    "interval_rows",
    "learning_curves",
    "map_mosaic",
    "mark_guess",
    "max_pooling",
    "measured_lines",
    "per_class_bars",
    "pixel_statistics",
    "position_similarity",
    "receptive_field",
    "report_figure",
    "residual_block",
    "set_description",
    "show_augmentations",
    "show_images",
    "speed_bars",
    "training_trace",
]
