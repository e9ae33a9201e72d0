"""Each pre-flight check raises an alarm on its own fault, and none on the models of the registry."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout

from dlvc.data import ImageData, Split
from dlvc.data.augment import crop_and_mirror, random_draws
from dlvc.experiments.registry import EXPERIMENTS, build_model, config_for
from dlvc.inspection.preflight_checks import preflight
from dlvc.inspection.preflight_checks.data_checks import chance_bound
from dlvc.models.cnn import DeepCNN, SimpleCNN
from dlvc.models.resnet import ResNet18


@pytest.fixture(autouse=True)
def own_random_numbers():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def changed(change: Callable[[nn.Module], None]) -> nn.Module:
    model = DeepCNN(batch_norm=True)
    change(model)
    return model


class Wrapped(nn.Module):
    """A correct CNN whose scores are changed on their way out."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model = DeepCNN()
        self.change = change

    def forward(self, images: Tensor) -> Tensor:
        return self.change(self.model(images))


class Deaf(DeepCNN):
    """It stays in evaluation mode whatever it is told."""

    def train(self, mode: bool = True) -> nn.Module:
        return super().train(False)


def first_detached(model: nn.Module) -> None:
    model.features[0].register_forward_hook(lambda module, inputs, output: output.detach())


def sure_of_class_three(model: nn.Module) -> None:
    model.classifier[-1].bias.data[3] += 20


def wide_head(model: nn.Module) -> None:
    model.classifier[-1] = nn.Linear(256, 12)


def narrow_head(model: nn.Module) -> None:
    model.classifier[-1] = nn.Linear(256, 3)


def mixing(scores: Tensor) -> Tensor:
    return scores - 0.1 * scores.mean(dim=0)


def always_dropping(scores: Tensor) -> Tensor:
    return dropout(scores, 0.5)


@torch.no_grad()
def without_eval(model: nn.Module, images: Tensor) -> Tensor:
    return model(images.float() / 255)


@torch.no_grad()
def augmented(model: nn.Module, images: Tensor) -> Tensor:
    draws = random_draws(len(images), torch.default_generator)
    return model.eval()(crop_and_mirror(images, draws).float() / 255)


def softmax_first(scores: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(scores.softmax(dim=1), labels)


FAULTS: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], set[str]]] = {
    "fewer images than claimed": (DeepCNN, {"train_size": 1_200}, {"training images"}),
    "too many outputs": (lambda: changed(wide_head), {}, {"one score for each class"}),
    "too few outputs": (lambda: changed(narrow_head), {}, {"one score for each class"}),
    "pixels in 0..255": (
        SimpleCNN,
        {"prepare": Tensor.float},
        {"inputs in range", "first loss"},
    ),
    "pixels divided twice": (
        lambda: DeepCNN(batch_norm=True),
        {"prepare": lambda images: images.float() / 255 / 255},
        {"inputs in range"},
    ),
    "sure before it has learned": (
        lambda: changed(sure_of_class_three),
        {},
        {"first loss"},
    ),
    "a layer cut off": (
        lambda: changed(first_detached),
        {},
        {"gradients reach every parameter"},
    ),
    "softmax before the loss": (
        lambda: DeepCNN(batch_norm=True),
        {"loss": softmax_first},
        {"a small batch can be overfitted"},
    ),
    "softmax as the last layer": (
        lambda: Wrapped(lambda scores: scores.softmax(dim=1)),
        {},
        {"a small batch can be overfitted"},
    ),
    "training mode never reached": (Deaf, {}, {"training and evaluation mode differ"}),
    "batch normalisation never trained": (
        lambda: Deaf(batch_norm=True, dropout=0.0),
        {},
        {"training and evaluation mode differ"},
    ),
    "eval() forgotten": (DeepCNN, {"scores": without_eval}, {"evaluation repeats itself"}),
    "batch statistics in evaluation": (
        lambda: DeepCNN(batch_norm=True, dropout=0.0),
        {"scores": without_eval},
        {"evaluation repeats itself", "images do not see each other"},
    ),
    "validation images augmented": (DeepCNN, {"scores": augmented}, {"evaluation repeats itself"}),
    "images mixed": (lambda: Wrapped(mixing), {}, {"images do not see each other"}),
    "weights not loaded": (
        lambda: DeepCNN(batch_norm=True),
        {"pretrained": True},
        {"pretrained weights are there"},
    ),
}


@pytest.mark.parametrize(("build", "options", "alarms"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_raises_its_own_alarm(build, options, alarms, sketches: ImageData):
    assert set(preflight(build(), sketches, **options).alarms) == alarms


def test_dropout_that_never_ends_is_no_evaluation(sketches: ImageData):
    report = preflight(Wrapped(always_dropping), sketches)
    assert "training and evaluation mode differ" in report.alarms
    assert "in evaluation mode" in report["evaluation repeats itself"].measured


@pytest.mark.slow
@pytest.mark.parametrize("key", EXPERIMENTS)
def test_a_model_of_the_registry_raises_no_alarm(key: str, sketches: ImageData):
    model = build_model(key, config_for(key, sketches, profile="smoke"))
    report = preflight(model, sketches, train_size=300)
    assert report.ok, report


def shuffled(split: Split) -> Split:
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(3))
    return Split(split.images[order], split.labels)


@pytest.mark.parametrize("name", ["train", "validation"])
def test_labels_of_other_images_are_noticed(name: str, sketches: ImageData):
    mixed = replace(sketches, **{name: shuffled(getattr(sketches, name))})
    assert preflight(DeepCNN(), mixed).alarms == ("labels fit the images",)


def test_labels_at_random_reach_the_bound_of_chance_once_in_a_thousand():
    generator = torch.Generator().manual_seed(0)
    said = torch.arange(10).repeat(50)
    hits = [
        int((torch.randint(10, (500,), generator=generator) == said).sum()) for _ in range(2_000)
    ]
    bound = chance_bound(said, said)
    # 500 images, right with probability 0.1: mean 50, standard deviation 6.7, so 3.1 of them are 71.
    assert 68 <= bound <= 74
    assert sum(each > bound for each in hits) <= 8


def test_an_image_in_two_splits_is_counted(sketches: ImageData):
    first = sketches.train.first(2)
    validation = Split(
        torch.cat((first.images, sketches.validation.images)),
        torch.cat((first.labels, sketches.validation.labels)),
    )
    report = preflight(DeepCNN(), replace(sketches, validation=validation))
    assert report.alarms == ("splits share no image",)
    assert report["splits share no image"].measured == "2 in train and validation"


def test_weights_that_have_moved_count_as_pretrained(sketches: ImageData):
    model = DeepCNN(batch_norm=True)
    for each in model.modules():
        if isinstance(each, nn.BatchNorm2d):
            nn.init.uniform_(each.weight, 0.5, 1.5)
    assert preflight(model, sketches, pretrained=True).ok


def test_what_cannot_be_told_is_not_applicable(sketches: ImageData):
    report = preflight(SimpleCNN(dropout=0.0), sketches, pretrained=True)
    for name in ("pretrained weights are there", "training and evaluation mode differ"):
        assert report[name].outcome == "not applicable"


@pytest.mark.parametrize("training", [True, False])
def test_model_mode_and_random_numbers_stay_as_they_were(training: bool, sketches: ImageData):
    model = DeepCNN(batch_norm=True).train(training)
    before, numbers = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    preflight(model, sketches)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert {each.training for each in model.modules()} == {training}
    assert all(each.grad is None for each in model.parameters())
    assert torch.equal(torch.get_rng_state(), numbers)


def test_a_report_says_what_was_measured_expected_and_to_be_done(sketches: ImageData):
    report = preflight(SimpleCNN(), sketches, prepare=Tensor.float)
    for shown in (repr(report), report._repr_markdown_()):
        assert "2 alarms: inputs in range, first loss" in shown
        assert "dividing by 255" in shown
    assert not report.ok


def test_text_of_a_report_stays_text(sketches: ImageData):
    model = nn.Module()
    model.forward = lambda images: model.layer(images.flatten(1))
    model.layer = nn.Linear(3072, 10)
    model.register_module("<img src=x>", nn.Linear(1, 1))
    shown = preflight(model, sketches)._repr_markdown_()
    assert "&lt;img src=x&gt;" in shown
    assert "<img" not in shown


def test_an_unknown_check_is_answered_with_those_there_are(sketches: ImageData):
    with pytest.raises(KeyError, match="no check is called 'loss'; there is training images"):
        preflight(DeepCNN(), sketches)["loss"]


def test_a_frozen_backbone_raises_no_alarm(sketches: ImageData):
    report = preflight(ResNet18(frozen=True, dropout=0.0), sketches)
    assert report.ok, report
    for name in ("a small batch can be overfitted", "training and evaluation mode differ"):
        assert report[name].outcome == "not applicable"


def test_a_gradient_that_is_zero_throughout_reaches_no_parameter(sketches: ImageData):
    class Silenced(SimpleCNN):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) + 0 * self.unused(images.mean(dim=(2, 3)))

    model = Silenced()
    model.unused = nn.Linear(3, 10)
    found = preflight(model, sketches)["gradients reach every parameter"]
    assert found.outcome == "ALARM"
    assert "none for unused.weight, unused.bias" in found.measured
