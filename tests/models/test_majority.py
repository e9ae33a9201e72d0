"""The majority model predicts the most frequent class, and its loss is the labels' entropy."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from dlvc.models.majority import MajorityClassifier


def test_it_always_predicts_the_most_frequent_class():
    model = MajorityClassifier().fit(torch.tensor([3, 1, 3, 2, 3]))
    assert model(torch.rand(4, 3, 32, 32)).argmax(dim=1).tolist() == [3, 3, 3, 3]


def test_with_ten_equal_classes_its_loss_is_the_logarithm_of_ten():
    labels = torch.arange(10).repeat(100)
    model = MajorityClassifier().fit(labels)
    loss = cross_entropy(model(torch.zeros(1000, 3, 32, 32)), labels).item()
    assert loss == pytest.approx(math.log(10), abs=1e-5)
