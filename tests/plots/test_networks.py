"""What is drawn of a network is what the network does, and changes with it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlvc.experiments import TrainConfig, build_model
from dlvc.models import ResNet18, VisionTransformer
from dlvc.models.cnn import DeepCNN
from dlvc.plots import network_drawing
from dlvc.plots.networks import first_block, network_steps
from dlvc.plots.parts import FROZEN, LEARNED

KEYS = ("simple-cnn", "deep-cnn", "deep-cnn-bn", "shallow-vit", "deep-vit-residual", "resnet18")


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def names(step) -> list[str]:
    return [operation.name.replace("\n", " ") for operation in step.operations]


@pytest.mark.parametrize("key", KEYS)
def test_drawn_shapes_and_parameters_are_those_of_the_trained_model(key):
    model = build_model(key, TrainConfig()).eval()
    passed = set()

    def note(layer, inputs, output):
        passed.update(tuple(tensor.shape[1:]) for tensor in (inputs[0], output))

    for layer in model.modules():
        layer.register_forward_hook(note)
    model(torch.rand(1, 3, 32, 32))
    steps = network_steps(key)
    for height, width, channels in (step.shape for step in steps if len(step.shape) == 3):
        assert (channels, height, width) in passed
    assert {step.shape for step in steps if len(step.shape) < 3} <= passed
    total = sum(operation.parameters for step in steps for operation in step.operations)
    assert total == sum(parameter.numel() for parameter in model.parameters())
    figure = network_drawing(key)
    assert f"{total:,} parameters" in figure.description
    for step in steps:
        assert any(text.startswith(str(step)) for text in texts(figure))
        assert str(step) in figure.description


def test_lenet_in_the_words_of_its_paper():
    """Source: LeCun et al. 1998, figure 2, with 3 channels and 2 x 2 pooling: sizes counted by hand."""
    steps = network_steps("simple-cnn")
    assert " ".join(map(str, steps)) == ("32×32×3 28×28×6 14×14×6 10×10×16 5×5×16 400 120 84 10")
    assert names(steps[1]) == ["normalise", "conv 5×5", "ReLU"]
    assert names(steps[2]) == ["max-pool 2"]
    assert names(steps[5]) == ["flatten"]


def test_a_vit_turns_patches_into_tokens_adds_positions_and_takes_the_mean():
    steps = network_steps("deep-vit-residual")
    assert " ".join(map(str, steps)) == "32×32×3 64×48 64×128 64×128 128 10"
    assert names(steps[1])[-1] == "cut into 4×4 patches"
    assert names(steps[2]) == ["linear", "+ positions"]
    assert steps[3].operations[0].words.startswith("6 × encoder")
    assert names(steps[4])[0] == "mean of tokens"


def test_a_class_token_is_put_in_front_and_read():
    steps = network_steps(VisionTransformer(class_token=True, positions="learned"))
    assert [step.shape for step in steps[3:6]] == [(65, 128), (65, 128), (128,)]
    assert [step.operations[0].name.replace("\n", " ") for step in steps[3:6:2]] == [
        "class token",
        "take the class token",
    ]
    assert steps[2].operations[-1].parameters == 64 * 128


def test_another_model_is_another_drawing():
    class Own(nn.Sequential):
        pass

    own = Own(nn.Conv2d(3, 7, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(7 * 32 * 32, 10))
    assert {"32×32×7", "conv 3×3\n196", "linear\n71,690"} <= set(texts(network_drawing(own)))
    assert own[0].weight.device.type == "cpu" and not own[0]._forward_hooks
    assert "2×2×128" in texts(network_drawing(DeepCNN(depth=4)))


def test_only_a_frozen_network_has_frozen_boxes():
    for frozen, look in ((True, FROZEN), (False, LEARNED)):
        steps = network_steps(ResNet18(frozen=frozen))
        looks = {
            operation.look
            for step in steps[:-1]
            for operation in step.operations
            if operation.parameters
        }
        assert looks == {look}
        assert steps[-1].operations[-1].look == LEARNED


def test_the_inside_of_a_block_has_its_parameters_and_its_sums():
    for key, name, sums in (("deep-vit", "blocks", 2), ("resnet18", "backbone.layer1", 1)):
        *_, operations = first_block(key)
        real = build_model(key, TrainConfig()).get_submodule(name)[0]
        assert sum(o.parameters for o in operations) == sum(p.numel() for p in real.parameters())
        assert [o.name for o in operations].count("+") == sums
    assert texts(network_drawing("deep-vit-residual")).count("+") == 2
    assert "+" not in texts(network_drawing("deep-vit"))
    assert first_block("simple-cnn") is None
