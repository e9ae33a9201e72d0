"""A file is whole or absent, and what a disk refuses is said in one sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest

from dlvc import files
from dlvc.files import CannotWriteError, display_path, sha256_of, write_whole

OLD, NEW = b"old" * 1000, b"new" * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is there already."""
    path = tmp_path / "a.json"
    path.write_bytes(OLD)
    return path


def test_a_written_file_is_whole_and_alone(tmp_path):
    write_whole(tmp_path / "new folder" / "a.json", NEW)
    assert (tmp_path / "new folder" / "a.json").read_bytes() == NEW
    assert [file.name for file in (tmp_path / "new folder").iterdir()] == ["a.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_after_a_failure_or_ctrl_c_the_old_file_is_there_and_no_other(
    path, monkeypatch, call, error
):
    monkeypatch.setattr(os, call, Mock(side_effect=error))
    with pytest.raises((CannotWriteError, KeyboardInterrupt)):
        write_whole(path, NEW)
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_it_gets_its_name(path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, call=call, name=name: calls.append(name) or call(*given)
        )
    write_whole(path, NEW)
    assert calls[:2] == ["fsync", "replace"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full. Please free some space there"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "the folder is read-only. Please choose a folder that you may write to"),
        (errno.EACCES, "the folder is read-only"),
    ],
)
def test_what_the_disk_refuses_is_one_sentence_with_file_folder_and_remedy(
    path, monkeypatch, number, words
):
    monkeypatch.setattr(os, "fsync", Mock(side_effect=OSError(number, os.strerror(number))))
    with pytest.raises(CannotWriteError, match=words) as refused:
        write_whole(path, NEW)
    assert str(refused.value).startswith(f"a.json could not be written in {path.parent}: ")
    assert "\n" not in str(refused.value)


def test_a_file_where_a_folder_should_be_is_said(path):
    with pytest.raises(CannotWriteError, match=r"b\.json could not be written in .*a\.json"):
        write_whole(path / "b.json", NEW)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_disk_that_is_really_full_leaves_the_old_file(path):
    """A limit on the size of files does to a process what a full disk does."""
    code = (
        "import pathlib, resource, sys; from dlvc.files import write_whole;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "write_whole(pathlib.Path(sys.argv[1]), bytes(10_000))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert "CannotWriteError: a.json could not be written in" in done.stderr
    assert "the disk is full" in done.stderr
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_two_threads_that_write_one_file_leave_one_of_the_two(path):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write_whole, [path] * 2, [OLD * 100, NEW * 100]))
    assert path.read_bytes() in (OLD * 100, NEW * 100)
    assert list(path.parent.iterdir()) == [path]


def test_the_digest_is_sha256(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_printed_path_hides_the_home_folder(monkeypatch, tmp_path):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(files, "PROJECT", tmp_path / "project")
    assert display_path(tmp_path / "a" / "b") == "~/a/b"
    assert display_path(tmp_path / "project" / "data") == "data"
