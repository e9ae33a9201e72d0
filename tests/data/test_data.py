from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import dlvc.data.loading as data_module
from dlvc import files
from dlvc.data import DataUnavailableError, Split, describe_data, fetch_cifar10, load_data
from dlvc.data.cifar10 import CifarFiles, read_folder
from dlvc.data.sketch10.sketches import draw_sketches
from dlvc.data.splits import KNOWN_COPIES, content_digest

SMALL = (30, 20, 10)


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No copy of CIFAR-10 in any of the places looked at, and no network; the empty home."""
    home = tmp_path / "home"
    (home / "project" / "notebooks").mkdir(parents=True)
    for name in ("DLVC_DATA_DIR", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("DLVC_OFFLINE", "1")
    monkeypatch.chdir(home / "project" / "notebooks")
    for module in (data_module, files):
        monkeypatch.setattr(module, "PROJECT", home / "project")
    return home


@pytest.fixture
def served_archive(server, official_archive: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The content of the archive that now counts as official and that a local mirror offers."""
    content = official_archive.read_bytes()
    file = replace(
        data_module.CIFAR10_ARCHIVE,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        mirrors=(server.add("/cifar-10-python.tar.gz", content),),
    )
    monkeypatch.setattr(data_module, "CIFAR10_ARCHIVE", file)
    return content


@pytest.fixture(scope="module")
def parsed_folder(official_folder: Path) -> CifarFiles:
    return read_folder(official_folder)


def split(count: int, *, seed: int = 0) -> Split:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return Split(images, torch.arange(count) % 10)


def test_cifar10_is_split_by_batches_and_nothing_else(
    official_folder, parsed_folder, monkeypatch, capsys
):
    monkeypatch.setattr(data_module, "read_folder", lambda *_, **__: parsed_folder)
    data = load_data("cifar10", directory=official_folder.parent)
    assert data.sizes == {"train": 40_000, "validation": 10_000, "test": 10_000}
    # Each made-up batch has its number as value and as first label.
    assert data.train.images[1::10_000, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert data.train.labels[::10_000].tolist() == [0, 1, 2, 3]
    assert int(data.validation.images[1, 0, 0, 0]) == int(data.validation.labels[0]) == 4
    assert int(data.test.images[1, 0, 0, 0]) == int(data.test.labels[0]) == 5
    assert data.title == "CIFAR-10 (unverified copy)"
    assert not data.verified
    assert data.train.masks is None
    out = capsys.readouterr().out
    assert out.startswith(
        "CIFAR-10 (unverified copy): 40,000 train, 10,000 validation, 10,000 test"
    )
    assert str(official_folder.parent) not in out + data.source


def test_unpacked_folder_itself_may_be_named(official_folder, parsed_folder, monkeypatch):
    monkeypatch.setattr(data_module, "read_folder", lambda *_, **__: parsed_folder)
    monkeypatch.setenv("DLVC_DATA_DIR", str(official_folder))
    data = load_data(quiet=True)
    assert data.name == "CIFAR-10"
    assert data.source == "Read from cifar-10-batches-py in DLVC_DATA_DIR."


def test_fetched_archive_is_verified_described_and_used_without_the_network(
    served_archive, server, bare_machine
):
    path = bare_machine / "project" / "data" / "cifar-10-python.tar.gz"
    assert fetch_cifar10() == path
    text = describe_data()
    assert "cifar-10-python.tar.gz: CIFAR-10, verified, digest" in text
    assert "To fetch" not in text
    assert path.read_bytes() == served_archive
    assert fetch_cifar10() == path
    data = load_data(quiet=True)
    assert (data.title, data.verified) == ("CIFAR-10", True)
    assert data.digest[:12] in text
    assert len(server.requests) == 1


def test_damaged_archive_is_replaced_from_the_network(served_archive, tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(served_archive[:-1] + b"x")
    assert load_data("cifar10", directory=tmp_path, quiet=True).verified
    assert path.read_bytes() == served_archive
    assert (tmp_path / "cifar-10-python.tar.gz.bad").exists()


@pytest.mark.parametrize(
    "place",
    [
        "project/data/cifar-10-batches-py",
        "project/notebooks/data/cifar-10-batches-py",
        "data/cifar-10-batches-py",
        ".keras/datasets/cifar-10-batches-py",
        ".keras/datasets/cifar-10-batches-py/cifar-10-batches-py",
        ".keras/datasets/cifar-10-batches-py-target/cifar-10-batches-py",
    ],
)
def test_copy_in_a_usual_place_is_seen(bare_machine, place, monkeypatch):
    folder = bare_machine / place
    folder.mkdir(parents=True)
    (folder / "data_batch_1").write_bytes(b"damaged, so that reading it ends at once")
    with pytest.raises(
        DataUnavailableError, match=r"cifar-10-batches-py is left out: data_batch_1"
    ):
        load_data("cifar10")


def test_chosen_folder_comes_first_and_a_given_one_is_the_only_one(bare_machine, monkeypatch):
    monkeypatch.setenv("DLVC_DATA_DIR", "~/chosen")
    places = [path for _, path in data_module._places(None)]
    assert places[:2] == [bare_machine / "chosen", bare_machine / "project" / "data"]
    assert len(places) == len(set(places)) == 5
    given = bare_machine / "given"
    assert data_module._places(given) == [("the given folder", given)]


def test_damaged_copy_is_left_out_and_named(official_folder, bare_machine, monkeypatch, capsys):
    (bare_machine / "project" / "data").mkdir()
    (bare_machine / "project" / "data" / "cifar-10-python.tar.gz").write_bytes(b"half an archi")
    (bare_machine / "data").symlink_to(official_folder.parent)
    assert load_data().name == "CIFAR-10"
    out = capsys.readouterr().out
    assert out.startswith("data/cifar-10-python.tar.gz is left out: cifar-10-python.tar.gz is not")


def test_auto_without_network_gives_sketch10_with_a_banner(capsys):
    data = load_data(sizes=SMALL)
    out = capsys.readouterr().out
    assert data.title == "Sketch-10"
    assert out.splitlines()[0] == out.splitlines()[-2] == "!" * 80
    assert "THIS IS NOT CIFAR-10" in out
    assert "zenodo.org: not tried, because DLVC_OFFLINE is set" in out
    assert "python -m dlvc data --fetch" in out
    assert out == data.summary() + "\n"


def test_auto_with_every_connection_refused_gives_sketch10_and_says_why(monkeypatch, capsys):
    monkeypatch.delenv("DLVC_OFFLINE")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.create_connection", refuse)
    assert load_data(sizes=SMALL).title == "Sketch-10"
    assert "zenodo.org: cannot be reached: Network is unreachable" in capsys.readouterr().out


def test_archive_is_checked_again_at_each_load(served_archive, tmp_path, monkeypatch):
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(served_archive)
    assert load_data("cifar10", directory=tmp_path, quiet=True).verified
    path.write_bytes(served_archive[:-1] + b"x")
    monkeypatch.setenv("DLVC_OFFLINE", "1")
    with pytest.raises(DataUnavailableError, match=r"is left out: .* is not the official archive"):
        load_data("cifar10", directory=tmp_path, quiet=True)


def test_folder_that_wants_to_run_code_is_left_out_and_nothing_runs(tmp_path, capsys):
    folder, marker = tmp_path / "cifar-10-batches-py", tmp_path / "marker"
    folder.mkdir()
    for name in ("batches.meta", "data_batch_1", "test_batch"):
        (folder / name).write_bytes(f"cpathlib\nPath.touch\n(S'{marker}'\ntR.".encode())
    data = load_data("auto", directory=tmp_path, sizes=SMALL)
    assert data.title == "Sketch-10"
    assert "batches.meta is refused" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == [folder.name]


def test_cifar10_without_network_says_what_to_do_by_hand():
    with pytest.raises(DataUnavailableError) as caught:
        load_data("cifar10")
    message = str(caught.value)
    archive = data_module.CIFAR10_ARCHIVE
    for part in (*archive.mirrors, archive.name, "170,498,071 bytes", archive.sha256):
        assert part in message
    assert "put it at data/cifar-10-python.tar.gz" in message


def test_asking_for_sketch10_gives_no_banner(capsys):
    data = load_data("sketch10", sizes=SMALL)
    assert capsys.readouterr().out == (
        "Sketch-10: 30 train, 20 validation, 10 test images of 32 x 32 pixels. "
        "Drawn by this project from seed 0; these are not photographs.\n"
    )
    assert data.notice == ""


def test_quiet_prints_nothing(capfd):
    load_data(sizes=SMALL, quiet=True)
    assert capfd.readouterr() == ("", "")


def test_sketch10_splits_are_consecutive_pieces_of_one_drawing(monkeypatch):
    monkeypatch.setattr(data_module, "DRAWN_AT_ONCE", 7)
    data = load_data("sketch10", sizes=SMALL, seed=3, quiet=True)
    drawn = draw_sketches(60, seed=3)
    for part, start, end in ((data.train, 0, 30), (data.validation, 30, 50), (data.test, 50, 60)):
        assert torch.equal(part.images, drawn.images[start:end])
        assert torch.equal(part.labels, drawn.labels[start:end])
        assert torch.equal(part.masks, drawn.masks[start:end])


def test_digest_depends_on_the_content_alone():
    first = load_data("sketch10", sizes=SMALL, quiet=True)
    assert load_data("sketch10", sizes=SMALL, quiet=True).digest == first.digest
    assert load_data("sketch10", sizes=SMALL, seed=1, quiet=True).digest != first.digest


def test_digest_is_the_sha256_of_pixels_and_labels():
    one, two = split(3), split(2, seed=1)
    by_hand = hashlib.sha256()
    for part in (one, two):
        by_hand.update(part.images.numpy().tobytes())
        by_hand.update(part.labels.numpy().astype(np.dtype("<i8")).tobytes())
    assert content_digest(one, two) == by_hand.hexdigest()
    other = Split(one.images, one.labels.flip(0))
    assert content_digest(other, two) != content_digest(one, two)


def test_title_tells_official_known_and_unknown_copies_apart(sketches):
    (known,) = KNOWN_COPIES
    official = replace(sketches, name="CIFAR-10", verified=True)
    assert official.title == "CIFAR-10"
    assert replace(official, verified=False).title == "CIFAR-10 (unverified copy)"
    assert replace(official, verified=False, digest=known).title == "CIFAR-10 (JPEG copy)"


def test_split_gives_images_in_0_to_1_and_int_labels():
    part = split(20)
    image, label = part[13]
    assert image.shape == (3, 32, 32)
    assert image.dtype == torch.float32
    assert torch.equal(image, part.images[13].float() / 255)
    assert label == 3
    assert type(label) is int


def test_split_works_in_a_data_loader():
    part = split(20)
    batches = list(DataLoader(part, batch_size=8))
    assert [len(labels) for _, labels in batches] == [8, 8, 4]
    images = torch.cat([images for images, _ in batches])
    assert torch.equal((images * 255).round().to(torch.uint8), part.images)
    assert torch.equal(torch.cat([labels for _, labels in batches]), part.labels)


def test_split_ends_where_its_images_end():
    assert len(list(split(7))) == 7


def test_first_images_share_the_memory_of_the_split():
    whole = load_data("sketch10", sizes=SMALL, quiet=True).train
    part = whole.first(10)
    assert len(part) == 10
    assert part.images.data_ptr() == whole.images.data_ptr()
    assert torch.equal(part.masks, whole.masks[:10])


def test_class_counts_has_a_place_for_absent_classes():
    counts = split(3).class_counts()
    assert counts.tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert counts.dtype == torch.int64


def test_description_names_each_place_and_how_to_fetch():
    text = describe_data()
    for part in (
        "the project's data folder, data/",
        "the Keras cache, ~/.keras/datasets/",
        "To fetch CIFAR-10 (170 MB)",
        "python -m dlvc data --fetch",
    ):
        assert part in text


def test_printed_text_never_holds_the_home_folder(bare_machine, capsys):
    load_data(sizes=SMALL)
    with pytest.raises(DataUnavailableError) as caught:
        load_data("cifar10")
    printed = capsys.readouterr().out + describe_data() + str(caught.value)
    assert str(bare_machine) not in printed


def test_description_tells_damaged_files_from_good_ones(bare_machine):
    folder = bare_machine / "given"
    folder.mkdir()
    (folder / "cifar-10-python.tar.gz").write_bytes(b"half an archi")
    text = describe_data(folder)
    assert "cifar-10-python.tar.gz: cannot be used: cifar-10-python.tar.gz is not the" in text
