"""The tests of a map measure what they say: each equals a hand value, and broken ones are noticed.

As in test_attention.py, a check is a function of an implementation that ours passes and each broken one fails.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import exp

import numpy as np
import pytest
import torch
from must_fail import must_fail
from torch import Tensor, nn
from torch.testing import assert_close

from dlvc.inspection.explanation import (
    deletion_curve,
    randomized,
    rank_correlation,
    share_on_object,
    to_patches,
)
from dlvc.models.cnn import DeepCNN, SimpleCNN
from dlvc.models.resnet import ResNet18
from dlvc.models.vit import VisionTransformer


def some_images(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


# Deletion


class NeedsOnePlace(nn.Module):
    """Ten scores, all 0 but that of class 3: four times the mean brightness of rows 4 to 8, columns 8 to 12."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)  # seen if the model is left in training mode
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        brightness = self.dropout(images)[:, :, 4:8, 8:12].mean(dim=(1, 2, 3))
        return 4 * brightness[:, None] * torch.eye(10)[3]


def lit(height: int, width: int, count: int = 1) -> Tensor:
    """Black images, white where `NeedsOnePlace` looks."""
    images = torch.zeros(count, 3, height, width)
    images[:, :, 4:8, 8:12] = 1
    return images


FULL = exp(4) / (exp(4) + 9)  # the probability of class 3 with the place lit; without it 0.1


def check_deletion(curve_of: Callable, height: int, width: int) -> None:
    grid = height // 4, width // 4
    patches = grid[0] * grid[1]
    scores = torch.zeros(1, patches)
    scores[0, grid[1] + 2] = 1  # row 1, column 2
    options = {"steps": patches, "fill": "black", "patch_grid": grid}
    image, label = lit(height, width), torch.tensor([3])
    found = curve_of(NeedsOnePlace().train(), image, label, scores, **options)
    assert_close(found.hidden, torch.linspace(0, 1, patches + 1))
    assert_close(found.probability, torch.tensor([[FULL] + patches * [0.1]]))
    expected = ((FULL + 0.1) / 2 + (patches - 1) * 0.1) / patches
    assert_close(found.area, torch.tensor([expected]))

    last = curve_of(NeedsOnePlace(), image, label, scores, order="lowest first", **options)
    assert_close(last.probability, torch.tensor([patches * [FULL] + [0.1]]))
    expected = ((patches - 1) * FULL + (FULL + 0.1) / 2) / patches
    assert_close(last.area, torch.tensor([expected]))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 32), (16, 32)])
def test_deletion_of_the_one_needed_patch_gives_the_curve_computed_by_hand(height, width):
    def transposed(model, images, labels, scores, *, patch_grid, **options):
        scores = scores.view(-1, *patch_grid).mT.flatten(1)
        return deletion_curve(model, images, labels, scores, patch_grid=patch_grid, **options)

    def shifted_by_a_class_token(model, images, labels, scores, **options):
        return deletion_curve(model, images, labels, scores.roll(1, dims=1), **options)

    def reversed_order(model, images, labels, scores, **options):
        return deletion_curve(model, images, labels, -scores, **options)

    def of_another_class(model, images, labels, scores, **options):
        return deletion_curve(model, images, labels + 1, scores, **options)

    check_deletion(deletion_curve, height, width)
    for broken in (transposed, shifted_by_a_class_token, reversed_order, of_another_class):
        must_fail(check_deletion, broken, height, width)


@pytest.mark.parametrize(
    ("order", "score", "first"),
    [("random", 0, 0), ("highest first", 1, 1), ("lowest first", -1, 1)],
)
def test_random_order_drops_everywhere_alike_and_equal_scores_are_in_random_order(
    order, score, first
):
    images, labels = lit(16, 16, 400), torch.full((400,), 3)
    scores = torch.zeros(400, 16)
    scores[:, 0] = score  # with another score patch 0 goes first, then 15 equal ones
    found = deletion_curve(
        NeedsOnePlace(), images, labels, scores, order=order, fill="black", steps=16
    )
    drops = (found.probability > 0.5).sum(dim=1)  # at which step the place was hidden
    counts = torch.bincount(drops, minlength=17)[1:]
    assert counts.sum() == 400 and counts[:first].sum() == 0
    assert 8 <= counts[first:].min() <= counts.max() <= 45  # 25 expected, with a deviation of 5


def test_hidden_patches_have_the_images_mean_colour_and_the_others_stay():
    model, images = NeedsOnePlace(), some_images()
    scores = torch.arange(64.0).expand(2, -1)
    deletion_curve(model, images, torch.tensor([0, 1]), scores, steps=2, order="lowest first")
    whole, half, nothing = model.seen
    mean = images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    assert torch.equal(whole, images)
    assert torch.equal(half[:, :, :16], mean[:, :, :16])
    assert torch.equal(half[:, :, 16:], images[:, :, 16:])
    assert torch.equal(nothing, mean)


def test_shuffled_filling_keeps_the_colours_of_the_image():
    model, images = NeedsOnePlace(), some_images()
    labels = torch.tensor([0, 1])
    deletion_curve(model, images, labels, torch.zeros(2, 64), steps=1, fill="shuffled")
    shuffled = model.seen[1]
    assert not torch.equal(shuffled, images)
    order, old_order = shuffled[:, 0].flatten(1).argsort(), images[:, 0].flatten(1).argsort()
    for channel in range(3):  # a pixel moves as a whole
        moved = shuffled[:, channel].flatten(1).gather(1, order)
        assert torch.equal(moved, images[:, channel].flatten(1).gather(1, old_order))


def test_deletion_depends_on_its_seed_alone_and_leaves_the_mode():
    torch.manual_seed(0)
    model = SimpleCNN().train()
    given = (model, (255 * some_images()).byte(), torch.tensor([1, 2]), torch.zeros(2, 64))
    curves = [deletion_curve(*given, order="random", seed=seed).probability for seed in (1, 1, 2)]
    assert torch.equal(curves[0], curves[1])
    assert not torch.equal(curves[0], curves[2])
    assert all(layer.training for layer in model.modules())


# The share on the object


def check_share(share_of: Callable) -> None:
    """2 x 3 patches of 2 pixels; the object covers 1, 1/2 and 1/4 of the first three patches."""
    mask = torch.zeros(1, 4, 6, dtype=torch.bool)
    mask[0, :2, :3] = mask[0, 0, 4] = True
    scores = torch.tensor([[4.0, 2, 1, 0, 0, 1], [0, 0, 0, 5, 0, 0]])
    of_map, of_area = share_of(scores, mask.expand(2, -1, -1), (2, 3))
    assert_close(of_map, torch.tensor([(4 + 2 * 0.5 + 1 * 0.25) / 8, 0.0]))
    assert_close(of_area, torch.full((2,), 7 / 24))
    per_class = share_of(scores[None], mask, (2, 3))
    assert_close(per_class[0], of_map[None])
    assert_close(per_class[1], of_area[None])


def test_patches_count_by_the_share_that_the_object_covers():
    def whole_patches(scores, masks, grid):
        touched = to_patches(masks.float(), grid) > 0
        pixels = touched.view(-1, *grid).repeat_interleave(2, 1).repeat_interleave(2, 2)
        return share_on_object(scores, pixels, grid)

    def transposed(scores, masks, grid):
        scores = scores.unflatten(-1, grid).mT.flatten(-2)
        return share_on_object(scores, masks, grid)

    def not_normalised(scores, masks, grid):
        found = share_on_object(scores, masks, grid)
        return found.of_map * scores.sum(dim=-1), found.of_area

    check_share(share_on_object)
    for broken in (whole_patches, transposed, not_normalised):
        must_fail(check_share, broken)


def test_an_even_map_has_the_share_of_the_area_and_an_empty_one_none(sketches):
    masks = sketches.test.masks
    even = share_on_object(torch.ones(100, 64), masks, (8, 8))
    assert_close(even.of_map, even.of_area)
    assert_close(even.of_area, masks.float().mean(dim=(1, 2)))
    assert share_on_object(torch.zeros(100, 64), masks, (8, 8)).of_map.isnan().all()


# Patches of maps


def test_maps_are_averaged_over_finer_cells_and_repeated_from_coarser_ones():
    maps = torch.arange(2 * 4 * 6.0).view(2, 4, 6)
    expected = [
        [maps[i, r : r + 2, c : c + 3].mean() for r in (0, 2) for c in (0, 3)] for i in (0, 1)
    ]
    assert_close(to_patches(maps, (2, 2)), torch.tensor(expected))
    coarse = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    assert to_patches(coarse, (4, 2)).tolist() == [[1, 2, 1, 2, 3, 4, 3, 4]]
    thirds = to_patches(torch.tensor([[[0.0, 3.0, 6.0]]]), (1, 2))  # the middle cell lies on both
    assert_close(thirds, torch.tensor([[(0 + 3 / 2) / 1.5, (3 / 2 + 6) / 1.5]]))
    with pytest.raises(ValueError, match=r"maps must be \(B, h, w\); got \(4, 6\)"):
        to_patches(maps[0], (2, 2))


def test_a_map_counts_where_its_cells_lie():
    maps = torch.tensor([[[4.0, 8.0], [4.0, 8.0]]])
    middle_half = to_patches(maps, (1, 4), (0.25, 0.75))  # rows too: half of the patch is free
    assert_close(middle_half, torch.tensor([[0.0, 2.0, 4.0, 0.0]]))
    half_outside = to_patches(maps, (2, 2), (-0.5, 0.5))
    assert_close(half_outside, torch.tensor([[8.0, 0.0, 0.0, 0.0]]))


# Random weights


MODELS = [
    partial(VisionTransformer, depth=2, class_token=True, positions="learned"),
    partial(DeepCNN, batch_norm=True),
    ResNet18,
]


@pytest.mark.parametrize("build", MODELS, ids=["ViT", "CNN", "ResNet18"])
def test_random_weights_forget_what_was_learnt_and_depend_on_the_seed_alone(build):
    model = build().train()
    model(some_images()).sum().backward()
    with torch.no_grad():
        for each in [*model.parameters(), *model.buffers()]:
            if each.is_floating_point():
                each.copy_(torch.full_like(each, 7))
    state = torch.get_rng_state()
    first, same, other = (randomized(model, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first.training
    assert all((parameter == 7).all() for parameter in model.parameters())
    for name, value in first.named_parameters():
        assert not (value == 7).any(), name
        assert value.grad is None, name
        assert torch.equal(value, same.get_parameter(name))
    weights = [name for name, each in model.named_parameters() if each.ndim > 1]
    for name in weights:
        assert not torch.equal(first.get_parameter(name), other.get_parameter(name)), name
    running = [each for name, each in first.named_buffers() if name.endswith("running_mean")]
    assert all((each == 0).all() for each in running)


def test_random_weights_of_a_vit_are_spread_as_in_a_new_one():
    new = VisionTransformer(depth=2, class_token=True, positions="learned")
    drawn = randomized(new, 0)
    for name, value in new.named_parameters():
        if value.ndim > 1:
            assert 0.7 < drawn.get_parameter(name).std() / value.std() < 1.4, name


def test_layers_that_cannot_be_drawn_anew_are_named():
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(1))

    with pytest.raises(TypeError, match="Scale has parameters and no reset_parameters"):
        randomized(nn.Sequential(Scale()), 0)


# Rank correlation


def check_rank_correlation(correlation_of: Callable) -> None:
    first = torch.tensor([[1.0, 2, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]])
    second = torch.tensor(
        [[1.0, 8, 27, 64, 1000], [5, 4, 3, 2, 0], [2, 1, 4, 3, 5], [1, 2, 3, 4, 5]]
    )
    found = correlation_of(first, second)
    # 1 - 6 * (sum of squared differences of ranks) / (n * (n * n - 1)), here 1 - 6 * 4 / 120
    expected = torch.tensor([1, -1, 0.8, torch.nan], dtype=torch.float64)
    assert_close(found, expected, equal_nan=True)


def test_rank_correlation_looks_at_the_order_alone():
    def of_values(first, second):
        return torch.tensor([np.corrcoef(*pair)[0, 1] for pair in zip(first, second, strict=True)])

    check_rank_correlation(rank_correlation)
    with np.errstate(invalid="ignore"):
        must_fail(check_rank_correlation, of_values)


def test_rank_correlation_has_one_number_a_pair_of_maps():
    maps = torch.rand(2, 3, 16)
    assert rank_correlation(maps, maps).shape == (2, 3)
    assert rank_correlation(maps[0, 0], maps[1, 1]).shape == ()
    with pytest.raises(ValueError, match=r"got \(2, 3, 16\) and \(2, 3, 15\)"):
        rank_correlation(maps, maps[..., 1:])
