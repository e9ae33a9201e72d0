"""Live curves are the numbers of the records, in a picture of one size that a reader without eyes can follow too."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from dlvc.config import TrainConfig
from dlvc.experiments.records import load_records
from dlvc.widgets.panel.live_curves import HEIGHT, WIDTH, Curve, curves_svg, legend
from dlvc.widgets.panel.progress import RunProgress, duration

RECORDS = [record for record in load_records() if record.model["parameters"]]
HOSTILE = "<img src=x onerror=alert(1)>\"'&"


def points(svg: str, dotted: bool) -> list[list[tuple[float, float]]]:
    """The corners of each line, (x, y), in order."""
    kind = "dlvc-line dlvc-dotted" if dotted else "dlvc-line"
    paths = re.findall(rf'class="{kind}" d="M([^"]*)"', svg)
    return [[tuple(map(float, point.split())) for point in path.split("L")] for path in paths]


def test_lines_are_where_the_numbers_are():
    run = RECORDS[0]
    svg = curves_svg([Curve("run", run.epochs)], epochs=10)
    loss, _ = points(svg, dotted=False)
    assert len(loss) == len(run.epochs)
    # Two epochs fix how a number becomes a height; all others must fit.
    values = [epoch.validation_loss for epoch in run.epochs]
    slope = (loss[-1][1] - loss[0][1]) / (values[-1] - values[0])
    for (_, height), value in zip(loss, values, strict=True):
        assert height == pytest.approx(loss[0][1] + slope * (value - values[0]), abs=0.11)
    assert slope < 0  # more is higher


def test_training_is_dotted_and_runs_have_markers_of_their_own():
    curves = [Curve(record.title, record.epochs) for record in RECORDS[:4]]
    svg = curves_svg(curves, epochs=1)
    assert len(points(svg, dotted=True)) == len(points(svg, dotted=False)) == 2 * 4
    shapes = re.findall(
        r'class="dlvc-marker" d="[^"]*?([a-z][^"]*)" style="stroke:var\(([^)]*)', svg
    )
    assert len({color for _, color in shapes}) == 4
    assert len({(re.sub(r"[\d.\- ]", "", shape), color) for shape, color in shapes}) == 4


def test_every_picture_has_one_size_and_is_well_formed():
    for count in range(4):
        svg = curves_svg([Curve("run", RECORDS[0].epochs[:count])], epochs=10, position=count)
        root = ElementTree.fromstring(svg)
        assert (root.get("width"), root.get("height")) == (str(WIDTH), str(HEIGHT))


def test_names_are_shown_as_text_and_the_numbers_are_said():
    curve = Curve(HOSTILE, RECORDS[0].epochs)
    svg = curves_svg([curve], epochs=1)
    root = ElementTree.fromstring(svg)
    assert {element.tag for element in root.iter()} <= {"svg", "path", "text", "circle"}
    last = RECORDS[0].epochs[-1]
    assert f"{HOSTILE}: after epoch 10 training loss {last.train_loss:.3f}" in root.get(
        "aria-label"
    )
    assert "<img" not in legend([curve])


def test_a_loss_that_never_changes_is_a_level_line():
    flat = [replace(epoch, train_loss=2.0, validation_loss=2.0) for epoch in RECORDS[0].epochs]
    loss, _ = points(curves_svg([Curve("flat", flat)], epochs=10), dotted=False)
    assert len({height for _, height in loss}) == 1
    assert 0 < loss[0][1] < HEIGHT


def test_progress_in_numbers_counted_by_hand():
    now = [0.0]
    progress = RunProgress(TrainConfig(epochs=2, batch_size=50), clock=lambda: now[0])
    assert (progress.text(), progress.fraction) == ("preparing", 0.0)
    for step in range(1, 5):
        now[0] += 0.5
        progress.step(1, step, 10)
    # Three steps of 50 images in 1.5 s since the first; 16 of 20 steps left at 2 a second.
    assert progress.text() == "epoch 1 of 2 · batch 4 of 10 · 100 images/s · 8.0 s left"
    assert progress.position == 0.4 and progress.fraction == 0.2
    progress.ended = True
    assert progress.text() == "epoch 1 of 2 · batch 4 of 10 · not running"


def test_a_run_that_goes_on_is_not_as_fast_as_if_it_had_begun_there():
    now = [0.0]
    progress = RunProgress(TrainConfig(epochs=2, batch_size=50), clock=lambda: now[0])
    progress.step(2, 6, 10)
    now[0] = 1.0
    progress.step(2, 8, 10)
    assert progress.seconds_left == 1.0


def test_at_most_four_updates_a_second():
    now = [0.0]
    progress = RunProgress(TrainConfig(), clock=lambda: now[0])
    shown = 0
    for millisecond in range(3000):
        now[0] = millisecond / 1000
        shown += progress.due()
    assert 10 <= shown <= 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.01, "less than 0.1 s"), (3.21, "3.2 s"), (42, "42 s"), (600, "10 min"), (9000, "2.5 h")],
)
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text
