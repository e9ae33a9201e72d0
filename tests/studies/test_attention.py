"""Recordings of attention come back from their file as they were, and the stored one is what the notebooks say."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from dlvc.config import TrainConfig
from dlvc.data import ImageData, draw_sketches
from dlvc.experiments.records import load_record
from dlvc.experiments.registry import build_model, config_for
from dlvc.experiments.running import Run, load_run, run_experiment
from dlvc.experiments.trained import TRAINED
from dlvc.inspection.attention import AttentionRecording, attention_maps, record_attention
from dlvc.studies import attention
from dlvc.studies.attention import Recordings, load_recordings, record_training, save_recordings
from dlvc.training.evaluation import predict
from dlvc.training.loop import train

KEY = "shallow-vit"
PARTS = ("weights", "rollout", "relevance", "probabilities", "silenced")


@pytest.fixture(scope="module")
def run(sketches: ImageData, tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = {"protocol": "tuned", "profile": "smoke"}
    config = config_for(
        KEY, sketches, **recipe, epochs=3, train_size=60, evaluation_size=50, batch_size=20
    )
    folder = tmp_path_factory.mktemp("runs")
    return run_experiment(KEY, sketches, config, **recipe, folder=folder, progress=False)


@pytest.fixture(scope="module")
def recorded(run: Run, sketches: ImageData) -> Recordings:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "EARLY", (0, 1))
        return record_training(run.path, sketches)


def assert_alike(one: AttentionRecording, other: AttentionRecording, **tolerance: float) -> None:
    for name in PARTS:
        torch.testing.assert_close(getattr(one, name), getattr(other, name), **tolerance)
    assert (one.patch_grid, one.patch_size) == (other.patch_grid, other.patch_size)
    assert one.class_token == other.class_token


def test_the_frames_are_the_moments_of_one_training(recorded, run, sketches):
    config, after_one = TrainConfig(**run.record.config), []
    model = build_model(KEY, config, protocol="tuned")
    start = copy.deepcopy(model)
    train(
        model,
        sketches,
        config,
        on_epoch=lambda epoch: after_one.append(copy.deepcopy(model)),
        progress=False,
    )
    moments = {0: start, 1: after_one[0], run.record.best_epoch: run.model}
    assert list(recorded.frames) == list(moments)
    for epoch, moment in moments.items():
        assert_alike(recorded.frames[epoch], record_attention(moment, sketches.test.images[:12]))
    assert recorded.accuracy == run.record.test.accuracy
    assert torch.equal(recorded.labels, sketches.test.labels[:12])


def test_a_run_that_cannot_be_repeated_is_refused(run, sketches):
    others = ImageData(**{**vars(sketches), "train": sketches.test})
    with pytest.raises(ValueError, match=r"epoch 1 ends with loss .* not the same training"):
        record_training(run.path, others)


def test_recordings_come_back_as_they_were(recorded, tmp_path):
    back = load_recordings(save_recordings(recorded, tmp_path / "mine.npz"))
    assert torch.equal(back.images, recorded.images) and torch.equal(back.labels, recorded.labels)
    assert (back.title, back.accuracy) == (recorded.title, recorded.accuracy)
    for epoch, frame in recorded.frames.items():
        largest = frame.weights.amax(dim=-1, keepdim=True)
        assert ((back.frames[epoch].weights - frame.weights).abs() / largest).max() < 0.01
        torch.testing.assert_close(back.frames[epoch].rollout, frame.rollout, rtol=0.01, atol=0)
        for name in PARTS[2:]:
            stored, own = (getattr(one, name) for one in (back.frames[epoch], frame))
            torch.testing.assert_close(stored, own, rtol=1e-3, atol=1e-6)


def test_sharp_attention_keeps_its_largest_and_its_many_small_weights(recorded, tmp_path):
    """In steps of the weights themselves instead of their roots, 63 weights of 0.0016 would be lost or doubled."""
    weights = torch.full_like(recorded.last.weights, 0.1 / 63)
    weights.diagonal(dim1=-2, dim2=-1).fill_(0.9)
    frame = dataclasses.replace(recorded.last, weights=weights)
    sharp = dataclasses.replace(recorded, frames={0: frame})
    back = load_recordings(save_recordings(sharp, tmp_path / "sharp.npz")).last.weights
    torch.testing.assert_close(back, weights, rtol=0.05, atol=0)
    torch.testing.assert_close(
        back.diagonal(dim1=-2, dim2=-1).mean().item(), 0.9, rtol=0.01, atol=0
    )


def test_the_first_images_of_a_recording_are_cut_out_of_all_of_it(recorded):
    two = recorded.first(2)
    assert torch.equal(two.images, recorded.images[:2]) and len(two.labels) == 2
    for epoch, frame in two.frames.items():
        for name in PARTS:
            assert torch.equal(getattr(frame, name), getattr(recorded.frames[epoch], name)[:2])


def test_the_stored_recordings_show_the_first_test_images_and_the_network_of_load_trained():
    stored = load_recordings()
    drawn = draw_sketches(12, first_index=12_000)  # the test split of load_data("sketch10")
    assert torch.equal(stored.images, drawn.images) and torch.equal(stored.labels, drawn.labels)
    record = TRAINED / "deep-vit-residual-sketch10.json"
    assert list(stored.frames) == [0, 1, 3, load_record(record).best_epoch]
    assert stored.accuracy == pytest.approx(load_record(record).test.accuracy, abs=0.001)
    weights = attention_maps(load_run(record), stored.images)  # rounded to 16 bits and to 8
    difference = (stored.last.weights - weights).abs() / weights.amax(dim=-1, keepdim=True)
    assert difference.max() < 0.05
    probabilities = predict(load_run(record), stored.images).softmax(dim=1)
    torch.testing.assert_close(stored.last.probabilities, probabilities, rtol=0, atol=0.01)
