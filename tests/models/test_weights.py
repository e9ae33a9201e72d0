"""The file of ResNet18's weights is torchvision's, in torch.hub's own place, and checked."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from dlvc.data import DownloadError
from dlvc.models import RESNET18_WEIGHTS, describe_weights, resnet18_weights, weights

CONTENT = b"weights" * 1000


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the file should be, in an empty home without a network; it should be `CONTENT`."""
    file = replace(RESNET18_WEIGHTS, sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(weights, "RESNET18_WEIGHTS", file)
    monkeypatch.setenv("DLVC_OFFLINE", "1")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    path = tmp_path / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    path.parent.mkdir(parents=True)
    return path


def test_they_are_found_in_the_cache_of_torch_hub_and_damaged_ones_set_aside(path):
    path.write_bytes(CONTENT)
    assert resnet18_weights() == path
    assert describe_weights().endswith(
        "\n  ~/torch/hub/checkpoints/resnet18-f37072fd.pth\n    verified"
    )
    path.write_bytes(CONTENT[:-1] + b"x")
    assert describe_weights().endswith("    damaged; it is set aside and fetched again when needed")
    with pytest.raises(DownloadError, match=r"resnet18-f37072fd\.pth\.bad"):
        resnet18_weights()
    assert describe_weights().endswith("    nothing; fetched when needed (47 MB)")


def test_address_and_digest_are_those_that_torchvision_names():
    from torchvision.models import ResNet18_Weights

    assert (ResNet18_Weights.IMAGENET1K_V1.url,) == RESNET18_WEIGHTS.mirrors
    assert RESNET18_WEIGHTS.name.split("-")[1].startswith(RESNET18_WEIGHTS.sha256[:8])
