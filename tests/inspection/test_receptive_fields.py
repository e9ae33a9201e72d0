"""A measured field is where the output depends on the image, and distances agree with counting by hand."""

import math

import pytest
import torch
from torch import nn

from dlvc.inspection.receptive_fields import (
    cell_span,
    effective_field,
    field_width,
    mean_distance,
)
from dlvc.models.cnn import DeepCNN, SimpleCNN
from dlvc.models.resnet import ResNet18
from dlvc.models.vit import VisionTransformer
from dlvc.plots.receptive_fields import receptive_fields

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_field_of_a_stack_of_convolutions_is_the_one_of_the_formula():
    for depth in (1, 2, 4):
        stack = nn.Sequential(*[nn.Conv2d(3, 3, 3) for _ in range(depth)])
        size = receptive_fields([("convolution", 3, 1)] * depth)[-1][0]
        assert field_width(effective_field(stack, IMAGES)) == (size, size)


@pytest.mark.parametrize(("model", "width"), [(SimpleCNN(), 16), (DeepCNN(), 24)])
def test_the_field_of_the_cnns_last_features_is_within_the_one_of_the_formula(model, width):
    """By hand: 5, 6, 14, 16 for the simple one; 5, 6, 10, 12, 20, 24 with padding for the deep one."""
    field = effective_field(model.features, IMAGES.repeat(8, 1, 1, 1))
    assert math.isclose(field.sum().item(), 1, rel_tol=1e-5)
    assert 10 <= field_width(field)[0] <= width


def test_the_first_attention_layer_sees_the_whole_image():
    model = VisionTransformer(depth=1).eval()

    def grid_of_tokens(images):
        tokens = model.patch_embedding(images) + model.positions
        return model.blocks[0].attention(tokens).transpose(1, 2).unflatten(2, (8, 8))

    assert field_width(effective_field(grid_of_tokens, IMAGES)) == (32, 32)


def test_distances_by_hand():
    field = torch.zeros(5, 5)
    field[2, 2] = 1
    assert mean_distance(field) == 0
    field[2, 0] = field[2, 4] = field[0, 2] = field[4, 2] = 1
    assert math.isclose(mean_distance(field), 4 * 2 / 5)


def test_a_field_of_nothing_has_no_width():
    assert field_width(torch.zeros(4, 4)) == (0, 0)


RESNET = ResNet18().eval().requires_grad_(False).backbone
CELLS = {
    "unpadded": (SimpleCNN().features[:5], "4", 32, (6 / 32, 26 / 32)),  # by hand: 10 cells of 2
    "padded": (DeepCNN().features[:2], "1.1", 32, (0, 1)),
    "strided": (nn.Sequential(*list(RESNET.children())[:5]), "4", 128, (-1.5 / 128, 126.5 / 128)),
}


@pytest.mark.parametrize(("part", "layer", "side", "expected"), CELLS.values(), ids=CELLS)
def test_cells_lie_where_their_fields_are(part, layer, side, expected):
    """`layer` is that of the last convolution, up to which the fields are measured by gradients."""
    low, high = cell_span(part, layer, side)
    assert (low, high) == pytest.approx(expected)
    images = torch.rand(32, 3, side, side, generator=torch.Generator().manual_seed(1))
    measured_part = part if layer != "1.1" else nn.Sequential(part[0], part[1][:2])
    cells = measured_part(images[:1]).shape[-1]
    rows = effective_field(measured_part, images).sum(dim=1).nonzero()
    middle = (rows.min() + rows.max() + 1).item() / 2  # of the cell in the middle, by gradients
    assert (low + (high - low) * (cells // 2 + 0.5) / cells) * side == pytest.approx(middle)
