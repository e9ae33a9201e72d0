"""CIFAR-10's official files as uint8 tensors: the archive, or the folder that it unpacks to.

The files are pickles, and a pickle can run code. Here it cannot: the archive's SHA-256 is checked
before a byte of it is parsed, nothing is ever written to disk, `batch_pickle` reads a pickle without
calling anything that it names, and what comes of it is checked value by value.

Source: https://www.cs.toronto.edu/~kriz/cifar.html (layout of the "python version").
"""

from __future__ import annotations

import hashlib
import math
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from dlvc.arguments import brief
from dlvc.data.batch_pickle import PickledArray, PickleError, read_pickle
from dlvc.data.splits import CLASSES

FOLDER_NAME = "cifar-10-batches-py"
# Training batches 1-5 in order, then the test batch: the order of the images in what is returned.
# The MD5s are those that torchvision publishes for the extracted files.
# Source: torchvision.datasets.CIFAR10.train_list and .test_list.
BATCH_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
META_NAME = "batches.meta"
IMAGES_PER_BATCH = 10_000
VALUES_PER_IMAGE = 3 * 32 * 32
# An official batch has 31.04 MB: the pixels, the labels and 10,000 file names.
MAX_BATCH_BYTES = 40_000_000
MAX_OTHER_BYTES = 1_000_000


class InvalidFileError(ValueError):
    """A file that is not what it should be; the message says which one and what is wrong."""


class CifarFiles:
    """The content of one copy: batches 1-5 and the test batch one after the other.

    images: (60000, 3, 32, 32) uint8. labels: (60000,) int64 in 0..9. Both are made beforehand and
    then filled, so that never two copies of all exist.
    verified: whether every byte matched an official digest.
    """

    def __init__(self, *, verified: bool) -> None:
        count = IMAGES_PER_BATCH * len(BATCH_MD5)
        self.images = torch.empty((count, 3, 32, 32), dtype=torch.uint8)
        self.labels = torch.empty((count,), dtype=torch.int64)
        self.verified = verified

    def fill(self, name: str, content: bytes) -> None:
        """Put the batch of this name into its place. Raises InvalidFileError for a wrong one."""
        pixels, labels = _read_batch(name, content)
        start = IMAGES_PER_BATCH * list(BATCH_MD5).index(name)
        rows = slice(start, start + IMAGES_PER_BATCH)
        self.images[rows].numpy()[...] = pixels.reshape(IMAGES_PER_BATCH, 3, 32, 32)
        self.labels[rows] = torch.tensor(labels, dtype=torch.int64)


def read_archive(path: Path, *, sha256: str) -> CifarFiles:
    """The images and labels in the archive `cifar-10-python.tar.gz`, read without unpacking it.

    Raises InvalidFileError if the SHA-256 is another one.
    """
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        if digest.hexdigest() != sha256:
            raise InvalidFileError(
                f"{path.name} is not the official archive: its SHA-256 must be {sha256}; "
                f"got {digest.hexdigest()}. Delete the file and fetch it again."
            )
        # The same open file is read on, so nobody can exchange it after the check.
        file.seek(0)
        files = CifarFiles(verified=True)
        # "r|" reads the stream once from front to back: each batch is parsed as it comes by.
        with tarfile.open(fileobj=file, mode="r|gz") as members:
            for member in members:
                name = PurePosixPath(member.name).name
                if name in BATCH_MD5:
                    files.fill(name, members.extractfile(member).read())
        return files


def read_folder(folder: Path) -> CifarFiles:
    """The images and labels in an unpacked folder `cifar-10-batches-py`.

    It counts as verified if all six batches have their official MD5.
    Raises InvalidFileError for a missing file or one that does not hold what it should.
    """
    if (folder / META_NAME).is_file():
        _check_class_names(_read_bounded(folder / META_NAME, MAX_OTHER_BYTES))
    files = CifarFiles(verified=True)
    for name, md5 in BATCH_MD5.items():
        content = _read_bounded(folder / name, MAX_BATCH_BYTES)
        # MD5 is all that is published for these files. It tells a copy from the original; against
        # a forger it is weak, so how a batch is read does not depend on it.
        files.verified &= hashlib.md5(content, usedforsecurity=False).hexdigest() == md5
        files.fill(name, content)
    return files


def _read_bounded(path: Path, limit: int) -> bytes:
    if not path.is_file():
        raise InvalidFileError(f"{path.name} is missing in the folder {path.parent.name}.")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise InvalidFileError(f"{path.name} must have at most {limit:,} bytes; it has more.")
    return content


def _unpickle(name: str, content: bytes) -> dict[bytes, Any]:
    try:
        loaded = read_pickle(content)
    except PickleError as error:
        raise InvalidFileError(
            f"{name} is refused: it is not a pickle of a CIFAR-10 batch ({error}). "
            "It may be damaged or try to run code."
        ) from error
    if not isinstance(loaded, dict):
        raise InvalidFileError(f"{name} must hold a dictionary; got {type(loaded).__name__}.")
    return loaded


def _read_batch(name: str, content: bytes) -> tuple[np.ndarray, list[int]]:
    """The pixels (10000, 3072) uint8 and the 10,000 labels of one batch, all checked."""
    batch = _unpickle(name, content)
    missing = [key.decode() for key in (b"data", b"labels") if key not in batch]
    if missing:
        raise InvalidFileError(f"{name} has no entry {' and no '.join(missing)}.")

    array, shape = batch[b"data"], (IMAGES_PER_BATCH, VALUES_PER_IMAGE)
    if not isinstance(array, PickledArray):
        raise InvalidFileError(f"{name}: data must be an array; got {type(array).__name__}.")
    size = len(array.raw) if type(array.raw) is bytes else 0
    plain = array.dtype in ("u1", b"u1") and not array.fortran_order
    if not plain or array.shape != shape or size != math.prod(shape):
        raise InvalidFileError(
            f"{name}: data must have shape {shape}, dtype u1 (uint8) and {math.prod(shape):,} bytes, one image after "
            f"the other; got shape {brief(array.shape)}, dtype {brief(array.dtype)} and {size:,} bytes"
            f"{', one column after the other' if array.fortran_order else ''}."
        )

    labels = batch[b"labels"]
    if type(labels) is not list or len(labels) != IMAGES_PER_BATCH:
        got = f"{len(labels):,}" if type(labels) is list else type(labels).__name__
        raise InvalidFileError(
            f"{name}: labels must be a list of {IMAGES_PER_BATCH:,} numbers; got {got}."
        )
    for position, label in enumerate(labels):
        if type(label) is not int or not 0 <= label <= 9:
            raise InvalidFileError(
                f"{name}: labels must be whole numbers from 0 to 9; got {brief(label)} for image "
                f"{position}."
            )
    return np.frombuffer(array.raw, dtype=np.uint8).reshape(shape), labels


def _check_class_names(content: bytes) -> None:
    names = _unpickle(META_NAME, content).get(b"label_names")
    if names != [name.encode() for name in CLASSES]:
        raise InvalidFileError(
            f"{META_NAME} must name the classes {', '.join(CLASSES)} in this order; "
            f"got {brief(names)}."
        )
