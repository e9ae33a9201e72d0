"""What the solutions state as values is what the library and torch do; and a right answer may take several forms."""

from __future__ import annotations

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
from dlvc.models.cnn import DeepCNN
from dlvc.models.resnet import ResNet18
from dlvc.models.torchvision_check import import_torchvision
from dlvc.models.vit import SelfAttention, VisionTransformer


def parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize("blocks", [2, 4])
def test_the_fair_widths_give_as_many_parameters_as_the_reports_network(blocks: int) -> None:
    width = right_answer("fair_depth")[f"{blocks} blocks"]
    count = parameters(DeepCNN(depth=blocks, width=width))
    assert count == pytest.approx(parameters(DeepCNN()), rel=0.05)


def test_resnet18_sees_as_far_as_the_solution_says() -> None:
    layers = [(7, 2), (3, 2)]
    for stride in (1, 2, 2, 2):  # of each stage's first convolution
        layers += [(3, stride), (3, 1), (3, 1), (3, 1)]
    assert f"over {right_answer('field_size')(layers)} pixels" in NAMED["field_size"].after


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
    ("wilson", bounds),
    ("larger_gap", "RESNET18-PLAIN"),
    ("class_mean", lambda y, p: float(mean_per_class_accuracy(confusion_matrix(y, p)))),
    ("mean_loss", lambda s, y: (s.logsumexp(1) - s.gather(1, y[:, None])[:, 0]).mean().item()),
    ("fit", fit_by_torch),
    ("nearest", nearest_in_a_loop),
    ("only_one_right", lambda x, y: [np.sum(x > y), np.sum(x < y)]),
    ("mcnemar", lambda b, c: stats.binomtest(b, b + c).pvalue if b + c else 1),
    ("attend", scaled_dot_product_attention),
    ("fair_depth", {"2 blocks": torch.tensor(9), "4 blocks": np.array([19.0])}),
]


@pytest.mark.parametrize(("name", "answer"), OTHER_FORMS, ids=[name for name, _ in OTHER_FORMS])
def test_a_right_answer_in_another_form_is_right(name: str, answer: Any) -> None:
    assert NAMED[name].assess(answer).heading == RIGHT
