"""Weights on disk are whole or absent, and wrong files leave the model as it was."""

import pytest
import torch
from small_training import make_model, same_weights

from dlvc.training.checkpoint import load_weights, save_weights


def test_saved_weights_come_back_exactly_from_the_only_file_that_is_left(tmp_path):
    model = make_model()
    model(torch.rand(2, 3, 32, 32))
    digest = save_weights(model, tmp_path / "model.safetensors")
    other = load_weights(make_model(seed=1), tmp_path / "model.safetensors", sha256=digest)
    assert same_weights(model, other)
    assert not other.training
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_weights_in_another_memory_layout_are_saved(tmp_path):
    model = make_model().to(memory_format=torch.channels_last)
    save_weights(model, tmp_path / "model.safetensors")
    assert same_weights(model, load_weights(make_model(seed=1), tmp_path / "model.safetensors"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-10],
        lambda content: b"",
        lambda content: b"PK\x03\x04 something else",
    ],
)
def test_a_damaged_file_is_refused_and_the_model_unchanged(tmp_path, damage):
    path = tmp_path / "model.safetensors"
    save_weights(make_model(), path)
    path.write_bytes(damage(path.read_bytes()))
    model = make_model(seed=1)
    with pytest.raises(ValueError, match=r"not a whole \.safetensors file"):
        load_weights(model, path)
    assert same_weights(model, make_model(seed=1))


def test_a_flipped_bit_is_seen_by_the_digest(tmp_path):
    path = tmp_path / "model.safetensors"
    digest = save_weights(make_model(), path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not the file its record describes"):
        load_weights(make_model(), path, sha256=digest)


def test_another_architecture_is_named_and_the_model_unchanged(tmp_path):
    path = tmp_path / "model.safetensors"
    save_weights(make_model(5), path)
    model = make_model()
    with pytest.raises(
        ValueError, match=r"belong to another model: 7 tensors differ, first 0\.weight"
    ):
        load_weights(model, path)
    assert same_weights(model, make_model())
