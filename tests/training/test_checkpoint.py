"""Weights on disk are whole or absent, and wrong files leave the model as it was."""

import pytest
import torch
from torch import nn

from dlvc.training.checkpoint import load_weights, save_weights


def make_model(seed: int = 0, width: int = 3) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))


def same_state(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_saved_weights_come_back_exactly_with_batch_statistics(tmp_path):
    model = make_model()
    model(torch.rand(2, 3, 8, 8))
    digest = save_weights(model, tmp_path / "model.safetensors")
    other = load_weights(make_model(seed=1), tmp_path / "model.safetensors", sha256=digest)
    assert same_state(model, other)
    assert not other.training


def test_only_the_finished_file_is_left(tmp_path):
    save_weights(make_model(), tmp_path / "model.safetensors")
    assert [each.name for each in tmp_path.iterdir()] == ["model.safetensors"]


def test_weights_in_another_memory_layout_are_saved(tmp_path):
    model = make_model().to(memory_format=torch.channels_last)
    save_weights(model, tmp_path / "model.safetensors")
    assert same_state(model, load_weights(make_model(seed=1), tmp_path / "model.safetensors"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-10], "not a whole .safetensors file"),
        (lambda content: b"", "not a whole .safetensors file"),
        (lambda content: b"PK\x03\x04 something else", "not a whole .safetensors file"),
    ],
)
def test_a_damaged_file_is_refused_and_the_model_unchanged(tmp_path, damage, message):
    path = tmp_path / "model.safetensors"
    save_weights(make_model(), path)
    path.write_bytes(damage(path.read_bytes()))
    model = make_model(seed=1)
    with pytest.raises(ValueError, match=message):
        load_weights(model, path)
    assert same_state(model, make_model(seed=1))


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
    save_weights(make_model(width=5), path)
    model = make_model()
    with pytest.raises(
        ValueError, match=r"belong to another model: 6 tensors differ, first 0\.weight"
    ):
        load_weights(model, path)
    assert same_state(model, make_model())
