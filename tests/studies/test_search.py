"""A search tries settings on validation images only, goes on where it was, and its best trial is the tuned recipe."""

import threading
from dataclasses import replace
from functools import partial

import pytest
from small_training import Breaks

from dlvc.experiments.records import REFERENCE_RECORDS, load_records
from dlvc.experiments.registry import EXPERIMENTS
from dlvc.experiments.tables import is_as_registered
from dlvc.studies import search as searching
from dlvc.studies.search import (
    SEARCHABLE,
    SPACE,
    Trial,
    add_trial,
    best_trials,
    confirm,
    load_trials,
    present_settings,
    search,
)
from dlvc.training.loop import train

PRESENT = present_settings("simple-cnn")
TRIAL = Trial(PRESENT, 10, 40_000, 0, "made up", "float32", 0.5, 0.5, 1.0)


def test_all_but_baselines_and_resnet18_can_be_searched():
    baselines = ["majority", "softmax-regression", "nearest-neighbour"]
    assert [*baselines, *SEARCHABLE, "resnet18", "resnet18-plain"] == list(EXPERIMENTS)


@pytest.mark.parametrize("key", SEARCHABLE)
def test_the_tuned_recipe_is_the_best_trial_that_was_run_in_full(key):
    full = best_trials(load_trials(key))
    assert full, f"no trial of {key} with all epochs is stored"
    assert len({(trial.data, trial.train_size, trial.precision) for trial in full}) == 1
    assert present_settings(key) == full[0].settings


@pytest.mark.parametrize("key", SEARCHABLE)
def test_the_tuned_recipe_was_tested_in_full_with_the_settings_of_the_trial(key):
    runs = [run for run in load_records(REFERENCE_RECORDS / "tuned") if run.key == key]
    own = [run for run in runs if is_as_registered(run) and run.seed == 0]
    assert len(own) == 1
    settings = {**own[0].config, **own[0].model["options"]}
    assert {name: settings.get(name, "unknown") for name in SPACE} == present_settings(key)
    assert own[0].config["epochs"] == 10
    assert own[0].config["train_size"] == 40_000


def test_a_search_never_sees_a_test_image_and_goes_on_where_it_was(sketches, tmp_path, monkeypatch):
    unseen = replace(sketches, test=None)
    search("simple-cnn", unseen, 2, 1, "float32", tmp_path)
    first = load_trials("simple-cnn", tmp_path)
    assert first[0].settings == PRESENT
    assert first[1].settings != PRESENT
    search("simple-cnn", unseen, 3, 1, "float32", tmp_path)
    assert load_trials("simple-cnn", tmp_path)[:2] == first
    monkeypatch.setattr(searching, "FULL_EPOCHS", 2)
    confirm("simple-cnn", unseen, 1, 1, "float32", tmp_path)
    trials = load_trials("simple-cnn", tmp_path)
    assert [trial.epochs for trial in trials] == [1, 1, 1, 2]
    best = max(trials[:3], key=lambda trial: trial.validation_accuracy)
    assert trials[3].settings == best.settings
    confirm("simple-cnn", unseen, 1, 1, "float32", tmp_path)
    assert len(load_trials("simple-cnn", tmp_path)) == 4


def test_a_training_that_breaks_off_is_a_trial_without_success(sketches, monkeypatch):
    settings = {**PRESENT, "learning_rate": 1.0}
    monkeypatch.setattr(searching, "build_model", lambda key, config, **more: Breaks({2}))
    trial = searching.run_trial("simple-cnn", settings, sketches, 1, "float32")
    assert (trial.validation_accuracy, trial.train_accuracy) == (0.0, 0.0)


def test_trials_come_closer_to_what_was_good(sketches, tmp_path, monkeypatch):
    """Accuracy depends on the learning rate alone, best at 0.003: late trials are nearer than random ones."""

    def run_trial(key, settings, data, epochs, precision):
        ratio = settings["learning_rate"] / 3e-3
        score = 1 - abs(ratio - 1) / (ratio + 1)
        same = {"data": data.title, "train_size": len(data.train), "epochs": epochs}
        return replace(TRIAL, settings=settings, validation_accuracy=score, **same)

    monkeypatch.setattr(searching, "run_trial", run_trial)
    for count in (20, 40):  # broken off in the middle
        search("simple-cnn", sketches, count, 1, "float32", tmp_path)
    accuracies = [trial.validation_accuracy for trial in load_trials("simple-cnn", tmp_path)]
    assert len(accuracies) == 40
    assert sum(accuracies[-10:]) / 10 > sum(accuracies[:8]) / 8 + 0.1


def test_trials_on_other_images_or_in_another_precision_or_length_are_not_counted(
    sketches, tmp_path
):
    same = replace(TRIAL, data=sketches.title, train_size=len(sketches.train), epochs=1)
    others = [
        replace(same, seed=1),
        replace(same, train_size=40_000),
        replace(same, data="other images"),
        replace(same, precision="bfloat16"),
    ]
    for trial in others:
        add_trial("simple-cnn", trial, tmp_path)
    confirm("simple-cnn", sketches, 1, 1, "float32", tmp_path)
    assert load_trials("simple-cnn", tmp_path) == others
    add_trial("simple-cnn", same, tmp_path)
    # Of two epochs there are no trials, and of one there is one already.
    confirm("simple-cnn", sketches, 1, 2, "float32", tmp_path)
    search("simple-cnn", sketches, 1, 1, "float32", tmp_path)
    assert len(load_trials("simple-cnn", tmp_path)) == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--epochs", "0"], "--epochs must be"),
        (["--precision", "half"], "precision must be one of"),
        (["--by-hand", "speed=3"], "a search changes learning_rate"),
        (["--by-hand", "dropout=much"], "takes dropout from 0.0, 0.1, 0.2, 0.3; got 'much'"),
        (["--by-hand", "dropout=0.15"], "got '0.15'"),
        (["--by-hand", "batch_size=64.5"], "got '64.5'"),
        (["--by-hand", "learning_rate=1"], "takes learning_rate between 0.0005 and 0.02; got '1'"),
        (["--trials", "-3"], "--trials must be"),
        (["--confirm", "-1"], "--confirm must be"),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_words_before_anything_is_trained(
    options, said, capsys
):
    with pytest.raises(SystemExit) as ended:
        searching.main(["simple-cnn", *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_settings_given_by_hand_are_the_present_ones_but_for_those_named():
    assert searching.by_hand(["batch_size=32", "dropout=0.1"], "simple-cnn") == {
        **PRESENT,
        "batch_size": 32,
        "dropout": 0.1,
    }


def test_a_trial_that_is_stopped_is_not_one(sketches, tmp_path, monkeypatch):
    stopped = threading.Event()
    stopped.set()
    monkeypatch.setattr(searching, "train", partial(train, stop=stopped))
    with pytest.raises(KeyboardInterrupt):
        search("simple-cnn", sketches, 1, 1, "float32", tmp_path)
    assert load_trials("simple-cnn", tmp_path) == []
