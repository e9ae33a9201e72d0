"""Attention recorded while two vision transformers learn, in a file: what the viewers of the notebooks show.

The stored file shows one drawing of Sketch-10, so that it needs no download and no licence. It was made by

    python -m dlvc.studies.attention

which trains as `python -m dlvc train KEY --profile class --data sketch10` does (a quarter of an hour on a CPU).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlvc.config import TrainConfig
from dlvc.data import ImageData, load_data
from dlvc.experiments import EXPERIMENTS, REFERENCE_RECORDS, build_model, config_for
from dlvc.inspection import AttentionRecording, record_attention
from dlvc.training import EpochRecord, evaluate, train

STORED = REFERENCE_RECORDS / "attention" / "sketch10.npz"
FIELDS = [field.name for field in fields(AttentionRecording)]
EPOCHS = {"deep-vit-residual": (0, 1, 4), "shallow-vit": (4,)}  # 0: before the training
LENGTH = {"train_size": 8_000, "epochs": 4, "evaluation_size": 2_000}
IMAGE = 6  # of the test images: one that the trained deep model is right on and sure of, on a plain background


@dataclass(frozen=True, eq=False)
class Recordings:
    """Images (B, 3, H, W) uint8 with labels (B,), and recordings of them: series[model's title][epoch].

    accuracy: of each model on the test images, after its last epoch.
    """

    images: Tensor
    labels: Tensor
    series: dict[str, dict[int, AttentionRecording]]
    accuracy: dict[str, float]


def save_recordings(recordings: Recordings, path: Path) -> Path:
    """Write the recordings to `path` and give it back. Maps have 16 bits, right to 0.05 % of each number."""
    arrays = {"images": recordings.images.numpy(), "labels": recordings.labels.numpy()}
    for model, epochs in recordings.series.items():
        arrays[f"{model}/accuracy"] = np.array(recordings.accuracy[model])
        for epoch, recording in epochs.items():
            for name in FIELDS:
                value = np.asarray(getattr(recording, name))
                small = value.astype(np.float16) if value.ndim > 3 else value
                arrays[f"{model}/{epoch}/{name}"] = small
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def load_recordings(path: Path = STORED) -> Recordings:
    """The recordings in the file `path`."""
    with np.load(path) as arrays:
        series: dict[str, dict[int, AttentionRecording]] = {}
        accuracy = {}
        for key in arrays.files:
            model, _, rest = key.partition("/")
            if rest == "accuracy":
                accuracy[model] = float(arrays[key])
            elif rest.endswith("/weights"):
                epoch = rest.partition("/")[0]
                values = {name: arrays[f"{model}/{epoch}/{name}"] for name in FIELDS}
                series.setdefault(model, {})[int(epoch)] = _recording(values)
        images, labels = (torch.from_numpy(arrays[name]) for name in ("images", "labels"))
    return Recordings(images, labels, series, accuracy)


def _recording(values: dict[str, np.ndarray]) -> AttentionRecording:
    """A recording from arrays, its numbers as float32 again."""
    sizes = {
        "patch_grid": tuple(values.pop("patch_grid").tolist()),
        "patch_size": int(values.pop("patch_size")),
        "class_token": bool(values.pop("class_token")),
    }
    tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in values.items()}
    return AttentionRecording(**tensors, **sizes)


def record_training(
    key: str, data: ImageData, config: TrainConfig, images: Tensor, epochs: tuple[int, ...]
) -> tuple[dict[int, AttentionRecording], float]:
    """Train one ViT: recordings of `images` by epoch, and its accuracy on the test images after the last epoch.

    A recording is of the weights after that epoch, 0 is before training.
    """
    model = build_model(key, config)
    recorded = {0: record_attention(model, images)} if 0 in epochs else {}
    accuracy = 0.0

    def keep(epoch: EpochRecord) -> None:
        nonlocal accuracy
        if epoch.epoch in epochs:
            recorded[epoch.epoch] = record_attention(model, images)
        if epoch.epoch == config.epochs:
            accuracy = evaluate(model, data.test, progress=False).accuracy

    train(model, data, config, on_epoch=keep)
    return recorded, accuracy


def main() -> None:
    """Train both models and store their recordings."""
    data = load_data("sketch10")
    images, labels = (array[IMAGE : IMAGE + 1] for array in (data.test.images, data.test.labels))
    series, accuracy = {}, {}
    for key, epochs in EPOCHS.items():
        config = config_for(key, data, profile="full", device="cpu", **LENGTH)
        title = EXPERIMENTS[key].title
        series[title], accuracy[title] = record_training(key, data, config, images, epochs)
    print(save_recordings(Recordings(images, labels, series, accuracy), STORED).name)


if __name__ == "__main__":
    main()
