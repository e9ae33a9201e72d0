from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
import requests

import dlvc.data.download as download_module
from dlvc.data.download import (
    CIFAR10_ARCHIVE,
    DownloadError,
    Limits,
    RemoteFile,
    download_file,
)

CONTENT = bytes(range(256)) * 800  # 204,800 bytes
FILE = RemoteFile(
    title="The test file",
    name="file.bin",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    mirrors=(),
)
QUICK = Limits(speed_window=0.25, connect_timeout=5.0, minimum_speed=0, retry_pause=0)


def fetch(folder: Path, *mirrors: str, limits: Limits = QUICK, **options: object) -> Path:
    file = replace(FILE, mirrors=mirrors)
    return download_file(file, folder, progress=False, limits=limits, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetched_file_is_whole_and_alone(server, tmp_path):
    path = fetch(tmp_path / "new" / "folder", server.add("/a", CONTENT))
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["file.bin"]


def test_flipped_byte_in_the_cache_is_set_aside_and_fetched_again(server, tmp_path):
    flipped = bytearray(CONTENT)
    flipped[1000] ^= 1
    (tmp_path / "file.bin").write_bytes(flipped)
    assert fetch(tmp_path, server.add("/a", CONTENT)).read_bytes() == CONTENT
    assert (tmp_path / "file.bin.bad").read_bytes() == flipped


def test_flipped_byte_in_the_cache_is_never_returned_offline(monkeypatch, tmp_path):
    monkeypatch.setenv("DLVC_OFFLINE", "1")
    (tmp_path / "file.bin").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DownloadError, match=r"damaged and is now called .*file\.bin\.bad"):
        fetch(tmp_path, "https://example.org/file.bin")
    assert names(tmp_path) == ["file.bin.bad"]


def test_broken_connection_is_taken_up_where_it_broke(server, tmp_path):
    url = server.add("/a", CONTENT, cut_at=98_304, cuts=1)
    assert fetch(tmp_path, url).read_bytes() == CONTENT
    assert server.requests == ["/a", "/a bytes=98304-"]


def test_connection_may_break_often_while_it_brings_more_and_is_not_too_slow(server, tmp_path):
    breaking = {"cut_at": 20_480, "cut_step": 20_480}
    limits = replace(QUICK, minimum_speed=1_000_000, retry_pause=0.1)
    url = server.add("/a", CONTENT, **breaking)
    with pytest.raises(DownloadError, match=r"only \d+ kB/s, less than 1,000 kB/s"):
        fetch(tmp_path, url, limits=limits, patient=False)
    url = server.add("/b", CONTENT, **breaking)
    assert fetch(tmp_path, url).read_bytes() == CONTENT
    assert server.requests[-10:] == ["/b", *(f"/b bytes={20_480 * n}-" for n in range(1, 10))]


def test_another_mirror_goes_on_where_the_first_gave_up(server, tmp_path):
    broken = server.add("/a", CONTENT, cut_at=49_152)
    assert fetch(tmp_path, broken, server.add("/b", CONTENT)).read_bytes() == CONTENT
    rest = "bytes=49152-"
    assert server.requests == ["/a", *[f"/a {rest}"] * 3, f"/b {rest}"]


def test_speed_of_the_next_mirror_is_its_own(server, tmp_path):
    fast = server.add("/a", CONTENT, cut_at=151_552)
    slow = server.add("/b", CONTENT, pause=0.05)  # 80 kB/s
    limits = replace(QUICK, minimum_speed=200_000, speed_window=0.5)
    with pytest.raises(DownloadError, match="kB/s, less than 200 kB/s"):
        fetch(tmp_path, fast, slow, limits=limits, patient=False)


def test_mirror_that_cannot_resume_sends_the_whole_file(server, tmp_path):
    url = server.add("/a", CONTENT, cut_at=98_304, cuts=1, ranges=False)
    assert fetch(tmp_path, url).read_bytes() == CONTENT
    assert server.requests == ["/a", "/a bytes=98304-"]


def test_another_piece_than_asked_for_is_refused_and_the_file_started_anew(server, tmp_path):
    wrong = {"Content-Range": "bytes 0-9/204800"}
    url = server.add("/a", CONTENT, cut_at=49_152, cuts=1, headers=wrong)
    assert fetch(tmp_path, url).read_bytes() == CONTENT
    assert server.requests == ["/a", "/a bytes=49152-", "/a"]


def test_bad_beginning_from_one_mirror_does_not_spoil_the_next(server, tmp_path):
    bad = server.add("/a", b"?" * len(CONTENT), cut_at=49_152)
    assert fetch(tmp_path, bad, server.add("/b", CONTENT)).read_bytes() == CONTENT
    assert server.requests[-3:] == ["/b bytes=49152-", "/a", "/b"]


def test_bad_end_from_one_mirror_does_not_spoil_the_first(server, tmp_path):
    good = server.add("/a", CONTENT, cut_at=49_152, cuts=4)
    assert fetch(tmp_path, good, server.add("/b", b"?" * len(CONTENT))).read_bytes() == CONTENT
    assert server.requests[-2:] == ["/b bytes=49152-", "/a"]


def test_pieces_that_never_fit_together_end_the_download(server, tmp_path):
    url = server.add("/a", b"?" * len(CONTENT), cut_at=49_152, cuts=1)
    with pytest.raises(DownloadError, match=r"do not fit together, .*; then sent another file"):
        fetch(tmp_path, url)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content": CONTENT[:-1] + b"x"}, "sent another file, with SHA-256"),
        ({"content": CONTENT[:-1]}, "offers 204799 bytes instead of 204800"),
        ({"content": CONTENT + b"x", "hide_length": True}, "sends more than the 204,800 bytes"),
        ({"cut_at": 49_152}, "the connection broke after 49,152 of 204,800 bytes"),
        ({"cut_at": 49_152, "hide_length": True}, "after 49,152 .* (the mirror ended it)"),
        ({"silent_after": 40_960}, "the connection broke after 40,960 of 204,800 bytes"),
        ({"late": 1.0}, "the connection broke after 0 of 204,800 bytes (ReadTimeout)"),
        ({"pause": 0.05}, "kB/s, less than 200 kB/s"),  # it has 80 kB/s
        ({"content": b"", "status": 404}, "answered HTTP 404"),
        ({"content": b"", "status": 503}, "answered HTTP 503"),
        (
            {"status": 302, "headers": {"Location": "http://example.org/file.bin"}},
            "redirects to an unsafe address: a mirror's address must begin with https://",
        ),
        ({"status": 302, "headers": {"Location": "/bad"}}, "(TooManyRedirects)"),  # to itself
    ],
)
def test_unfit_mirror_is_left_for_the_next_and_leaves_nothing(server, tmp_path, change, reason):
    bad = server.add("/bad", **{"content": CONTENT, **change})
    limits = replace(QUICK, minimum_speed=200_000)
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, bad, limits=limits, patient=False)
    for words in reason.split(".*"):
        assert words in caught.value.reasons[bad]
    assert names(tmp_path) == []
    good = server.add("/good", CONTENT)
    assert fetch(tmp_path, bad, good, limits=limits).read_bytes() == CONTENT
    assert server.requests[-1].startswith("/good")


def test_archive_labelled_as_gzip_encoded_is_not_unpacked(server, tmp_path):
    url = server.add("/a", CONTENT, headers={"Content-Encoding": "gzip"})
    assert fetch(tmp_path, url).read_bytes() == CONTENT


def test_dead_mirror_is_left_for_the_next(server, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}/a"
    assert fetch(tmp_path, dead, server.add("/b", CONTENT)).read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="cannot be reached: Connection refused"):
        fetch(tmp_path / "new", dead)


def test_redirect_to_a_safe_address_is_followed_and_what_comes_is_checked(server, tmp_path):
    good, bad = server.add("/good", CONTENT), server.add("/bad", b"?" * len(CONTENT))
    urls = [
        server.add(f"/to-{name}", b"", status=302, headers={"Location": target})
        for name, target in (("bad", bad), ("good", good))
    ]
    assert fetch(tmp_path, *urls).read_bytes() == CONTENT
    assert server.requests == ["/to-bad", "/bad", "/to-good", "/good"]


def test_a_proxy_that_is_set_is_asked_instead_of_the_mirror(server, monkeypatch, tmp_path):
    monkeypatch.setenv("http_proxy", server.add(""))
    server.add("http://127.0.0.1:1/a", CONTENT)  # at this port nobody listens
    assert fetch(tmp_path, "http://127.0.0.1:1/a").read_bytes() == CONTENT
    assert server.requests == ["http://127.0.0.1:1/a"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.SSLError, "its certificate cannot be verified"),
        (requests.exceptions.ProxyError, "the proxy refused it"),
    ],
)
def test_what_a_proxy_or_a_certificate_prevents_is_said(
    server, monkeypatch, tmp_path, error, words
):
    def refuse(*_: object, **__: object) -> None:
        raise error("https://user:password@example.org")

    monkeypatch.setattr(requests, "get", refuse)
    with pytest.raises(DownloadError, match=words) as caught:
        fetch(tmp_path, server.add("/a", CONTENT))
    assert "password" not in str(caught.value)


def test_transfer_that_fails_for_want_of_certificates_is_not_blamed_on_the_folder(
    server, monkeypatch, tmp_path
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    url = server.add("/a", CONTENT).replace("http:", "https:")
    with pytest.raises(DownloadError, match=r"a suitable TLS CA certificate bundle") as caught:
        fetch(tmp_path, url)
    assert list(caught.value.reasons) == [url]


def test_unfinished_answer_is_closed(server, monkeypatch, tmp_path):
    def close(response: requests.Response) -> None:
        original(response)
        closed.append(response.url)

    original, closed = requests.Response.close, []
    monkeypatch.setattr(requests.Response, "close", close)
    bad = server.add("/bad", CONTENT[:-1])
    with pytest.raises(DownloadError):
        fetch(tmp_path, bad)
    assert closed == [bad]


def test_slow_line_ends_an_impatient_download_but_not_a_patient_one(server, tmp_path):
    slow = server.add("/a", CONTENT, pause=0.02)
    limits = replace(QUICK, minimum_speed=10_000_000)
    with pytest.raises(DownloadError, match=r"only \d+ kB/s, less than 10,000 kB/s"):
        fetch(tmp_path, slow, limits=limits, patient=False)
    assert fetch(tmp_path, slow, limits=limits).read_bytes() == CONTENT


def test_error_holds_all_that_the_manual_way_needs(server, tmp_path):
    first = server.add("/a", b"", status=404)
    file = replace(FILE, mirrors=(first, server.add("/b", CONTENT[:-1])))
    with pytest.raises(DownloadError) as caught:
        download_file(file, tmp_path, progress=False)
    message = str(caught.value)
    assert f"{first}: answered HTTP 404" in message
    for part in (*file.mirrors, "file.bin", "204,800 bytes", file.sha256, str(tmp_path)):
        assert part in message


@pytest.mark.parametrize(
    "address", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "https://"]
)
def test_address_that_is_not_https_is_refused(tmp_path, address):
    with pytest.raises(ValueError, match="must begin with https://"):
        fetch(tmp_path, address)


def test_offline_means_no_request_at_all(server, monkeypatch, tmp_path):
    monkeypatch.setenv("DLVC_OFFLINE", "1")
    with pytest.raises(DownloadError, match="not tried, because DLVC_OFFLINE is set"):
        fetch(tmp_path, server.add("/a", CONTENT))
    assert server.requests == []


def test_name_that_is_never_resolved_does_not_block(server, monkeypatch, tmp_path):
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30) and [])
    mirrors = [f"https://mirror{number}.invalid/file.bin" for number in range(20)]
    with pytest.raises(DownloadError, match=r"no answer within 0\.2 s"):
        fetch(tmp_path, *mirrors, limits=replace(QUICK, connect_timeout=0.2))
    released.set()


def test_interrupted_download_leaves_nothing(server, monkeypatch, tmp_path):
    def interrupt(part: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download_module._Part, "flush", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, server.add("/a", CONTENT))
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_what_runs_is_kept(server, tmp_path):
    old, new = tmp_path / "file.bin.1-1.part", tmp_path / "file.bin.2-2.part"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    fetch(tmp_path, server.add("/a", CONTENT))
    assert names(tmp_path) == ["file.bin", "file.bin.2-2.part"]


def test_downloads_at_the_same_time_do_not_mix(server, tmp_path):
    url = server.add("/a", CONTENT, pause=0.001)
    threads = [threading.Thread(target=fetch, args=(tmp_path, url)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == ["file.bin"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_full_disk_is_named_before_a_byte_is_sent(server, monkeypatch, tmp_path):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(free=1000))
    with pytest.raises(DownloadError, match="its disk has less than 204,800 bytes free"):
        fetch(tmp_path, server.add("/a", CONTENT))
    assert server.requests == []


def test_folder_that_cannot_be_used_is_named(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"the folder .*file/sub: cannot be used"):
        fetch(tmp_path / "file" / "sub", server.add("/a", CONTENT))


def test_write_error_ends_the_download_without_blaming_mirrors(server, monkeypatch, tmp_path):
    def refuse(block: bytes) -> None:
        raise OSError(28, "No space left on device")

    def open_on_a_full_disk(path: Path, mode: str) -> IO[bytes]:
        file = original(path, mode)
        file.write = refuse
        return file

    original = Path.open
    monkeypatch.setattr(Path, "open", open_on_a_full_disk)
    urls = [server.add(path, CONTENT) for path in ("/a", "/b")]
    with pytest.raises(DownloadError, match=r"the folder .*: No space left on device"):
        fetch(tmp_path, *urls)
    assert server.requests == ["/a"]
    assert names(tmp_path) == []


def test_progress_bar_counts_the_bytes(server, tmp_path, capfd):
    file = replace(FILE, mirrors=(server.add("/a", CONTENT),))
    download_file(file, tmp_path, limits=QUICK)
    shown_bar = capfd.readouterr().err
    assert "file.bin from 127.0.0.1" in shown_bar
    assert "205k/205k" in shown_bar


def test_addresses_are_those_that_torchvision_names():
    from torchvision.datasets import CIFAR10

    assert CIFAR10.url in CIFAR10_ARCHIVE.mirrors
    assert CIFAR10.filename == CIFAR10_ARCHIVE.name
