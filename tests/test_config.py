"""A config is either possible or refused, in words."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from dlvc.config import PROFILES, TrainConfig, current_profile, use_profile

SETTINGS = fields(TrainConfig)


def test_the_defaults_are_the_reports_settings():
    config = TrainConfig()
    assert (config.optimizer, config.learning_rate, config.weight_decay) == ("adam", 1e-3, 1e-4)
    assert (config.batch_size, config.epochs) == (64, 10)
    assert (config.augmentation, config.schedule) == ("crop-and-mirror", "constant")
    assert (config.train_size, config.evaluation_size) == (40_000, 10_000)


@pytest.mark.parametrize("each", SETTINGS, ids=lambda each: each.name)
def test_every_setting_has_label_help_and_a_range_that_holds_its_default(each):
    about = each.metadata
    assert about["label"]
    assert about["help"]
    if about["choices"]:
        assert each.default in about["choices"]
    else:
        assert about["low"] <= each.default <= about["high"]


@pytest.mark.parametrize(
    "each", [s for s in SETTINGS if not s.metadata["choices"]], ids=lambda each: each.name
)
def test_both_ends_of_a_range_are_allowed_and_beyond_is_refused_in_the_words_of_the_help(each):
    low, high = each.metadata["low"], each.metadata["high"]
    replace(TrainConfig(), **{each.name: low})
    replace(TrainConfig(), **{each.name: high})
    with pytest.raises(
        ValueError, match=rf"{each.name} must be between .*; got .*{each.metadata['help'][:20]}"
    ):
        replace(TrainConfig(), **{each.name: type(each.default)(high * 2 + 1)})


def test_a_config_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().epochs = 3


def test_the_profile_is_the_argument_else_the_environment_else_class(monkeypatch):
    monkeypatch.setenv("DLVC_PROFILE", "full")
    assert current_profile().name == "full"
    assert current_profile("smoke").name == "smoke"
    monkeypatch.delenv("DLVC_PROFILE")
    assert current_profile().name == "class"


def test_a_profile_that_is_used_holds_for_every_call_after_it(monkeypatch):
    monkeypatch.setenv("DLVC_PROFILE", "smoke")
    assert use_profile() == PROFILES["smoke"]
    assert repr(use_profile("full")).startswith("full: the whole protocol")
    assert current_profile().name == "full"
    with pytest.raises(ValueError, match="profile must be one of smoke, class, full; got 'fast'"):
        use_profile("fast")
    assert current_profile().name == "full"
