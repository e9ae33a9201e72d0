"""Attention maps lie on the patches that they belong to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlvc.models.vit import sinusoidal_positions
from dlvc.plots import attention_overlay, position_similarity

IMAGE = torch.zeros(3, 8, 8, dtype=torch.uint8) + 200


def attention(depth: int = 2, heads: int = 3, tokens: int = 16) -> torch.Tensor:
    scores = torch.randn(depth, heads, tokens, tokens, generator=torch.Generator().manual_seed(0))
    return scores.softmax(dim=-1)


def drawn(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def test_the_map_of_a_head_is_the_row_of_its_query():
    maps = attention()[1]
    figure = attention_overlay(IMAGE, maps, query=6)
    pictures = drawn(figure)
    assert len(pictures) == 1 + 2 * 3
    for head in range(3):
        assert np.allclose(pictures[1 + 2 * head], 100 * maps[head, 6].view(4, 4))
    assert "row 2, column 3" in figure.get_suptitle()


def test_the_frame_stands_on_the_query_patch():
    figure = attention_overlay(IMAGE, attention()[0], query=6)
    corners = {patch.get_xy() for patch in figure.axes[0].patches}
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    width, height = (right - left) / 4, (bottom - top) / 4
    assert (left + 2 * width, top + height) in corners


def test_light_is_brightest_where_attention_is_and_dark_elsewhere():
    maps = torch.zeros(1, 16, 16)
    maps[0, :, 5] = 1
    lit = drawn(attention_overlay(IMAGE, maps, query=0))[2]
    assert np.allclose(lit[2:4, 2:4], 200 / 255)
    assert np.allclose(lit[0:2], 0.2 * 200 / 255)


def test_patches_of_an_image_that_is_not_square_keep_its_shape():
    image = torch.zeros(3, 8, 16, dtype=torch.uint8)
    maps = attention(tokens=8)[0]
    assert drawn(attention_overlay(image, maps, query=0))[1].shape == (2, 4)


def test_a_position_code_is_most_similar_to_itself():
    pictures = drawn(position_similarity(sinusoidal_positions(16, 32)))
    assert len(pictures) == 16
    for patch, similarity in enumerate(pictures):
        assert similarity.argmax() == patch
        assert similarity.max() == pytest.approx(1)
    with pytest.raises(ValueError, match=r"shape \(N, embed_dim\); got \(1, 16, 32\)"):
        position_similarity(torch.zeros(1, 16, 32))
