"""What holds for whatever data come: for reading, augmentation and metrics."""

from __future__ import annotations

import contextlib
import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlvc.data import Split
from dlvc.data.augment import crop_and_mirror, epoch_generator, random_draws
from dlvc.data.cifar10 import InvalidFileError, _read_batch
from dlvc.data.pixels import check_pixels
from dlvc.experiments.records import (
    load_records,
    pack_bits,
    record_from_json,
)
from dlvc.experiments.tables import (
    comparison_table,
    format_table,
    in_registry_order,
    protocol_table,
    results_table,
)
from dlvc.metrics import accuracy, confusion_matrix, mean_per_class_accuracy, per_class_accuracy

SEEDS = st.integers(0, 2**31 - 1)
PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60)
BATCHES = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
).map(torch.from_numpy)


def tensors(pairs: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    labels, predictions = torch.tensor(pairs).T
    return labels, predictions


# Metrics


@given(PAIRS, st.permutations(range(10)), st.randoms(use_true_random=False))
def test_neither_order_nor_names_of_classes_change_an_accuracy(pairs, names, random):
    before = confusion_matrix(*tensors(pairs))
    shuffled = [(names[label], names[prediction]) for label, prediction in pairs]
    random.shuffle(shuffled)
    after = confusion_matrix(*tensors(shuffled))
    assert accuracy(after) == accuracy(before)
    assert mean_per_class_accuracy(after) == pytest.approx(mean_per_class_accuracy(before))
    shares = per_class_accuracy(after)[torch.tensor(names)]
    torch.testing.assert_close(shares, per_class_accuracy(before), equal_nan=True, rtol=0, atol=0)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_perfect_predictions_score_one_whatever_classes_are_absent(labels):
    confusion = confusion_matrix(torch.tensor(labels), torch.tensor(labels))
    assert accuracy(confusion) == mean_per_class_accuracy(confusion) == 1


@given(
    arrays.arrays(
        st.sampled_from([np.int64, np.uint8, np.float32, np.bool_]),
        st.sampled_from([(), (3,), (2, 2), (2, 3)]),
    )
)
@example(np.full((2, 2), 2**61))  # their sum overflows
def test_any_array_is_a_confusion_matrix_or_refused_in_words(array):
    confusion = torch.from_numpy(np.asarray(array))
    with contextlib.suppress(ValueError):  # any other error fails the test
        assert 0 <= accuracy(confusion) <= 1
        assert confusion.shape == (2, 2)


# Augmentation


@given(BATCHES, SEEDS, st.integers(0, 6))
def test_a_crop_holds_pixels_of_its_own_image_or_black(images, seed, padding):
    draws = random_draws(len(images), epoch_generator(seed, 1), padding=padding)
    before = images.clone()
    cut = crop_and_mirror(images, draws, padding=padding)
    assert (cut.shape, cut.dtype) == (images.shape, images.dtype)
    assert torch.equal(images, before)
    for old, new in zip(images, cut, strict=True):
        assert set(new.unique().tolist()) <= {0, *old.unique().tolist()}


@given(SEEDS, st.integers(1, 100_002), st.integers(1, 50), st.integers(0, 8))
def test_draws_lie_in_their_range_and_repeat(seed, epoch, count, padding):
    draws, again = (
        random_draws(count, epoch_generator(seed, epoch), padding=padding) for _ in range(2)
    )
    assert all(torch.equal(one, other) for one, other in zip(draws, again, strict=True))
    for cuts in (draws.rows, draws.columns):
        assert 0 <= cuts.min() <= cuts.max() <= 2 * padding


# Data and records

ANY_ARRAY = arrays.arrays(
    st.sampled_from([np.uint8, np.int64, np.float32, np.float64, np.bool_]),
    st.lists(st.integers(0, 4), max_size=5).map(tuple),
).map(lambda array: torch.from_numpy(np.asarray(array)))


@given(ANY_ARRAY, ANY_ARRAY)
def test_any_arrays_are_a_split_or_refused_in_words(images, labels):
    try:
        split = Split(images, labels)
    except ValueError:
        return
    assert split.images.dtype == torch.uint8
    assert split.images.shape[1] == 3
    assert split.labels.shape == (len(split),)


@given(ANY_ARRAY)
@example(torch.zeros(1, 3, 0, 0))  # it has images without a pixel
def test_any_array_is_pictures_or_refused_in_words(images):
    try:
        check_pixels(images)
    except ValueError:
        return
    assert images.ndim == 4
    assert images.shape[1] == 3
    assert images.dtype == torch.uint8 or images.isfinite().all()


@given(st.binary(max_size=200))
def test_no_short_file_is_a_batch(content):
    with pytest.raises(InvalidFileError):
        _read_batch("data_batch_1", content)


RECORD = load_records()[0]
FIELDS = json.loads(json.dumps(dataclasses.asdict(RECORD)))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def paths(value: object, here: tuple = ()) -> list[tuple]:
    """The way to every value in nested dictionaries and the first of each list."""
    inner = dict(enumerate(value[:1])) if isinstance(value, list) else value
    if not isinstance(inner, dict):
        return [here]
    return [here, *(way for key in inner for way in paths(inner[key], (*here, key)))]


@given(st.sampled_from(paths(FIELDS)[1:]), ANY_JSON)
def test_a_record_with_any_value_in_any_place_can_be_shown_or_is_refused_in_words(way, value):
    """Also what reads records later finds what it needs: tables and the bits of each image."""
    fields = json.loads(json.dumps(FIELDS))
    holder = fields
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = value
    with contextlib.suppress(ValueError):
        record = record_from_json(json.dumps(fields))
        format_table(results_table(in_registry_order([record])))
        comparison_table([record])
        protocol_table([record])
        if record.test is not None:
            assert len(record.test.correct_images()) == sum(map(sum, record.test.confusion))


@given(st.text(max_size=80))
def test_any_text_is_a_record_or_refused_in_words(text):
    with contextlib.suppress(ValueError):
        record_from_json(text)


@given(arrays.arrays(np.bool_, st.integers(1, 70)))
def test_packed_bits_come_back(correct):
    counts = [[int(correct.sum()), int((~correct).sum())], [0, 0]]
    score = dataclasses.replace(RECORD.test, confusion=counts, correct=pack_bits(correct))
    assert np.array_equal(score.correct_images(), correct)
