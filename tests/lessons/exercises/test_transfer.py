"""The exercises of notebook 04 name the likely mistake behind a wrong answer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from wrong_answers import NAMED, Table, both_tests


def fit(features: Tensor, labels: Tensor, *, steps: int, rate: float = 1e-2) -> nn.Linear:
    head = nn.Linear(features.shape[1], 10)
    optimizer = torch.optim.Adam(head.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(head(features), labels).backward()
        optimizer.step()
    return head


def differing(in_file: dict[str, Tensor], in_model: dict[str, Tensor]) -> list[str]:
    names = []
    for name, value in in_model.items():
        other = in_file.get(name)
        if other is None or value.shape != other.shape or (value != other).any():
            names.append(name)
    return names


def only_gradients(model: nn.Module) -> nn.Module:
    model.train()
    model.backbone.requires_grad_(False)
    return model


def only_an_attribute(model: nn.Module) -> nn.Module:
    model.train()
    model.backbone.requires_grad = False
    model.backbone.eval()
    return model


def all_in_evaluation(model: nn.Module) -> nn.Module:
    model.backbone.requires_grad_(False)
    return model.eval()


def only_the_flag_of_the_head(model: nn.Module) -> nn.Module:
    model.backbone.requires_grad_(False)
    model.head.training = True
    return model


def only_batch_normalisation(model: nn.Module) -> nn.Module:
    model.train()
    model.backbone.requires_grad_(False)
    for layer in model.backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    return model


WRONG: Table = {
    "new_head": [
        ({"parameters of the head": 18_944}, "has a bias, too"),
        ({"parameters of the head": 5_130}, "37 classes here"),
        ({"changed by the optimizer": 0}, "the head is not frozen"),
        ({"rows of layer4": 6}, "halved once more"),
        ({"rows of layer4": 9}, "number of places"),
    ],
    "linear_probe": [
        (lambda z, y, new: fit(z, y, steps=100)(new), "ten scores for each row"),
        (lambda z, y, new: fit(z, y, steps=100)(z).argmax(1), "it was trained on"),
        (lambda z, y, new: fit(z, y, steps=0)(new).argmax(1), "as by guessing"),
        (lambda z, y, new: fit(z, y, steps=5)(new).argmax(1), "train longer"),
        (lambda z, y, new: 0.93, "a tensor of classes; it returned 0.93"),
        (lambda z, y, new: fit(z, y, steps=1)(new[:, :5]), "your function stopped with"),
    ],
    "tensors_loaded": [
        (120, "do the names fit?"),
        (122, "has none for its head"),
        (2, "what the file does not have"),
    ],
    "larger_gap": [
        ("resnet18", "make its training harder"),
        ("resnet", "answer with one of"),
        (2, "answer with one of 'resnet18', 'resnet18-plain'"),
    ],
    "not_loaded": [
        (lambda f, m: [name for name in f if name not in m], "Go through the model's"),
        (lambda f, m: [name for name in m if name not in f], "can have other numbers"),
        (lambda f, m: [name for name in m if name not in differing(f, m)], "do equal"),
        (lambda f, m: sorted(differing(f, m)), "keep the order"),
        (
            lambda f, m: [name for name in m if name not in f or f[name].shape != m[name].shape],
            "of the same shape can have",
        ),
        (lambda f, m: [name for name in m if (f[name] != m[name]).any()], "KeyError"),
    ],
    "freeze": [
        (only_gradients, "still moves its running statistics"),
        (only_an_attribute, "4 of 4 tensors"),
        (all_in_evaluation, "dropout is off"),
        (only_the_flag_of_the_head, "dropout is off"),
        (lambda model: model.requires_grad_(False), "so nothing learns"),
        (lambda model: model.backbone.requires_grad_(False), "return the model"),
    ],
    "gradient_factors": [
        ({"plain": 1.0}, "multiplied, not added"),
        ({"plain": 0.1}, "plain: that is one layer"),
        ({"plain": 0}, "not 0"),
        ({"residual": 2}, "what has already grown"),
        ({"residual": 1.0}, "1 + 0.1"),
    ],
}


test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "04_resnet18_transfer", WRONG
)


def test_a_loop_over_shape_and_numbers_finds_the_same_tensors() -> None:
    assert NAMED["not_loaded"].assess(differing).heading == "right"


def test_a_backbone_whose_statistics_stand_still_is_frozen() -> None:
    assert NAMED["freeze"].assess(only_batch_normalisation).heading == "right"


@pytest.mark.parametrize("kind", [torch.as_tensor, torch.Tensor.numpy])
def test_classes_are_taken_as_a_tensor_or_an_array(kind: Any) -> None:
    def predicted(features: Tensor, labels: Tensor, new: Tensor) -> Any:
        return kind(fit(features, labels, steps=100)(new).argmax(dim=1))

    assert NAMED["linear_probe"].assess(predicted).heading == "right"
