"""Which run is the same run: the digest under which an unfinished one is kept and a finished one is found again.

The digest is taken over everything that determines the result, so a changed setting, image, starting weight or line of
the training's code is another run, and nothing of the old one is used for it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from dlvc import __version__
from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.experiments.records import RunRecord, load_record
from dlvc.files import write_whole
from dlvc.training import (
    CheckpointFolder,
    on_cpu,
    pick_device,
    pick_precision,
    training_identity,
)

FOLDER = "unfinished"  # in runs/; it may be deleted at any time, then those runs start anew


def run_digest(
    model: nn.Module, data: ImageData, config: TrainConfig, **named: Any
) -> tuple[str, dict[str, Any]]:
    """The SHA-256 that tells a run from all others, and what it was taken over, ready for JSON.

    `model` is the new one, before its training. `named` is what the record will say besides: key, protocol and so on.
    """
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    sizes = {"train": config.train_size}
    sizes |= dict.fromkeys(("validation", "test"), config.evaluation_size)
    splits = [getattr(data, name).first(size) for name, size in sizes.items()]
    identity = {
        **named,
        **training_identity(model, config, precision, *splits),
        "data title": data.title,
        "device": device.type,
        "starting weights": hashlib.sha256(save(on_cpu(model.state_dict()))).hexdigest(),
        "dlvc": __version__,
    }
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest(), identity


def checkpoint_folder(runs: Path, stem: str, digest: str) -> CheckpointFolder:
    """Where the checkpoints of the run with this digest are; its name begins with `stem`, for people."""
    return CheckpointFolder(runs / FOLDER / f"{stem}_{digest[:12]}")


def first_started(folder: CheckpointFolder, identity: dict[str, Any]) -> datetime:
    """When the run began (UTC): now, or what an earlier part of it wrote into `folder`, beside what the run is."""
    path = folder.folder / "run.json"
    try:
        if folder.files():
            return datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["started"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # it is only for the record's name and date
    started = datetime.now(timezone.utc)
    write_whole(path, json.dumps({"started": started.isoformat(), **identity}, indent=1).encode())
    return started


def find_finished(runs: Path, digest: str) -> tuple[Path, RunRecord] | None:
    """The newest finished run with this digest and where its record lies; None if there is none."""
    finished = []
    for path in sorted(runs.glob("*.json")):
        try:
            if digest in path.read_text(encoding="utf-8"):  # quicker than reading all as records
                record = load_record(path)
                if record.run_digest == digest and not record.interrupted:
                    finished.append((path, record))
        except (OSError, ValueError):
            continue  # not ours to judge here; `load_records` names it
    return max(finished, key=lambda run: run[1].started, default=None)
