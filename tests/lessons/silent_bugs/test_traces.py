"""A trace goes into a file and comes back, and its description is a programmer's log."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from dlvc.files import save_json
from dlvc.lessons.silent_bugs.faults import SUSPECTS
from dlvc.lessons.silent_bugs.traces import FOLDER, describe_trace, load_trace


def test_a_trace_comes_back_as_it_was(tmp_path: Path):
    trace = load_trace("SmallViTTraining-seed1")
    assert load_trace("copy", save_json(trace, tmp_path / "copy.json").parent) == trace


def test_an_unknown_trace_is_answered_with_those_there_are(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no trace called 'x'; there is none"):
        load_trace("x", tmp_path)


def test_the_description_holds_the_log_and_the_row_and_nothing_else():
    for path in FOLDER.glob("*.json"):
        trace = load_trace(path.stem)
        text = describe_trace(trace)
        head, _, *lines, empty, row = text.splitlines()
        titles = "epoch | train. loss | train. ACC | val. loss | val. ACC | seconds"
        assert head == f"| {titles} |"
        assert [
            f"{accuracy:.4f}" in line
            for accuracy, line in zip(trace.train_accuracy, lines, strict=True)
        ]
        assert empty == ""
        assert (
            row
            == f"Row of the table: val. ACC **{trace.table_validation:.4f}**, test ACC **{trace.table_test:.4f}**."
        )
        assert not any(suspect in text for suspect in SUSPECTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_loss": []}, "train_loss must have at least one epoch"),
        ({"validation_loss": [2.0]}, "validation_loss must be a list of 6 numbers"),
        ({"seconds": [2.0]}, "seconds must be a list of 6 numbers"),
        ({"table_test": "0.5"}, "Expected `float`, got `str` - at `$.table_test`"),
        ({"faults": [3]}, "Expected `str`, got `int` - at `$.faults[0]`"),
        ({"answers": {"first loss": 2.3}}, "Expected `str`, got `float` - at `$.answers[...]`"),
        ({"model": 3}, "Expected `str`, got `int` - at `$.model`"),
    ],
)
def test_what_is_no_log_is_named(change: dict, message: str, tmp_path: Path):
    fields = dataclasses.asdict(load_trace("PlainTraining-seed1"))
    (tmp_path / "x.json").write_text(json.dumps(fields | change))
    with pytest.raises(ValueError, match=re.escape(message)):
        load_trace("x", tmp_path)
