"""Changed images are changed as said, and what is counted agrees with counting by hand and with scikit-learn."""

import pytest
import torch
from sklearn.calibration import calibration_curve
from torch import nn
from torch.testing import assert_close

from dlvc.inspection.robustness import (
    accuracy_when,
    calibration,
    confident_errors,
    corrupt,
    shift,
    shift_consistency,
)

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.rand(6, 3, 8, 8, generator=GENERATOR)


@pytest.mark.parametrize("move", [(2, 0), (-1, 3), (0, -4), (0, 0)])
def test_a_shift_moves_each_pixel_and_fills_with_black(move):
    moved = shift(IMAGES, *move)
    for row in range(8):
        for column in range(8):
            source = row - move[0], column - move[1]
            inside = all(0 <= each < 8 for each in source)
            expected = IMAGES[:, :, source[0], source[1]] if inside else torch.zeros(6, 3)
            assert torch.equal(moved[:, :, row, column], expected)


@pytest.mark.parametrize("kind", ["noise", "blur", "shift"])
def test_strength_zero_changes_nothing_and_more_changes_more(kind):
    assert torch.equal(corrupt(IMAGES, kind, 0), IMAGES)
    little, much = ((corrupt(IMAGES, kind, each) - IMAGES).abs().mean() for each in (1, 2))
    assert 0 < little < much or kind != "shift"
    assert corrupt(IMAGES, kind, 2).min() >= 0 and corrupt(IMAGES, kind, 2).max() <= 1


def test_noise_has_the_deviation_asked_for_and_depends_on_its_seed_alone():
    grey = torch.full((50, 3, 16, 16), 0.5)
    noisy = corrupt(grey, "noise", 0.1)
    assert_close((noisy - grey).std().item(), 0.1, atol=0.002, rtol=0)
    assert torch.equal(noisy, corrupt(grey, "noise", 0.1))
    assert not torch.equal(noisy, corrupt(grey, "noise", 0.1, seed=1))


def test_blur_keeps_a_grey_image_and_spreads_a_point():
    grey = torch.full((1, 3, 9, 9), 0.5)
    assert_close(corrupt(grey, "blur", 1.0), grey)
    point = torch.zeros(1, 3, 9, 9)
    point[..., 4, 4] = 1
    spread = corrupt(point, "blur", 1.0)
    assert_close(spread[0, 0, 4, 4].item(), 1 / (2 * torch.pi), atol=0.005, rtol=0)


class Says(nn.Module):
    """Class 1 if the pixel in the middle is brighter than one half, else class 0."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        bright = images[:, 0, 4, 4] > 0.5
        return nn.functional.one_hot(bright.long(), 10) * 5.0 * self.scale


def test_consistency_is_the_share_of_unchanged_answers():
    """A point in the middle is lost by every shift; a white image is not."""
    point, white = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    point[..., 4, 4] = 1
    assert shift_consistency(Says(), torch.cat((point, white)), [0, 1, 3]) == [1.0, 0.5, 0.5]


def test_accuracy_falls_to_that_of_the_answer_left():
    images = torch.ones(4, 3, 8, 8)
    labels = torch.tensor([1, 1, 1, 0])
    assert accuracy_when(Says(), images, labels, "shift", [0, 3, 5]) == [0.75, 0.75, 0.25]


def test_calibration_agrees_with_scikit_learn_and_its_error_with_the_formula():
    scores = 2 * torch.randn(2_000, 10, generator=GENERATOR)
    labels = torch.where(
        torch.rand(2_000, generator=GENERATOR) < 0.6, scores.argmax(dim=1), torch.tensor(3)
    )
    found = calibration(scores, labels, groups=10)
    confidence, said = scores.softmax(dim=1).max(dim=1)
    right = (said == labels).numpy()
    share, sure = calibration_curve(right, confidence.numpy(), n_bins=10)
    assert_close(found.accuracy, share, atol=1e-6, rtol=0)
    assert_close(found.confidence, sure.astype(float), atol=1e-6, rtol=0)
    assert found.count.sum() == 2_000
    gap = abs(found.accuracy - found.confidence)
    assert_close(found.error, float((gap * found.count).sum() / 2_000))


def test_a_model_that_is_always_sure_and_always_right_is_calibrated():
    scores = 100 * torch.eye(10)
    found = calibration(scores, torch.arange(10))
    assert (found.count.tolist(), found.error) == ([10], 0.0)


def test_the_surest_errors_come_first():
    scores = torch.tensor([[2.0, 0.0], [5.0, 0.0], [0.0, 3.0], [9.0, 0.0]])
    labels = torch.tensor([1, 1, 0, 0])
    assert confident_errors(scores, labels, 2).tolist() == [1, 2]
    assert confident_errors(scores, labels, 9).tolist() == [1, 2, 0]
