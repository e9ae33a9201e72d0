"""Every entry of the registry can be built, trained, recorded and loaded again."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from dlvc.config import PROFILES
from dlvc.experiments import (
    COMPARISONS,
    EXPERIMENTS,
    build_model,
    config_for,
    get_experiment,
    load_run,
    run_experiment,
)
from dlvc.models.resnet import ResNet18
from dlvc.provenance import weights_origin
from dlvc.records import load_record
from dlvc.training import evaluate, predict

KEYS = tuple(EXPERIMENTS)
TRAINED = tuple(key for key in KEYS if key != "majority")
QUICK = {"epochs": 1, "train_size": 20, "evaluation_size": 20, "device": "cpu"}


def test_the_registry_has_the_nine_models_of_the_report():
    assert KEYS == (
        "majority",
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
    model = build_model(key, config_for(key, sketches, dropout=0.0))
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
    architecture = getattr(one.build, "keywords", {}) != getattr(other.build, "keywords", {})
    architecture |= getattr(one.build, "func", one.build) is not getattr(
        other.build, "func", other.build
    )
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
    assert config.augmentation == ("none" if key == "resnet18-plain" else "crop-and-mirror")


def test_an_explicit_setting_wins_over_profile_and_protocol(sketches):
    config = config_for(
        "simple-cnn", sketches, protocol="tuned", profile="smoke", epochs=7, learning_rate=0.02
    )
    assert (config.epochs, config.learning_rate, config.optimizer) == (7, 0.02, "adamw")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": "cnn"}, "no experiment 'cnn'; choose one of majority, simple-cnn"),
        ({"key": "simple-cnn", "protocol": "best"}, "protocol must be report or tuned; got 'best'"),
        ({"key": "simple-cnn", "lr": 0.1}, "no setting 'lr'; choose from epochs"),
        ({"key": "simple-cnn", "profile": "quick"}, "profile must be one of"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(arguments, message, sketches):
    with pytest.raises(ValueError, match=message):
        config_for(data=sketches, **arguments)


@pytest.mark.parametrize("key", KEYS)
def test_a_run_leaves_a_record_and_weights_that_load_back(key, sketches, tmp_path):
    config = config_for(key, sketches, **QUICK)
    run = run_experiment(key, sketches, config, profile="smoke", folder=tmp_path, progress=False)
    record = load_record(run.path)
    assert record == run.record
    assert record.config == config.as_dict()
    assert record.data["digest"] == sketches.digest
    assert record.data["sizes"] == {"train": 300, "validation": 100, "test": 100}
    assert record.best_epoch == 1
    assert sum(map(sum, record.test.confusion)) == 20
    assert record.model["parameters"] == sum(each.numel() for each in run.model.parameters())
    assert (tmp_path / record.weights_file).is_file()

    restored = load_run(run.path)
    again = evaluate(restored, sketches.test.first(20), progress=False)
    assert again.confusion.tolist() == record.test.confusion
    assert again.correct.numpy().tolist() == record.test.correct_images().tolist()


def test_initial_weights_depend_on_the_seed_alone(sketches):
    def first_weight(seed: int) -> torch.Tensor:
        torch.rand(3)
        return next(
            build_model("simple-cnn", config_for("simple-cnn", sketches, seed=seed)).parameters()
        )

    assert torch.equal(first_weight(0), first_weight(0))
    assert not torch.equal(first_weight(0), first_weight(1))


def test_two_runs_of_one_second_get_two_files(sketches, tmp_path):
    config = config_for("majority", sketches, **QUICK)
    paths = {
        run_experiment("majority", sketches, config, folder=tmp_path, progress=False).path
        for _ in range(3)
    }
    assert len(paths) == len(list(tmp_path.glob("*.json"))) == 3


def test_the_record_says_which_weights_a_transfer_started_from(sketches):
    config = config_for("resnet18", sketches, **QUICK)
    source = ResNet18().backbone.state_dict()
    named = run_experiment(
        "resnet18",
        sketches,
        config,
        weights=source,
        weights_name="drawn task",
        save=False,
        progress=False,
    )
    assert (named.record.model["weights"], named.record.title) == (
        "drawn task",
        "ResNet18 (drawn task weights)",
    )
    bare = run_experiment("resnet18", sketches, config, weights=None, save=False, progress=False)
    assert (bare.record.model["weights"], bare.record.title) == (
        "random",
        "ResNet18 (random start)",
    )
    assert bare.path is None


def test_a_weights_file_without_a_name_is_called_by_its_digest(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"abc")
    assert weights_origin(path) == "mine.pth, SHA-256 ba7816bf8f01"


def test_weights_for_a_model_that_takes_none_are_refused(sketches):
    with pytest.raises(ValueError, match="simple-cnn starts from random weights"):
        build_model("simple-cnn", config_for("simple-cnn", sketches), weights={})


def test_multiply_adds_of_the_simple_cnn_counted_by_hand(sketches):
    record = run_experiment(
        "simple-cnn",
        sketches,
        config_for("simple-cnn", sketches, **QUICK),
        save=False,
        progress=False,
    ).record
    convolutions = 28 * 28 * 6 * (5 * 5 * 3) + 10 * 10 * 16 * (5 * 5 * 6)
    linear = 400 * 120 + 120 * 84 + 84 * 10
    assert record.model["multiply_adds"] == convolutions + linear


def test_an_unknown_experiment_is_refused():
    with pytest.raises(ValueError, match="no experiment 'resnet'"):
        get_experiment("resnet")


def test_a_config_of_a_record_can_be_changed_and_run_again(sketches):
    config = replace(config_for("deep-cnn", sketches, **QUICK), seed=4)
    record = run_experiment("deep-cnn", sketches, config, save=False, progress=False).record
    assert record.seed == 4
