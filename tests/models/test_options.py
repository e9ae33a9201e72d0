"""A run may change its model's options; what is recorded is what was built."""

from __future__ import annotations

import inspect
import threading
from dataclasses import fields

import pytest
import torch

from dlvc.experiments.records import load_records
from dlvc.experiments.registry import EXPERIMENTS, build_model, config_for, outline_model
from dlvc.experiments.running import load_run, run_experiment
from dlvc.models.cnn import DeepCNN
from dlvc.models.cost import describe_model
from dlvc.models.options import (
    OPTIONS,
    chosen_options,
    describe_options,
    option_fields,
    preset_options,
)
from dlvc.training.evaluation import evaluate

QUICK = {"epochs": 1, "train_size": 20, "evaluation_size": 20, "device": "cpu"}


@pytest.mark.parametrize("model", OPTIONS, ids=lambda model: model.__name__)
def test_the_defaults_are_those_of_the_model(model):
    signature = inspect.signature(model).parameters
    for each in fields(OPTIONS[model]):
        assert each.default == signature[each.name].default, each.name


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_an_untouched_run_has_the_options_of_the_registry(key):
    build = EXPERIMENTS[key].build
    defaults = {name: each.default for name, each in option_fields(build).items()}
    as_it_is = {**defaults, **preset_options(build)}
    assert chosen_options(build) == chosen_options(build, as_it_is) == preset_options(build)


def test_the_committed_records_have_the_options_of_the_registry():
    for record in load_records():
        assert record.model["options"] == chosen_options(EXPERIMENTS[record.key].build)


def test_a_run_with_other_options_is_recorded_and_loads_back(sketches, tmp_path):
    config = config_for("deep-cnn-bn", sketches, **QUICK)
    options = {"depth": 2, "width": 8, "batch_norm": True}
    run = run_experiment(
        "deep-cnn-bn", sketches, config, options=options, folder=tmp_path, progress=False
    )
    assert run.record.model["options"] == {"batch_norm": True, "depth": 2, "width": 8}
    # 5 x 5 x 3 x 8, 3 x 3 x 8 x 16, two numbers a channel, 16 x 8 x 8 inputs to 256 and those to 10.
    expected = 600 + 1152 + 2 * 24 + (1024 + 1) * 256 + 257 * 10
    assert run.record.model["parameters"] == expected
    again = evaluate(load_run(run.path), sketches.test.first(20), progress=False)
    assert again.confusion.tolist() == run.record.test.confusion


def test_another_option_is_another_run(sketches, tmp_path):
    config = config_for("shallow-vit", sketches, **QUICK)
    learn = {"folder": tmp_path, "progress": False}
    first = run_experiment("shallow-vit", sketches, config, **learn)
    other = run_experiment(
        "shallow-vit", sketches, config, options={"positions": "learned"}, **learn
    )
    same = run_experiment("shallow-vit", sketches, config, options={"depth": 1}, **learn)
    assert first.path == same.path != other.path


def test_width_and_depth_of_the_deep_cnn_leave_the_reports_network_as_it_was():
    torch.manual_seed(0)
    default = DeepCNN().state_dict()
    torch.manual_seed(0)
    named = DeepCNN(depth=3, width=16).state_dict()
    assert list(default) == list(named)
    assert all(torch.equal(default[name], named[name]) for name in default)
    assert DeepCNN(depth=5, width=2)(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("key", EXPERIMENTS)
def test_the_outline_has_the_models_numbers_and_draws_no_random_ones(key, sketches):
    config = config_for(key, sketches)
    before = torch.get_rng_state()
    outline = outline_model(key, config)
    told = describe_model(outline, sketches.test)
    assert torch.equal(before, torch.get_rng_state())
    assert told == describe_model(build_model(key, config), sketches.test)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"depth": 6, "stem": "patch"}, ""),
        ({"stem": "convolution", "depth": 5}, "depth 5, stem convolution"),
        ({"residual": False}, "residuals no"),
    ],
)
def test_a_run_with_other_options_says_so_in_its_title(changes, words, sketches):
    build = EXPERIMENTS["deep-vit-residual"].build
    assert describe_options(build, changes) == words
    config = config_for("deep-vit-residual", sketches, **QUICK)
    run = run_experiment(
        "deep-vit-residual", sketches, config, options=changes, save=False, progress=False
    )
    assert run.record.title == "Deep Residual ViT" + (f" ({words})" if words else "")


def test_what_another_thread_computes_is_not_counted(sketches):
    config = config_for("simple-cnn", sketches)
    model = build_model("simple-cnn", config)
    alone = describe_model(model, sketches.test)["multiply_adds"]
    running, other = threading.Event(), build_model("deep-cnn", config).eval()

    def compute() -> None:
        while not running.is_set():
            other(torch.rand(1, 3, 32, 32))

    thread = threading.Thread(target=compute)
    thread.start()
    counted = {describe_model(model, sketches.test)["multiply_adds"] for _ in range(20)}
    running.set()
    thread.join()
    assert counted == {alone}
