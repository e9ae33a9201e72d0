"""The viewer's numbers are what the model computes, and taking them leaves no trace.

A check is a function of an implementation. It must pass for ours and fail for each broken one beside it: most are
mistakes found in published attention viewers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, partial

import pytest
import torch
from must_fail import must_fail
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from dlvc.data.sketch10.sketches import draw_sketches
from dlvc.inspection.attention import (
    attention_maps,
    class_relevance,
    explicit_attention,
    mean_head_outputs,
    observed_attention,
    patch_grid,
    readout_row,
    record_attention,
    relevance_shares,
    silenced_probabilities,
)
from dlvc.inspection.attention_statistics import patch_middles
from dlvc.models.cnn import SimpleCNN
from dlvc.models.vit import PatchEmbedding, SelfAttention, VisionTransformer

MapsOf = Callable[[VisionTransformer, Tensor], Tensor]
both_readouts = pytest.mark.parametrize("class_token", [False, True], ids=["mean", "class token"])
every_reader = pytest.mark.parametrize(
    "ours",
    [attention_maps, class_relevance, silenced_probabilities],
    ids=lambda each: each.__name__,
)


def small_model(class_token: bool, **options) -> VisionTransformer:
    """A ViT with 16 patches of 8 pixels, in evaluation mode, that looks more sharply than a new one."""
    torch.manual_seed(0)
    settings = {"patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 4} | options
    model = VisionTransformer(class_token=class_token, **settings).eval()
    with torch.no_grad():
        for block in model.blocks:
            block.attention.query_key_value.weight *= 4
    return model


def some_images(count: int = 2, size: int = 32) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@contextmanager
def attention_inputs(model: VisionTransformer) -> Iterator[list[Tensor]]:
    inputs: list[Tensor] = []
    hooks = [
        block.attention.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        for block in model.blocks
    ]
    yield inputs
    for hook in hooks:
        hook.remove()


def maps_with(formula: Callable[[SelfAttention, Tensor], Tensor], *, evaluation: bool = True):
    """An implementation of attention_maps that is as simple as can be and computes the weights by `formula`."""

    def maps_of(model: VisionTransformer, images: Tensor) -> Tensor:
        before = model.training
        if evaluation:
            model.eval()
        with torch.no_grad(), attention_inputs(model) as inputs:
            model(images)
            layers = [block.attention for block in model.blocks]
            maps = [formula(*each) for each in zip(layers, inputs, strict=True)]
        model.train(before)
        return torch.stack(maps, dim=1)

    return maps_of


def weights_by(layer: SelfAttention, tokens: Tensor, *, scale=None, dim=-1, causal=False) -> Tensor:
    """The weights as written in the paper, unless an argument breaks something."""
    query, key, _ = layer.split_heads(tokens)
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale(layer))
    if causal:
        scores = scores + torch.ones_like(scores).tril().log()
    return scores.softmax(dim=dim).float()


def interleaved_heads(layer: SelfAttention, tokens: Tensor) -> Tensor:
    """Takes every H-th number for a head instead of neighbouring ones."""
    query, key = (
        each.unflatten(-1, (-1, layer.num_heads)).permute(0, 3, 1, 2)
        for each in layer.query_key_value(tokens).chunk(3, dim=-1)[:2]
    )
    return (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)


simple_maps = maps_with(weights_by)


# 1. Rows


def check_rows_are_shares(maps_of: MapsOf, class_token: bool) -> None:
    model = small_model(class_token)
    for precision, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 1e-3)):
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            maps = maps_of(model, some_images())
        assert maps.dtype == torch.float32
        assert maps.shape == (2, 3, 4, 16 + class_token, 16 + class_token)
        assert maps.isfinite().all()
        assert (maps >= 0).all()
        assert (maps.sum(dim=-1) - 1).abs().max() < tolerance


@both_readouts
def test_each_row_sums_to_one_also_under_autocast(class_token):
    check_rows_are_shares(attention_maps, class_token)
    over_queries = maps_with(partial(weights_by, dim=-2))
    must_fail(check_rows_are_shares, over_queries, class_token)
    must_fail(check_rows_are_shares, simple_maps, class_token)  # leaves autocast on


# 2. The explicit path is the model


@cache
def sketches() -> Tensor:
    return draw_sketches(1000).images.float() / 255


def check_explicit_path_is_the_model(explicit: Callable, class_token: bool) -> None:
    model, images = small_model(class_token), sketches()
    with torch.no_grad():
        fused = model(images)
        with attention_inputs(model) as inputs:
            model(images[:50])
        expected = [block.attention(x) for block, x in zip(model.blocks, inputs, strict=True)]
        with explicit(model) as kept:
            scores = model(images)
            outputs = [block.attention(x) for block, x in zip(model.blocks, inputs, strict=True)]
    assert sorted(kept) == [0, 1, 2]
    torch.testing.assert_close(outputs, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(scores, fused, atol=1e-5, rtol=1e-5)
    assert torch.equal(scores.argmax(dim=1), fused.argmax(dim=1))


def explicit_by(mix: Callable[[Tensor, Tensor], Tensor]):
    @contextmanager
    def explicit(model):
        kept = {}

        def replace(layer, arguments, _):
            kept[len(kept) % 3] = weights = layer.attention_weights(arguments[0])
            value = layer.split_heads(arguments[0])[2]
            return layer.projection(mix(weights, value).transpose(1, 2).flatten(2))

        hooks = [block.attention.register_forward_hook(replace) for block in model.blocks]
        yield kept
        for hook in hooks:
            hook.remove()

    return explicit


@both_readouts
def test_weights_times_values_give_the_scores_of_the_fused_model_on_1000_images(class_token):
    check_explicit_path_is_the_model(explicit_attention, class_token)
    right = explicit_by(lambda weights, value: weights @ value)
    check_explicit_path_is_the_model(right, class_token)
    transposed = explicit_by(lambda weights, value: weights.mT @ value)
    must_fail(check_explicit_path_is_the_model, transposed, class_token)
    mean_of_heads = explicit_by(lambda weights, value: weights.mean(1, keepdim=True) @ value)
    must_fail(check_explicit_path_is_the_model, mean_of_heads, class_token)


# 3. An independent oracle


def check_equals_fused_attention_to_the_identity(maps_of: MapsOf, class_token: bool) -> None:
    model, images = small_model(class_token), some_images()
    maps = maps_of(model, images)
    with torch.no_grad(), attention_inputs(model) as inputs, sdpa_kernel(SDPBackend.MATH):
        model(images)
        for number, tokens in enumerate(inputs):
            query, key, _ = model.blocks[number].attention.split_heads(tokens)
            # With the identity as values, what comes out are the weights.
            identity = torch.eye(tokens.shape[1]).expand(2, 4, -1, -1)
            expected = scaled_dot_product_attention(query, key, identity)
            torch.testing.assert_close(maps[:, number], expected, atol=1e-6, rtol=1e-5)


@both_readouts
def test_maps_are_what_the_fused_function_does_to_the_identity(class_token):
    check_equals_fused_attention_to_the_identity(attention_maps, class_token)
    check_equals_fused_attention_to_the_identity(simple_maps, class_token)
    unscaled = maps_with(partial(weights_by, scale=lambda _: 1.0))
    must_fail(check_equals_fused_attention_to_the_identity, unscaled, class_token)


# 4. No trace


def all_hooks(model: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(layer, kind)) for layer in model.modules() for kind in kinds)


def check_leaves_no_hooks(maps_of: MapsOf, class_token: bool) -> None:
    model, images = small_model(class_token), some_images()
    model.blocks[1].register_forward_hook(lambda *_: None)  # somebody else's stays
    scores = model(images)
    first, second = maps_of(model, images), maps_of(model, images)
    assert torch.equal(first, second)
    assert all_hooks(model) == 1
    with pytest.raises(ValueError, match="built for image_size"):
        maps_of(model, some_images(size=64))
    assert all_hooks(model) == 1
    assert torch.equal(model(images), scores)


def maps_without_removal(model: VisionTransformer, images: Tensor) -> Tensor:
    inputs: list[Tensor] = []
    for block in model.blocks:
        block.attention.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    model(images)
    layers = zip(model.blocks, inputs, strict=True)
    return torch.stack([weights_by(block.attention, tokens) for block, tokens in layers], dim=1)


@both_readouts
@every_reader
def test_hooks_are_gone_after_two_calls_and_after_an_error(ours, class_token):
    check_leaves_no_hooks(ours, class_token)
    must_fail(check_leaves_no_hooks, maps_without_removal, class_token)
    must_fail(check_leaves_no_hooks, simple_maps, class_token)  # leaves them after an error


def check_watching_keeps_the_bits(watch: Callable, class_token: bool) -> None:
    model, images = small_model(class_token), some_images(50)
    with torch.no_grad():
        before = model(images)
        with watch(model) as seen:
            during = model(images)
            model(images)  # a second pass replaces what was seen
        assert len(seen) == 3
        assert torch.equal(before, during)
        assert torch.equal(before, model(images))


@both_readouts
def test_scores_are_the_same_bits_before_during_and_after_observing(class_token):
    def observed(model):
        return observed_attention(model, range(3), range(4))

    check_watching_keeps_the_bits(observed, class_token)
    must_fail(check_watching_keeps_the_bits, explicit_attention, class_token)
    must_fail(check_watching_keeps_the_bits, attention_inputs, class_token)  # it accumulates


# 5. Symmetries


def check_follows_permuted_patches(maps_of: MapsOf, class_token: bool) -> None:
    model, images = small_model(class_token), some_images()
    maps = maps_of(model, images)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1)) + class_token
    order = torch.cat((torch.arange(int(class_token)), order))
    hook = model.blocks[0].register_forward_pre_hook(lambda _, given: (given[0][:, order],))
    permuted = maps_of(model, images)
    hook.remove()
    expected = maps[..., order, :][..., order]
    torch.testing.assert_close(permuted, expected, atol=1e-5, rtol=1e-4)


@both_readouts
def test_permuted_patches_permute_rows_and_columns_of_the_maps(class_token):
    check_follows_permuted_patches(attention_maps, class_token)
    check_follows_permuted_patches(simple_maps, class_token)
    causal = maps_with(partial(weights_by, causal=True))
    must_fail(check_follows_permuted_patches, causal, class_token)


def check_follows_permuted_heads(maps_of: MapsOf, class_token: bool) -> None:
    model, images = small_model(class_token), some_images()
    maps, scores = maps_of(model, images), model(images)
    order = torch.tensor([2, 0, 3, 1])
    numbers = torch.arange(32).view(4, 8)[order].flatten()  # of the heads, in their new order
    with torch.no_grad():
        for layer in (block.attention for block in model.blocks):
            joint, projection = layer.query_key_value, layer.projection
            joint.weight.copy_(joint.weight.view(3, 32, 32)[:, numbers].flatten(0, 1))
            joint.bias.copy_(joint.bias.view(3, 32)[:, numbers].flatten())
            projection.weight.copy_(projection.weight[:, numbers])
    torch.testing.assert_close(model(images), scores, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(maps_of(model, images), maps[:, :, order], atol=1e-5, rtol=1e-4)


@both_readouts
def test_permuted_heads_permute_the_maps_and_leave_the_scores(class_token):
    check_follows_permuted_heads(attention_maps, class_token)
    check_follows_permuted_heads(simple_maps, class_token)
    must_fail(check_follows_permuted_heads, maps_with(interleaved_heads), class_token)


# 6. Hand cases


def model_by_hand(class_token: bool, *, sharpness: float) -> VisionTransformer:
    """A model whose queries are all ones and whose keys are `sharpness` times a patch's mean brightness; 16 a head."""
    model = VisionTransformer(
        patch_size=8, embed_dim=64, depth=1, num_heads=4, class_token=class_token
    )
    model.normalize = model.blocks[0].attention_norm = nn.Identity()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.positions.zero_()
        model.patch_embedding.projection.weight[0] = 1 / (3 * 8 * 8)  # number 0 is the brightness
        joint = model.blocks[0].attention.query_key_value
        joint.bias[:64] = 1
        joint.weight[64:128, 0] = sharpness
    return model


def check_hand_cases(maps_of: MapsOf, class_token: bool) -> None:
    tokens = 16 + class_token
    image = torch.zeros(1, 3, 32, 32)
    image[..., 8:16, 16:24] = 1  # row 1, column 2: patch 6
    lit = 6 + class_token

    alike = maps_of(model_by_hand(class_token, sharpness=0), image)
    torch.testing.assert_close(alike, torch.full((1, 1, 4, tokens, tokens), 1 / tokens))

    one = maps_of(model_by_hand(class_token, sharpness=20), image)
    torch.testing.assert_close(one[..., lit], torch.ones(1, 1, 4, tokens))

    # The score of the lit patch is 16 / sqrt(16) = 4 times the sharpness, all others are 0.
    soft = maps_of(model_by_hand(class_token, sharpness=0.5), image)
    share = torch.tensor(2.0).exp() / (torch.tensor(2.0).exp() + tokens - 1)
    torch.testing.assert_close(soft[..., lit], share.expand(1, 1, 4, tokens))


@both_readouts
def test_equal_dominant_and_scaled_keys_give_the_weights_computed_by_hand(class_token):
    check_hand_cases(attention_maps, class_token)
    check_hand_cases(simple_maps, class_token)

    def root_of_all(layer: SelfAttention) -> float:
        return layer.projection.in_features**-0.5

    by_embedding = maps_with(partial(weights_by, scale=root_of_all))
    must_fail(check_hand_cases, by_embedding, class_token)


# 7. Which token is which patch


def check_middles_lie_on_the_patches(middles_of: Callable, height: int, width: int, size: int):
    embedding = PatchEmbedding(patch_size=size, embed_dim=8)
    rows, columns = height // size, width // size
    middles = middles_of((rows, columns), size)
    blank = embedding(torch.zeros(1, 3, height, width))[0]
    for row in range(rows):
        for column in range(columns):
            image = torch.zeros(1, 3, height, width)
            image[..., row * size : (row + 1) * size, column * size : (column + 1) * size] = 1
            changed = (embedding(image)[0] != blank).any(dim=-1).nonzero().flatten().tolist()
            assert changed == [row * columns + column]
            down, right = middles[changed[0]].tolist()
            assert down == (row + 0.5) * size
            assert right == (column + 0.5) * size


@pytest.mark.parametrize(
    ("height", "width", "size"), [(32, 32, 4), (32, 32, 8), (48, 48, 4), (32, 48, 4)]
)
def test_the_middle_of_a_patch_lies_where_lighting_it_changes_its_token(height, width, size):
    def too_many_columns(grid, patch_size):  # ViT-Prisma: 10 instead of 8 for 32 pixels
        columns = grid[1] * patch_size // (patch_size - 1)
        patches = torch.arange(grid[0] * grid[1])
        return (torch.stack((patches // columns, patches % columns), dim=1) + 0.5) * patch_size

    def column_by_column(grid, patch_size):
        return patch_middles(grid[::-1], patch_size).flip(1).flip(0)

    check_middles_lie_on_the_patches(patch_middles, height, width, size)
    must_fail(check_middles_lie_on_the_patches, column_by_column, height, width, size)
    if size == 4:
        must_fail(check_middles_lie_on_the_patches, too_many_columns, height, width, size)


def test_the_readout_is_the_class_tokens_row_or_the_mean_of_all_rows():
    assert patch_grid(small_model(True, image_size=48)) == (6, 6)
    matrices = torch.arange(2 * 16 * 16.0).view(2, 16, 16)
    assert torch.equal(readout_row(small_model(False), matrices), matrices.mean(dim=1))
    matrices = torch.arange(2 * 17 * 17.0).view(2, 17, 17)
    assert torch.equal(readout_row(small_model(True), matrices), matrices[:, 0, 1:])
    with pytest.raises(ValueError, match=r"has 16 tokens, .* got \(2, 17, 17\)"):
        readout_row(small_model(False), matrices)


# 9. Class relevance (8, rollout, is in test_attention_statistics.py)


def tiny_model(class_token: bool) -> VisionTransformer:
    """Two layers, four patches, float64: small enough for a difference quotient for each weight."""
    return small_model(
        class_token, image_size=8, patch_size=4, embed_dim=8, depth=2, num_heads=2
    ).double()


def shifted(formula: Callable, by: Tensor, tokens: Tensor) -> Tensor:
    return formula(tokens) + by


def measured_gradients(model: VisionTransformer, image: Tensor, number: int) -> list[Tensor]:
    """d score / d weights of each layer, each (1, 2, N, N), by central differences."""
    step = 1e-5
    gradients = []
    for block in model.blocks:
        layer, formula = block.attention, block.attention.attention_weights
        with explicit_attention(model) as kept, torch.no_grad():
            model(image)
        gradient = torch.zeros_like(kept[0])
        for place in range(gradient.numel()):
            offset = torch.zeros_like(gradient)
            offset.view(-1)[place] = step
            scores = []
            for sign in (1, -1):
                layer.attention_weights = partial(shifted, formula, sign * offset)
                with torch.no_grad(), explicit_attention(model):
                    scores.append(model(image)[0, number])
            del layer.attention_weights
            gradient.view(-1)[place] = (scores[0] - scores[1]) / (2 * step)
        gradients.append(gradient)
    return gradients


@both_readouts
def test_gradients_by_the_weights_equal_difference_quotients(class_token):
    model, image = tiny_model(class_token), some_images(1, size=8).double()
    with explicit_attention(model) as kept:
        score = model(image)[0, 3]
    computed = torch.autograd.grad(score, [kept[0], kept[1]])
    measured = measured_gradients(model, image, 3)
    torch.testing.assert_close(list(computed), measured, atol=1e-9, rtol=1e-6)
    assert min(gradient.abs().max() for gradient in measured) > 1e-4


@cache
def relevance_by_loops(class_token: bool) -> Tensor:
    """R of the second of two images and class 2, by loops over numbers, with measured gradients."""
    model, image = tiny_model(class_token), some_images(2, size=8)[1:].double()
    with torch.no_grad(), explicit_attention(model) as kept:
        model(image)
    tokens = 4 + class_token
    relevance = torch.eye(tokens, dtype=torch.float64)
    for layer, gradient in enumerate(measured_gradients(model, image, 2)):
        mean = torch.zeros(tokens, tokens, dtype=torch.float64)
        for head in range(2):
            for i in range(tokens):
                for j in range(tokens):
                    product = gradient[0, head, i, j] * kept[layer][0, head, i, j]
                    mean[i, j] += max(product.item(), 0) / 2
        relevance = relevance + mean @ relevance
    return relevance.float()


def check_relevance_follows_the_rule(relevance_of: Callable, class_token: bool) -> None:
    images = some_images(2, size=8).double()
    relevance = relevance_of(tiny_model(class_token), images, [5, 2])
    assert relevance.shape == (2, 2, 4 + class_token, 4 + class_token)
    expected = relevance_by_loops(class_token)
    torch.testing.assert_close(relevance[1, 1], expected, atol=1e-6, rtol=1e-5)


def relevance_by(step: Callable, *, target: Callable = lambda scores, number: scores[:, number]):
    """An implementation of class_relevance that adds step(weights, gradient, relevance) at each layer."""

    def relevance_of(model, images, classes):
        all_classes = []
        for number in classes:
            with explicit_attention(model) as kept:
                score = target(model(images), number).sum()
            gradients = torch.autograd.grad(score, list(kept.values()))
            relevance = torch.eye(kept[0].shape[-1]).double().expand(len(images), -1, -1)
            for weights, gradient in zip(kept.values(), gradients, strict=True):
                relevance = relevance + step(weights, gradient, relevance)
            all_classes.append(relevance)
        return torch.stack(all_classes, dim=1).float()

    return relevance_of


@both_readouts
def test_relevance_follows_the_rule_of_chefer_and_others(class_token):
    def right(weights, gradient, relevance):
        return (gradient * weights).clamp(min=0).mean(dim=1) @ relevance

    def other_side(weights, gradient, relevance):
        return relevance @ (gradient * weights).clamp(min=0).mean(dim=1)

    def negatives_kept(weights, gradient, relevance):
        return (gradient * weights).mean(dim=1) @ relevance

    def mean_before_product(weights, gradient, relevance):
        return (gradient.mean(dim=1) * weights.mean(dim=1)).clamp(min=0) @ relevance

    check_relevance_follows_the_rule(class_relevance, class_token)
    check_relevance_follows_the_rule(relevance_by(right), class_token)
    for broken in (other_side, negatives_kept, mean_before_product):
        must_fail(check_relevance_follows_the_rule, relevance_by(broken), class_token)
    all_classes = relevance_by(right, target=lambda scores, _: scores)
    must_fail(check_relevance_follows_the_rule, all_classes, class_token)
    probability = relevance_by(right, target=lambda scores, number: scores.softmax(1)[:, number])
    must_fail(check_relevance_follows_the_rule, probability, class_token)


@both_readouts
def test_without_a_gradient_relevance_is_the_identity_and_no_patch_has_a_share(class_token):
    model = small_model(class_token)
    nn.init.zeros_(model.head.weight)
    relevance = class_relevance(model, some_images())
    assert torch.equal(relevance, torch.eye(16 + class_token).expand(2, 10, -1, -1))
    assert torch.equal(relevance_shares(model, relevance), torch.zeros(2, 10, 16))


@both_readouts
def test_two_classes_have_different_relevance_and_each_its_own_number(class_token):
    model = small_model(class_token)
    relevance = class_relevance(model, some_images())
    assert relevance.shape == (2, 10, 16 + class_token, 16 + class_token)
    assert not torch.allclose(relevance[:, 0], relevance[:, 1], atol=1e-3)
    torch.testing.assert_close(class_relevance(model, some_images(), [7, 1]), relevance[:, [7, 1]])
    shares = relevance_shares(model, relevance)
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(2, 10))


@both_readouts
def test_shares_leave_out_the_identity_that_relevance_starts_from(class_token):
    model, tokens = small_model(class_token), 16 + class_token
    added = torch.zeros(tokens, tokens)
    added[0, 1 + class_token], added[0, 5 + class_token] = 3.0, 1.0
    expected = torch.zeros(16)
    expected[1], expected[5] = 0.75, 0.25
    torch.testing.assert_close(relevance_shares(model, torch.eye(tokens) + added), expected)


@both_readouts
@pytest.mark.parametrize("context", [nullcontext, torch.no_grad, torch.inference_mode])
def test_a_frozen_model_without_residuals_has_relevance_too(context, class_token):
    model = small_model(class_token, residual=False)
    expected = class_relevance(model, some_images())
    with context():
        relevance = class_relevance(model.requires_grad_(False), some_images())
    torch.testing.assert_close(relevance, expected)
    assert relevance_shares(model, relevance).sum() > 0


@both_readouts
@pytest.mark.parametrize(
    "ours", [class_relevance, silenced_probabilities], ids=lambda each: each.__name__
)
def test_relevance_and_silencing_are_computed_in_float32_also_under_autocast(ours, class_token):
    model = small_model(class_token)
    expected = ours(model, some_images())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(model, some_images()), expected)


# 10. Dropout, modes, and models that are refused


def check_no_dropout(maps_of: MapsOf, class_token: bool) -> None:
    model = small_model(class_token)
    for block in model.blocks:
        block.attention_norm = nn.Sequential(block.attention_norm, nn.Dropout(0.5))
    still = maps_of(model.eval(), some_images())
    model.train()
    model.blocks[1].eval()  # somebody keeps one block frozen
    modes = [layer.training for layer in model.modules()]
    assert torch.equal(maps_of(model, some_images()), still)
    assert [layer.training for layer in model.modules()] == modes


@both_readouts
@every_reader
def test_a_model_in_training_mode_is_seen_without_dropout_and_stays_in_its_mode(ours, class_token):
    def mode_left_behind(model, images):
        return simple_maps(model.eval(), images)

    check_no_dropout(ours, class_token)
    must_fail(check_no_dropout, maps_with(weights_by, evaluation=False), class_token)
    must_fail(check_no_dropout, mode_left_behind, class_token)
    must_fail(check_no_dropout, simple_maps, class_token)  # unfreezes the frozen block


def in_place(model: nn.Module) -> nn.Module:
    model.compile()
    return model


@pytest.mark.parametrize(
    "function", [attention_maps, class_relevance, silenced_probabilities, record_attention]
)
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (torch.compile, "pass the one that was given to torch.compile"),
        (in_place, "compiled in place; build it again"),
        (lambda _: SimpleCNN(), "read from a VisionTransformer .* got SimpleCNN"),
        (nn.Sequential, "got Sequential"),
    ],
    ids=["compiled", "compiled in place", "CNN", "wrapped"],
)
def test_other_models_are_refused_in_words(function, other, message):
    with pytest.raises(TypeError, match=message):
        function(other(small_model(False)), some_images())


# What else the viewer relies on


@both_readouts
def test_chosen_layers_and_heads_are_those_of_all_maps(class_token):
    model, images = small_model(class_token), some_images()
    maps = attention_maps(model, images)
    some = attention_maps(model, images, layers=[2, 0], heads=[3, 1])
    assert torch.equal(some, maps[:, [2, 0]][:, :, [3, 1]])


def test_byte_images_and_half_precision_parameters_are_taken():
    model, images = small_model(True), some_images()
    pixels = (images * 255).round().to(torch.uint8)
    maps = attention_maps(model, pixels.float() / 255)
    assert torch.equal(attention_maps(model, pixels), maps)
    rounded = attention_maps(copy.deepcopy(model).bfloat16(), pixels)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, maps, atol=0.05, rtol=0.1)
    torch.testing.assert_close(rounded.sum(dim=-1), torch.ones(2, 3, 4, 17))


def check_silenced(silenced_of: Callable, class_token: bool, residual: bool) -> None:
    model = small_model(class_token, residual=residual)
    images = some_images(9)  # more than one part
    silenced = silenced_of(model, images)
    assert silenced.shape == (9, 3, 4, 10)
    for layer, block in enumerate(model.blocks):
        for head in range(4):
            without = copy.deepcopy(block.attention.projection)
            kept = block.attention.projection
            with torch.no_grad():
                without.weight[:, 8 * head : 8 * head + 8] = 0  # what a silent head adds
                block.attention.projection = without
                expected = model(images).softmax(dim=1)
                block.attention.projection = kept
            torch.testing.assert_close(silenced[:, layer, head], expected, atol=1e-6, rtol=1e-5)


@both_readouts
@pytest.mark.parametrize("residual", [True, False])
def test_silencing_a_head_equals_a_projection_that_ignores_it(class_token, residual):
    def heads_mixed_up(model, images):
        return silenced_probabilities(model, images).flip(2)

    check_silenced(silenced_probabilities, class_token, residual)
    must_fail(check_silenced, heads_mixed_up, class_token, residual)


@both_readouts
@torch.no_grad()
def test_a_head_can_be_silenced_to_its_mean_over_images(class_token):
    model, images = small_model(class_token), some_images(3)
    given: list[Tensor] = []
    projection = model.blocks[1].attention.projection
    hook = projection.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    model(images)
    hook.remove()
    means = mean_head_outputs(model, images)
    torch.testing.assert_close(means[1], given[0].mean(dim=0), atol=1e-6, rtol=1e-5)
    silenced = silenced_probabilities(model, images, means)

    def replace(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        changed = inputs[0].clone()
        changed[:, :, 16:24] = given[0].mean(dim=0)[:, 16:24]  # head 2 of layer 1
        return (changed,)

    hook = projection.register_forward_pre_hook(replace)
    expected = model(images).softmax(dim=1)
    hook.remove()
    torch.testing.assert_close(silenced[:, 1, 2], expected, atol=1e-6, rtol=1e-5)
    one_image = silenced_probabilities(model, images[:1], mean_head_outputs(model, images[:1]))
    whole = model(images[:1]).softmax(dim=1)[:, None, None]  # its own mean changes nothing
    torch.testing.assert_close(one_image, whole.expand(1, 3, 4, 10), atol=1e-6, rtol=1e-5)


@both_readouts
def test_a_recording_holds_what_the_single_functions_give(class_token):
    model, images = small_model(class_token), some_images()
    recording = record_attention(model, images)
    tokens = 16 + class_token
    assert torch.equal(recording.weights, attention_maps(model, images))
    assert recording.rollout.shape == (2, 3, tokens, tokens)
    expected = 0.5 * recording.weights[:, 0].mean(dim=1) + 0.5 * torch.eye(tokens)
    torch.testing.assert_close(recording.rollout[:, 0], expected)
    relevance = relevance_shares(model, class_relevance(model, images))
    assert torch.equal(recording.relevance, relevance)
    torch.testing.assert_close(recording.probabilities, model(images).softmax(dim=1).detach())
    assert torch.equal(recording.silenced, silenced_probabilities(model, images))
    assert (recording.patch_grid, recording.patch_size) == ((4, 4), 8)
    assert recording.class_token is class_token
    for each in vars(recording).values():
        if isinstance(each, Tensor):
            assert each.dtype == torch.float32
            assert not each.requires_grad


@both_readouts
def test_recording_between_epochs_leaves_mode_gradients_and_random_numbers(class_token):
    model, images = small_model(class_token).train(), some_images()
    model(images).sum().backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    state = torch.get_rng_state()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        recording = record_attention(model, images)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(layer.training for layer in model.modules())
    assert all(map(torch.equal, (each.grad for each in model.parameters()), gradients))
    plain = record_attention(model, images)
    assert torch.equal(recording.weights, plain.weights)  # in float32 whatever is around it
    assert torch.equal(recording.relevance, plain.relevance)
