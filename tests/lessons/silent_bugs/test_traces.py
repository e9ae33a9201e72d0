"""A trace goes into a file and comes back, and its description says all but the name of the case."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from dlvc.files import save_json
from dlvc.lessons.silent_bugs.traces import FOLDER, describe_trace, load_trace


def test_a_trace_comes_back_as_it_was(tmp_path: Path):
    trace = load_trace("SmallViTTraining")
    assert load_trace("copy", save_json(trace, tmp_path / "copy.json").parent) == trace


def test_an_unknown_trace_is_answered_with_those_there_are(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no trace called 'x'; there is none"):
        load_trace("x", tmp_path)


def test_the_description_has_the_numbers():
    trace = load_trace("AttentionOverBatch")
    text = describe_trace(trace)
    assert f"test ACC {trace.test_accuracy:.4f}, weights of epoch {trace.kept_epoch}" in text
    assert "attention map: 8 x 8 patches" in text
    assert all(f"{accuracy:.5f}" in text for accuracy in trace.train_accuracy)


def test_no_description_names_its_case():
    for path in FOLDER.glob("*.json"):
        trace = load_trace(path.stem)
        if trace.case not in ("correct", "four patches"):
            assert trace.case not in describe_trace(trace)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_loss": []}, "train_loss must have at least one epoch"),
        ({"validation_loss": [2.0]}, "validation_loss must be a list of 6 numbers"),
        ({"step_losses": [2.3]}, "a step for each of 6 epochs"),
        ({"kept_epoch": 7}, "kept_epoch must be a whole number from 1 to 6; got 7"),
        ({"answers": [[0.1, 0.2]]}, "an entry of answers must be a list of 3 numbers"),
        ({"test_accuracy": "0.5"}, "Expected `float`, got `str` - at `$.test_accuracy`"),
        ({"attention_map": [8]}, "attention_map must be a list of 2 numbers"),
        ({"images": -1}, "images must be a whole number"),
        ({"model": 3}, "Expected `str`, got `int` - at `$.model`"),
    ],
)
def test_what_is_no_log_is_named(change: dict, message: str, tmp_path: Path):
    fields = dataclasses.asdict(load_trace("PlainTraining"))
    (tmp_path / "x.json").write_text(json.dumps(fields | change))
    with pytest.raises(ValueError, match=re.escape(message)):
        load_trace("x", tmp_path)
