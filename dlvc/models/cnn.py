"""The report's three convolutional networks: simple, deep, and deep with batch normalisation.

Source: report, section 4.1; the exact layer sizes are those whose parameters it counts (62,006, 289,322 and 289,434).
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from dlvc.arguments import check_whole
from dlvc.models.normalize import Normalize, check_size
from dlvc.models.options import DROPOUT, option, options


class SimpleCNN(nn.Module):
    """Class scores (B, num_classes) for images (B, 3, 32, 32) in [0, 1]; 62,006 parameters.

    Two convolutions, three fully connected layers. Source: LeCun et al. 1998, figure 2 (LeNet-5), with ReLU,
    max-pooling and dropout. Raises ValueError for anything but float images of 32 x 32 pixels.
    """

    @options(dropout=DROPOUT)
    def __init__(self, *, num_classes: int = 10, dropout: float = 0.5) -> None:
        super().__init__()
        check_whole("num_classes", num_classes, low=1, hint="Try 10.")
        self.normalize = Normalize()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, kernel_size=5),  # (B, 3, 32, 32) -> (B, 6, 28, 28)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (B, 6, 14, 14)
            nn.Conv2d(6, 16, kernel_size=5),  # (B, 16, 10, 10)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (B, 16, 5, 5)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),  # (B, 400)
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(84, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        check_size(images)
        return self.classifier(self.features(self.normalize(images)))


def convolution_block(
    channels_in: int, channels_out: int, *, kernel_size: int, batch_norm: bool
) -> nn.Sequential:
    """A convolution that keeps the size, batch normalisation if asked for, ReLU, and max-pooling that halves the size.

    Batch normalisation has a shift of its own, so the convolution before it needs no bias.
    Source: report, section 4.1; Ioffe and Szegedy 2015, section 3.2.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(
            channels_in, channels_out, kernel_size, padding=kernel_size // 2, bias=not batch_norm
        )
    ]
    if batch_norm:
        layers.append(nn.BatchNorm2d(channels_out))
    return nn.Sequential(*layers, nn.ReLU(), nn.MaxPool2d(2))


class DeepCNN(nn.Module):
    """Class scores (B, num_classes) for images (B, 3, 32, 32) in [0, 1].

    `depth` convolution blocks, the first with `width` filters, each other with twice as many as the one before; two
    fully connected layers. The report's network (three blocks, 16 filters) has 289,322 parameters, with `batch_norm`
    289,434. Raises ValueError for anything but float images of 32 x 32 pixels.
    """

    @options(
        depth=option("Depth", "convolution blocks, one after the other", 1, 5, unit="blocks"),
        width=option(
            "Width",
            "filters of the first block; each further block has twice as many",
            low=1,
            high=128,
            unit="filters",
            log=True,
        ),
        batch_norm=option("Batch norm", "normalises each channel over the batch, in each block"),
        dropout=DROPOUT,
    )
    def __init__(
        self,
        *,
        num_classes: int = 10,
        depth: int = 3,
        width: int = 16,
        batch_norm: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_whole("num_classes", num_classes, low=1, hint="Try 10.")
        filters = [width * 2**block for block in range(depth)]
        side = 32 // 2**depth  # pixels that are left
        self.normalize = Normalize()
        self.features = nn.Sequential(
            convolution_block(3, width, kernel_size=5, batch_norm=batch_norm),  # (B, 16, 16, 16)
            *(  # (B, 32, 8, 8), (B, 64, 4, 4)
                convolution_block(before, after, kernel_size=3, batch_norm=batch_norm)
                for before, after in pairwise(filters)
            ),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),  # (B, 1024)
            nn.Dropout(dropout),
            nn.Linear(filters[-1] * side**2, 256),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(256, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        check_size(images)
        return self.classifier(self.features(self.normalize(images)))
