"""The committed figures are exactly those that the code draws, and drawing them is repeatable."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_run import make_run

from dlvc.experiments.records import REFERENCE_RECORDS
from dlvc.experiments.registry import COMPARISONS, EXPERIMENTS
from dlvc.lessons.figures import (
    FAMILIES,
    FIGURES,
    FIGURES_FOLDER,
    contact_sheet,
    draw_figures,
    reported_accuracies,
)
from dlvc.studies import load_transfer

RUNS = [make_run("simple-cnn"), make_run("deep-cnn")]
# Drawn from what is stored. Until the study of transfer is made, its figure is not.
STORED = ["attention-viewer.png", "bench.png"] + ["label-efficiency.png"] * bool(load_transfer())
DRAWN = [name for name in FIGURES if name != "label-efficiency.png" or name in STORED]


def test_the_committed_pictures_are_those_of_the_registry_of_figures():
    if not any(REFERENCE_RECORDS.glob("*.json")):
        pytest.skip("no reference records are committed yet, so no figures can be drawn")
    assert {path.name for path in FIGURES_FOLDER.glob("*.png")} == set(DRAWN)


@pytest.mark.slow
def test_every_figure_is_drawn_from_records(tmp_path: Path):
    paths = draw_figures(tmp_path, records=RUNS)
    assert [path.name for path in paths] == DRAWN
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_drawing_twice_gives_the_same_bytes_without_a_trace_of_the_program(tmp_path: Path):
    chosen = ["comparisons.png", "sketch10.png"]
    first, second = (
        draw_figures(tmp_path / name, records=RUNS, names=chosen) for name in ("first", "second")
    )
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert b"Software" not in one.read_bytes()
        assert b"tEXt" not in one.read_bytes()


def test_figures_without_records_are_left_out_with_a_message(tmp_path: Path, capsys):
    drawn = [path.name for path in draw_figures(tmp_path, records=[])]
    assert drawn == [*STORED, "sketch10.png"]
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(FIGURES) - len(drawn)
    assert "cost.png is not drawn: a figure needs at least one record with a test result" in said[2]


def test_runs_of_another_protocol_are_not_drawn(tmp_path: Path, capsys):
    tuned = [make_run("simple-cnn", protocol="tuned")]
    assert draw_figures(tmp_path, records=tuned, names=["cost.png"]) == []
    assert "cost.png is not drawn" in capsys.readouterr().out


def test_an_unknown_figure_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"figures are attention-viewer\.png, .*; got cats\.png"):
        draw_figures(tmp_path, names=["cats.png"])


def test_the_columns_of_the_curves_hold_every_model_but_the_three_baselines():
    assert [key for keys in FAMILIES.values() for key in keys] == list(EXPERIMENTS)[3:]
    assert {each.without for each in COMPARISONS} <= set(EXPERIMENTS)


def test_the_reports_accuracies_are_those_of_its_table():
    reported = reported_accuracies()
    assert reported["deep-cnn-bn"] == 0.5814
    others = {"resnet18-plain", "softmax-regression", "nearest-neighbour"}
    assert set(EXPERIMENTS) - set(reported) == others


def test_the_contact_sheet_has_forty_drawn_images_under_ten_names():
    (axes,) = contact_sheet().axes
    assert len(axes.images) == 40
    assert [text.get_text() for text in axes.texts][:2] == ["airplane", "automobile"]
