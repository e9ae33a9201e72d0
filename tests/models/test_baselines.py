"""The baselines: what they predict follows from counts, one product, or distances that others compute too."""

import math

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch.nn.functional import cross_entropy

from dlvc.data import Split
from dlvc.models import baselines
from dlvc.models.baselines import MajorityClassifier, NearestNeighbour, SoftmaxRegression


def test_the_majority_model_always_predicts_the_most_frequent_class():
    model = MajorityClassifier().fit(torch.tensor([3, 1, 3, 2, 3]))
    assert model(torch.rand(4, 3, 32, 32)).argmax(dim=1).tolist() == [3, 3, 3, 3]


def test_with_ten_equal_classes_the_loss_of_the_majority_model_is_the_logarithm_of_ten():
    labels = torch.arange(10).repeat(100)
    model = MajorityClassifier().fit(labels)
    loss = cross_entropy(model(torch.zeros(1000, 3, 32, 32)), labels).item()
    assert loss == pytest.approx(math.log(10), abs=1e-5)


def test_a_logit_of_softmax_regression_is_the_weighted_sum_of_the_normalised_pixels():
    model = SoftmaxRegression()
    assert sum(weight.numel() for weight in model.parameters()) == 10 * (3 * 32 * 32 + 1)
    image = torch.rand(1, 3, 32, 32)
    template = model.linear.weight[7].view(3, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    by_hand = (template * (image[0] - mean) / std).sum() + model.linear.bias[7]
    assert model(image)[0, 7].item() == pytest.approx(by_hand.item(), abs=1e-5)


def mean_pixels(images: torch.Tensor) -> torch.Tensor:
    """Thumbnails of 8 x 8 pixels, (N, 192): the mean of each 4 x 4 block, rounded."""
    blocks = images.double().view(len(images), 3, 8, 4, 8, 4)
    return blocks.mean(dim=(3, 5)).round().flatten(start_dim=1)


def test_the_nearest_neighbour_is_the_one_that_scikit_learn_finds(sketches, monkeypatch):
    monkeypatch.setattr(baselines, "AT_ONCE", 7)
    model = NearestNeighbour().fit(sketches.train)
    logits = model(sketches.test.images / 255)
    reference = KNeighborsClassifier(n_neighbors=1)
    reference.fit(mean_pixels(sketches.train.images).numpy(), sketches.train.labels.numpy())
    asked = mean_pixels(sketches.test.images).numpy()
    assert logits.argmax(dim=1).tolist() == reference.predict(asked).tolist()
    distances = reference.kneighbors(asked)[0][:, 0] / 255
    assert (-logits.amax(dim=1)).tolist() == pytest.approx(distances.tolist(), abs=1e-5)


def test_a_training_image_is_its_own_nearest_neighbour_at_distance_0():
    black, white = torch.zeros(3, 32, 32, dtype=torch.uint8), torch.full((3, 32, 32), 255).byte()
    model = NearestNeighbour().fit(Split(torch.stack((black, white)), torch.tensor([4, 2])))
    logits = model(torch.stack((black, white)) / 255)
    farthest = -math.sqrt(192)  # 192 values that differ by 1; classes without an image, too
    assert logits[0].tolist() == pytest.approx([0 if c == 4 else farthest for c in range(10)])
    assert logits[1].tolist() == pytest.approx([0 if c == 2 else farthest for c in range(10)])


def test_before_it_has_seen_an_image_the_nearest_neighbour_prefers_no_class():
    logits = NearestNeighbour()(torch.rand(3, 3, 32, 32))
    assert torch.equal(logits, logits[:, :1].expand(3, 10))
