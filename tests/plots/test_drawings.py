"""The numbers on a drawing are those that torch computes."""

from __future__ import annotations

import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from torch.nn.functional import conv2d

from dlvc.plots import convolution_step, image_patches
from dlvc.plots.drawings import BAR, LEFT_EDGE


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def numbers(tensor: torch.Tensor) -> list[str]:
    return [f"{value:g}".replace("-", "−") for value in tensor.flatten().tolist()]


@pytest.mark.parametrize("place", [(0, 0), (1, 1), (3, 3)])
def test_a_convolution_shows_torchs_outputs_up_to_its_step(place):
    row, column = place
    image, kernel = torch.tensor(BAR).float(), torch.tensor(LEFT_EDGE).float()
    output = conv2d(image[None, None], kernel[None, None])[0, 0]
    written = texts(convolution_step(row=row, column=column))
    done = 4 * row + column + 1
    start = image.numel() + kernel.numel()
    assert written[start : start + done] == numbers(output)[:done]
    assert written[start + done] == "image"
    assert written[-1].endswith(f"=  {numbers(output[row, column])[0]}")


def test_the_written_sum_has_a_product_for_each_weight():
    total = texts(convolution_step())[-1]
    terms = total.split("=")[0].replace("\n", " ").split(" + ")
    products = [term.split("·") for term in terms]
    assert len(products) == 9
    plain = [[part.strip(" +()").replace("−", "-") for part in pair] for pair in products]
    assert sum(float(pixel) * float(weight) for pixel, weight in plain) == 6


@pytest.mark.parametrize(("patch_size", "count"), [(4, 64), (8, 16), (16, 4)])
def test_patches_are_counted_and_the_first_and_last_are_listed(patch_size, count):
    figure = image_patches(torch.rand(3, 32, 32), patch_size=patch_size)
    listed = [int(text) for text in texts(figure) if text.isdigit()]
    assert listed[0] == 0
    assert listed[-1] == count - 1
    assert len(listed) == min(count, 11)
    assert f"cut into {count} patches" in figure.description


def test_numbers_are_written_light_on_dark_and_dark_on_light():
    (axes,) = convolution_step().axes
    cells = [
        cell for cell in axes.get_children() if isinstance(cell, Rectangle) and cell.get_fill()
    ]
    light = {to_rgb(cell.get_facecolor())[0] for cell in cells[:36]}
    assert min(light) == 0.25 and max(light) == 1  # the bar is bright and its ground is dark
    for cell, text in zip(cells, axes.texts, strict=False):
        difference = to_rgb(cell.get_facecolor())[0] - to_rgb(text.get_color())[0]
        assert abs(difference) > 0.6
