"""Recordings of attention come back from their file as they were, and the stored one is what the notebooks say."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from dlvc.config import TrainConfig
from dlvc.data import CLASSES, ImageData
from dlvc.experiments.registry import EXPERIMENTS, build_model
from dlvc.inspection.attention import AttentionRecording, record_attention
from dlvc.studies.attention import (
    EPOCHS,
    Recordings,
    load_recordings,
    record_training,
    save_recordings,
)

CONFIG = TrainConfig(epochs=2, train_size=20, evaluation_size=10, batch_size=10, device="cpu")


def assert_alike(one: AttentionRecording, other: AttentionRecording) -> None:
    for field in fields(AttentionRecording):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, torch.Tensor):
            torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-6)
        else:
            assert first == second and type(first) is type(second)


@pytest.fixture(scope="module")
def recorded(sketches: ImageData) -> Recordings:
    images, labels = sketches.test.images[:1], sketches.test.labels[:1]
    frames, accuracy = record_training("shallow-vit", sketches, CONFIG, images, (0, 2))
    return Recordings(images, labels, {"Shallow ViT": frames}, {"Shallow ViT": accuracy})


def test_epoch_0_is_the_untrained_model_and_only_the_wanted_epochs_are_kept(recorded):
    frames = recorded.series["Shallow ViT"]
    assert list(frames) == [0, 2]
    assert_alike(frames[0], record_attention(build_model("shallow-vit", CONFIG), recorded.images))
    assert not torch.allclose(frames[0].weights, frames[2].weights)
    assert 0 <= recorded.accuracy["Shallow ViT"] <= 1


def test_recordings_come_back_as_they_were(recorded, tmp_path):
    back = load_recordings(save_recordings(recorded, tmp_path / "mine.npz"))
    assert torch.equal(back.images, recorded.images) and torch.equal(back.labels, recorded.labels)
    assert back.accuracy == recorded.accuracy
    for epoch, frame in recorded.series["Shallow ViT"].items():
        assert_alike(back.series["Shallow ViT"][epoch], frame)


def test_the_stored_recordings_are_of_both_models_and_a_horse_that_the_deep_one_knows():
    stored = load_recordings()
    assert {model: tuple(frames) for model, frames in stored.series.items()} == {
        EXPERIMENTS[key].title: epochs for key, epochs in EPOCHS.items()
    }
    last = stored.series["Deep Residual ViT"][4]
    assert [CLASSES[int(number)] for number in stored.labels] == ["horse"]
    assert torch.equal(last.probabilities.argmax(dim=1), stored.labels)
    for frames in stored.series.values():
        for frame in frames.values():
            assert (frame.weights.sum(dim=-1) - 1).abs().max() < 1e-3
