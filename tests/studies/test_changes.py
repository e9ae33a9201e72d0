"""Each change does what its formula says, to the model that it is given and while it lasts."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from dlvc.inspection import token_similarity
from dlvc.models.vit import VisionTransformer
from dlvc.studies.changes import changed


def small_vit(depth: int = 2) -> VisionTransformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VisionTransformer(depth=depth, residual=False, dropout=0.0)


def test_the_l1_step_moves_each_weight_to_zero_and_stops_there_and_leaves_biases():
    model = nn.Linear(3, 1)
    model.weight.data = torch.tensor([[0.5, -0.5, 0.01]])
    model.bias.data = torch.tensor([0.01])
    other = nn.Linear(3, 1)
    before = other.weight.clone()
    with changed(model, {"l1": 1.0}):
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


def test_a_warm_up_rises_linearly_and_ends_at_the_full_rate():
    model, other = nn.Linear(1, 1), nn.Linear(1, 1)
    moved = {}
    for trained in (model, other):
        optimizer = torch.optim.SGD(trained.parameters(), lr=1.0)
        with changed(model, {"warm_up": 4}):
            moved[trained] = []
            for _ in range(6):
                optimizer.param_groups[0]["lr"] = 0.1  # as the loop does before each step
                trained.weight.grad = torch.ones_like(trained.weight)
                before = trained.weight.item()
                optimizer.step()
                moved[trained].append(before - trained.weight.item())
    assert moved[model] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1], abs=1e-6)
    assert moved[other] == pytest.approx([0.1] * 6, abs=1e-6), "another model is left alone"


def test_larger_weights_let_a_layer_keep_the_variance_of_its_input():
    tokens = torch.randn(1_000, 128, generator=torch.Generator().manual_seed(0))
    model = small_vit()
    layer = model.blocks[1].attention.projection
    with torch.no_grad():
        assert layer(tokens).var().item() == pytest.approx(1 / 3, rel=0.1)
        with changed(model, {"larger_start": 3**0.5}):
            assert layer(tokens).var().item() == pytest.approx(1, rel=0.1)


@torch.no_grad()
def test_with_identity_attention_tokens_that_differ_pass_through_attention_as_they_are():
    model = small_vit()
    tokens = torch.randn(1, 64, 128, generator=torch.Generator().manual_seed(0))
    block = model.blocks[0]
    normed = block.attention_norm(tokens)
    assert token_similarity(block.attention(normed)) > 0.9, "torch's start makes them alike"
    with changed(model, {"identity_attention": 2.0}):
        assert_close(block.attention(normed), normed, atol=0.05, rtol=0)  # of unit variance
