"""What holds for every figure: a sentence under it, no window, nothing left open, no warning."""

from __future__ import annotations

import inspect
import io
import re

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from small_bench import record

from dlvc import plots
from dlvc.experiments.registry import COMPARISONS
from dlvc.lessons import training_log
from dlvc.lessons.guesses.figure import calibration_figure, guess_and_result, mark_guess
from dlvc.lessons.guesses.store import Prediction
from dlvc.lessons.silent_bugs.traces import load_trace
from dlvc.plots.style import MUTED, SCREEN_DPI, Picture, model_style
from dlvc.studies.bench import bench_figure
from dlvc.studies.transfer import TransferRun

IMAGES = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
MAPS = torch.full((2, 2, 16, 16), 1 / 16)
CURVES = {"rollout": {"highest first": [0.9, 0.1], "random": [0.9, 0.1]}}
GUESS = Prediction(
    notebook="02", name="count", question="How many?", unit="%", guess=(10, 30), measured=25
)

HELPERS = {
    "as_array",
    "as_pictures",
    "attention_view",
    "hide_axes",
    "model_style",
    "new_picture",
    "set_description",
    "styled",
}
DRAW = {
    "accuracy_bars": plots.accuracy_bars,
    "attention_drawing": lambda runs: plots.attention_drawing(),
    "attention_overlay": lambda runs: plots.attention_overlay(IMAGES[0], MAPS[0], query=3),
    "bench_figure": lambda runs: bench_figure(record()),
    "calibration_figure": lambda runs: calibration_figure([GUESS]),
    "comparison_pairs": lambda runs: plots.comparison_pairs(runs, COMPARISONS),
    "confusion_grid": plots.confusion_grid,
    "confusion_heatmap": lambda runs: plots.confusion_heatmap(runs[0].test.confusion),
    "convolution_step": lambda runs: plots.convolution_step(),
    "cost_scatter": plots.cost_scatter,
    "deletion_curves": lambda runs: plots.deletion_curves([0, 1], CURVES),
    "feature_maps": lambda runs: plots.feature_maps(IMAGES[0]),
    "field_maps": lambda runs: plots.field_maps(
        {"CNN": torch.eye(8)}, says="One field of 8 rows and columns."
    ),
    "filters_grid": lambda runs: plots.filters_grid(IMAGES),
    "guess_and_result": lambda runs: guess_and_result(GUESS),
    "head_shares": lambda runs: plots.head_shares({"trained": [[0.1, -0.2]]}),
    "image_patches": lambda runs: plots.image_patches(IMAGES[0]),
    "interval_rows": lambda runs: plots.interval_rows(
        {"ViT": {"rollout": (0.1, 0.0, 0.2)}}, label="points", says="A dot with its interval."
    ),
    "label_efficiency": lambda runs: plots.label_efficiency(
        [
            TransferRun(
                "fine-tuned", 100, 1, 1e-3, 100, 32, 64, "x", "y", test_images=8, correct="/w=="
            )
        ]
    ),
    "learning_curves": plots.learning_curves,
    "map_mosaic": lambda runs: plots.map_mosaic(IMAGES, {"rollout": MAPS[0, 0, :4]}),
    "mark_guess": lambda runs: mark_guess(plots.learning_curves(runs), GUESS, axis="y"),
    "marked_histogram": lambda runs: plots.marked_histogram(
        [1, 2, 2],
        {"best": 2},
        value_label="accuracy (%)",
        count_label="models",
        says="Three models and the best of them.",
    ),
    "measured_lines": lambda runs: plots.measured_lines(
        {"": {"plain": [1, 2]}},
        [4, 8],
        place_label="depth",
        value_label="size",
        says="One line through two places.",
    ),
    "network_drawing": lambda runs: plots.network_drawing("deep-cnn-bn"),
    "per_class_bars": plots.per_class_bars,
    "position_similarity": lambda runs: plots.position_similarity(torch.eye(16)),
    "receptive_field_drawing": lambda runs: plots.receptive_field_drawing(),
    "report_figure": plots.report_figure,
    "residual_drawing": lambda runs: plots.residual_drawing(),
    "show_images": lambda runs: plots.show_images(IMAGES),
    "split_drawing": lambda runs: plots.split_drawing(),
    "training_log": lambda runs: training_log(load_trace("SoftmaxTwice-seed3"), "A case"),
    "transfer_drawing": lambda runs: plots.transfer_drawing(),
}


def test_every_public_function_is_drawn_here():
    public = {name for name, value in vars(plots).items() if inspect.isfunction(value)}
    assert set(DRAW) & set(vars(plots)) == public - HELPERS  # the others lie above plots/


@pytest.mark.parametrize("name", DRAW)
def test_a_figure_is_drawn_with_a_sentence_and_nothing_stays_open(name, make_run):
    runs = [make_run("simple-cnn"), make_run("deep-cnn"), make_run("deep-cnn", 1)]
    figure = DRAW[name](runs)
    assert isinstance(figure, Picture)
    assert re.fullmatch(r"[A-Z0-9].{20,}\.", figure.description)
    assert plt.get_fignums() == []
    figure.savefig(io.BytesIO(), dpi=40)
    width, height = figure.get_size_inches()
    assert 4 <= width <= 13
    assert 1.5 <= height <= 10


RECORD_FIGURES = [
    "accuracy_bars",
    "comparison_pairs",
    "confusion_grid",
    "cost_scatter",
    "learning_curves",
    "per_class_bars",
    "report_figure",
]


def words_of(figure: Picture, renderer) -> list[tuple[str, Bbox]]:
    """Every text on the figure that is drawn, with its box on the drawing."""
    # An axis keeps labels of ticks beyond its ends, which it does not draw.
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        drawn = axis._update_ticks() if axis.axes.axison else []
        ticks = (tick for tick in axis.get_major_ticks() if tick not in drawn)
        hidden |= {label for tick in ticks for label in (tick.label1, tick.label2)}
    texts = [text for text in figure.findobj(Text) if text not in hidden and text.get_text()]
    boxes = (Text.get_window_extent(text, renderer) for text in texts)  # without an arrow
    return [(t.get_text(), box) for t, box in zip(texts, boxes, strict=True) if t.get_visible()]


def check_words(figure: Picture) -> None:
    """Assert that all words lie inside the figure, apart from each other and, where one is theirs, in their box."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    words = words_of(figure, renderer)
    assert len(words) > 10
    inside = figure.bbox.padded(3)
    boxes = [box.get_window_extent(renderer) for box in figure.findobj(FancyBboxPatch)]
    for place, (text, box) in enumerate(words):
        assert inside.containsx(box.x0), text
        assert inside.containsx(box.x1), text
        assert inside.containsy(box.y0), text
        assert inside.containsy(box.y1), text
        for other, other_box in words[:place]:
            assert not box.padded(-2).overlaps(other_box.padded(-2)), (text, other)
        middle = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
        for frame in (frame for frame in boxes if frame.contains(*middle)):
            assert frame.x0 <= box.x0 and box.x1 <= frame.x1, text
            assert frame.y0 <= box.y0 + 3 and box.y1 - 3 <= frame.y1, text


@pytest.mark.slow
@pytest.mark.parametrize("number", ["three runs alike", "all runs"])
@pytest.mark.parametrize("name", RECORD_FIGURES)
def test_words_stay_inside_the_figure_and_apart(name, number, make_run, all_runs):
    alike = [make_run(key, final=0.67) for key in ("simple-cnn", "deep-cnn", "deep-cnn-bn")]
    check_words(DRAW[name](alike if number == "three runs alike" else all_runs))


NETWORKS = ("simple-cnn", "deep-cnn", "deep-cnn-bn", "deep-vit", "deep-vit-residual", "resnet18")
DRAWINGS = {
    **{key: lambda key=key: plots.network_drawing(key) for key in NETWORKS},
    "residual paths": plots.residual_drawing,
    "attention": plots.attention_drawing,
    "receptive field": plots.receptive_field_drawing,
    "receptive field with padding": lambda: plots.receptive_field_drawing("deep-cnn"),
    "transfer": plots.transfer_drawing,
    "splits": plots.split_drawing,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWINGS)
def test_the_words_of_a_drawing_stay_in_their_boxes_and_are_large_enough_at_notebook_width(name):
    figure = DRAWINGS[name]()
    check_words(figure)
    assert figure.get_figwidth() * SCREEN_DPI <= 940  # pixels; a notebook's cell is about 900 wide
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 8


def test_a_model_looks_the_same_in_every_figure(make_run):
    runs = [make_run("deep-vit")]
    color = model_style("deep-vit").color
    bar = plots.accuracy_bars(runs).axes[0].patches[0]
    curve = plots.learning_curves(runs).axes[1].lines[1]
    assert to_hex(bar.get_facecolor()).upper() == curve.get_color() == color
    assert curve.get_marker() == model_style("deep-vit").marker
    assert color != MUTED
