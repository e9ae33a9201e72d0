"""A CIFAR-10 of the official shape without its images, and a server that can misbehave."""

from __future__ import annotations

import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlvc.data import CLASSES

BATCH_NAMES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def python2_string(text: bytes) -> bytes:
    return b"T" + len(text).to_bytes(4, "little") + text


def python2_batch(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 and numpy 1 pickled it, written opcode by opcode (see pickletools)."""
    shape = b"".join(b"J" + size.to_bytes(4, "little") for size in pixels.shape) + b"\x86"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01" + shape + b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89" + python2_string(pixels.tobytes()) + b"tb"
    )
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels" + numbers + b"u."


def batch_content(number: int) -> tuple[np.ndarray, list[int]]:
    """Pixels that name their batch and position, and labels that differ between batches."""
    pixels = np.full((10_000, 3_072), number, dtype=np.uint8)
    pixels[0] = np.arange(3_072) * 7 % 251
    pixels[:, -1] = np.arange(10_000) % 256
    return pixels, [(position + number) % 10 for position in range(10_000)]


@pytest.fixture(scope="session")
def official_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked folder in the official layout, in a folder of its own."""
    folder = tmp_path_factory.mktemp("unpacked") / "cifar-10-batches-py"
    folder.mkdir()
    for number, name in enumerate(BATCH_NAMES):
        (folder / name).write_bytes(python2_batch(*batch_content(number)))
    names = b"](" + b"".join(python2_string(name.encode()) for name in CLASSES) + b"e"
    (folder / "batches.meta").write_bytes(b"\x80\x02}U\x0blabel_names" + names + b"s.")
    (folder / "readme.html").write_bytes(b"<html></html>")
    return folder


@pytest.fixture(scope="session")
def official_archive(official_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of that folder; the members' order is the official one's, not the sorted."""
    path = tmp_path_factory.mktemp("packed") / "cifar-10-python.tar.gz"
    order = ("data_batch_4", "readme.html", "test_batch", "data_batch_3", "batches.meta")
    others = sorted(set(BATCH_NAMES) - set(order))
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(official_folder, "cifar-10-batches-py", recursive=False)
        for name in (*order, *others):
            archive.add(official_folder / name, f"cifar-10-batches-py/{name}")
    return path


@dataclass
class Page:
    """How the server answers one path."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None  # drop the connection after so many bytes of the file
    cuts: int = 99  # as often as this
    cut_step: int = 0  # each time so many bytes later
    pause: float = 0.0  # seconds between two pieces of 4,096 bytes
    silent_after: int | None = None  # then send nothing more for a second
    late: float = 0.0  # seconds before the answer begins
    hide_length: bool = False
    ranges: bool = True  # whether it can send the rest of the file


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Page] = {}
        self.requests: list[str] = []  # their paths, and the range that was asked for

    def add(self, path: str, content: bytes = b"", **answer: Any) -> str:
        """The address of a page with that content, answered as `Page` says."""
        self.pages[path] = Page(content, **answer)
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are what the tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        page = self.server.pages[self.path]
        wish = self.headers.get("Range")
        self.server.requests.append(f"{self.path} {wish}" if wish else self.path)
        start, size, status = 0, len(page.content), page.status
        if wish and page.ranges and status == 200:
            start, status = int(wish.removeprefix("bytes=").removesuffix("-")), 206
        time.sleep(page.late)
        self.send_response(status)
        if status == 206 and "Content-Range" not in page.headers:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if not page.hide_length:
            self.send_header("Content-Length", str(size - start))
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.end_headers()
        end = size
        if page.cut_at is not None and page.cuts > 0:
            end = min(page.cut_at, size)
            page.cuts -= 1
            page.cut_at += page.cut_step
        for position in range(start, end, 4096):
            if page.silent_after is not None and position >= page.silent_after:
                time.sleep(1.0)
                return
            self.wfile.write(page.content[position : min(position + 4096, end)])
            time.sleep(page.pause)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "DLVC_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
