"""One file over the network, block by block: what is judged while it arrives.

pooch and requests do the transfer. What is here decides when a mirror will not do, and lets
another mirror go on where a connection broke.
"""

import hashlib
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from dlvc.files import part_of, publish

ATTEMPTS_PER_MIRROR = 3  # a connection that breaks while it delivers is taken up again
# Small, because a block is judged only when it is complete: at 1 kB/s this one takes 4 s.
BLOCK_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file with its exact size in bytes, its SHA-256 and the addresses that offer it."""

    title: str
    name: str
    size: int
    sha256: str
    mirrors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a mirror is waited for: bytes per second over a window, and seconds.

    speed_window is also the longest silence in the middle of a transfer.
    """

    minimum_speed: float = 500_000
    speed_window: float = 10.0
    connect_timeout: float = 10.0


DEFAULT_LIMITS = Limits()


class MirrorError(Exception):
    """This mirror will not do; the message is the reason."""


class BrokenConnectionError(MirrorError):
    """The mirror stopped in the middle; another attempt may go on from there."""


class TooSlowError(MirrorError):
    """The mirror crawls, at `speed` bytes per second."""

    def __init__(self, speed: float, minimum: float) -> None:
        super().__init__(f"only {speed / 1e3:,.0f} kB/s, less than {minimum / 1e3:,.0f} kB/s")
        self.speed = speed


class DiskError(Exception):
    """This machine's disk is at fault, so no other mirror can help."""


class Part:
    """The unfinished file: takes blocks, hashes and counts them, judges the speed.

    It is what pooch writes to.
    """

    def __init__(self, file: RemoteFile, target: Path, *, progress: bool) -> None:
        from tqdm.auto import tqdm

        self.file = file
        self.target = target
        self.path = part_of(target)
        self.output = self.path.open("wb")
        self.bar = tqdm(
            total=file.size, unit="B", unit_scale=True, desc=file.name, disable=not progress
        )
        self.limits = DEFAULT_LIMITS
        self.response: Any = None
        self.restart()

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *raised: object) -> None:
        self.bar.close()
        self.output.close()
        self.path.unlink(missing_ok=True)

    def restart(self) -> None:
        """Forget everything received."""
        self.output.seek(0)
        self.output.truncate()
        self.digest = hashlib.sha256()
        self.received = 0
        self.bar.reset()
        self._start_window()

    def begin(self, host: str, limits: Limits) -> None:
        """Judge the speed anew from here on."""
        self.bar.set_description(f"{self.file.name} from {host}")
        self.limits = limits
        self._start_window()

    def write(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        if self.received + len(block) > self.file.size:
            self.restart()
            raise MirrorError(f"sends more than the {self.file.size:,} bytes of the file")
        try:
            self.output.write(block)
        except OSError as error:
            raise DiskError(plain(error)) from error
        self.digest.update(block)
        self.received += len(block)
        self.bar.update(len(block))
        elapsed = time.monotonic() - self.window_start
        if elapsed >= self.limits.speed_window:
            speed = (self.received - self.window_received) / elapsed
            if speed < self.limits.minimum_speed and self.received < self.file.size:
                raise TooSlowError(speed, self.limits.minimum_speed)
            self._start_window()

    def flush(self) -> None:
        """Do nothing: pooch flushes after each block, and Python's buffer is good enough."""

    def publish(self) -> None:
        """Give the complete file its final name, in one step."""
        try:
            publish(self.output, self.path, self.target)
        except OSError as error:
            raise DiskError(plain(error)) from error

    def _start_window(self) -> None:
        self.window_start = time.monotonic()
        self.window_received = self.received


def fetch_from(url: str, part: Part, limits: Limits) -> None:
    """Fill the part from one mirror, with what is there already as its beginning.

    Raises: MirrorError with the reason; the part then holds what the next mirror may go on with.
    """
    for attempt in range(1, ATTEMPTS_PER_MIRROR + 1):
        before = part.received
        try:
            _transfer(url, part, limits)
        except BrokenConnectionError:
            if attempt == ATTEMPTS_PER_MIRROR or part.received <= before:
                raise
            continue
        found = part.digest.hexdigest()
        if found == part.file.sha256:
            return
        part.restart()
        if before == 0:
            raise MirrorError(f"sent another file, with SHA-256 {found}")
        # The beginning came from elsewhere and may be what is wrong: once more from the start.
    raise MirrorError("sent pieces that do not make up the file")


def _transfer(url: str, part: Part, limits: Limits) -> None:
    import pooch
    import requests

    part.begin(urlsplit(url).hostname or url, limits)
    # "identity": a server that packs on the way would change what is hashed.
    headers = {"Accept-Encoding": "identity"}
    if part.received:
        headers["Range"] = f"bytes={part.received}-"
    transfer = pooch.HTTPDownloader(
        progressbar=False,
        chunk_size=BLOCK_BYTES,
        timeout=(limits.connect_timeout, limits.speed_window),
        headers=headers,
        hooks={"response": lambda response, **_: _check_response(response, part)},
    )
    try:
        transfer(url=url, output_file=part, pooch=None)
    except requests.HTTPError as error:
        raise MirrorError(f"answered HTTP {error.response.status_code}") from error
    except requests.RequestException as error:
        raise BrokenConnectionError(_broke(part, type(error).__name__)) from error
    finally:
        if part.response is not None:
            part.response.close()  # pooch leaves an unfinished one open
    if part.received != part.file.size:
        raise BrokenConnectionError(_broke(part, "the mirror ended it"))


def _broke(part: Part, why: str) -> str:
    return f"the connection broke after {part.received:,} of {part.file.size:,} bytes ({why})"


def _check_response(response: Any, part: Part) -> None:
    """Look at an answer's head before its body: refuse what cannot be the file."""
    part.response = response
    if response.is_redirect:
        try:
            require_secure(urljoin(response.url, response.headers["location"]))
        except ValueError as error:
            raise MirrorError(f"redirects to an unsafe address: {error}") from error
        return
    if response.status_code not in (200, 206):
        return  # pooch raises for it
    # Some servers label a .tar.gz as gzip-encoded; unpacking it would change the bytes.
    response.raw.headers.pop("content-encoding", None)
    if response.status_code == 206:
        expected = f"bytes {part.received}-{part.file.size - 1}/{part.file.size}"
        got = response.headers.get("content-range", "nothing")
        if got != expected:
            part.restart()
            raise MirrorError(f"offers {got} where {expected} was asked for")
        return
    if part.received:
        part.restart()  # it ignored the wish for the rest and sends the whole file
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) != part.file.size:
        raise MirrorError(f"offers {int(length):,} bytes instead of {part.file.size:,}")


def require_secure(url: str) -> None:
    """Nothing; raises ValueError unless the address is https, or http on this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"):
        return  # for tests
    raise ValueError(f"a mirror's address must begin with https://; got {url!r}.")


def unreachable(addresses: Sequence[str], timeout: float) -> dict[str, str]:
    """The mirrors to which no connection can be made, with the reason.

    All are tried at once, each in a thread of its own: looking up a name cannot be given a
    timeout, and without a network one after the other would take minutes.
    """
    results: dict[str, str | None] = {}

    def probe(address: str) -> None:
        try:
            with socket.create_connection(_first_hop(address), timeout=timeout):
                results[address] = None
        except Exception as error:  # whatever it is, it is the answer to the question
            results[address] = f"cannot be reached: {plain(error)}"

    threads = [threading.Thread(target=probe, args=(url,), daemon=True) for url in addresses]
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    silent = f"cannot be reached: no answer within {timeout:g} s"
    found = {address: results.get(address, silent) for address in addresses}
    return {address: reason for address, reason in found.items() if reason is not None}


def _first_hop(url: str) -> tuple[str, int]:
    """Host and port that a request to this address talks to: the proxy, if one is set."""
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    parts = urlsplit(prepend_scheme_if_needed(proxy, "http") if proxy else url)
    ports = {"http": 80, "https": 443}
    return parts.hostname or "", parts.port or ports.get(parts.scheme, 1080)


def plain(error: BaseException) -> str:
    """The error in words, without number and file name."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
