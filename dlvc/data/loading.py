"""Images that always arrive: CIFAR-10 if it can be had, else the drawn set Sketch-10.

`load_data()` is the door. What it gives says where the images came from, whether they match an
official digest, and which digest they have, so that every result can name its data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor

from dlvc.arguments import check_choice, check_kind
from dlvc.data.cifar10 import FOLDER_NAME, CifarFiles, InvalidFileError, read_archive, read_folder
from dlvc.data.download import (
    CIFAR10_ARCHIVE,
    DEFAULT_LIMITS,
    DownloadError,
    download_file,
)
from dlvc.data.sketch10.sketches import draw_sketches
from dlvc.data.splits import CLASSES, ImageData, Split, content_digest
from dlvc.files import PROJECT, display_path

SPLIT_ENDS = (0, 40_000, 50_000, 60_000)  # batches 1-4 train, batch 5 validation, then the test
SKETCH_SIZES = (10_000, 2_000, 2_000)  # train, validation, test
MOST_SKETCHES = 1_000_000  # in a split; they take 4 GB
DRAWN_AT_ONCE = 250  # images between two steps of the progress bar
# "auto" waits this long for a first answer from the network: a learner without one should see
# images within seconds. Who insists on CIFAR-10 gets the downloader's own, longer patience.
QUICK_LIMITS = replace(DEFAULT_LIMITS, connect_timeout=4.0)


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
    The environment variable DLVC_DATA_DIR names a folder to look in first, and DLVC_OFFLINE=1
    forbids the network.
    Raises DownloadError if "cifar10" cannot be had, and ValueError for a wrong argument.
    """
    check_choice("name", name, ("auto", "cifar10", "sketch10"))
    sizes = SKETCH_SIZES if sizes is None else sizes
    sizes = tuple(sizes) if isinstance(sizes, (tuple, list)) else (sizes,)
    allowed = range(1, MOST_SKETCHES + 1)
    if len(sizes) != 3 or any(type(size) is not int or size not in allowed for size in sizes):
        raise ValueError(
            f"sizes must be three whole numbers of at least 1 and at most {MOST_SKETCHES:,} (train, validation, test); "
            f"got {sizes}. Try {SKETCH_SIZES}."
        )
    if name == "sketch10":
        data = _draw(sizes, seed, quiet)
    else:
        try:
            data = _load_cifar10(directory, insist=name == "cifar10", quiet=quiet)
        except DownloadError as error:
            if name == "cifar10":
                raise
            data = replace(_draw(sizes, seed, quiet), notice=_banner(error))
    if not quiet:
        print(data.summary())
    return data


def fetch_cifar10(
    directory: str | os.PathLike[str] | None = None, *, progress: bool = True
) -> Path:
    """The path of the verified official archive, fetched unless it is there.

    It takes as long as the fastest mirror needs. Raises DownloadError with the manual steps.
    """
    _, folder = _fetch_place(directory)
    return download_file(CIFAR10_ARCHIVE, folder, progress=progress)


def describe_data(directory: str | os.PathLike[str] | None = None) -> str:
    """What `python -m dlvc data` prints of the images: the places, what is there, whether it is verified."""
    lines = ["CIFAR-10 is looked for in this order; the first copy that reads well is used:"]
    usable = False
    for label, folder in _places(directory):
        lines.append(f"  {label}, {display_path(folder)}/")
        copies = _copies(folder)
        if not copies:
            lines.append("    nothing")
        for path, read in copies:
            try:
                data = _as_data(read(), "")
            except (InvalidFileError, OSError) as error:
                lines.append(f"    {path.name}: cannot be used: {error}")
                continue
            usable = True
            state = "verified" if data.verified else "not the official files"
            lines.append(f"    {path.name}: {data.title}, {state}, digest {data.digest[:12]}")
    lines.append("Sketch-10 is always there: it is drawn when it is asked for.")
    if not usable:
        label, folder = _fetch_place(directory)
        lines.append(
            f"To fetch CIFAR-10 ({CIFAR10_ARCHIVE.size / 1e6:.0f} MB) into {label}, "
            f"{display_path(folder)}/: python -m dlvc data --fetch"
        )
    return "\n".join(lines)


def _places(directory: str | os.PathLike[str] | None) -> list[tuple[str, Path]]:
    """What a place is called, and the folder: the learner's choice, the project, usual caches."""
    if directory is not None:
        return [_fetch_place(directory)]
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    places = [
        _fetch_place(None),
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


def _fetch_place(directory: str | os.PathLike[str] | None) -> tuple[str, Path]:
    """Where a download goes: the given folder, else DLVC_DATA_DIR, else the project's own."""
    if directory is not None:
        check_kind("directory", directory, (str, os.PathLike), "Give the path of a folder.")
        label = "the given folder"
    elif directory := os.environ.get("DLVC_DATA_DIR"):
        label = "DLVC_DATA_DIR"
    else:
        return "the project's data folder", PROJECT / "data"
    return label, Path(directory).expanduser().resolve()


def _copies(folder: Path) -> list[tuple[Path, Callable[[], CifarFiles]]]:
    """What in this folder looks like a copy of CIFAR-10, and how to read it; archives first."""
    # Keras names the archive after the folder, and unpacks it one level deeper since version 3.
    archives = [folder / CIFAR10_ARCHIVE.name, folder / f"{FOLDER_NAME}.tar.gz"]
    folders = [
        folder / FOLDER_NAME,
        folder / FOLDER_NAME / FOLDER_NAME,
        folder / f"{FOLDER_NAME}-target" / FOLDER_NAME,
        folder,  # the learner named the unpacked folder itself
    ]
    read = partial(read_archive, sha256=CIFAR10_ARCHIVE.sha256)
    copies = [(path, partial(read, path)) for path in archives if path.is_file()]
    copies += [
        (path, partial(read_folder, path))
        for path in folders
        if (path / "test_batch").is_file() or (path / "data_batch_1").is_file()
    ]
    return copies


def _load_cifar10(
    directory: str | os.PathLike[str] | None, *, insist: bool, quiet: bool
) -> ImageData:
    problems = []
    for label, folder in _places(directory):
        for path, read in _copies(folder):
            try:
                data = _as_data(read(), f"Read from {path.name} in {label}.")
            except (InvalidFileError, OSError) as error:
                problems.append(f"{display_path(path)} is left out: {error}")
            else:
                return replace(data, notice="\n".join(problems))
    label, folder = _fetch_place(directory)
    try:
        path = download_file(
            CIFAR10_ARCHIVE,
            folder,
            progress=not quiet,
            patient=insist,
            limits=DEFAULT_LIMITS if insist else QUICK_LIMITS,
        )
    except DownloadError as error:
        raise DownloadError("\n".join([*problems, str(error)]), error.reasons) from error
    files = read_archive(path, sha256=CIFAR10_ARCHIVE.sha256)
    return _as_data(files, f"Fetched, verified and kept as {path.name} in {label}.")


def _as_data(files: CifarFiles, source: str) -> ImageData:
    """The fixed split: batches 1-4 train, batch 5 validation, the test batch test."""
    tensors = files.images, files.labels
    return _split("CIFAR-10", SPLIT_ENDS, tensors, source=source, verified=files.verified)


def _draw(sizes: tuple[int, ...], seed: int, quiet: bool) -> ImageData:
    """Sketch-10: one row of drawings, cut into the three splits."""
    from tqdm.auto import tqdm

    total = sum(sizes)
    images = torch.empty((total, 3, 32, 32), dtype=torch.uint8)
    labels = torch.empty((total,), dtype=torch.int64)
    masks = torch.empty((total, 32, 32), dtype=torch.bool)
    with tqdm(total=total, desc="Drawing Sketch-10", delay=1, disable=quiet) as bar:
        for start in range(0, total, DRAWN_AT_ONCE):
            count = min(DRAWN_AT_ONCE, total - start)
            rows = slice(start, start + count)
            drawn = draw_sketches(count, seed=seed, first_index=start)
            images[rows], labels[rows], masks[rows] = drawn.images, drawn.labels, drawn.masks
            bar.update(count)
    ends = (0, sizes[0], sizes[0] + sizes[1], total)
    source = f"Drawn by this project from seed {seed}; these are not photographs."
    return _split("Sketch-10", ends, (images, labels, masks), source=source, verified=True)


def _split(name: str, ends: Sequence[int], tensors: Sequence[Tensor], **origin: Any) -> ImageData:
    """The data whose splits are cut out of images, labels and masks from one of `ends` to the next."""
    splits = [Split(*(part[start:end] for part in tensors)) for start, end in pairwise(ends)]
    parts = dict(zip(("train", "validation", "test"), splits, strict=True))
    return ImageData(name=name, **parts, **origin, classes=CLASSES, digest=content_digest(*splits))


def _banner(error: DownloadError) -> str:
    head, _, _ = str(error).partition(f"{CIFAR10_ARCHIVE.title} could not be fetched")
    lines = [
        "THIS IS NOT CIFAR-10.",
        "CIFAR-10 could not be had, so you get Sketch-10: drawings of the same ten",
        "classes. Everything runs, but no number compares with a result on CIFAR-10.",
        "",
        "Why:",
        *(f"  {line}" for line in head.splitlines()),
        *(f"  {urlsplit(url).hostname or url}: {why}" for url, why in error.reasons.items()),
        "What you can do: run `python -m dlvc data --fetch` where the network works, or",
        'see the steps by hand with load_data("cifar10").',
    ]
    edge = "!" * 80
    return "\n".join([edge, *(f"!!  {line}".rstrip() for line in lines), edge])
