"""A trace goes into a file and comes back, and its description says all but the name of the case."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlvc.traces import FOLDER, describe, load_trace, save_trace


def test_a_trace_comes_back_as_it_was(tmp_path: Path):
    trace = load_trace("SmallViTTraining")
    assert load_trace("copy", save_trace(trace, tmp_path / "copy.json").parent) == trace


def test_an_unknown_trace_is_answered_with_those_there_are(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no trace called 'x'; there is none"):
        load_trace("x", tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"case": 1}', "not json"])
def test_another_file_is_no_trace(text: str, tmp_path: Path):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x.json is not a trace: .* Record it again"):
        load_trace("x", tmp_path)


def test_the_description_has_the_numbers_and_not_the_case():
    trace = load_trace("AttentionOverBatch")
    text = describe(trace)
    assert f"test ACC {trace.test_accuracy:.4f}, weights of epoch {trace.kept_epoch}" in text
    assert "attention map: 8 x 8 patches" in text
    assert all(f"{accuracy:.5f}" in text for accuracy in trace.train_accuracy)
    assert "over the batch" not in text


def test_no_description_names_its_case():
    for path in FOLDER.glob("*.json"):
        trace = load_trace(path.stem)
        if trace.case not in ("correct", "four patches"):
            assert trace.case not in describe(trace)
