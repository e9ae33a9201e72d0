"""The numbers that the attention viewer is sent.

Weights travel as bytes: each row has its own largest value and is stored in 255 steps of it, so a number that arrives
is wrong by at most 1/510 of the largest in its row.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.image import imsave

from dlvc.inspection import AttentionRecording
from dlvc.plots import ATTENTION_COLORS, DIFFERENCE_COLORS


def encode(values: np.ndarray) -> str:
    """The bytes of an array as base64 text: binary messages do not arrive everywhere."""
    return base64.b64encode(values.tobytes()).decode("ascii")


def pack_rows(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """`values` (..., n), at least 0, as steps (..., n) uint8 and the largest of each row (...) float32.

    value = largest * step / 255, wrong by at most largest / 510.
    """
    values = np.asarray(values, dtype=np.float32)
    largest = values.max(axis=-1)
    scale = np.where(largest > 0, largest, 1).astype(np.float64)[..., None]
    return np.rint(255 * (values / scale)).astype(np.uint8), largest


def unpack_rows(steps: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """The numbers (..., n) float64 that a reader of `pack_rows` gets back, in the viewer's own order of operations."""
    return largest.astype(np.float64)[..., None] * steps / 255


def packed(values: Any) -> dict[str, Any]:
    """`pack_rows` in the form that is sent."""
    steps, largest = pack_rows(values)
    return {"bytes": encode(steps), "largest": encode(largest), "length": steps.shape[-1]}


def color_table(name: str) -> str:
    """256 colours of a matplotlib colour map, red, green, blue, as base64 text."""
    return encode(matplotlib.colormaps[name](np.arange(256), bytes=True)[:, :3])


def image_address(image: np.ndarray) -> str:
    """A picture (H, W, 3) of bytes as the address of a PNG that holds it."""
    file = io.BytesIO()
    imsave(file, image, format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def frame_payload(name: str, recording: AttentionRecording) -> dict[str, Any]:
    """What the viewer needs of one model at one moment."""
    _, layers, heads, tokens, _ = recording.weights.shape
    return {
        "name": name,
        "layers": layers,
        "heads": heads,
        "tokens": tokens,
        "prefix": int(recording.class_token),
        "weights": packed(recording.weights),
        "rollout": packed(recording.rollout),
        "relevance": packed(recording.relevance),
        "probabilities": recording.probabilities.tolist(),
        "silenced": encode(recording.silenced.numpy().astype("<f4")),
    }


def viewer_payload(
    series: Mapping[str, Mapping[str, AttentionRecording]],
    pictures: np.ndarray,
    names: Sequence[str],
    labels: Sequence[int] | None,
    classes: Sequence[str],
) -> dict[str, Any]:
    """All that is sent: recordings by model and epoch, pictures (B, H, W, 3) of bytes, names of images and classes."""
    first = next(iter(next(iter(series.values())).values()))
    return {
        "grid": list(first.patch_grid),
        "height": pictures.shape[1],
        "width": pictures.shape[2],
        "classes": list(classes),
        "images": [
            {
                "name": name,
                "label": None if labels is None else int(labels[number]),
                "source": image_address(pictures[number]),
            }
            for number, name in enumerate(names)
        ],
        "series": [
            {
                "name": name,
                "frames": [frame_payload(*frame) for frame in frames.items()],
            }
            for name, frames in series.items()
        ],
        "colors": {
            "sequential": color_table(ATTENTION_COLORS),
            "diverging": color_table(DIFFERENCE_COLORS),
        },
    }
