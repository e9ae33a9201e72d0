"""Rollout, entropy, distance and sink mass equal values computed by hand or by loops; broken ones are noticed.

As in test_attention.py, a check is a function of an implementation that ours passes and each broken one fails.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log2, sqrt

import pytest
import torch
from must_fail import must_fail
from torch import Tensor
from torch.testing import assert_close

from dlvc.inspection.attention_statistics import (
    attention_distance,
    attention_entropy,
    attention_rollout,
    sink_mass,
)

both_readouts = pytest.mark.parametrize("class_token", [False, True], ids=["mean", "class token"])


def random_weights(*shape: int) -> Tensor:
    """Float64 weights of this shape that differ much from one another."""
    generator = torch.Generator().manual_seed(0)
    return (3 * torch.randn(shape, generator=generator, dtype=torch.float64)).softmax(dim=-1)


def one_head(*rows: list[float]) -> Tensor:
    """The weights of one head (1, N, N) with these rows."""
    return torch.tensor([rows], dtype=torch.float64)


# Rollout, test 8 of the ten (see test_attention.py)


def check_rollout_rows(rollout_of: Callable[[Tensor], Tensor]) -> None:
    rollout = rollout_of(random_weights(3, 4, 2, 5, 5))
    assert rollout.shape == (3, 4, 5, 5)
    assert_close(rollout.sum(dim=-1), torch.ones(3, 4, 5).double())


def check_rollout(rollout_of: Callable[[Tensor], Tensor]) -> None:
    weights = random_weights(3, 4, 2, 5, 5)
    rollout = rollout_of(weights)
    identity = torch.eye(5).double()
    alone = rollout_of(identity.expand(3, 4, 2, -1, -1))
    assert_close(alone, identity.expand(3, 4, -1, -1))

    one_layer = weights[:, :1]
    assert_close(rollout_of(one_layer)[:, 0], (weights[:, 0].mean(dim=1) + identity) / 2)

    # Layer 1 copies token 1 to token 0, layer 2 token 0 to token 2: then half of the half is from token 1 in token 2.
    first = one_head([0, 1, 0], [0, 1, 0], [0, 0, 1])
    second = one_head([1, 0, 0], [0, 1, 0], [1, 0, 0])
    pair = torch.stack((first, second))[None]
    expected = torch.tensor([[0.5, 0.5, 0], [0, 1, 0], [0.25, 0.25, 0.5]]).double()
    assert_close(rollout_of(pair)[0, 1], expected)

    each = torch.cat([rollout_of(weights[image : image + 1]) for image in range(3)])
    assert_close(rollout, each)


def rollout_by(
    weights: Tensor, *, keepdim: bool = True, left: bool = True, residual: bool = True, batch=None
) -> Tensor:
    """Rollout as programs have it, with the rows divided by their sums, unless an argument breaks something."""
    layers = weights.mean(dim=2) + (torch.eye(weights.shape[-1]).double() if residual else 0)
    mixed = torch.eye(weights.shape[-1]).double().expand(len(weights), -1, -1)
    steps = []
    for layer in layers.unbind(dim=1):
        sums = layer.sum(dim=-1, keepdim=True)
        # Without keepdim the sums stand in a row, (B, 1, N), and divide columns.
        layer = layer / (sums if keepdim else sums.mT)
        if batch is not None:
            layer = layer[batch].expand_as(layer)
        mixed = layer @ mixed if left else mixed @ layer
        steps.append(mixed)
    return torch.stack(steps, dim=1)


def rollout_of_shares_that_were_cut(weights: Tensor, *, keepdim: bool) -> Tensor:
    """vit-explain at its own defaults: small weights are set to 0, then rows are to be made shares again."""
    cut = torch.where(weights < 0.01, 0, weights)
    return rollout_by(cut, keepdim=keepdim)


def test_rows_of_rollout_sum_to_one():
    check_rollout_rows(attention_rollout)
    # Without keepdim it is no fault as long as all sums are the same: cut weights show it.
    check_rollout_rows(partial(rollout_of_shares_that_were_cut, keepdim=True))
    must_fail(check_rollout_rows, partial(rollout_of_shares_that_were_cut, keepdim=False))


def test_rollout_equals_hand_cases_in_order_and_image_by_image():
    check_rollout(attention_rollout)
    check_rollout(rollout_by)


@pytest.mark.parametrize(
    "broken",
    [
        partial(rollout_of_shares_that_were_cut, keepdim=True),
        partial(rollout_by, left=False),
        partial(rollout_by, residual=False),
        partial(rollout_by, batch=0),
    ],
    ids=["small weights cut", "multiplied on the wrong side", "no residual", "first image for all"],
)
def test_broken_rollout_is_noticed(broken):
    must_fail(check_rollout, broken)


# Entropy


def check_entropy(entropy_of: Callable[[Tensor], Tensor]) -> None:
    uniform = torch.full((2, 64, 64), 1 / 64)
    assert_close(entropy_of(uniform), torch.full((2,), 6.0))
    assert_close(entropy_of(torch.eye(7)[None]), torch.zeros(1))
    # 1.5 bits for (1/2, 1/4, 1/4), 0 for one-hot, log2(3) for equal thirds.
    mixed = one_head([0.5, 0.25, 0.25], [0, 1, 0], [1 / 3, 1 / 3, 1 / 3])
    expected = torch.tensor([(1.5 + log2(3)) / 3]).double()
    assert_close(entropy_of(mixed), expected)
    assert entropy_of(random_weights(2, 3, 4, 5, 5)).shape == (2, 3, 4)


def test_entropy_is_in_bits_and_the_mean_over_queries():
    def in_nats(weights):
        return attention_entropy(weights) / log2(torch.e)

    def of_the_mean_row(weights):
        return torch.special.entr(weights.mean(dim=-2)).sum(dim=-1) * log2(torch.e)

    def logarithm_of_zero(weights):
        return -(weights * weights.log2()).sum(dim=-1).mean(dim=-1)

    check_entropy(attention_entropy)
    for broken in (in_nats, of_the_mean_row, logarithm_of_zero):
        must_fail(check_entropy, broken)


# Distance


def check_distance(distance_of: Callable, class_token: bool) -> None:
    """On 2 x 3 patches of 4 pixels, which a square guess or swapped axes get wrong."""
    options = {"patch_grid": (2, 3), "patch_size": 4, "class_token": class_token}

    def with_class_token(weights: Tensor, to_class: float) -> Tensor:
        """The weights in front of which a class token takes `to_class` of each row, and looks at patch 0 itself."""
        if not class_token:
            return weights
        heads, patches, _ = weights.shape
        whole = torch.zeros(heads, 1 + patches, 1 + patches, dtype=torch.float64)
        whole[:, 1:, 1:], whole[:, 1:, 0], whole[:, 0, 1] = weights * (1 - to_class), to_class, 1
        return whole

    itself = with_class_token(torch.eye(6).double()[None], 0.9)
    assert_close(distance_of(itself, **options), torch.zeros(1).double())

    all_to_first = torch.zeros(1, 6, 6).double()
    all_to_first[..., 0] = 1
    expected = (0 + 4 + 8 + 4 + 4 * sqrt(2) + 4 * sqrt(5)) / 6
    distance = distance_of(with_class_token(all_to_first, 0.5), **options)
    assert_close(distance, torch.tensor([expected]).double())

    # Patch 2 (up right) looks half at itself and half at patch 3 (down left); the others at themselves.
    half = torch.eye(6).double()[None].clone()
    half[0, 2, 2] = half[0, 2, 3] = 0.5
    distance = distance_of(with_class_token(half, 0.25), **options)
    assert_close(distance, torch.tensor([0.5 * 4 * sqrt(5) / 6]).double())
    shape = distance_of(random_weights(5, 2, 3, 6 + class_token, 6 + class_token), **options).shape
    assert shape == (5, 2, 3)


def distance_by(weights, *, patch_grid, patch_size, class_token, columns=None, rows_again=True):
    """The distance by loops over numbers, unless an argument breaks something."""
    columns = columns or patch_grid[1]
    patches = weights[..., int(class_token) :, int(class_token) :]
    result = torch.zeros(weights.shape[:-2]).double()
    for i in range(patches.shape[-1]):
        row = patches[..., i, :]
        row = row / row.sum(dim=-1, keepdim=True) if rows_again else row
        for j in range(patches.shape[-1]):
            down, right = i // columns - j // columns, i % columns - j % columns
            result += row[..., j] * patch_size * sqrt(down**2 + right**2) / patches.shape[-1]
    return result


@both_readouts
def test_distance_is_in_pixels_between_middles_of_patches(class_token):
    check_distance(attention_distance, class_token)
    check_distance(distance_by, class_token)
    must_fail(check_distance, partial(distance_by, columns=2), class_token)
    if class_token:
        must_fail(check_distance, partial(distance_by, rows_again=False), class_token)


def test_a_query_with_no_attention_on_patches_has_no_distance():
    options = {"patch_grid": (1, 2), "patch_size": 4, "class_token": True}
    only_class = one_head([1, 0, 0], [1, 0, 0], [1, 0, 0])
    assert attention_distance(only_class, **options).isnan().all()
    one_looks = one_head([1, 0, 0], [1, 0, 0], [0.5, 0.5, 0])
    assert attention_distance(one_looks, **options).item() == 4


# Sink mass


def check_sink(sink_of: Callable[[Tensor], Tensor]) -> None:
    assert_close(sink_of(torch.full((2, 4, 4), 0.25)), torch.full((2,), 0.25))
    # Each looks at itself alone: sharp, but no token draws more than another.
    assert_close(sink_of(torch.eye(5)[None]), torch.full((1,), 0.2))
    skewed = one_head([0.1, 0.9, 0], [0, 0.6, 0.4], [0.4, 0.3, 0.3])
    assert_close(sink_of(skewed), torch.tensor([(0.9 + 0.6 + 0.3) / 3]).double())
    assert sink_of(random_weights(2, 3, 4, 5, 5)).shape == (2, 3, 4)


def test_sink_mass_is_what_one_key_draws_from_all_queries():
    def largest_of_each_query(weights):
        return weights.amax(dim=-1).mean(dim=-1)

    def keys_for_queries(weights):
        return weights.mean(dim=-1).amax(dim=-1)

    check_sink(sink_mass)
    must_fail(check_sink, largest_of_each_query)
    must_fail(check_sink, keys_for_queries)


# What is refused


@pytest.mark.parametrize("statistic", [attention_rollout, attention_entropy, sink_mass])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1.0]], "float tensor .* got list"),
        (torch.eye(3, dtype=torch.int64)[None], "got torch.int64"),
        (torch.eye(3), r"got \(3, 3\)"),
        (torch.zeros(2, 3, 4), r"got \(2, 3, 4\)"),
        (torch.zeros(2, 0, 0), r"got \(2, 0, 0\)"),
        (torch.ones(1, 3, 3), "row sums from 3 to 3"),
        (torch.eye(3)[None] * 2 - torch.eye(3).flip(1), "a smallest weight of -1"),
        (torch.full((1, 2, 2), float("nan")), "smallest weight of nan"),
    ],
)
def test_what_is_no_weights_is_refused_in_words(statistic, weights, message):
    with pytest.raises(ValueError, match=message):
        statistic(weights)


def test_statistics_change_nothing():
    weights = random_weights(2, 3, 4, 7, 7)
    before = weights.clone()
    attention_rollout(weights)
    attention_entropy(weights)
    attention_distance(weights, patch_grid=(2, 3), patch_size=4, class_token=True)
    sink_mass(weights)
    assert torch.equal(weights, before)
