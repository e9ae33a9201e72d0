"""The file of ResNet18's ImageNet weights, fetched once and kept where torch.hub keeps it."""

from __future__ import annotations

from pathlib import Path

import torch

from dlvc.data import RemoteFile, download_file
from dlvc.files import display_path, sha256_of

# Source: torchvision.models.ResNet18_Weights.IMAGENET1K_V1 (address); the file's name holds the
# first eight digits of its SHA-256.
RESNET18_WEIGHTS = RemoteFile(
    title="The file of ResNet18's ImageNet weights",
    name="resnet18-f37072fd.pth",
    size=46_830_571,
    sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    mirrors=("https://download.pytorch.org/models/resnet18-f37072fd.pth",),
)


def resnet18_weights(*, progress: bool = True) -> Path:
    """The verified file of ResNet18's ImageNet weights, in torch.hub's own cache folder.

    If torchvision fetched it before, it is there already. Raises DownloadError.
    """
    return download_file(RESNET18_WEIGHTS, _cache_folder(), progress=progress)


def describe_weights() -> str:
    """What `python -m dlvc data` prints of the weights: their place, and what is there."""
    path = _cache_folder() / RESNET18_WEIGHTS.name
    if not path.is_file():
        state = f"nothing; fetched when needed ({RESNET18_WEIGHTS.size / 1e6:.0f} MB)"
    elif sha256_of(path) == RESNET18_WEIGHTS.sha256:
        state = "verified"
    else:
        state = "damaged; it is set aside and fetched again when needed"
    title = "The ImageNet weights of ResNet18 are kept where torch.hub keeps them:"
    return f"{title}\n  {display_path(path)}\n    {state}"


def _cache_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"
