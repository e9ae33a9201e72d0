"""The measurement of notebook 03: what goes in on small models, what is stored, what is read back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dlvc.data import ImageData, Split
from dlvc.files import save_json
from dlvc.inspection.attention import attention_maps, class_relevance, readout_row, relevance_shares
from dlvc.inspection.explanation import share_on_object
from dlvc.models.cnn import SimpleCNN
from dlvc.models.vit import VisionTransformer
from dlvc.studies import maps as map_tests
from dlvc.studies.maps import (
    MapTests,
    contrast,
    load_map_tests,
    measure_maps,
    vit_maps,
)

SMALL = {"embed_dim": 16, "depth": 2, "num_heads": 2}


@pytest.fixture(scope="module")
def models() -> tuple[VisionTransformer, SimpleCNN]:
    torch.manual_seed(0)
    return VisionTransformer(**SMALL).eval(), SimpleCNN().eval()


@pytest.fixture(scope="module")
def split(sketches: ImageData) -> Split:
    return sketches.test.first(12)


@pytest.fixture(scope="module")
def measured(models: tuple[VisionTransformer, SimpleCNN], split: Split) -> MapTests:
    return measure_maps(*models, split, steps=2, data="Sketch-10")


def test_contrast_is_the_spread_of_a_patchs_pixels():
    images = torch.zeros(1, 3, 8, 8)
    images[0, :, 0, 4] = 1.0  # one pixel of sixteen in the second patch
    scores = contrast(images, (2, 2))
    assert scores[0].tolist() == pytest.approx([0, np.std([1] + [0] * 15, ddof=1), 0, 0])


def test_relevance_is_that_of_each_images_own_class(models, split, monkeypatch):
    monkeypatch.setattr(map_tests, "IMAGES_AT_ONCE", 5)
    vit, classes = models[0], torch.arange(12) % 3
    maps = vit_maps(vit, split.images, classes)
    everything = relevance_shares(vit, class_relevance(vit, split.images))
    torch.testing.assert_close(maps["relevance"], everything[torch.arange(12), classes])
    torch.testing.assert_close(maps["heads"], readout_row(vit, attention_maps(vit, split.images)))


def test_curves_start_at_the_whole_image_and_end_where_all_is_hidden(measured):
    assert measured.hidden == [0, 0.5, 1]
    for name in ("attention", "rollout", "relevance", "contrast"):
        orders = measured.curves[name]
        assert len({(curve[0], curve[-1]) for curve in orders.values()}) == 1
        half = orders["random"][1] - orders["highest first"][1]  # only here the two areas differ
        assert measured.lead[name].mean == pytest.approx(half / 2, abs=2e-4)


def test_intervals_hold_their_means_and_no_map_is_left_out(measured):
    for intervals in (measured.lead, measured.beyond, measured.likeness, measured.on_object):
        assert all(
            interval.low <= interval.mean <= interval.high for interval in intervals.values()
        )
    assert set(measured.beyond) == {"attention", "rollout", "relevance", "Grad-CAM"}
    assert set(measured.likeness) == set(measured.beyond)


def test_shares_are_those_of_the_readout_of_each_head(measured, models, split):
    heads = readout_row(models[0], attention_maps(models[0], split.images))
    share = share_on_object(heads, split.masks, (8, 8))
    expected = (share.of_map - share.of_area).mean(dim=0)
    np.testing.assert_allclose(measured.heads["trained"], expected, atol=1e-4)
    assert measured.object_area == pytest.approx(split.masks.float().mean().item())


def test_without_masks_nothing_is_said_of_objects(models, split):
    without = measure_maps(*models, dataclasses.replace(split, masks=None), steps=1)
    assert without.on_object is None and without.heads is None and without.object_area is None


def test_a_measurement_is_read_back_as_it_was_stored(measured, tmp_path):
    save_json(measured, tmp_path / "mine.json")
    assert load_map_tests("mine", tmp_path) == measured
    with pytest.raises(FileNotFoundError, match="no measurement called 'yours'; there is mine"):
        load_map_tests("yours", tmp_path)
