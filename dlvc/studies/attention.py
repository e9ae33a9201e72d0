"""Attention recorded while a vision transformer learned, in a file: what the viewers of the notebooks show.

The network is the Deep Residual ViT of `load_trained`, the images are the first twelve of Sketch-10's test split:
nothing is picked. The stored file was made by

    python -m dlvc.studies.attention runs/NAME.json

which repeats the first three epochs of that run (six minutes on two CPU cores); its end is in the run's weights.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.experiments import REFERENCE_RECORDS, build_model, load_record, load_run
from dlvc.inspection import AttentionRecording, attention_rollout, record_attention
from dlvc.studies.trained import own_drawings
from dlvc.training import EpochRecord, train

STORED = REFERENCE_RECORDS / "attention" / "sketch10.npz"
IMAGES = 12  # the first ones of the test split
EARLY = (
    0,
    1,
    3,
)  # epochs that are recorded besides the one whose weights were kept; 0: before the training
SAME_LOSS = 1e-4  # as far as a repeated epoch's loss may be from the record's
OTHERS = ("relevance", "probabilities", "silenced")  # what is stored besides the weights


@dataclass(frozen=True, eq=False)
class Recordings:
    """Images (B, 3, H, W) uint8 with labels (B,), and what one network does with them: frames[epoch].

    title: of the network. accuracy: on all test images, after the last of the epochs.
    """

    title: str
    accuracy: float
    images: Tensor
    labels: Tensor
    frames: dict[int, AttentionRecording]

    @property
    def last(self) -> AttentionRecording:
        """What the trained network does."""
        return self.frames[max(self.frames)]

    def first(self, count: int) -> Recordings:
        """The recordings of the first `count` images: in a viewer, an image takes 160 kB an epoch."""
        names = ("weights", "rollout", *OTHERS)
        frames = {
            epoch: replace(frame, **{name: getattr(frame, name)[:count] for name in names})
            for epoch, frame in self.frames.items()
        }
        return replace(self, images=self.images[:count], labels=self.labels[:count], frames=frames)


def save_recordings(recordings: Recordings, path: Path) -> Path:
    """`path`, after writing the recordings there. A weight has 8 bits, the other numbers have 16.

    Kept is the root of each weight in 255 steps of the largest in its row. So a weight is right to 0.4 % of that
    largest, and small ones, which are many, are right to much less. From query to query only the difference is kept
    (modulo 256), which is a quarter shorter. The rollout follows from the weights.
    """
    frame = recordings.last
    arrays = {
        "title": np.array(recordings.title),
        "accuracy": np.array(recordings.accuracy),
        "images": recordings.images.numpy(),
        "labels": recordings.labels.numpy(),
        "patch_grid": np.array(frame.patch_grid),
        "patch_size": np.array(frame.patch_size),
        "class_token": np.array(frame.class_token),
    }
    for epoch, frame in recordings.frames.items():
        roots = (frame.weights / frame.weights.amax(dim=-1, keepdim=True)).sqrt()
        steps = (255 * roots).round().to(torch.uint8).numpy()
        arrays[f"{epoch}/steps"] = np.diff(steps, axis=-2, prepend=np.uint8(0))
        for name in OTHERS:
            arrays[f"{epoch}/{name}"] = getattr(frame, name).numpy().astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def load_recordings(path: Path = STORED) -> Recordings:
    """The recordings in the file `path`, float32 again; rows of weights sum to 1."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    frames = {}
    for epoch in sorted(int(name.partition("/")[0]) for name in arrays if name.endswith("/steps")):
        steps = np.cumsum(arrays[f"{epoch}/steps"], axis=-2, dtype=np.uint8)
        squares = torch.from_numpy(steps).float() ** 2
        weights = squares / squares.sum(dim=-1, keepdim=True)
        others = {name: torch.from_numpy(arrays[f"{epoch}/{name}"]).float() for name in OTHERS}
        frames[epoch] = AttentionRecording(
            weights=weights,
            rollout=attention_rollout(weights),
            **others,
            patch_grid=tuple(arrays["patch_grid"].tolist()),
            patch_size=int(arrays["patch_size"]),
            class_token=bool(arrays["class_token"]),
        )
    images, labels = (torch.from_numpy(arrays[name]) for name in ("images", "labels"))
    return Recordings(str(arrays["title"]), float(arrays["accuracy"]), images, labels, frames)


def record_training(run: Path | str, data: ImageData) -> Recordings:
    """Recordings of the first test images of `data` at the beginning and at the end of the finished run at `run`.

    Raises ValueError where its epochs cannot be repeated: on other data, with other versions, or other threads.
    """
    record = load_record(run)
    config, options = TrainConfig(**record.config), record.model["options"]
    model = build_model(record.key, config, protocol=record.protocol, options=options)
    images, labels = data.test.images[:IMAGES], data.test.labels[:IMAGES]
    frames = {0: record_attention(model, images)}
    stop = threading.Event()

    def keep(epoch: EpochRecord) -> None:
        loss = record.epochs[epoch.epoch - 1].train_loss
        if abs(epoch.train_loss - loss) > SAME_LOSS:
            raise ValueError(
                f"epoch {epoch.epoch} ends with loss {epoch.train_loss:.5f}, in {Path(run).name} it was {loss:.5f}: "
                "this is not the same training. Train a new run on this machine."
            )
        if epoch.epoch in EARLY:
            frames[epoch.epoch] = record_attention(model, images)
        if epoch.epoch == EARLY[-1]:
            stop.set()

    train(model, data, config, on_epoch=keep, stop=stop, progress=False)
    frames[record.best_epoch] = record_attention(load_run(run), images)
    return Recordings(record.title, record.test.accuracy, images, labels, frames)


def main() -> None:
    """Record the run whose record is named on the command line."""
    print(save_recordings(record_training(sys.argv[1], own_drawings()), STORED).name)


if __name__ == "__main__":
    main()
