"""Every entry of the registry can be built, and what is compared differs in one factor."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from dlvc.config import PROFILES
from dlvc.experiments.registry import (
    COMPARISONS,
    EXPERIMENTS,
    build_model,
    config_for,
    data_for,
    protocol_for,
)
from dlvc.training.evaluation import predict

KEYS = tuple(EXPERIMENTS)
TRAINED = tuple(key for key in KEYS if EXPERIMENTS[key].fit is None)


def test_the_registry_has_the_nine_models_of_the_report_and_two_baselines():
    assert KEYS == (
        "majority",
        "softmax-regression",
        "nearest-neighbour",
        "simple-cnn",
        "deep-cnn",
        "deep-cnn-bn",
        "shallow-vit",
        "deep-vit",
        "deep-vit-residual",
        "resnet18",
        "resnet18-plain",
    )


@pytest.mark.parametrize("key", KEYS)
def test_first_loss_is_near_that_of_guessing(key, sketches):
    model = build_model(key, config_for(key, sketches)).eval()
    with torch.no_grad():
        logits = predict(model, sketches.test.images)
    assert logits.shape == (100, 10)
    assert cross_entropy(logits, sketches.test.labels).item() == pytest.approx(
        math.log(10), abs=0.5
    )


@pytest.mark.parametrize("key", TRAINED)
def test_every_parameter_gets_a_gradient(key, sketches):
    options = {name: 0.0 for name in EXPERIMENTS[key].option_fields if name == "dropout"}
    model = build_model(key, config_for(key, sketches), options=options)
    images = sketches.train.images[:8].float() / 255
    cross_entropy(model(images), sketches.train.labels[:8]).backward()
    silent = [
        name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()
    ]
    assert not silent


@pytest.mark.parametrize("pair", COMPARISONS, ids=lambda pair: pair.factor)
def test_compared_experiments_differ_in_one_factor(pair):
    """In their settings or in their model's options, and never in both or in the number of images."""
    one, other = EXPERIMENTS[pair.without], EXPERIMENTS[pair.with_factor]
    assert one.budgets == other.budgets
    assert one.weights == other.weights
    settings = [
        name
        for name in one.report.as_dict()
        if one.report.as_dict()[name] != other.report.as_dict()[name]
    ]
    architecture = (one.model, one.options) != (other.model, other.options)
    assert len(settings) + architecture == 1


def test_the_vits_have_the_designed_sizes(sketches):
    def blocks(key: str) -> int:
        return len(build_model(key, config_for(key, sketches)).blocks)

    assert [blocks(key) for key in ("shallow-vit", "deep-vit", "deep-vit-residual")] == [1, 6, 6]
    model = build_model("deep-vit-residual", config_for("deep-vit-residual", sketches))
    assert sum(each.numel() for each in model.parameters()) == 802_698


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("protocol", ["report", "tuned"])
@pytest.mark.parametrize("key", KEYS)
def test_every_profile_and_protocol_gives_a_possible_config(key, protocol, profile, sketches):
    config = config_for(key, sketches, protocol=protocol, profile=profile)
    assert config.epochs <= 10
    assert config.train_size <= len(sketches.train)
    plain = ("nearest-neighbour", "resnet18-plain")
    assert (config.augmentation == "none") == (key in plain)


def test_an_explicit_setting_wins_over_profile_and_protocol(sketches):
    config = config_for(
        "simple-cnn", sketches, protocol="tuned", profile="smoke", epochs=7, learning_rate=0.02
    )
    assert (config.epochs, config.learning_rate, config.optimizer) == (7, 0.02, "adamw")


def test_the_smoke_profile_trains_by_the_tuned_recipes_and_the_others_by_the_reports():
    assert [protocol_for(profile) for profile in PROFILES] == ["tuned", "report", "report"]


def test_data_are_announced_unless_one_asks_for_quiet(capsys):
    assert data_for("smoke").title in capsys.readouterr().out
    data_for("smoke", quiet=True)
    assert capsys.readouterr() == ("", "")


def test_initial_weights_depend_on_the_seed_alone(sketches):
    def first_weight(seed: int) -> torch.Tensor:
        torch.rand(3)
        return next(
            build_model("simple-cnn", config_for("simple-cnn", sketches, seed=seed)).parameters()
        )

    assert torch.equal(first_weight(0), first_weight(0))
    assert not torch.equal(first_weight(0), first_weight(1))
