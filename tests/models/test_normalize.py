"""Images keep the range [0, 1] outside the models, and the models centre them."""

import torch

from dlvc.data.pixels import to_float
from dlvc.models.normalize import IMAGENET_MEAN, IMAGENET_STD, Normalize


def test_the_mean_colour_becomes_zero_and_one_standard_deviation_more_becomes_one():
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    images = torch.stack((mean, mean + std)).view(2, 3, 1, 1)
    expected = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    torch.testing.assert_close(Normalize()(images), expected)


def test_byte_images_are_scaled_to_one_and_float_images_are_left_alone():
    black_and_white = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    assert to_float(black_and_white).flatten().tolist() == [0.0, 1.0]
    half = torch.full((1, 3, 2, 2), 0.5)
    assert torch.equal(to_float(half), half)


def test_the_layout_changes_no_value():
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    assert torch.equal(to_float(images), to_float(images, torch.channels_last))


def test_mean_and_deviation_are_those_that_torchvisions_weights_were_trained_with():
    from torchvision.models import ResNet18_Weights

    preparation = ResNet18_Weights.IMAGENET1K_V1.transforms()
    assert tuple(preparation.mean) == IMAGENET_MEAN
    assert tuple(preparation.std) == IMAGENET_STD
