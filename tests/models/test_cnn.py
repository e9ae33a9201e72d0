"""The CNNs have exactly the report's sizes, and refuse what they cannot take."""

import pytest
import torch
from torch import nn

from dlvc.models.cnn import DeepCNN, SimpleCNN


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (SimpleCNN(), 62_006),
        (DeepCNN(), 289_322),
        (DeepCNN(batch_norm=True), 289_434),
    ],
)
def test_parameter_counts_are_those_of_the_report(model, parameters):
    assert sum(each.numel() for each in model.parameters()) == parameters


def test_batch_norm_stands_between_convolution_and_relu():
    block = DeepCNN(batch_norm=True).features[0]
    assert [type(each) for each in block] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]
    assert block[0].bias is None


@pytest.mark.parametrize("model", [SimpleCNN(), DeepCNN(batch_norm=True)])
def test_score_of_an_image_does_not_depend_on_its_batch_in_evaluation(model):
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model.eval()
    torch.testing.assert_close(model(images)[2:3], model(images[2:3]))
