"""Where the loops that are compared get their batches from: torchvision's single images, or dlvc's whole batches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from dlvc.config import TrainConfig
from dlvc.data import Split, epoch_generator, prepare_batches, random_draws, split_batches, to_float
from dlvc.models import import_torchvision
from dlvc.training import pick_device


class SingleImages(Dataset):
    """One image and its label at a time, augmented by torchvision as its manual advises: as tensors of uint8."""

    def __init__(self, split: Split, config: TrainConfig) -> None:
        import_torchvision()  # says in words if it does not fit torch
        from torchvision.transforms import v2

        self.images, self.labels = split.images, split.labels.tolist()
        augmentations = [
            v2.RandomCrop(32, padding=config.largest_shift),
            v2.RandomHorizontalFlip(),
        ]
        used = augmentations if config.augmentation == "crop-and-mirror" else []
        self.transform = v2.Compose(
            [*used, *self.to_tensor(), v2.ToDtype(torch.float32, scale=True)]
        )

    def to_tensor(self) -> list[nn.Module]:
        """What makes a tensor of an image."""
        return []

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


class SinglePictures(SingleImages):
    """The same from Pillow's pictures, which `torchvision.datasets.CIFAR10` gives to the transforms of a tutorial."""

    def __init__(self, split: Split, config: TrainConfig) -> None:
        super().__init__(split, config)
        self.images = split.images.permute(0, 2, 3, 1).contiguous().numpy()  # (N, H, W, 3)

    def to_tensor(self) -> list[nn.Module]:
        from torchvision.transforms import v2

        return [v2.ToImage()]

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image  # comes with torchvision

        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def tutorial_batches(split: Split, config: TrainConfig) -> DataLoader:
    """What a tutorial writes first."""
    return DataLoader(SinglePictures(split, config), batch_size=config.batch_size, shuffle=True)


def worker_batches(split: Split, config: TrainConfig, *, workers: int = 0) -> DataLoader:
    """What the manuals advise: tensors, worker processes that stay, and pinned memory where there is a GPU.

    `measure.best_workers` finds out how many workers are best.
    """
    return DataLoader(
        SingleImages(split, config),
        batch_size=config.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pick_device(config.device).type == "cuda",
    )


class OurBatches:
    """dlvc's own batches for any loop: images (B, 3, H, W) in [0, 1] on the device in `layout`, and labels (B,)."""

    def __init__(
        self,
        split: Split,
        config: TrainConfig,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        device = pick_device(config.device)
        self.images, self.labels = split.images.to(device), split.labels.to(device)
        self.config, self.layout, self.epoch = config, layout, 0

    def __len__(self) -> int:
        return len(split_batches(torch.arange(len(self.labels)), self.config.batch_size))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.epoch += 1
        config, device = self.config, self.labels.device
        generator = epoch_generator(config.seed, self.epoch)
        order = torch.randperm(len(self.labels), generator=generator).to(device)
        draws = random_draws(len(order), generator, padding=config.largest_shift).to(device)
        indices = split_batches(order, config.batch_size)
        for images, labels in prepare_batches(self.images, self.labels, indices, draws, config):
            yield to_float(images, self.layout), labels
