"""Metrics against scikit-learn, against values counted by hand, and on a GPU without a wait."""

import numpy as np
import pytest
import sklearn.metrics
import torch

from dlvc.metrics import (
    accuracy,
    add_to_confusion,
    confusion_matrix,
    mean_loss,
    mean_per_class_accuracy,
    per_class_accuracy,
    rounded,
)


def random_pairs(
    seed: int, *, count: int = 500, classes: tuple[int, ...] = tuple(range(10))
) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels drawn from `classes` and predictions over all ten, half of them right."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, size=count)
    predictions = np.where(rng.random(count) < 0.5, labels, rng.integers(0, 10, size=count))
    return torch.from_numpy(labels), torch.from_numpy(predictions)


@pytest.mark.parametrize("seed", range(5))
def test_all_metrics_agree_with_scikit_learn(seed):
    labels, predictions = random_pairs(seed)
    confusion = confusion_matrix(labels, predictions)
    expected = sklearn.metrics.confusion_matrix(labels, predictions, labels=range(10))
    assert np.array_equal(confusion.numpy(), expected)
    assert accuracy(confusion) == pytest.approx(sklearn.metrics.accuracy_score(labels, predictions))
    recalls = sklearn.metrics.recall_score(labels, predictions, labels=range(10), average=None)
    assert per_class_accuracy(confusion).numpy() == pytest.approx(recalls)
    balanced = sklearn.metrics.balanced_accuracy_score(labels, predictions)
    assert mean_per_class_accuracy(confusion) == pytest.approx(balanced)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("classes", [(3,), (0, 9), (1, 2, 4, 8)])
def test_classes_without_images_are_nan_and_left_out_of_the_mean(classes):
    labels, predictions = random_pairs(7, classes=classes)
    confusion = confusion_matrix(labels, predictions)
    assert np.array_equal(
        confusion.numpy(), sklearn.metrics.confusion_matrix(labels, predictions, labels=range(10))
    )
    missing = sorted(set(range(10)) - set(classes))
    per_class = per_class_accuracy(confusion)
    assert per_class[missing].isnan().all()
    assert not per_class[list(classes)].isnan().any()
    balanced = sklearn.metrics.balanced_accuracy_score(labels, predictions)
    assert mean_per_class_accuracy(confusion) == pytest.approx(balanced)


def test_five_images_counted_by_hand():
    labels = torch.tensor([0, 0, 0, 1, 2])
    predictions = torch.tensor([0, 0, 1, 1, 0])
    confusion = confusion_matrix(labels, predictions, num_classes=3)
    assert confusion.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert confusion.dtype == torch.int64
    assert accuracy(confusion) == 3 / 5
    assert per_class_accuracy(confusion).tolist() == [2 / 3, 1, 0]
    assert mean_per_class_accuracy(confusion) == pytest.approx(5 / 9)


def test_always_answering_the_frequent_class_scores_one_over_c():
    confusion = torch.tensor([[97, 0], [3, 0]])
    assert accuracy(confusion) == 0.97
    assert mean_per_class_accuracy(confusion) == 0.5


@pytest.mark.parametrize("seed", range(20))
def test_with_equally_many_images_of_each_class_both_accuracies_are_the_same_float(seed):
    """The sum of the shares k / n over C classes, divided by C, is the sum of all k divided by C n."""
    right = torch.from_numpy(np.random.default_rng(seed).integers(0, 1001, size=10))
    confusion = torch.diag(right) + torch.diag(1000 - right).roll(1, dims=1)
    assert mean_per_class_accuracy(confusion) == accuracy(confusion) == right.sum().item() / 10_000


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.1005, 3, "0.101"),
        (0.10049999999999999, 3, "0.101"),  # the same number, summed up class by class
        (0.6305, 3, "0.631"),
        (0.10049, 3, "0.100"),
        (63.5 - 10.05, 1, "53.5"),
        (100 * (0.635 - 0.1005), 1, "53.5"),
        (-44.65, 1, "-44.7"),
        (100 * 0.5705, 1, "57.1"),
        (0, 3, "0.000"),
        (1234.5, 0, "1235"),
    ],
)
def test_halves_are_rounded_away_from_zero_however_they_were_computed(value, digits, text):
    assert f"{rounded(value, digits)}" == text


def test_adding_batches_of_any_size_gives_the_same_counts_as_one_pass():
    labels, predictions = random_pairs(11, count=103)
    confusion = torch.zeros((10, 10), dtype=torch.int64)
    for batch in torch.arange(103).split(16):
        assert add_to_confusion(confusion, labels[batch], predictions[batch]) is confusion
    assert torch.equal(confusion, confusion_matrix(labels, predictions))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.int8, torch.uint8])
def test_small_integer_types_do_not_overflow(dtype):
    labels = torch.full((300,), 99).to(dtype)
    confusion = confusion_matrix(labels, labels, num_classes=100)
    assert confusion[99, 99] == 300
    assert confusion.sum() == 300


def test_counting_leaves_its_inputs_alone():
    labels, predictions = random_pairs(3)
    copies = labels.clone(), predictions.clone()
    confusion = confusion_matrix(labels, predictions)
    before = confusion.clone()
    accuracy(confusion), per_class_accuracy(confusion), mean_per_class_accuracy(confusion)
    assert torch.equal(labels, copies[0]) and torch.equal(predictions, copies[1])
    assert torch.equal(confusion, before)


def test_mean_loss_weighs_every_image_the_same():
    # Batches of 4 and 1 images with losses 1 and 6 each: the mean of batch means would be 3.5.
    loss_sum = 4 * 1.0 + 1 * 6.0
    assert mean_loss(loss_sum, 5) == 2.0
    assert mean_loss(torch.tensor(loss_sum), 5) == 2.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_counting_on_a_cuda_device_never_waits_for_it():
    labels, predictions = (values.cuda() for values in random_pairs(5))
    confusion = torch.zeros((10, 10), dtype=torch.int64, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        add_to_confusion(confusion, labels, predictions)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(confusion.cpu(), confusion_matrix(labels.cpu(), predictions.cpu()))
