"""What the attention viewer shows at one spot: rows and columns of its maps, the scale, and the sentences.

All is read from the numbers as they arrive in the viewer (`payload.pack_rows`), so that picture and sentences say the
same as the page; `describe_spot` has the words of `describe` in attention_numbers.js.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from dlvc.inspection import AttentionRecording
from dlvc.widgets.viewer.payload import pack_rows, unpack_rows


@dataclass(frozen=True)
class Spot:
    """One map of one recording: which view of which image, layer and head, from 0; `number` is the class."""

    view: str
    image: int
    layer: int
    head: int
    number: int


def map_rows(
    recording: AttentionRecording, spot: Spot, patch: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """What a patch (or -1: the readout) takes from each token, and what each token takes from it; as they arrive.

    The second is None where there is no such thing: for relevance, and for a readout that is a mean.
    """
    if spot.view == "relevance":
        return unpack_rows(*pack_rows(recording.relevance[spot.image, spot.number])), None
    if spot.view == "rollout":
        matrix = unpack_rows(*pack_rows(recording.rollout[spot.image, spot.layer]))
    else:
        heads = unpack_rows(*pack_rows(recording.weights[spot.image, spot.layer]))
        matrix = heads[spot.head] if spot.view == "head" else heads.sum(axis=0) / len(heads)
    if patch < 0 and not recording.class_token:
        return matrix.sum(axis=0) / len(matrix), None
    token = patch + recording.class_token if patch >= 0 else 0
    return matrix[token], matrix[:, token]


def percent(value: float) -> str:
    """A share as text with one decimal, halves rounded up as JavaScript does it; number and unit stay on one line."""
    number = Decimal(100 * float(value)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{number}\N{NO-BREAK SPACE}%"


def strongest(values: Sequence[float], count: int) -> list[int]:
    """The places of the `count` largest values, the first of equal ones first."""
    return np.argsort(-np.asarray(values), kind="stable")[:count].tolist()


def patch_name(token: int, prefix: int, columns: int) -> str:
    """A token in words, counted from 1."""
    if token < prefix:
        return "the class token"
    row, column = divmod(token - prefix, columns)
    return f"row {row + 1}, column {column + 1}"


def map_name(recording: AttentionRecording, spot: Spot, classes: Sequence[str]) -> str:
    """Which map of a model a spot is, in words."""
    layers, heads = recording.weights.shape[1:3]
    layer = f"layer {spot.layer + 1} of {layers}"
    return {
        "head": f"{layer}, head {spot.head + 1} of {heads}",
        "mean": f"{layer}, mean of {heads} heads",
        "rollout": f"rollout up to {layer}",
        "relevance": f"relevance for class {classes[spot.number]}",
    }[spot.view]


def describe_spot(
    recording: AttentionRecording, spot: Spot, patch: int, *, title: str, classes: Sequence[str]
) -> str:
    """What the viewer shows at one spot, in sentences: where, the five strongest both ways, the prediction."""
    tokens = recording.weights.shape[-1]
    columns = recording.patch_grid[1]
    prefix = 0 if spot.view == "relevance" else int(recording.class_token)

    def listed(values: np.ndarray) -> str:
        return "; ".join(
            f"{patch_name(token, prefix, columns)} ({percent(values[token])})"
            for token in strongest(values, 5)
        )

    where = map_name(recording, spot, classes)
    given, taken = map_rows(recording, spot, patch)
    if spot.view == "relevance":
        sentences = [f"Its largest shares: {listed(given)}."]
    else:
        readout = "the class token" if recording.class_token else "the mean of all patches"
        query = (
            f"Readout, {readout}," if patch < 0 else f"Query patch {patch_name(patch, 0, columns)}"
        )
        sentences = [f"{query} attends most to: {listed(given)}."]
        if taken is not None:
            sentences.append(f"It is attended to most by: {listed(taken)}.")
        sentences.append(f"Equal attention would be {percent(1 / tokens)}.")
    probabilities = recording.probabilities[spot.image]
    best = strongest(probabilities, 1)[0]
    prediction = f"The model says {classes[best]} ({percent(probabilities[best])})"
    if spot.view == "head":
        without = recording.silenced[spot.image, spot.layer, spot.head, best]
        prediction += f"; with this head silenced {percent(without)}"
    return f"{title}: {where}. {' '.join(sentences)} {prediction}."


def largest(recordings: Iterable[AttentionRecording], spot: Spot, scale: str) -> float:
    """The largest number in these recordings: of this image's "head" or "layer", or of "all" layers in every image.

    The relevance for a class counts as a head, and all classes as a layer.
    """
    return max(_largest(recording, spot, scale) for recording in recordings)


def _largest(recording: AttentionRecording, spot: Spot, scale: str) -> float:
    images = slice(None) if scale == "all" else spot.image
    if spot.view == "relevance":
        shares = recording.relevance[images]
        return float((shares[..., spot.number, :] if scale == "head" else shares).max())
    maps = (recording.rollout if spot.view == "rollout" else recording.weights)[images]
    if spot.view == "mean":
        maps = maps.mean(dim=-3)
    if scale != "all":  # now (L, N, N), or for heads (L, H, N, N)
        maps = maps[min(spot.layer, len(maps) - 1)]
        if spot.view == "head" and scale == "head":
            maps = maps[min(spot.head, len(maps) - 1)]
    return float(maps.max())


def small_spots(recording: AttentionRecording, spot: Spot) -> list[list[Spot]]:
    """The spots of the small maps: for each layer its heads, their mean, and the rollout."""
    layers, heads = recording.weights.shape[1:3]
    return [
        [
            *(replace(spot, view="head", layer=layer, head=head) for head in range(heads)),
            replace(spot, view="mean", layer=layer),
            replace(spot, view="rollout", layer=layer),
        ]
        for layer in range(layers)
    ]
