"""Runs are drawn together only if they differ in nothing but the seed."""

from __future__ import annotations

import numpy as np
import pytest

from dlvc.plots.series import data_text, runs_text, series_of


def test_runs_that_differ_in_the_seed_are_one_series(make_run):
    (series,) = series_of([make_run("deep-cnn", seed, final=0.5 + 0.1 * seed) for seed in range(3)])
    assert series.label == "Deep CNN"
    assert series.test_accuracies == pytest.approx([50, 60, 70])
    assert np.diag(series.test_confusion).tolist() == [180] * 10
    assert series.test_confusion.sum() == 3 * 1000


def test_series_follow_the_registry_whatever_the_order_of_records(all_runs):
    forward, backward = series_of(all_runs), series_of(all_runs[::-1])
    assert [entry.key for entry in forward] == [entry.key for entry in backward]
    assert forward[0].key == "majority"
    assert forward[-1].key == "resnet18-plain"


def test_only_what_differs_is_named_in_a_label(make_run):
    report, tuned = make_run("deep-cnn"), make_run("deep-cnn", protocol="tuned")
    assert [entry.label for entry in series_of([report, tuned])] == [
        "Deep CNN, report protocol",
        "Deep CNN, tuned protocol",
    ]
    cifar = make_run("deep-cnn", data={**report.data, "title": "CIFAR-10", "digest": "c"})
    labels = {entry.label for entry in series_of([report, cifar])}
    assert labels == {"Deep CNN, Sketch-10", "Deep CNN, CIFAR-10"}


def test_profiles_other_than_full_are_named_and_long_labels_wrapped(make_run):
    full, short = make_run("deep-cnn"), make_run("deep-cnn", profile="class")
    long = make_run("resnet18-plain", title="ResNet18 (no augmentation) (Tiny-ImageNet weights)")
    labels = [entry.label for entry in series_of([full, short, long])]
    assert labels[:2] == ["Deep CNN", "Deep CNN, class profile"]
    assert labels[2] == "ResNet18 (no augmentation,\nTiny-ImageNet weights)"


def test_a_second_series_of_a_model_has_hollow_markers(make_run):
    first, second = series_of([make_run("deep-cnn"), make_run("deep-cnn", protocol="tuned")])
    assert first.face == first.style.color
    assert second.face == "white"
    assert first.style == second.style


def test_runs_with_other_settings_are_not_averaged_and_their_labels_say_which(make_run):
    run = make_run("deep-cnn")
    other = make_run("deep-cnn", 1, config={**run.config, "learning_rate": 1.0})
    labels = [entry.label for entry in series_of([run, other, make_run("deep-vit")])]
    assert labels == ["Deep CNN, learning_rate 0.001", "Deep CNN, learning_rate 1.0", "Deep ViT"]


def test_runs_without_a_test_are_left_out_where_the_test_is_drawn(make_run):
    runs = [make_run("deep-cnn"), make_run("simple-cnn", test=None, interrupted=True)]
    assert [entry.key for entry in series_of(runs, tested=True)] == ["deep-cnn"]
    with pytest.raises(ValueError, match="at least one record with a test result; got none"):
        series_of(runs[1:], tested=True)


def test_only_models_that_learn_have_learning_curves(make_run):
    runs = [make_run("majority"), make_run("deep-cnn"), make_run("deep-vit", epochs=())]
    assert [entry.key for entry in series_of(runs, learning=True)] == ["deep-cnn"]
    with pytest.raises(ValueError, match="at least one epoch; got none"):
        series_of(runs[:1], learning=True)


def test_numbers_of_runs_and_data_are_put_in_words(make_run):
    one = series_of([make_run("deep-cnn")])
    three = series_of([make_run("simple-cnn", seed) for seed in range(3)])
    assert runs_text(one) == "one run each"
    assert runs_text(three) == "3 runs each"
    assert runs_text(one + three) == "1 to 3 runs each"
    assert data_text(one + three) == "Sketch-10"
