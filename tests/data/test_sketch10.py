from __future__ import annotations

import hashlib

import pytest
import torch
from torch.nn.functional import avg_pool2d, cross_entropy, max_pool2d

from dlvc.data import CLASSES, Factors, draw_sketches
from dlvc.data.sketch10.objects import PAINTERS
from dlvc.models.cnn import SimpleCNN

# Nothing that varies but the object's shape: for tests that place one object exactly.
STILL = {
    "rotation": (0, 0),
    "scale": (0.8, 0.8),
    "position": (0, 0),
    "noise": (0, 0),
    "occluded": 0,
    "mirror": 0,
}
TRAIN_SIZE, TEST_SIZE = 3_000, 1_000


def test_the_painters_are_those_of_the_classes_in_their_order():
    assert tuple(PAINTERS) == CLASSES
    assert tuple(painter.__name__ for painter, _ in PAINTERS.values()) == CLASSES


@pytest.fixture(scope="module")
def many():
    return draw_sketches(TRAIN_SIZE + TEST_SIZE, seed=1)


def accuracy_of_softmax_regression(features, labels, *, decay, iterations=60) -> float:
    """Test accuracy of a linear classifier fitted by L-BFGS on standardised features."""
    features = features.flatten(1).float()
    deviation, mean = torch.std_mean(features[:TRAIN_SIZE], dim=0)
    features = (features - mean) / (deviation + 1e-6)
    weight = torch.zeros(len(CLASSES), features.shape[1], requires_grad=True)
    bias = torch.zeros(len(CLASSES), requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=iterations, line_search_fn="strong_wolfe"
    )

    def loss():
        optimizer.zero_grad()
        logits = features[:TRAIN_SIZE] @ weight.T + bias
        total = cross_entropy(logits, labels[:TRAIN_SIZE]) + decay / 2 * weight.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    predicted = (features[TRAIN_SIZE:] @ weight.T + bias).argmax(dim=1)
    return (predicted == labels[TRAIN_SIZE:]).float().mean().item()


def background_colours(sketches) -> torch.Tensor:
    """Mean colour (N, 6) of the upper and the lower half of what is not the object."""
    outside = ~max_pool2d(sketches.masks[:, None].float(), 3, 1, 1).bool()
    halves = []
    for part in torch.chunk(torch.arange(outside.shape[2]), 2):
        seen = outside[:, :, part].float()
        colour = (sketches.images[:, :, part] * seen).sum(dim=(2, 3))
        halves.append(colour / seen.sum(dim=(2, 3)).clamp(min=1))
    return torch.cat(halves, dim=1)


def test_a_slice_drawn_by_itself_equals_the_slice_of_the_whole():
    whole = draw_sketches(130, seed=7)
    part = draw_sketches(45, seed=7, first_index=61)
    assert torch.equal(part.images, whole.images[61:106])
    assert torch.equal(part.labels, whole.labels[61:106])
    assert torch.equal(part.masks, whole.masks[61:106])
    for name, values in part.factors.items():
        assert torch.equal(values, whole.factors[name][61:106]), name


def test_another_seed_draws_other_pictures_in_another_order():
    one, two = draw_sketches(100, seed=0), draw_sketches(100, seed=1)
    assert not torch.equal(one.labels, two.labels)
    same = (one.images == two.images).flatten(1).all(dim=1)
    assert not same.any()


def test_the_pictures_are_those_the_committed_notebooks_show():
    sketches = draw_sketches(20)
    digest = hashlib.sha256(sketches.images.numpy().tobytes()).hexdigest()
    # Only operations that every machine rounds alike, so the same bits everywhere. After a
    # deliberate change of the drawings: set the new digest and make the notebooks anew.
    assert digest[:16] == "524da3cea4916b5c"


def test_each_ten_pictures_hold_every_class_once_in_an_order_that_varies():
    blocks = draw_sketches(200, size=8).labels.reshape(20, 10)
    assert torch.equal(blocks.sort(dim=1).values, torch.arange(10).expand(20, 10))
    assert len({tuple(block.tolist()) for block in blocks}) == 20


@pytest.mark.parametrize("size", [16, 48, 64, 224])
def test_another_size_shows_the_same_scene(size):
    factors = Factors(noise=(0, 0))
    other = draw_sketches(10, size=size, factors=factors)
    assert other.images.shape == (10, 3, size, size)
    assert other.masks.shape == (10, size, size)
    reference = draw_sketches(10, factors=factors)
    assert torch.equal(other.labels, reference.labels)
    coarse = [avg_pool2d(s.images.float(), s.images.shape[3] // 16) for s in (other, reference)]
    assert (coarse[0] - coarse[1]).abs().mean() < 8  # of 255


def test_a_mask_covers_between_5_and_70_percent_of_its_picture(many):
    share = many.masks.float().mean(dim=(1, 2))
    assert many.masks.dtype == torch.bool
    assert share.min() > 0.05
    assert share.max() < 0.70


def test_another_background_changes_only_pixels_that_are_not_the_object():
    settings = STILL | {"clutter": (1, 1)}
    plain = draw_sketches(100, factors=Factors(**settings))
    other = draw_sketches(100, factors=Factors(**settings, background_signal=1))
    assert torch.equal(plain.masks, other.masks)
    change = (plain.images.int() - other.images.int()).abs().amax(dim=1)
    # The mask's outermost pixels, and gaps thinner than a pixel, are shared with the background.
    inside = ~max_pool2d((~plain.masks)[:, None].float(), 3, 1, 1)[:, 0].bool()
    assert inside.any(dim=(1, 2)).all()
    assert (change[inside] <= 1).float().mean() > 0.97  # 1: rounding
    assert change[plain.masks].max() <= 128  # at least half of each pixel is the object
    moved = plain.factors["scene"] != other.factors["scene"]
    assert moved.sum() > 70
    assert (change > 1)[moved][~plain.masks[moved]].float().mean() > 0.95


def test_mirror_rotation_position_and_scale_do_to_the_mask_what_they_say():
    def masks(**changes):
        return draw_sketches(20, size=64, factors=Factors(**STILL | changes)).masks

    still = masks()
    disagreement = (masks(mirror=1) != still.flip(2)).float().mean()
    assert disagreement < 1e-3
    quarter_clockwise = still.rot90(k=-1, dims=(1, 2))
    assert (masks(rotation=(90, 90)) != quarter_clockwise).float().mean() < 1e-3
    moved = masks(position=(0.125, 0.125))  # 8 pixels to the right and down
    assert (moved[:, 8:, 8:] != still[:, :-8, :-8]).float().mean() < 1e-3
    areas = [drawn.float().sum().item() for drawn in (masks(scale=(0.4, 0.4)), still)]
    assert areas[0] / areas[1] == pytest.approx(0.25, rel=0.05)


def test_occlusion_hides_the_share_of_the_object_that_was_asked_for():
    free = draw_sketches(50, size=64, factors=Factors(occluded=0))
    hidden = draw_sketches(50, size=64, factors=Factors(occluded=1, occlusion=(0.4, 0.4)))
    left = hidden.masks.sum(dim=(1, 2)) / free.masks.sum(dim=(1, 2))
    assert torch.allclose(left, torch.full((50,), 0.6), atol=0.005)
    assert torch.allclose(hidden.factors["occlusion"], 1 - left, atol=1e-6)
    assert not (hidden.masks & ~free.masks).any()
    assert (free.factors["occlusion"] == 0).all()


def test_noise_and_brightness_change_pixels_by_what_they_say():
    calm = draw_sketches(20, factors=Factors(noise=(0, 0), brightness=(0.5, 0.5)))
    noisy = draw_sketches(20, factors=Factors(noise=(0.05, 0.05), brightness=(0.5, 0.5)))
    change = (noisy.images.float() - calm.images.float())[calm.images > 64] / 255
    assert change.std().item() == pytest.approx(0.05, rel=0.05)
    assert calm.images.max() <= 255 * 0.5 * 1.3  # the brightest scenes are a little above white


def test_realised_factors_lie_in_their_ranges_and_fill_them(many):
    defaults = Factors()
    for name, values in many.factors.items():
        assert values.shape == (TRAIN_SIZE + TEST_SIZE,), name
    for name, field in {
        **{name: name for name in ("rotation", "scale", "clutter", "noise", "brightness")},
        "position_x": "position",
        "position_y": "position",
    }.items():
        low, high = getattr(defaults, field)
        values, slack = many.factors[name], 0.01 * (high - low)
        assert low - 1e-6 <= values.min() <= low + slack, name
        assert high - slack <= values.max() <= high + 1e-6, name
    assert many.factors["occlusion"].max() <= defaults.occlusion[1]
    for name in ("mirror", "colour"):
        share = many.factors[name].float().mean().item()
        assert share == pytest.approx(getattr(defaults, name), abs=0.03)
    touched = (many.factors["occlusion"] > 0).float().mean().item()
    assert touched == pytest.approx(defaults.occluded, abs=0.03)


@pytest.mark.parametrize(("signal", "least", "most"), [(0, 0.0, 0.2), (1, 0.7, 1.0)])
def test_the_background_predicts_the_class_only_as_far_as_its_signal(signal, least, most):
    sketches = draw_sketches(800, seed=2, factors=Factors(background_signal=signal))
    colours, labels = background_colours(sketches), sketches.labels
    means = torch.stack([colours[:400][labels[:400] == label].mean(dim=0) for label in range(10)])
    nearest = torch.cdist(colours[400:], means).argmin(dim=1)
    assert least <= (nearest == labels[400:]).float().mean() <= most


def test_half_a_signal_gives_half_the_pictures_their_own_scene():
    sketches = draw_sketches(2_000, size=8, factors=Factors(background_signal=0.5))
    own = (sketches.factors["scene"] == sketches.labels).float().mean().item()
    assert own == pytest.approx(0.5 + 0.5 * 0.1, abs=0.04)  # the other half by chance


def test_the_mean_colour_of_a_picture_does_not_give_its_class_away(many):
    colours = many.images.float().mean(dim=(2, 3))
    assert accuracy_of_softmax_regression(colours, many.labels, decay=0, iterations=20) < 0.2


@pytest.mark.slow
def test_a_linear_model_stays_below_60_percent_where_a_convolutional_one_passes_it(many):
    """The full claim (8,000 pictures, 10 epochs, CNN above 80 %) takes too long for a test."""
    assert accuracy_of_softmax_regression(many.images, many.labels, decay=0.1) < 0.55

    torch.manual_seed(0)
    model = SimpleCNN(dropout=0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    images = many.images.float() / 255
    for _ in range(3):
        for batch in torch.randperm(TRAIN_SIZE).split(32):
            optimizer.zero_grad()
            cross_entropy(model(images[batch]), many.labels[batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        predicted = model(images[TRAIN_SIZE:]).argmax(dim=1)
    assert (predicted == many.labels[TRAIN_SIZE:]).float().mean() > 0.7
