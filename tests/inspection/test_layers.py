"""What is said of a layer agrees with torch's own gradients and with counting by hand, and changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy
from torch.testing import assert_close

from dlvc.inspection.layers import (
    activation_by_layer,
    effective_rank,
    gradient_by_layer,
    token_similarity,
    tokens_by_block,
)
from dlvc.models.cnn import DeepCNN
from dlvc.models.vit import VisionTransformer


def batch(count: int = 8, *, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 3, 32, 32, generator=generator)
    return images, torch.randint(10, (count,), generator=generator)


def seeded(model_of, *, seed: int = 0, **options) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model_of(**options)


def test_gradients_are_those_of_backward_and_leave_the_model_as_it_was():
    model = seeded(DeepCNN, batch_norm=True, dropout=0.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = gradient_by_layer(model, *batch())
    assert all(each.grad is None for each in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    cross_entropy(model(batch()[0]), batch()[1]).backward()
    layers = dict(model.named_modules())
    assert [each.layer for each in found][:2] == ["features.0.0", "features.1.0"]
    for each in found:
        weight = layers[each.layer].weight
        size = weight.grad.norm().item() / math.sqrt(weight.numel())
        assert math.isclose(each.size, size, rel_tol=1e-4)
        assert math.isclose(
            each.relative, (weight.grad.norm() / weight.norm()).item(), rel_tol=1e-4
        )


def test_activations_of_a_layer_made_by_hand():
    """Two units: one is positive on half of the inputs, the other never."""
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 4, 10))
    nn.init.zeros_(model[0].weight)
    model[0].bias.data = torch.tensor([0.0, -1.0])
    model[0].weight.data[0, 0] = 1.0
    images = torch.zeros(2, 3, 2, 2)
    images[0, 0] = 1.0
    (found,) = activation_by_layer(model, images)
    values = torch.tensor([1.0] * 4 + [0.0] * 4 + [-1.0] * 8)
    assert found.layer == "1"
    assert_close([found.mean, found.deviation], [values.mean().item(), values.std().item()])
    assert_close([found.zero, found.dead], [0.75, 0.5])


def test_activations_are_looked_at_without_dropout_and_hooks_go():
    model = seeded(DeepCNN, dropout=0.5).train()
    first, second = (activation_by_layer(model, batch()[0]) for _ in range(2))
    assert first == second
    assert model.training
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())
    with pytest.raises(ValueError, match=r"VisionTransformer has no nn\.ReLU"):
        activation_by_layer(VisionTransformer(depth=1), batch()[0])


def test_tokens_are_those_before_the_first_block_and_after_each():
    model = seeded(VisionTransformer, depth=3, class_token=True).eval()
    found = tokens_by_block(model, batch(2)[0])
    assert [tuple(each.shape) for each in found] == [(2, 65, 128)] * 4
    assert_close(model.blocks[1](found[1]), found[2])
    assert_close(model.head(model.norm(found[3])[:, 0]), model(batch(2)[0]))


def test_equal_tokens_have_similarity_1_and_others_the_mean_cosine_of_their_pairs():
    equal = torch.tensor([[1.0, 2.0]]).repeat(5, 1) * torch.arange(1, 6)[:, None]  # by their length
    assert_close(token_similarity(equal).item(), 1.0)
    assert_close(token_similarity(torch.eye(4)).item(), 0.0)
    tokens = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    pairs = [(first, second) for first in range(6) for second in range(6) if first != second]
    expected = [
        sum(cosine_similarity(image[a], image[b], dim=0) for a, b in pairs) / len(pairs)
        for image in tokens
    ]
    assert_close(token_similarity(tokens).float(), torch.stack(expected))


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_the_effective_rank_of_equally_long_directions_is_their_number(rank):
    directions = torch.linalg.qr(torch.randn(16, 8, generator=torch.Generator().manual_seed(0)))[0]
    tokens = 5 * directions[:, :rank] @ torch.eye(rank, 8)
    assert_close(effective_rank(tokens[None]), torch.tensor([float(rank)], dtype=torch.float64))


def test_plain_attention_blocks_lose_rank_and_residual_ones_keep_most():
    images = batch(4)[0]
    plain, residual = (
        effective_rank(
            tokens_by_block(seeded(VisionTransformer, depth=6, residual=each), images)[-1]
        ).mean()
        for each in (False, True)
    )
    assert plain < 3 < 10 < residual
