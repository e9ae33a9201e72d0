"""What `load_data` gives: three splits, with their origin and the digest of their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.data import Dataset

from dlvc.arguments import check_kind, check_whole
from dlvc.data.pixels import check_pixels

# The names of CIFAR-10's classes in the order of its labels. Source: its file batches.meta.
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
NUM_CLASSES = len(CLASSES)
HINT = "Convert an array with torch.as_tensor."
# Copies of CIFAR-10 that are not the official files but are known, by the digest of their content
# (`ImageData.digest`). The JPEG copy holds the same 60,000 images, compressed once more and
# stratified over the batches. The committed reference records were measured on it, because the
# official archive could not be fetched where they were made; its name says so in every table.
KNOWN_COPIES = {
    "a5d713ed0bf08939cee8d07f152de2fd5744f01bb1426ecb491ceeb3e18433af": "JPEG copy",
}


@dataclass(frozen=True, eq=False, repr=False)
class Split(Dataset[tuple[Tensor, int]]):
    """The images and labels of training, validation or test; a torch Dataset, so a DataLoader takes it.

    images: (N, 3, H, W) uint8. labels: (N,) int64 in 0..9.
    masks: (N, H, W) bool, true on the object; None where nobody knows (CIFAR-10).
    """

    images: Tensor
    labels: Tensor
    masks: Tensor | None = None

    def __post_init__(self) -> None:
        check_kind("images", self.images, Tensor, HINT)
        check_kind("labels", self.labels, Tensor, HINT)
        check_kind("masks", self.masks, (Tensor, type(None)), HINT)
        if self.images.dtype != torch.uint8:
            raise ValueError(
                f"images must be uint8; got {self.images.dtype}. "
                "Convert floats in [0, 1] with (255 * images).round().to(torch.uint8)."
            )
        check_pixels(self.images)
        shape = tuple(self.images.shape)
        if self.labels.dtype != torch.int64 or tuple(self.labels.shape) != shape[:1]:
            raise ValueError(
                f"labels must be int64 of shape ({shape[0]},), one for each image; "
                f"got {self.labels.dtype} {tuple(self.labels.shape)}."
            )
        check_labels(self.labels)
        if self.masks is not None and (
            self.masks.dtype != torch.bool or tuple(self.masks.shape) != (shape[0], *shape[2:])
        ):
            raise ValueError(
                f"masks must be bool of shape {(shape[0], *shape[2:])}; "
                f"got {self.masks.dtype} {tuple(self.masks.shape)}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index].to(torch.float32) / 255, int(self.labels[index])

    def __repr__(self) -> str:
        masks = "no masks" if self.masks is None else "masks"
        return f"Split({len(self):,} images {tuple(self.images.shape[1:])}, {masks})"

    def first(self, count: int) -> Split:
        """The split's first `count` images, without copying them."""
        check_whole("count", count, low=0, high=len(self), hint="Take fewer images.")
        masks = None if self.masks is None else self.masks[:count]
        return Split(self.images[:count], self.labels[:count], masks)

    def class_counts(self) -> Tensor:
        """The number of images of each class, (10,) int64."""
        return torch.bincount(self.labels, minlength=NUM_CLASSES)


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageData:
    """Three splits and where they came from.

    verified: official bytes, or drawn here from a seed. digest: SHA-256 over all pixels and labels.
    notice: what the learner should know first, for example why this is not CIFAR-10.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    source: str
    verified: bool
    classes: tuple[str, ...]
    digest: str = field(repr=False)
    notice: str = field(default="", repr=False)

    @property
    def title(self) -> str:
        """The name to put beside every number: it tells a copy from the official files."""
        if self.verified:
            return self.name
        return f"{self.name} ({KNOWN_COPIES.get(self.digest, 'unverified copy')})"

    @property
    def sizes(self) -> dict[str, int]:
        """The number of images in each split."""
        return {name: len(getattr(self, name)) for name in ("train", "validation", "test")}

    def summary(self) -> str:
        """One line on what was loaded, below the notice if there is one."""
        sizes = ", ".join(f"{count:,} {name}" for name, count in self.sizes.items())
        height, width = self.train.images.shape[2:]
        line = f"{self.title}: {sizes} images of {height} x {width} pixels. {self.source}"
        return f"{self.notice}\n{line}" if self.notice else line


def check_labels(labels: Tensor) -> None:
    """Raise ValueError unless every label (N,) is a class number.

    Without this a label of -100 gives a loss of nan, and on a GPU any other wrong one ends the whole program.
    """
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < NUM_CLASSES:
        raise ValueError(
            f"labels must lie between 0 and {NUM_CLASSES - 1}; "
            f"got {int(labels.min())} to {int(labels.max())}. Count the classes from 0."
        )


def content_digest(*splits: Split) -> str:
    """The SHA-256 over all pixels and labels of the splits in their order, as 64 hex digits."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.images.contiguous().numpy())
        digest.update(split.labels.numpy().astype("<i8"))
    return digest.hexdigest()
