"""Images that always arrive: CIFAR-10 if it can be had, else the drawn set Sketch-10.

`load_data()` is the door. What it returns says where the images came from, whether they match an
official digest, and which digest they have, so that every result can name its data.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch.utils.data import Dataset

from dlvc.data.cifar10 import FOLDER_NAME, CifarFiles, InvalidFileError, read_archive, read_folder
from dlvc.data.download import (
    CIFAR10_ARCHIVE,
    PROJECT,
    RESNET18_WEIGHTS,
    DataUnavailableError,
    DownloadError,
    download,
    sha256_of,
    shown,
)
from dlvc.data.sketch10 import CLASSES, draw_sketches

__all__ = [
    "CLASSES",
    "DataUnavailableError",
    "DownloadError",
    "ImageData",
    "Split",
    "data_command",
    "data_directories",
    "describe_data",
    "fetch_cifar10",
    "load_data",
]

SKETCH_SIZES = (10_000, 2_000, 2_000)  # train, validation, test
DRAWN_AT_ONCE = 250  # images between two steps of the progress bar
# How long "auto" waits for a first answer from the network. A learner without one should see
# pictures within seconds; who insists on CIFAR-10 gets the downloader's own, longer patience.
AUTO_CONNECT_TIMEOUT = 4.0
# Copies of CIFAR-10 that are not the official files but are known, by the digest of their content
# (`ImageData.digest`). The JPEG copy holds the same 60,000 images, compressed once more and
# stratified over the batches. The committed reference records were measured on it, because the
# official archive could not be fetched where they were made; its name says so in every table.
KNOWN_COPIES = {
    "a5d713ed0bf08939cee8d07f152de2fd5744f01bb1426ecb491ceeb3e18433af": "JPEG copy",
}


@dataclass(frozen=True, eq=False, repr=False)
class Split(Dataset[tuple[torch.Tensor, int]]):
    """One of the three parts of a data set; a torch Dataset, so a DataLoader takes it.

    images: (N, 3, H, W) uint8. labels: (N,) int64 in 0..9.
    masks: (N, H, W) bool, true on the object; None where nobody knows (CIFAR-10).
    """

    images: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or len(shape) != 4 or shape[1] != 3:
            raise ValueError(
                f"images must be uint8 of shape (N, 3, H, W); got {self.images.dtype} {shape}."
            )
        if self.labels.dtype != torch.int64 or tuple(self.labels.shape) != shape[:1]:
            raise ValueError(
                f"labels must be int64 of shape ({shape[0]},), one for each image; "
                f"got {self.labels.dtype} {tuple(self.labels.shape)}."
            )
        if shape[0] and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(CLASSES):
            raise ValueError(
                f"labels must lie between 0 and {len(CLASSES) - 1}; "
                f"got {int(self.labels.min())} to {int(self.labels.max())}."
            )
        if self.masks is not None and (
            self.masks.dtype != torch.bool or tuple(self.masks.shape) != (shape[0], *shape[2:])
        ):
            raise ValueError(
                f"masks must be bool of shape {(shape[0], *shape[2:])}; "
                f"got {self.masks.dtype} {tuple(self.masks.shape)}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.images[index].to(torch.float32) / 255, int(self.labels[index])

    def __repr__(self) -> str:
        masks = "no masks" if self.masks is None else "masks"
        return f"Split({len(self):,} images {tuple(self.images.shape[1:])}, {masks})"

    def first(self, count: int) -> "Split":
        """The split's first `count` images, without copying them."""
        if not 0 <= count <= len(self):
            raise ValueError(f"count must be between 0 and {len(self):,}; got {count}.")
        masks = None if self.masks is None else self.masks[:count]
        return Split(self.images[:count], self.labels[:count], masks)

    def class_counts(self) -> torch.Tensor:
        """The number of images of each class, (10,) int64."""
        return torch.bincount(self.labels, minlength=len(CLASSES))


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
    digest: str = field(repr=False)
    classes: tuple[str, ...] = CLASSES
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
        return {
            "train": len(self.train),
            "validation": len(self.validation),
            "test": len(self.test),
        }

    def summary(self) -> str:
        """One line on what was loaded, below the notice if there is one."""
        parts = ", ".join(f"{count:,} {name}" for name, count in self.sizes.items())
        height, width = self.train.images.shape[2:]
        line = f"{self.title}: {parts} images of {height} x {width} pixels. {self.source}"
        return f"{self.notice}\n{line}" if self.notice else line


def load_data(
    name: str = "auto",
    *,
    directory: str | os.PathLike[str] | None = None,
    sizes: tuple[int, int, int] | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> ImageData:
    """The training, validation and test images, from wherever they can be had.

    name: "auto" takes CIFAR-10 from a copy on this machine or from the network, else Sketch-10;
    "cifar10" insists; "sketch10" draws. directory: the only folder to look in and to fetch into.
    sizes and seed are for Sketch-10; CIFAR-10 always has 40,000, 10,000 and 10,000 images.
    Raises: DataUnavailableError if "cifar10" cannot be had.
    """
    if name not in ("auto", "cifar10", "sketch10"):
        raise ValueError(f'name must be "auto", "cifar10" or "sketch10"; got {name!r}.')
    if name == "sketch10":
        data = _draw(sizes or SKETCH_SIZES, seed, quiet)
    else:
        try:
            data = _load_cifar10(directory, insist=name == "cifar10", quiet=quiet)
        except DataUnavailableError as error:
            if name == "cifar10":
                raise
            data = _draw(sizes or SKETCH_SIZES, seed, quiet, notice=_banner(str(error)))
    if not quiet:
        print(data.summary())
    return data


def data_directories(directory: str | os.PathLike[str] | None = None) -> list[Path]:
    """The folders in which a copy of CIFAR-10 is looked for, in this order."""
    return [path for _, path in _places(directory)]


def fetch_cifar10(
    directory: str | os.PathLike[str] | None = None, *, progress: bool = True, patient: bool = True
) -> Path:
    """The path of the verified official archive, fetched unless it is there.

    Raises: DownloadError with the manual steps.
    """
    return download(CIFAR10_ARCHIVE, _fetch_folder(directory), progress=progress, patient=patient)


def describe_data(directory: str | os.PathLike[str] | None = None) -> str:
    """What `python -m dlvc data` prints: each place, what is there and whether it is verified."""
    lines = ["CIFAR-10 is looked for in this order; the first copy that reads well is used:"]
    found_any = False
    for label, folder in _places(directory):
        lines.append(f"  {label}: {shown(folder)}")
        copies = _copies(folder)
        if not copies:
            lines.append("    nothing")
        for path, read in copies:
            try:
                data = _as_data(read(), "")
            except (InvalidFileError, OSError) as error:
                lines.append(f"    {path.name}: cannot be used. {error}")
                continue
            found_any = True
            state = "verified" if data.verified else "not the official files"
            lines.append(f"    {path.name}: {data.title}, {state}, digest {data.digest[:12]}")
    weights = Path(torch.hub.get_dir()) / "checkpoints" / RESNET18_WEIGHTS.name
    lines += ["ImageNet weights of ResNet18:", f"  {shown(weights)}: {_weights_state(weights)}"]
    lines.append("Sketch-10: always there, it is drawn when it is asked for.")
    if not found_any:
        size = CIFAR10_ARCHIVE.size / 1e6
        lines.append(
            f"To fetch CIFAR-10 ({size:.0f} MB) into {shown(_fetch_folder(directory))}: "
            "python -m dlvc data --fetch"
        )
    return "\n".join(lines)


def data_command(*, fetch: bool = False) -> str:
    """The text of `python -m dlvc data`, after fetching CIFAR-10 if asked to."""
    if fetch:
        fetch_cifar10()
    return describe_data()


def _weights_state(path: Path) -> str:
    if not path.is_file():
        return "not there, fetched when it is needed (47 MB)"
    return "verified" if sha256_of(path) == RESNET18_WEIGHTS.sha256 else "damaged"


def _places(directory: str | os.PathLike[str] | None) -> list[tuple[str, Path]]:
    """What a place is called, and the folder: the learner's choice, the project, usual caches."""
    if directory is not None:
        return [("the given folder", Path(directory).expanduser().resolve())]
    places = []
    if chosen := os.environ.get("DLVC_DATA_DIR"):
        places.append(("DLVC_DATA_DIR", Path(chosen).expanduser()))
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    places += [
        ("the project's data folder", PROJECT / "data"),
        # torchvision has no folder of its own; these are what its tutorials call root.
        ("torchvision's usual folder", Path("data")),
        ("torchvision's usual folder", Path("..", "data")),
        ("torchvision's usual folder", Path.home() / "data"),
        ("the Keras cache", keras / "datasets"),
    ]
    unique: dict[Path, str] = {}
    for label, path in places:
        unique.setdefault(path.resolve(), label)
    return [(label, path) for path, label in unique.items()]


def _copies(folder: Path) -> list[tuple[Path, Callable[[], CifarFiles]]]:
    """What in this folder looks like a copy of CIFAR-10, and how to read it; archives first."""
    # Keras names the archive after the folder; Keras 3 unpacks it one level deeper.
    archives = [folder / CIFAR10_ARCHIVE.name, folder / f"{FOLDER_NAME}.tar.gz"]
    folders = [
        folder / FOLDER_NAME,
        folder / f"{FOLDER_NAME}-target" / FOLDER_NAME,
        folder / FOLDER_NAME / FOLDER_NAME,
        folder,  # the learner named the unpacked folder itself
    ]
    read = partial(read_archive, sha256=CIFAR10_ARCHIVE.sha256, classes=CLASSES)
    found = [(path, partial(read, path)) for path in archives if path.is_file()]
    for path in folders:
        if (path / "test_batch").is_file() or (path / "data_batch_1").is_file():
            found.append((path, partial(read_folder, path, classes=CLASSES)))
    return found


def _fetch_folder(directory: str | os.PathLike[str] | None) -> Path:
    chosen = directory or os.environ.get("DLVC_DATA_DIR")
    return Path(chosen).expanduser() if chosen else PROJECT / "data"


def _load_cifar10(
    directory: str | os.PathLike[str] | None, *, insist: bool, quiet: bool
) -> ImageData:
    problems = []
    for label, folder in _places(directory):
        for path, read in _copies(folder):
            try:
                return _as_data(read(), f"Read from {path.name} in {label}.", problems)
            except (InvalidFileError, OSError) as error:
                problems.append(f"{shown(path)} was left out: {error}")
    try:
        timeout = {} if insist else {"connect_timeout": AUTO_CONNECT_TIMEOUT}
        path = download(
            CIFAR10_ARCHIVE,
            _fetch_folder(directory),
            progress=not quiet,
            patient=insist,
            **timeout,
        )
    except DownloadError as error:
        raise DataUnavailableError("\n".join([*problems, str(error)])) from error
    files = read_archive(path, sha256=CIFAR10_ARCHIVE.sha256, classes=CLASSES)
    return _as_data(files, f"Fetched and verified, now {path.name} in {shown(path.parent)}.")


def _as_data(files: CifarFiles, source: str, problems: list[str] | None = None) -> ImageData:
    """The fixed split: batches 1-4 train, batch 5 validation, the test batch test."""
    ends = (0, 40_000, 50_000, 60_000)
    splits = [
        Split(files.images[start:end], files.labels[start:end]) for start, end in pairwise(ends)
    ]
    return _with_digest("CIFAR-10", splits, source, files.verified, "\n".join(problems or []))


def _draw(sizes: tuple[int, int, int], seed: int, quiet: bool, notice: str = "") -> ImageData:
    """Sketch-10: one row of drawings, cut into the three splits."""
    from tqdm.auto import tqdm

    if len(sizes) != 3 or any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(
            "sizes must be three whole numbers of at least 1 (train, validation, test); "
            f"got {sizes!r}."
        )
    total = sum(sizes)
    images = torch.empty((total, 3, 32, 32), dtype=torch.uint8)
    labels = torch.empty((total,), dtype=torch.int64)
    masks = torch.empty((total, 32, 32), dtype=torch.bool)
    with tqdm(total=total, desc="Drawing Sketch-10", delay=1, disable=quiet, leave=False) as bar:
        for start in range(0, total, DRAWN_AT_ONCE):
            part = slice(start, min(start + DRAWN_AT_ONCE, total))
            drawn = draw_sketches(part.stop - part.start, seed=seed, first_index=part.start)
            images[part], labels[part], masks[part] = drawn.images, drawn.labels, drawn.masks
            bar.update(part.stop - part.start)
    splits = []
    start = 0
    for size in sizes:
        part = slice(start, start + size)
        splits.append(Split(images[part], labels[part], masks[part]))
        start += size
    source = f"Drawn by this project from seed {seed}; these are not photographs."
    return _with_digest("Sketch-10", splits, source, True, notice)


def _with_digest(
    name: str, splits: list[Split], source: str, verified: bool, notice: str
) -> ImageData:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(split.images.contiguous().numpy())
        digest.update(split.labels.numpy().astype("<i8"))
    train, validation, test = splits
    return ImageData(
        name=name,
        train=train,
        validation=validation,
        test=test,
        source=source,
        verified=verified,
        digest=digest.hexdigest(),
        notice=notice,
    )


def _banner(reason: str) -> str:
    edge = "!" * 78
    return "\n".join(
        [
            edge,
            "!!  THIS IS NOT CIFAR-10. CIFAR-10 could not be had, so you get Sketch-10:",
            "!!  simple drawings of the same ten classes. Everything runs, but the numbers",
            "!!  are not comparable with any result on CIFAR-10.",
            "!!",
            *(f"!!  {line}" for line in reason.splitlines()),
            edge,
        ]
    )
