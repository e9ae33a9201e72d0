"""ResNet18 with pre-trained weights and a new head.

Knows no network: `weights` is a file or a state dict. `dlvc.models.resnet18_weights` fetches the usual file.
Source: He et al. 2015, table 1; implementation by torchvision.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dlvc.arguments import check_kind, check_whole
from dlvc.models.normalize import Normalize, check_images
from dlvc.models.options import DROPOUT, option, options
from dlvc.models.torchvision_check import import_torchvision


class ResNet18(nn.Module):
    """Class scores (B, num_classes) for images (B, 3, H, W) in [0, 1] of any size.

    Images are resized to `image_size` (bilinear) where they differ. `weights` (a .safetensors or .pth file, or a state
    dict of torchvision's resnet18 with a head of any size) gives the start of all layers but the head, which is new.
    `frozen` trains the head alone: the other layers keep their weights and their batch statistics.
    Raises ValueError if the weights are not those of a ResNet18.
    """

    @options(
        frozen=option("Frozen", "trains the last layer alone; the others keep their weights"),
        dropout=DROPOUT,
        image_size=option(
            "Image size", "side length to which images are resized", 16, 256, unit="pixels"
        ),
    )
    def __init__(
        self,
        *,
        num_classes: int = 10,
        weights: str | Path | dict[str, Tensor] | None = None,
        image_size: int = 32,
        frozen: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_whole("num_classes", num_classes, low=1, hint="Try 10.")
        check_kind(
            "weights", weights, (str, Path, dict, type(None)), "Give a file or a state dict."
        )
        self.image_size = image_size
        self.frozen = frozen
        self.normalize = Normalize()
        self.backbone = import_torchvision().models.resnet18()
        features = self.backbone.fc.in_features
        self.backbone.fc = nn.Identity()
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, num_classes))
        if weights is not None:
            self._start_from(weights if isinstance(weights, dict) else read_weights(Path(weights)))
        if frozen:
            self.backbone.requires_grad_(False)

    def _start_from(self, state: dict[str, Tensor]) -> None:
        check_kind("the content of the weights file", state, dict, "Save model.state_dict().")
        foreign = [
            str(name)
            for name, value in state.items()
            if not isinstance(name, str) or not isinstance(value, Tensor)
        ]
        if foreign:
            raise ValueError(
                f"a state dict holds tensors only; got something else under {', '.join(foreign[:5])}. "
                "Pass the part of a training checkpoint that holds the weights."
            )
        body = {name: value.float() for name, value in state.items() if not name.startswith("fc.")}
        for name in list(body):
            if name.endswith("num_batches_tracked"):
                body[name] = state[name]
        try:
            self.backbone.load_state_dict(body)
        except RuntimeError as error:
            first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
            raise ValueError(
                f"these are not the weights of torchvision's resnet18: {first}"
            ) from error

    def train(self, mode: bool = True) -> ResNet18:
        """Switch between training and evaluation; a frozen backbone stays in evaluation."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        check_images(images)
        if images.shape[2:] != (self.image_size, self.image_size):
            images = interpolate(
                images, size=(self.image_size, self.image_size), mode="bilinear", antialias=False
            )
        return self.head(self.backbone(self.normalize(images)))


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict in a .safetensors or .pth file, on the CPU. Never runs code from the file.

    Raises FileNotFoundError with the way to get the file if it is not there, ValueError if it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights at {path}. Leave weights unset for torchvision's ImageNet weights, which are downloaded once, "
            "or give the path of a .safetensors or .pth file of torchvision's resnet18."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path.name} is not a readable file of weights: {reason}") from error
