"""A search tries settings on validation images only, goes on where it was, and its best trial is the tuned recipe."""

from dataclasses import replace

import pytest
from small_training import Breaks

from dlvc import search as searching
from dlvc.experiments import EXPERIMENTS
from dlvc.search import SPACE, Trial, best_trials, confirm, load_trials, propose, search

SEARCHED = [key for key in EXPERIMENTS if best_trials(load_trials(key))]
PRESENT = {name: getattr(EXPERIMENTS["simple-cnn"].tuned, name) for name in SPACE}
TRIAL = Trial(PRESENT, 10, 40_000, 0, "made up", 0.5, 0.5, 1.0)


@pytest.mark.parametrize("key", SEARCHED)
def test_the_tuned_recipe_is_the_best_trial_that_was_run_in_full(key):
    best = best_trials(load_trials(key))[0]
    assert {name: getattr(EXPERIMENTS[key].tuned, name) for name in SPACE} == best.settings


def test_a_search_never_sees_a_test_image_and_goes_on_where_it_was(sketches, tmp_path, monkeypatch):
    unseen = replace(sketches, test=None)
    search("simple-cnn", unseen, 2, 1, tmp_path)
    first = load_trials("simple-cnn", tmp_path)
    assert first[0].settings == PRESENT
    assert first[1].settings != PRESENT
    search("simple-cnn", unseen, 3, 1, tmp_path)
    assert load_trials("simple-cnn", tmp_path)[:2] == first
    monkeypatch.setattr(searching, "FULL_EPOCHS", 2)
    confirm("simple-cnn", unseen, 1, tmp_path)
    trials = load_trials("simple-cnn", tmp_path)
    assert [each.epochs for each in trials] == [1, 1, 1, 2]
    best = max(trials[:3], key=lambda each: each.validation_accuracy)
    assert trials[3].settings == best.settings
    confirm("simple-cnn", unseen, 1, tmp_path)
    assert len(load_trials("simple-cnn", tmp_path)) == 4


def test_a_training_that_breaks_off_is_a_trial_without_success(sketches, monkeypatch):
    settings = {**PRESENT, "learning_rate": 1.0}
    monkeypatch.setattr(searching, "build_model", lambda key, config: Breaks({2}))
    trial = searching.run_trial("simple-cnn", settings, sketches, 1)
    assert (trial.validation_accuracy, trial.train_accuracy) == (0.0, 0.0)


def test_proposals_come_closer_to_what_was_good():
    """Accuracy depends on the learning rate alone, best at 0.003: late proposals are nearer than random ones."""

    def score(settings: dict) -> float:
        ratio = settings["learning_rate"] / 3e-3
        return 1 - abs(ratio - 1) / (ratio + 1)

    trials = []
    for _ in range(40):
        settings = propose(trials, 10)
        trials.append(replace(TRIAL, settings=settings, validation_accuracy=score(settings)))
    found = [each.validation_accuracy for each in trials]
    assert sum(found[-10:]) / 10 > sum(found[:8]) / 8 + 0.1
