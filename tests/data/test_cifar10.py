from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

import dlvc.data.cifar10 as cifar10
from dlvc.data.cifar10 import BATCH_MD5, InvalidFileError, read_archive, read_folder

LABELS = [position % 10 for position in range(10_000)]
PIXELS = np.zeros((10_000, 3_072), dtype=np.uint8)

# Lists that each hold the one before twice: to print the last would take 2 ** 60 times as long as the first.
DOUBLING: list = []
for _ in range(60):
    DOUBLING = [DOUBLING, DOUBLING]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_batch(folder: Path, content: bytes) -> None:
    """Read a folder whose first batch is `content`; it is refused there or for the second."""
    (folder / "data_batch_1").write_bytes(content)
    read_folder(folder)


def assert_official_content(files: cifar10.CifarFiles) -> None:
    """Each batch stands in its place, channel first and row by row, as tests/data/conftest.py made it."""
    assert files.images.shape == (60_000, 3, 32, 32)
    assert files.images.dtype == torch.uint8
    assert files.labels.shape == (60_000,)
    assert files.labels.dtype == torch.int64
    for number in range(6):
        start = 10_000 * number
        assert int(files.images[start + 1, 0, 0, 0]) == number
        assert int(files.images[start + 77, 2, 31, 31]) == 77
        assert files.labels[start : start + 3].tolist() == [number, number + 1, number + 2]
    channel, row, column = 2, 5, 9
    assert (
        int(files.images[0, channel, row, column]) == (channel * 1024 + row * 32 + column) * 7 % 251
    )


def test_folder_is_read_in_the_official_order(official_folder):
    files = read_folder(official_folder)
    assert_official_content(files)
    assert not files.verified


def test_archive_is_read_in_the_official_order_whatever_the_order_of_its_members(official_archive):
    files = read_archive(official_archive, sha256=digest(official_archive))
    assert_official_content(files)
    assert files.verified


def test_folder_is_verified_only_if_all_six_digests_are_right(official_folder, monkeypatch):
    digests = {
        name: hashlib.md5((official_folder / name).read_bytes()).hexdigest() for name in BATCH_MD5
    }
    monkeypatch.setattr(cifar10, "BATCH_MD5", digests)
    assert read_folder(official_folder).verified
    monkeypatch.setattr(cifar10, "BATCH_MD5", {**digests, "test_batch": "0" * 32})
    assert not read_folder(official_folder).verified


def test_digests_are_those_that_torchvision_publishes():
    from torchvision.datasets import CIFAR10

    assert list(BATCH_MD5.items()) == [tuple(row) for row in CIFAR10.train_list + CIFAR10.test_list]


@pytest.mark.parametrize("protocol", range(1, 6))  # protocol 0 spells each black pixel with 6 bytes
def test_batch_that_todays_numpy_pickled_is_read(tmp_path, protocol):
    content = pickle.dumps({b"data": PIXELS, b"labels": LABELS}, protocol=protocol)
    with pytest.raises(InvalidFileError, match="data_batch_2 is missing"):
        read_batch(tmp_path, content)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({b"labels": LABELS}, "data_batch_1 has no entry data"),
        ({b"data": PIXELS}, "data_batch_1 has no entry labels"),
        ({}, "no entry data and no labels"),
        ([1, 2], "must hold a dictionary; got list"),
        ({b"data": PIXELS[:-1], b"labels": LABELS}, r"shape \(10000, 3072\); got \(9999, 3072\)"),
        ({b"data": PIXELS.reshape(10_000, 3, 1_024), b"labels": LABELS}, r"got \(10000, 3, 1024\)"),
        ({b"data": PIXELS.astype(np.int8), b"labels": LABELS}, r"must be uint8 \(u1\); got 'i1'"),
        ({b"data": np.asfortranarray(PIXELS), b"labels": LABELS}, "one image after the other"),
        ({b"data": b"pixels", b"labels": LABELS}, "data must be an array; got bytes"),
        ({b"data": PIXELS, b"labels": LABELS[:-1]}, "a list of 10,000 numbers; got 9,999"),
        ({b"data": PIXELS, b"labels": tuple(LABELS)}, "a list of 10,000 numbers; got tuple"),
        ({b"data": PIXELS, b"labels": [*LABELS[:-1], 10]}, "got 10 for image 9999"),
        ({b"data": PIXELS, b"labels": [-1, *LABELS[1:]]}, "got -1 for image 0"),
        ({b"data": PIXELS, b"labels": [0.0, *LABELS[1:]]}, r"got 0\.0 for image 0"),
        ({b"data": PIXELS, b"labels": [True, *LABELS[1:]]}, "got True for image 0"),
        (
            {b"data": PIXELS, b"labels": [10**5000, *LABELS[1:]]},
            "got a value of type int for image 0",
        ),
        (
            {b"data": PIXELS, b"labels": [[DOUBLING], *LABELS[1:]]},
            "got a value of type list for image 0",
        ),
    ],
)
def test_wrong_content_is_refused_with_what_came_and_what_is_needed(tmp_path, batch, message):
    with pytest.raises(InvalidFileError, match=message):
        read_batch(tmp_path, pickle.dumps(batch, protocol=3))


def test_array_whose_bytes_do_not_fill_its_shape_is_refused(official_folder, tmp_path):
    content = (official_folder / "data_batch_1").read_bytes()
    size = (30_720_000).to_bytes(4, "little")
    at = content.index(b"T" + size)
    short = content[:at] + b"T" + (1000).to_bytes(4, "little") + content[at + 5 :][:1000]
    with pytest.raises(InvalidFileError, match="data must have 30,720,000 bytes; got 1,000"):
        read_batch(tmp_path, short + content[at + 5 + 30_720_000 :])


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02}", b"not a pickle", b"cos\nsystem\n(S'true'\ntR."]
)
def test_what_is_no_pickle_of_data_is_refused(tmp_path, content):
    with pytest.raises(InvalidFileError, match="data_batch_1 is refused"):
        read_batch(tmp_path, content)


def test_file_that_is_too_long_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "data_batch_1").open("wb") as file:
        file.truncate(10_000_000_000)  # takes no room on the disk
    with pytest.raises(InvalidFileError, match="must have at most 40,000,000 bytes"):
        read_folder(tmp_path)


def test_classes_in_another_order_are_refused(official_folder, monkeypatch):
    monkeypatch.setattr(cifar10, "CLASSES", cifar10.CLASSES[::-1])
    with pytest.raises(InvalidFileError, match=r"batches\.meta must name the classes truck, ship"):
        read_folder(official_folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file[:20_000],
        lambda file: file[:-1] + b"x",
        lambda file: b"",
        lambda file: file * 2,
    ],
    ids=["cut", "flipped", "empty", "longer"],
)
def test_archive_with_another_digest_is_refused_before_it_is_opened(
    official_archive, tmp_path, monkeypatch, damage
):
    monkeypatch.setattr(tarfile, "open", lambda *_, **__: pytest.fail("the archive was parsed"))
    path = tmp_path / official_archive.name
    path.write_bytes(damage(official_archive.read_bytes()))
    with pytest.raises(InvalidFileError, match="is not the official archive: its SHA-256 must be"):
        read_archive(path, sha256=digest(official_archive))


MEASURE = """
import sys
from pathlib import Path
from dlvc.data.cifar10 import read_archive, read_folder

def peak():  # of this process alone; the usual ru_maxrss begins with the parent's peak
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])

before = peak()
files = read_folder(Path(sys.argv[1]))
if len(sys.argv) > 2:
    del files
    files = read_archive(Path(sys.argv[2]), sha256=sys.argv[3])
print(peak() - before)
"""


def extra_peak_bytes(*arguments: str) -> int:
    if not Path("/proc/self/status").is_file():
        pytest.skip("the peak of a process's memory is read from /proc/self/status")
    command = [sys.executable, "-c", MEASURE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.slow
def test_loading_takes_less_than_400_mb(official_folder, official_archive):
    arguments = (str(official_folder), str(official_archive), digest(official_archive))
    extra = extra_peak_bytes(*arguments)
    assert 180e6 < extra < 400e6  # the images alone are 184 MB


@pytest.mark.skipif(
    not (Path(os.environ.get("DLVC_DATA_DIR", "")) / cifar10.FOLDER_NAME).is_dir(),
    reason="DLVC_DATA_DIR does not hold cifar-10-batches-py",
)
def test_real_copy_holds_1000_images_of_each_class_for_the_test():
    folder = Path(os.environ["DLVC_DATA_DIR"]) / cifar10.FOLDER_NAME
    files = read_folder(folder)
    assert torch.bincount(files.labels[50_000:]).tolist() == [1_000] * 10
    assert torch.bincount(files.labels[:50_000]).tolist() == [5_000] * 10
    # Mean of the training pixels, by channel.
    # Source: the widely used normalisation constants 0.4914, 0.4822, 0.4465 of CIFAR-10.
    mean = files.images[:50_000].sum(dim=(0, 2, 3)) / (50_000 * 32 * 32 * 255)
    torch.testing.assert_close(mean, torch.tensor([0.4914, 0.4822, 0.4465]), atol=2e-3, rtol=0)
    batch = pickle.loads((folder / "test_batch").read_bytes(), encoding="bytes")
    assert np.array_equal(files.images[50_000:].numpy().reshape(10_000, -1), batch[b"data"])
    assert files.labels[50_000:].tolist() == batch[b"labels"]
    assert extra_peak_bytes(str(folder)) < 400e6
