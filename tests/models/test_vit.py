"""The transformer's pieces equal independent computations of the same thing."""

import math

import pytest
import torch
from torch import nn

from dlvc.models.vit import (
    ConvolutionalStem,
    EncoderBlock,
    PatchEmbedding,
    SelfAttention,
    VisionTransformer,
    sinusoidal_positions,
)

RANDOM = torch.Generator().manual_seed(0)


def random_tensor(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=RANDOM)


def test_patch_embedding_equals_a_convolution_with_the_patch_as_stride():
    embedding = PatchEmbedding(patch_size=4, embed_dim=16)
    convolution = nn.Conv2d(3, 16, kernel_size=4, stride=4)
    convolution.weight.data = embedding.projection.weight.data.view(16, 3, 4, 4)
    convolution.bias.data = embedding.projection.bias.data
    images = random_tensor(2, 3, 8, 12)
    expected = convolution(images).flatten(2).transpose(1, 2)  # (B, 16, 2, 3) -> (B, 6, 16)
    torch.testing.assert_close(embedding(images), expected)


def test_a_token_of_the_stem_stands_where_its_patch_stands_and_sees_over_the_border():
    stem = ConvolutionalStem(patch_size=4, embed_dim=16).eval()
    images = random_tensor(1, 3, 16, 24)
    changed = images.clone()
    changed[:, :, 4:8, 8:12] += 1.0  # the patch in row 1, column 2 of 4 x 6 patches
    moved = (stem(changed) - stem(images)).abs().amax(dim=2).view(4, 6) > 1e-6
    assert moved[1, 2]
    rows, columns = moved.nonzero().T
    assert 1 < moved.sum() <= 9  # only neighbours
    assert (rows - 1).abs().max() <= 1
    assert (columns - 2).abs().max() <= 1


def test_a_stem_for_patches_of_two_four_and_eight_pixels_has_as_many_halvings():
    for patch_size, halvings in ((2, 1), (4, 2), (8, 3)):
        stem = ConvolutionalStem(patch_size=patch_size, embed_dim=16)
        assert len(stem.convolutions) == halvings
        assert stem(random_tensor(2, 3, 32, 32)).shape == (2, (32 // patch_size) ** 2, 16)


def test_positions_are_the_sines_and_cosines_of_the_formula():
    positions = sinusoidal_positions(64, 8)
    for position, column in ((0, 0), (5, 2), (63, 7)):
        angle = position / 10_000 ** (2 * (column // 2) / 8)
        expected = math.sin(angle) if column % 2 == 0 else math.cos(angle)
        assert positions[position, column].item() == pytest.approx(expected, abs=1e-6)


def test_attention_equals_torch_multi_head_attention():
    ours = SelfAttention(embed_dim=16, num_heads=4)
    theirs = nn.MultiheadAttention(16, 4, batch_first=True)
    theirs.in_proj_weight.data = ours.query_key_value.weight.data
    theirs.in_proj_bias.data = ours.query_key_value.bias.data
    theirs.out_proj.load_state_dict(ours.projection.state_dict())
    tokens = random_tensor(3, 5, 16)
    expected, weights = theirs(tokens, tokens, tokens, average_attn_weights=False)
    torch.testing.assert_close(ours(tokens), expected)
    torch.testing.assert_close(ours.attention_weights(tokens), weights)


def test_forward_equals_the_written_out_weights_times_the_values():
    attention = SelfAttention(embed_dim=16, num_heads=2)
    tokens = random_tensor(3, 5, 16)
    value = attention.split_heads(tokens)[2]
    mixed = (attention.attention_weights(tokens) @ value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attention(tokens), attention.projection(mixed))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_token": True},
        {"positions": "learned"},
        {"residual": False},
        {"stem": "convolution"},
    ],
)
def test_images_never_see_each_other(options):
    model = VisionTransformer(depth=2, embed_dim=32, **options).eval()
    images = random_tensor(4, 3, 32, 32)
    changed = images.clone()
    changed[1:] = random_tensor(3, 3, 32, 32)
    torch.testing.assert_close(model(images)[0], model(changed)[0])


def test_without_positions_the_order_of_patches_does_not_matter_and_with_them_it_does():
    model = VisionTransformer(depth=2, embed_dim=32, dropout=0.0).eval()
    images = random_tensor(1, 3, 32, 32)
    rolled = images.roll(4, dims=3)  # by exactly one patch
    with torch.no_grad():
        assert not torch.allclose(model(images), model(rolled), atol=1e-4)
        model.positions.zero_()
        torch.testing.assert_close(model(images), model(rolled), atol=1e-5, rtol=1e-4)


def test_a_block_with_silent_parts_is_the_identity_only_with_residuals():
    tokens = random_tensor(2, 5, 16)
    for residual in (True, False):
        block = EncoderBlock(embed_dim=16, num_heads=2, mlp_ratio=2, residual=residual)
        for layer in (block.attention.projection, block.mlp[-1]):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        expected = tokens if residual else torch.zeros_like(tokens)
        torch.testing.assert_close(block(tokens), expected)


@pytest.mark.parametrize(("image_size", "patch_size"), [(32, 4), (32, 8), (48, 4), (64, 16)])
def test_any_image_size_that_the_patch_divides_works(image_size, patch_size):
    model = VisionTransformer(image_size=image_size, patch_size=patch_size, depth=1, embed_dim=32)
    assert model(random_tensor(2, 3, image_size, image_size)).shape == (2, 10)


def test_learned_positions_are_parameters_and_sinusoidal_ones_are_not():
    learned = dict(VisionTransformer(depth=1, positions="learned").named_parameters())
    fixed = dict(VisionTransformer(depth=1).named_parameters())
    assert set(learned) - set(fixed) == {"positions"}
    assert learned["positions"].shape == (64, 128)
