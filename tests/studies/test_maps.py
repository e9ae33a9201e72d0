"""The measurement of maps: what goes in on small models, what is stored, what is read back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from small_run import make_run
from torch import nn

from dlvc.data import ImageData, Split
from dlvc.inspection.attention import (
    attention_maps,
    class_relevance,
    readout_row,
    relevance_shares,
    silenced_probabilities,
)
from dlvc.inspection.explanation import share_on_object
from dlvc.inspection.gradient_maps import grad_cam
from dlvc.models.cnn import DeepCNN, SimpleCNN
from dlvc.models.vit import VisionTransformer
from dlvc.studies import maps as map_tests
from dlvc.studies.maps import (
    MapTests,
    contrast,
    head_maps,
    load_map_tests,
    measure_maps,
    measure_runs,
    network_maps,
)

SMALL = {"embed_dim": 16, "depth": 2, "num_heads": 2}
ABOUT = {"network": "mine", "seed": 3, "accuracy": 0.5, "data": "Sketch-10"}


@pytest.fixture(scope="module")
def vit() -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(**SMALL, class_token=True).eval()


@pytest.fixture(scope="module")
def cnn() -> DeepCNN:
    torch.manual_seed(0)
    return DeepCNN(batch_norm=True).eval()


@pytest.fixture(scope="module")
def split(sketches: ImageData) -> Split:
    return sketches.test.first(12)


@pytest.fixture(scope="module")
def measured(vit: VisionTransformer, split: Split) -> MapTests:
    return measure_maps(vit, split, steps=2, **ABOUT)


def test_contrast_is_the_spread_of_a_patchs_pixels():
    images = torch.zeros(1, 3, 8, 8)
    images[0, :, 0, 4] = 1.0  # one pixel of sixteen in the second patch
    scores = contrast(images, (2, 2))
    assert scores[0].tolist() == pytest.approx([0, np.std([1] + [0] * 15, ddof=1), 0, 0])


def test_relevance_is_that_of_each_images_own_class(vit, split, monkeypatch):
    monkeypatch.setattr(map_tests, "IMAGES_AT_ONCE", 5)
    classes = torch.arange(12) % 3
    maps = network_maps(vit, split.images, classes)
    everything = relevance_shares(vit, class_relevance(vit, split.images))
    torch.testing.assert_close(maps["relevance"], everything[torch.arange(12), classes])
    heads = readout_row(vit, attention_maps(vit, split.images))
    torch.testing.assert_close(head_maps(vit, split.images), heads)
    torch.testing.assert_close(maps["attention"], heads[:, -1].mean(dim=1))  # of a class token


def test_the_cells_of_grad_cam_lie_where_the_network_has_them(cnn, split):
    """The deep CNN has a cell for each patch; of the simple one the outer patches have none but their inner half."""
    classes = torch.zeros(12, dtype=torch.int64)
    deep = network_maps(cnn, split.images, classes)["Grad-CAM"]
    torch.testing.assert_close(deep, grad_cam(cnn, split.images, classes).flatten(1))
    torch.manual_seed(0)
    simple = SimpleCNN().eval()
    cells = grad_cam(
        simple, split.images, classes
    )  # (12, 10, 10), two pixels each, from pixel 6 on
    pixels = torch.zeros(12, 32, 32)
    pixels[:, 6:26, 6:26] = cells.repeat_interleave(2, 1).repeat_interleave(2, 2)
    expected = pixels.view(12, 8, 4, 8, 4).mean(dim=(2, 4)).flatten(1)
    laid = network_maps(simple, split.images, classes)["Grad-CAM"]
    torch.testing.assert_close(laid, expected)


def test_curves_start_at_the_whole_image_and_end_where_all_is_hidden(measured):
    assert measured.hidden == [0, 0.5, 1]
    assert set(measured.curves) == {
        *("attention", "rollout", "relevance", "gradient x input", "contrast")
    }
    for name, orders in measured.curves.items():
        assert len({(curve[0], curve[-1]) for curve in orders.values()}) == 1
        half = orders["random"][1] - orders["highest first"][1]  # only here the two areas differ
        assert measured.lead[name].mean == pytest.approx(half / 2, abs=2e-4)


def test_intervals_hold_their_means_and_no_map_is_left_out(measured):
    for intervals in (measured.lead, measured.beyond, measured.likeness, measured.on_object):
        assert all(
            interval.low <= interval.mean <= interval.high for interval in intervals.values()
        )
    assert set(measured.beyond) == {"attention", "rollout", "relevance", "gradient x input"}
    assert set(measured.likeness) == set(measured.beyond)


def test_shares_are_those_of_the_readout_of_each_head_on_its_own_and_another_image(
    measured, vit, split
):
    heads = readout_row(vit, attention_maps(vit, split.images))
    share = share_on_object(heads, split.masks, (8, 8))
    expected = (share.of_map - share.of_area).mean(dim=0)
    np.testing.assert_allclose(measured.heads["trained"], expected, atol=1e-4)
    next_masks = torch.cat((split.masks[1:], split.masks[:1]))
    share = share_on_object(heads, next_masks, (8, 8))
    expected = (share.of_map - share.of_area).mean(dim=0)
    np.testing.assert_allclose(measured.heads["another image"], expected, atol=1e-4)
    assert measured.object_area == pytest.approx(split.masks.float().mean().item())


def test_silencing_is_the_mean_change_of_what_the_network_says_itself(measured, vit, split):
    with torch.no_grad():
        whole = vit(split.images.float() / 255).softmax(dim=1)
    without = silenced_probabilities(vit, split.images)
    said = whole.argmax(dim=1).tolist()
    changes = [without[i, :, :, number] - whole[i, number] for i, number in enumerate(said)]
    expected = torch.stack(changes).mean(dim=0)
    np.testing.assert_allclose(measured.silenced["zero"], expected, atol=1e-4)
    assert measured.silenced["mean"] != measured.silenced["zero"]


def test_a_network_says_what_kind_it_is_and_without_masks_nothing_of_objects(cnn, vit, split):
    unmasked = dataclasses.replace(split, masks=None)
    tests = measure_maps(cnn, unmasked, steps=1, **ABOUT)
    assert (tests.kind, tests.network, tests.seed) == ("CNN", "mine", 3)
    assert set(tests.beyond) == {"Grad-CAM", "gradient x input"} and tests.silenced is None
    assert tests.on_object is None and tests.heads is None and tests.object_area is None
    assert measure_maps(cnn, split, steps=1, **ABOUT).heads is None
    mean = VisionTransformer(**SMALL).eval()
    kinds = [measure_maps(one, unmasked, steps=1, **ABOUT).kind for one in (vit, mean)]
    assert kinds == ["class token", "mean readout"]


def test_a_measurement_goes_on_run_by_run_and_is_read_back(
    cnn, sketches, tmp_path: Path, monkeypatch
):
    measured: list[nn.Module] = []

    def measure(model, split, **about):
        measured.append(model)
        return measure_maps(model, split, steps=1, **about)

    records = {f"{seed}": make_run("deep-cnn-bn", seed) for seed in (0, 1)}
    monkeypatch.setattr(map_tests, "load_record", records.get)
    monkeypatch.setattr(map_tests, "load_run", lambda run: cnn)
    monkeypatch.setattr(map_tests, "data_of", lambda record: sketches)
    monkeypatch.setattr(map_tests, "measure_maps", measure)
    measure_runs("mine", ["0"], 4, tmp_path)
    measure_runs("mine", ["0", "1"], 4, tmp_path)
    rows = load_map_tests("mine", tmp_path)
    assert [(row.network, row.seed, row.images) for row in rows] == [
        ("Deep Normalized CNN", 0, 4),
        ("Deep Normalized CNN", 1, 4),
    ]
    assert len(measured) == 2
    assert rows[1].accuracy == records["1"].test.accuracy
    with pytest.raises(FileNotFoundError, match="no measurement called 'yours'; there is mine"):
        load_map_tests("yours", tmp_path)


def test_three_networks_of_each_kind_are_on_record():
    for name in ("sketch10", "cifar10"):
        rows = load_map_tests(name)
        kinds = [row.kind for row in rows]
        assert {kinds.count(kind) for kind in set(kinds)} == {3}
        assert all(row.images == 500 for row in rows)
