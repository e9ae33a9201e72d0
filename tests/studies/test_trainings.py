"""A study's variants differ in one thing, its L1 step is the one of the formula, and runs that are there are kept."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from dlvc.config import TrainConfig, split_settings
from dlvc.experiments.registry import build_model
from dlvc.studies.trainings import STUDIES, Study, Variant, l1_penalty, load_study, run_study

SMALL = Study(
    "small",
    "Does it run?",
    {"epochs": 2, "train_size": 64, "evaluation_size": 40, "dropout": 0.0},
    (Variant("none", "simple-cnn", {}), Variant("L1", "simple-cnn", {}, l1=1.0)),
)


@pytest.mark.parametrize("name", STUDIES)
def test_every_variant_can_be_trained_and_differs_from_the_others(name):
    study = STUDIES[name]
    seen = []
    for variant in study.variants:
        training, options = split_settings({**study.common, **variant.settings, **variant.options})
        config = TrainConfig(**training)
        build_model(variant.key, config, options=options)
        seen.append((variant.key, config, options, variant.l1))
    assert all(first != second for n, first in enumerate(seen) for second in seen[:n])


def test_training_size_variants_take_about_the_same_number_of_steps():
    steps = []
    for variant in STUDIES["training-size"].variants:
        size, epochs = variant.settings["train_size"], variant.settings["epochs"]
        steps.append(epochs * -(-size // 64))
    assert min(steps) >= 0.95 * 1_000
    assert max(steps) <= 1.05 * 1_024


def test_the_l1_step_moves_each_weight_to_zero_and_stops_there_and_leaves_biases():
    model = nn.Linear(3, 1)
    model.weight.data = torch.tensor([[0.5, -0.5, 0.01]])
    model.bias.data = torch.tensor([0.01])
    other = nn.Linear(3, 1)
    before = other.weight.clone()
    with l1_penalty(model, 1.0):
        for trained in (model, other):
            optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
            for parameter in trained.parameters():
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
    assert torch.allclose(model.weight, torch.tensor([[0.4, -0.4, 0.0]]))
    assert model.weight[0, 2] == 0 and model.bias == 0.01
    assert torch.equal(other.weight, before), "an optimizer of another model is left alone"
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.step()
    assert torch.allclose(model.weight, torch.tensor([[0.4, -0.4, 0.0]])), (
        "outside, nothing shrinks"
    )


def test_a_run_that_is_there_is_kept_and_a_missing_one_is_made(sketches, tmp_path, capsys):
    first = run_study(replace(SMALL, variants=SMALL.variants[:1]), sketches, 1, tmp_path)
    both = run_study(SMALL, sketches, 1, tmp_path)
    assert [run.label for run in both] == ["none", "L1"]
    assert both[0] == first[0]
    assert capsys.readouterr().out.count("small: none") == 1
    assert both[0].zero_share == 0.0 < both[1].zero_share
    assert both[1].weight_norm < both[0].weight_norm
    assert len(both[0].train_loss) == 2 and len(both[0].consistency) == 4
    assert load_study("small", tmp_path) == both
    assert load_study("other", tmp_path) == []


def test_runs_on_other_data_are_not_mixed_with_those_there_are(sketches, tmp_path):
    run = run_study(replace(SMALL, variants=SMALL.variants[:1]), sketches, 1, tmp_path)[0]
    text = (tmp_path / "small.json").read_text().replace(run.data, "Other data")
    (tmp_path / "small.json").write_text(text)
    with pytest.raises(ValueError, match=f"holds runs on Other data; data is {sketches.title}"):
        run_study(SMALL, sketches, 1, tmp_path)


@pytest.mark.parametrize("name", ["regularisation", "training-size", "positions"])
def test_the_stored_runs_are_those_of_the_study_of_today(name):
    study = STUDIES[name]
    expected = [
        {**study.common, **variant.settings, **variant.options} for variant in study.variants
    ]
    runs = load_study(name)
    for wanted in expected:
        assert any(wanted.items() <= run.settings.items() for run in runs)
    for run in runs:
        assert any(wanted.items() <= run.settings.items() for wanted in expected)
        assert run.data == "CIFAR-10 (JPEG copy)"
        assert run.best_epoch <= len(run.train_loss) == run.settings["epochs"]
