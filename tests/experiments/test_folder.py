"""The runs in a folder: found, compared, renamed, put away and written as a table, whatever else lies there."""

from __future__ import annotations

import threading
from dataclasses import replace

import pandas as pd
import pytest

from dlvc.experiments.folder import (
    differing_settings,
    epochs_table,
    find_runs,
    put_away,
    rename_run,
)
from dlvc.experiments.grouping import group_by_experiment
from dlvc.experiments.records import load_record, load_records, save_record
from dlvc.experiments.registry import config_for
from dlvc.experiments.running import run_experiment
from dlvc.training.checkpoint import AlreadyRunningError, CheckpointFolder

QUICK = {"epochs": 1, "train_size": 20, "evaluation_size": 20, "device": "cpu"}
RECORD = next(record for record in load_records() if record.key == "deep-cnn")


@pytest.fixture
def stored(tmp_path):
    """The path of a record, with a file of weights beside it."""
    path = save_record(RECORD, tmp_path / "one.json")
    path.with_suffix(".safetensors").write_bytes(b"weights")
    return path


def test_runs_are_found_newest_first_and_what_is_no_record_is_named(tmp_path):
    save_record(replace(RECORD, started="2026-01-01T00:00:00+00:00"), tmp_path / "b.json")
    save_record(replace(RECORD, started="2026-02-01T00:00:00+00:00"), tmp_path / "a.json")
    (tmp_path / "broken.json").write_text("{}")
    found, problems = find_runs(tmp_path)
    assert [path.name for path in found] == ["a.json", "b.json"]
    assert len(problems) == 1 and problems[0].startswith("broken.json is not a run record of dlvc")
    assert find_runs(tmp_path / "none") == ({}, [])


def test_only_what_differs_is_in_the_table_and_options_of_the_model_are_too():
    options = {**RECORD.model, "options": {**RECORD.model["options"], "depth": 2}}
    other = replace(
        RECORD, seed=9, model=options, config={**RECORD.config, "learning_rate": 0.5, "seed": 9}
    )
    table = differing_settings([RECORD, other, RECORD])
    assert set(table.index) == {"learning_rate", "seed", "model.depth"}
    assert table.loc["learning_rate"].tolist() == [0.001, 0.5, 0.001]
    assert table.loc["model.depth"].tolist() == ["-", 2, "-"]
    assert table.columns.tolist() == ["1", "2", "3"]
    assert differing_settings([RECORD, RECORD]).empty


def test_another_title_alone_is_no_difference_of_settings():
    assert differing_settings([RECORD, replace(RECORD, title="The one I liked")]).empty


def test_the_table_of_epochs_has_every_number_of_every_epoch():
    table = epochs_table([RECORD, replace(RECORD, epochs=RECORD.epochs[:2])])
    assert len(table) == len(RECORD.epochs) + 2
    first = table[table["run"] == 1]
    assert first["validation_loss"].tolist() == [epoch.validation_loss for epoch in RECORD.epochs]
    assert set(first["batch_size"]) == {64}
    assert pd.isna(table.get("model.depth", pd.Series([None]))).all()


def test_another_title_changes_nothing_else_and_makes_a_row_of_its_own(stored):
    renamed = rename_run(stored, "  my   <b>best</b> run ")
    assert renamed == load_record(stored) == replace(RECORD, title="my <b>best</b> run")
    assert len(group_by_experiment([RECORD, renamed])) == 2


@pytest.mark.parametrize("title", ["", "   ", "x" * 81])
def test_an_empty_or_a_long_title_is_refused(stored, title):
    with pytest.raises(ValueError, match="a title must have 1 to 80 characters; got"):
        rename_run(stored, title)
    assert load_record(stored) == RECORD


def test_a_run_is_put_away_with_its_weights_and_can_be_had_back(stored):
    moved = put_away(stored)
    assert sorted(path.name for path in moved) == ["one.json", "one.safetensors"]
    assert find_runs(stored.parent) == ({}, [])
    assert load_record(moved[0]) == RECORD


@pytest.mark.slow
def test_with_a_stopped_run_its_checkpoints_go_and_nobody_elses(sketches, tmp_path):
    config, stop = config_for("simple-cnn", sketches, **{**QUICK, "epochs": 9}), threading.Event()
    other = replace(config, seed=1)
    paths = []
    for each in (config, other):
        stop.clear()
        run = run_experiment(
            "simple-cnn", sketches, each, folder=tmp_path, progress=False, stop=stop,
            on_epoch=lambda epoch: stop.set(),
        )  # fmt: skip
        paths.append(run.path)
    put_away(paths[0])
    left = [path.name for path in (tmp_path / "unfinished").iterdir()]
    assert len(left) == 1 and left[0].startswith(paths[1].name.split("_2")[0])


def test_a_run_that_goes_on_again_elsewhere_is_not_put_away(stored):
    digest = "ab" * 32
    save_record(replace(RECORD, interrupted=True, test=None, run_digest=digest), stored)
    name = f"deep-cnn_report_full_seed0_{digest[:12]}"
    checkpoint = stored.parent / "unfinished" / name / "checkpoint-000000001.safetensors"
    with CheckpointFolder(checkpoint.parent):  # as the training of another notebook holds it
        checkpoint.write_bytes(b"what it has learned")
        with pytest.raises(AlreadyRunningError, match="this very training is going on already"):
            put_away(stored)
        assert checkpoint.exists() and stored.exists()
    put_away(stored)
    assert not checkpoint.parent.exists() and not stored.exists()


def test_a_record_from_elsewhere_cannot_name_a_folder_to_delete(stored):
    precious = stored.parent / "unfinished"
    precious.mkdir()
    (precious / "mine").write_text("kept")
    for digest in ("../unfinished", "*", "", "mine"):
        path = save_record(
            replace(RECORD, interrupted=True, run_digest=digest), stored.parent / "hostile.json"
        )
        put_away(path)
        assert (precious / "mine").read_text() == "kept"
