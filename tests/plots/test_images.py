"""Images are drawn as they are, with titles and outlines; filters and maps share one scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlvc.plots import feature_maps, field_maps, filters_grid, show_images

IMAGES = torch.arange(6 * 3 * 4 * 4, dtype=torch.int64).view(6, 3, 4, 4).remainder(256).byte()


def drawn(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_every_image_is_drawn_with_its_pixels_in_place():
    pictures = drawn(show_images(IMAGES))
    assert len(pictures) == 6
    for picture, image in zip(pictures, IMAGES, strict=True):
        assert np.array_equal(picture, image.permute(1, 2, 0).numpy())


def test_floats_are_drawn_as_the_same_colours():
    pictures = drawn(show_images(IMAGES / 255))
    assert np.allclose(pictures[1], IMAGES[1].permute(1, 2, 0) / 255)


def test_titles_are_one_per_image_or_one_per_column():
    assert texts(show_images(IMAGES, list("abcdef"), columns=3)) == list("abcdef")
    assert texts(show_images(IMAGES, list("abc"), columns=3)) == list("abc")
    with pytest.raises(ValueError, match=r"titles must be 3 \(one per column\) or 6 .*; got 2"):
        show_images(IMAGES, list("ab"), columns=3)


def test_titles_of_two_lines_stay_clear_of_the_row_above():
    picture = show_images(IMAGES[:4], ["is a cat\nsays dog"] * 4, columns=2)
    picture.draw_without_rendering()
    (axes,) = picture.axes
    title = axes.texts[2].get_window_extent()  # above the first image of the second row
    first_image = axes.images[0].get_window_extent()
    assert title.y1 < first_image.y0


def test_outlines_are_drawn_unless_the_mask_is_empty_or_full():
    masks = torch.zeros(6, 4, 4, dtype=torch.bool)
    masks[0, 1:3, 1:3] = True
    masks[1] = True
    with_one = show_images(IMAGES, outlines=masks)
    assert len(with_one.axes[0].collections) == 2  # the dark rim and the bright line
    assert "outline" in with_one.description


def test_own_words_describe_the_images():
    assert show_images(IMAGES, says="Six patterns.").description == "Six patterns."


def test_a_filter_weight_of_zero_is_middle_grey_and_all_share_one_scale():
    weights = torch.zeros(2, 3, 5, 5)
    weights[0, 0, 0, 0], weights[1, 2, 4, 4] = 2.0, -1.0
    first, second = drawn(filters_grid(weights))
    assert first[0, 0].tolist() == [1, 0.5, 0.5]
    assert second[4, 4].tolist() == [0.5, 0.5, 0.25]
    both = filters_grid({"before": weights / 2, "after": weights})
    assert drawn(both)[0][0, 0].tolist() == [0.75, 0.5, 0.5]
    assert texts(both) == ["before", "after"]
    with pytest.raises(ValueError, match=r"shape \(filters, 3, k, k\); got \(16, 6, 5, 5\)"):
        filters_grid(torch.zeros(16, 6, 5, 5))


def test_feature_maps_share_one_scale_and_follow_the_image():
    maps = torch.arange(5 * 4 * 4).view(5, 4, 4).float()
    figure = feature_maps(maps, image=IMAGES[0])
    assert len(drawn(figure)) == 6
    assert {image.get_clim() for image in figure.axes[0].images[1:]} == {(0, 79)}
    assert len(drawn(feature_maps(maps.bfloat16()))) == 5
    with pytest.raises(ValueError, match=r"shape \(channels, H, W\); got \(1, 5, 4, 4\)"):
        feature_maps(maps[None])


def test_zero_is_the_middle_of_the_scale_of_signed_maps():
    figure = feature_maps(torch.tensor([[[-3.0, 0], [1, 2]]]), names=["edges"])
    assert texts(figure) == ["edges"]
    (image,) = figure.axes[0].images
    assert image.get_clim() == (-3, 3)
    assert image.get_cmap().name == "PuOr_r"


def test_fields_share_one_scale_and_are_framed_where_they_are_not_zero():
    narrow, wide = torch.zeros(2, 8, 8)
    narrow[2:5, 3] = 1 / 3
    wide[:] = 1 / 64
    figure = field_maps({"narrow": narrow, "wide": wide}, says="Two fields.")
    assert [axes.images[0].get_clim() for axes in figure.axes[:2]] == [
        (0, pytest.approx(100 / 3))
    ] * 2
    frames = [axes.patches[0].get_bbox().bounds for axes in figure.axes[:2]]
    assert frames == [(2.5, 1.5, 1, 3), (-0.5, -0.5, 8, 8)]
    assert "root scale" in figure.axes[2].get_ylabel()
