"""Attention maps are the weights that the model really uses, and taking them leaves no trace."""

import pytest
import torch

from dlvc.attention import attention_maps, observed_attention
from dlvc.models.vit import VisionTransformer

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("class_token", [False, True])
def test_maps_have_one_row_a_token_and_each_row_sums_to_one(class_token):
    maps = attention_maps(VisionTransformer(depth=2, class_token=class_token), IMAGES)
    tokens = 64 + class_token
    assert maps.shape == (2, 2, 4, tokens, tokens)
    torch.testing.assert_close(maps.sum(dim=-1), torch.ones(2, 2, 4, tokens))


def test_the_first_map_equals_the_weights_computed_by_hand():
    model = VisionTransformer(depth=2).eval()
    with torch.no_grad():
        tokens = model.patch_embedding(model.normalize(IMAGES)) + model.positions
        expected = model.blocks[0].attention.attention_weights(
            model.blocks[0].attention_norm(tokens)
        )
    torch.testing.assert_close(attention_maps(model, IMAGES)[:, 0], expected)


def test_byte_images_give_the_maps_of_the_same_float_images():
    model = VisionTransformer(depth=1)
    pixels = (IMAGES * 255).round().to(torch.uint8)
    torch.testing.assert_close(
        attention_maps(model, pixels), attention_maps(model, pixels.float() / 255)
    )


def test_scores_are_the_same_bits_before_during_and_after():
    model = VisionTransformer(depth=2).eval()
    with torch.no_grad():
        before = model(IMAGES)
        with observed_attention(model, range(2), slice(None)):
            during = model(IMAGES)
        after = model(IMAGES)
    assert torch.equal(before, during)
    assert torch.equal(before, after)


def test_hooks_are_gone_even_after_an_error():
    model = VisionTransformer(depth=2)
    with pytest.raises(ValueError, match="built for image_size"):
        attention_maps(model, torch.rand(1, 3, 64, 64))
    assert not any(block.attention._forward_hooks for block in model.blocks)
