"""A run may change its model's options; what is recorded is what was built."""

from __future__ import annotations

import threading
from dataclasses import fields, replace

import pytest
import torch
from torch import nn

from dlvc.config import TrainConfig, split_settings
from dlvc.experiments.records import REFERENCE_RECORDS, load_records
from dlvc.experiments.registry import (
    EXPERIMENTS,
    build_model,
    config_for,
    options_of_all_models,
    outline_model,
)
from dlvc.experiments.running import load_run, run_experiment
from dlvc.models.cnn import DeepCNN
from dlvc.models.cost import describe_model
from dlvc.models.options import changed_options, describe_options, option, option_fields, options
from dlvc.training.evaluation import evaluate

QUICK = {"epochs": 1, "train_size": 20, "evaluation_size": 20, "device": "cpu"}
# A size that no other default fits.
IMPOSSIBLE_ALONE = (("num_heads", 64), ("patch_size", 32))
MODELS = {experiment.model.__name__: experiment.model for experiment in EXPERIMENTS.values()}


class Small(nn.Module):
    """A model as a learner writes one."""

    @options(size=option("Size", "how large it is", 1, 3))
    def __init__(self, *, size: int = 2, bias: bool = True) -> None:
        super().__init__()
        self.layer = nn.Linear(size, size, bias=bias)


def test_an_option_has_the_name_and_the_default_of_the_constructor():
    size = option_fields(Small)["size"]
    assert (size.name, size.default, size.metadata["high"]) == ("size", 2, 3)
    assert Small().layer.weight.shape == (2, 2)
    assert Small(size=3, bias=False).layer.weight.shape == (3, 3)


@pytest.mark.parametrize("value", [0, 4, 2.0, True])
def test_a_constructor_refuses_what_its_option_does_not_allow(value):
    with pytest.raises(ValueError, match=r"size must be .*Try 2"):
        Small(size=value)


def test_an_option_of_a_name_that_the_constructor_has_not_is_a_fault():
    with pytest.raises(KeyError):
        options(depth=option("Depth", "?"))(Small.__init__)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_both_ends_of_a_range_and_every_choice_can_be_built(model):
    for name, field in option_fields(model).items():
        meta = field.metadata
        ends = meta["choices"] or (meta["low"], meta["high"])
        with torch.device("meta"):
            for value in (True, False) if isinstance(field.default, bool) else ends:
                if (name, value) not in IMPOSSIBLE_ALONE:
                    model(**{name: value})


def test_no_option_of_a_model_has_the_name_of_a_setting_of_the_training():
    assert not {each.name for each in fields(TrainConfig)} & set(options_of_all_models())
    assert split_settings({"depth": 2, "epochs": 3}) == ({"epochs": 3}, {"depth": 2})


@pytest.mark.parametrize("protocol", ["report", "tuned"])
@pytest.mark.parametrize("key", EXPERIMENTS)
def test_an_untouched_run_has_the_options_of_the_registry(key, protocol):
    experiment = EXPERIMENTS[key]
    _, own = experiment.recipe(protocol)
    defaults = {name: field.default for name, field in option_fields(experiment.model).items()}
    as_it_is = {**defaults, **own}
    assert experiment.model_options(protocol) == own
    assert experiment.model_options(protocol, as_it_is) == own
    assert changed_options(experiment.model, own, as_it_is) == {}


@pytest.mark.parametrize("folder", [REFERENCE_RECORDS, REFERENCE_RECORDS / "tuned"])
def test_the_committed_records_have_the_options_of_the_registry(folder):
    """Also those from when dropout and image size stood among the settings of the training."""
    for record in load_records(folder):
        config, options = EXPERIMENTS[record.key].recipe(record.protocol)
        stem = {"stem": "convolution"} if "stem" in record.title else {}
        assert record.model["options"] == {**options, **stem}
        assert TrainConfig(**record.config).optimizer == config.optimizer


def test_a_run_with_other_options_is_recorded_and_loads_back(sketches, tmp_path):
    config = config_for("deep-cnn-bn", sketches, **QUICK)
    options = {"depth": 2, "width": 8, "batch_norm": True}
    run = run_experiment(
        "deep-cnn-bn", sketches, config, options=options, folder=tmp_path, progress=False
    )
    assert run.record.model["options"] == {
        **{"batch_norm": True, "depth": 2, "width": 8},
        "dropout": 0.5,
    }
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
    outline = outline_model(key)
    told = describe_model(outline, sketches.test)
    assert torch.equal(before, torch.get_rng_state())
    full = replace(config, train_size=40_000)  # what the nearest neighbour costs depends on it
    assert told == describe_model(build_model(key, full), sketches.test)


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
    experiment = EXPERIMENTS["deep-vit-residual"]
    changed = experiment.changed_options("report", changes)
    assert describe_options(experiment.model, changed) == words
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
