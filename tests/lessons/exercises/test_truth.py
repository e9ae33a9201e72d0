"""What the solutions state as values is what the library and torch do; and a right answer may take several forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention
from wrong_answers import NAMED, right_answer

from dlvc.lessons.exercises.exercise import RIGHT
from dlvc.metrics import confusion_matrix, mean_per_class_accuracy
from dlvc.models.cnn import DeepCNN, SimpleCNN
from dlvc.models.resnet import ResNet18
from dlvc.models.torchvision_check import import_torchvision
from dlvc.models.vit import SelfAttention, VisionTransformer


def parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def test_the_stem_has_this_shape_and_so_many_parameters() -> None:
    stem = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
    assert stem(torch.zeros(64, 3, 32, 32)).shape == right_answer("stem_shape")
    assert parameters(stem) == right_answer("stem_parameters")


def test_batch_normalisation_of_a_single_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        nn.BatchNorm2d(4).train()(torch.zeros(1, 4, 1, 1))
    assert right_answer("single_value") == "error"


def test_of_the_three_networks_only_the_normalised_one_bears_the_forgotten_255() -> None:
    torch.manual_seed(0)
    images, labels = torch.rand(64, 3, 32, 32), torch.arange(64) % 10
    networks = {
        "simple-cnn": SimpleCNN(),
        "deep-cnn": DeepCNN(),
        "deep-cnn-bn": DeepCNN(batch_norm=True),
    }
    losses = {
        key: cross_entropy(network.train()(255 * images), labels).item()
        for key, network in networks.items()
    }
    assert [key for key, loss in losses.items() if loss < 2 * math.log(10)] == [
        right_answer("forgotten_255")
    ]


@pytest.mark.parametrize("with_relu", [False, True])
def test_two_filters_are_one_unless_a_relu_stands_between_them(with_relu: bool) -> None:
    torch.manual_seed(0)
    first, second, image = torch.randn(1, 1, 3, 3), torch.randn(1, 1, 3, 3), torch.randn(1, 1, 9, 9)
    between = torch.conv2d(image, first)
    two = torch.conv2d(between.relu() if with_relu else between, second)
    one = torch.conv2d(image, right_answer("combined_filter")(first, second))
    assert torch.allclose(two, one, atol=1e-5) != with_relu


def test_larger_patches_change_these_numbers() -> None:
    small, large = VisionTransformer(depth=1), VisionTransformer(depth=1, patch_size=8)
    weights = large.blocks[0].attention.attention_weights(torch.zeros(1, 16, 128))
    assert right_answer("larger_patches") == {
        "tokens": len(large.positions),
        "weights of a head": weights[0, 0].numel(),
        "parameters more": parameters(large) - parameters(small),
    }


def test_attention_takes_the_order_of_its_tokens_as_the_solution_says() -> None:
    torch.manual_seed(0)
    attention, tokens, positions = (
        SelfAttention(embed_dim=8, num_heads=2),
        torch.rand(1, 5, 8),
        torch.rand(5, 8),
    )
    order = torch.tensor([4, 2, 0, 1, 3])

    def compare(before: torch.Tensor, after: torch.Tensor) -> str:
        if torch.allclose(before, after, atol=1e-6):
            return "same"
        alike = before.ndim == 3 and torch.allclose(before[:, order], after, atol=1e-6)
        return "shuffled" if alike else "different"

    shuffled = tokens[:, order]
    relations = [
        compare(attention(tokens), attention(shuffled)),
        compare(attention(tokens).mean(1), attention(shuffled).mean(1)),
        compare(attention(tokens + positions).mean(1), attention(shuffled + positions).mean(1)),
    ]
    assert relations == list(right_answer("token_order").values())


def test_attention_over_the_batch_gives_a_single_image_the_weight_1() -> None:
    layer = nn.MultiheadAttention(8, 2)  # the batch, here 1, is taken for the sequence
    tokens = torch.rand(1, 5, 8)
    assert (layer(tokens, tokens, tokens)[1] == 1).all()
    assert right_answer("batch_trap")["weight for a single image"] == 1


@pytest.mark.parametrize("repaired", [False, True])
def test_the_faulty_line_is_the_reshape_and_the_repair_named_is_one(repaired: bool) -> None:
    torch.manual_seed(0)
    B, N, D, H, d = 2, 6, 8, 2, 4
    attention, tokens = SelfAttention(embed_dim=D, num_heads=H), torch.rand(B, N, D)
    lines = NAMED["faulty_line"].task.split("```")[1].removeprefix("python\n").strip().splitlines()
    if repaired:
        faulty, instead = "reshape(B, H, N, d)", "reshape(B, N, H, d).transpose(1, 2)"
        assert faulty in lines[right_answer("faulty_line") - 1]
        assert instead in NAMED["faulty_line"].after
        lines[right_answer("faulty_line") - 1] = lines[1].replace(faulty, instead)
    names = {"tokens": tokens, "query_key_value": attention.query_key_value}
    exec("\n".join(lines), names | {"B": B, "N": N, "H": H, "d": d}, names)
    wanted = scaled_dot_product_attention(*attention.split_heads(tokens)).transpose(1, 2).flatten(2)
    assert torch.allclose(names["mixed"], wanted, atol=1e-6) == repaired


def test_the_new_head_has_these_numbers() -> None:
    model = ResNet18(num_classes=37, frozen=True, image_size=96)
    shapes = []
    model.backbone.layer4.register_forward_hook(lambda *call: shapes.append(call[2].shape))
    model.eval()(torch.zeros(1, 3, 96, 96))
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert right_answer("new_head") == {
        "parameters of the head": parameters(model.head),
        "changed by the optimizer": trained,
        "rows of layer4": shapes[0][2],
    }


def test_the_colleagues_line_loads_as_many_tensors_as_the_solution_says() -> None:
    in_file = ResNet18().backbone.state_dict()
    model = import_torchvision().models.resnet18(num_classes=10)
    weights = {"backbone." + name: value for name, value in in_file.items()}
    answer = model.load_state_dict(weights, strict=False)
    assert (len(weights), len(model.state_dict())) == (120, 122)
    assert len(weights) - len(answer.unexpected_keys) == right_answer("tensors_loaded")
    assert len(answer.unexpected_keys) == 120


def test_the_chain_rule_gives_these_factors() -> None:
    for kind, factor in right_answer("gradient_factors").items():
        start = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        x = start
        for _ in range(10):
            x = x + 0.1 * x if kind == "residual" else 0.1 * x
        x.backward()
        assert start.grad.item() == pytest.approx(factor)


def bounds(right: int, images: int) -> np.ndarray:
    return np.array(stats.binomtest(right, images).proportion_ci(method="wilson"))


def fit_by_torch(inputs: Tensor, labels: Tensor, steps: int, learning_rate: float) -> list[Tensor]:
    """The training with torch's own layer, loss and optimizer."""
    layer = nn.Linear(inputs.shape[1], 10)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), learning_rate)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(layer(inputs), labels).backward()
        optimizer.step()
    return [layer.weight.T, layer.bias]


def nearest_in_a_loop(new: Tensor, known: Tensor) -> list[int]:
    """The nearest thumbnails by numpy, image by image."""
    new, known = (x.reshape(len(x), 3, 8, 4, 8, 4).mean((3, 5)).numpy() for x in (new, known))
    return np.array([((known - image) ** 2).sum((1, 2, 3)).argmin() for image in new])


OTHER_FORMS = [
    ("stem_parameters", 9408.0),
    ("stem_parameters", torch.tensor(9408)),
    ("stem_parameters", np.array([9408])),
    ("stem_shape", [64, 64, 16, 16]),
    ("stem_shape", torch.Size([64, 64, 16, 16])),
    ("stem_shape", np.array([64, 64, 16, 16])),
    ("stem_shape", torch.tensor([64, 64, 16, 16])),
    ("wilson", bounds),
    ("single_value", " Error "),
    ("larger_gap", "RESNET18-PLAIN"),
    ("class_mean", lambda y, p: float(mean_per_class_accuracy(confusion_matrix(y, p)))),
    ("mean_loss", lambda s, y: (s.logsumexp(1) - s.gather(1, y[:, None])[:, 0]).mean().item()),
    ("fit", fit_by_torch),
    ("nearest", nearest_in_a_loop),
    ("only_one_right", lambda x, y: [np.sum(x > y), np.sum(x < y)]),
    ("mcnemar", lambda b, c: stats.binomtest(b, b + c).pvalue if b + c else 1),
    ("attend", scaled_dot_product_attention),
    ("convolve", lambda image, w: torch.conv2d(image[None, None], w[None, None])[0, 0]),
    (
        "normalise_batch",
        lambda x, g, b: nn.functional.batch_norm(x, None, None, g, b, training=True),
    ),
]


@pytest.mark.parametrize(("name", "answer"), OTHER_FORMS, ids=[name for name, _ in OTHER_FORMS])
def test_a_right_answer_in_another_form_is_right(name: str, answer: Any) -> None:
    assert NAMED[name].assess(answer).heading == RIGHT
