"""The tests of `explanation.py` for several kinds of maps at once: do the maps of a network explain what it says?

The reference in figures/records/explanations/ holds a row for each network, three of each kind on the same test images.

    python -m dlvc.studies.maps sketch10 runs/A.json runs/B.json ...

adds those that are missing: runs of `python -m dlvc.studies.trained train`, or tuned ones on CIFAR-10.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlvc.data import Split, to_float
from dlvc.experiments import REFERENCE_RECORDS, load_record, load_run
from dlvc.files import load_json_rows, load_named_json, save_json
from dlvc.inspection import (
    ORDERS,
    DeletionCurve,
    attention_maps,
    attention_rollout,
    cell_span,
    class_relevance,
    deletion_curve,
    grad_cam,
    gradient_times_input,
    last_convolution,
    mean_head_outputs,
    randomized,
    rank_correlation,
    readout_row,
    relevance_shares,
    share_on_object,
    silenced_probabilities,
    to_patches,
)
from dlvc.models import VisionTransformer
from dlvc.statistics import Interval, bootstrap_interval
from dlvc.studies.trained import data_of
from dlvc.training import predict

FOLDER = REFERENCE_RECORDS / "explanations"
GRID = (8, 8)  # the patches of the ViTs; the maps of all networks are compared on them
IMAGES_AT_ONCE = 100  # their weights take 40 MB in six layers of four heads
NO_MODEL = "contrast"  # a map that no model has a part in


@dataclass(frozen=True, kw_only=True)
class MapTests:
    """What `measure_maps` measured of one network. Intervals are (mean, low, high) over images, 95 %.

    kind: "mean readout" or "class token" of a ViT, or "CNN". accuracy: on all test images.
    curves: for each map and order, the mean probability at each share `hidden`. lead: for each map, how much smaller
    the area is when the highest patches go first than when random ones do (positive: the map finds what is needed).
    beyond: the same against the map without a model instead of random ones.
    likeness: for each map, its rank correlation with the same map of the model with random weights.
    on_object: for each map, its share on the object minus the object's share of the area, object_area; with the suffix
    " (moved)" of the map of another image, " (random)" from random weights. heads: the same for each layer and head of
    a ViT, by "trained", "another image" and "random weights", means only. None where the data have no masks.
    silenced: for each layer and head of a ViT, the mean change of the probability when the head gives out "zero", or
    its "mean" over the images.
    """

    network: str
    kind: str
    seed: int
    accuracy: float
    data: str
    images: int
    hidden: list[float]
    curves: dict[str, dict[str, list[float]]]
    lead: dict[str, Interval]
    beyond: dict[str, Interval]
    likeness: dict[str, Interval]
    object_area: float | None = None
    on_object: dict[str, Interval] | None = None
    heads: dict[str, list[list[float]]] | None = None
    silenced: dict[str, list[list[float]]] | None = None


def contrast(images: Tensor, grid: tuple[int, int] = GRID) -> Tensor:
    """The spread of the pixels of each patch (B, patches), a map that knows no model.

    The standard deviation of the pixels, mean over the three colours.
    """
    rows, columns = grid
    # (B, 3, rows, height, columns, width)
    patches = to_float(images).unflatten(3, (columns, -1)).unflatten(2, (rows, -1))
    return patches.std(dim=(3, 5)).mean(dim=1).flatten(1)


def network_maps(model: nn.Module, images: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """The maps (B, patches) that a network gives of itself, from 0 up, by name.

    "gradient x input" of any; of a CNN "Grad-CAM", its cells laid where they belong; of a ViT what the classifier reads
    of the last layer's "attention" (mean of the heads), of the "rollout" up to there, and of the "relevance". All but
    attention and rollout speak of one class for each image, `classes` (B,).
    """
    if isinstance(model, VisionTransformer):
        maps = {
            "attention": _in_batches(_last_attention, model, images),
            "rollout": _in_batches(_last_rollout, model, images),
            "relevance": _in_batches(_relevance, model, images, classes),
        }
    else:
        span = cell_span(model, last_convolution(model), images.shape[-1])
        maps = {"Grad-CAM": to_patches(_in_batches(grad_cam, model, images, classes), GRID, span)}
    pixels = _in_batches(gradient_times_input, model, images, classes)
    return maps | {"gradient x input": to_patches(pixels, GRID).clamp(min=0)}


def head_maps(vit: VisionTransformer, images: Tensor) -> Tensor:
    """What a classifier right behind it would read of each head's weights: (B, L, H, patches)."""
    return _in_batches(lambda *given: readout_row(vit, attention_maps(*given)), vit, images)


def _in_batches(maps_of: Callable[..., Tensor], model: nn.Module, *rows: Tensor) -> Tensor:
    batches = zip(*(tensor.split(IMAGES_AT_ONCE) for tensor in rows), strict=True)
    return torch.cat([maps_of(model, *batch) for batch in batches])


def _last_attention(vit: VisionTransformer, images: Tensor) -> Tensor:
    return readout_row(vit, attention_maps(vit, images)[:, -1].mean(dim=1))


def _last_rollout(vit: VisionTransformer, images: Tensor) -> Tensor:
    return readout_row(vit, attention_rollout(attention_maps(vit, images))[:, -1])


def _relevance(vit: VisionTransformer, images: Tensor, classes: Tensor) -> Tensor:
    """One way back for each image, not one for each class."""
    relevance = torch.empty(len(images), GRID[0] * GRID[1])
    for number in classes.unique().tolist():
        rows = classes == number
        of_class = class_relevance(vit, images[rows], [number])[:, 0]
        relevance[rows] = relevance_shares(vit, of_class)
    return relevance


def measure_maps(
    model: nn.Module, split: Split, *, steps: int = 8, random_seed: int = 1, **about: Any
) -> MapTests:
    """All tests on all images of `split`, the network asked about the class that it says itself.

    A map that is the same everywhere has no order: such images are left out of `likeness`, and out of `on_object` if it
    is zero. `random_seed` is that of the random weights; `about` are the fields that say which network it is.
    """
    images = split.images
    whole = predict(model, images).softmax(dim=1)
    classes = whole.argmax(dim=1)
    blank = randomized(model, random_seed)
    maps, random = (network_maps(one, images, classes) for one in (model, blank))
    maps[NO_MODEL] = contrast(images)
    measured = deletions(model, images, classes, maps, steps)
    areas = {name: by_order["highest first"].area for name, by_order in measured.items()}
    heads, silenced = {}, None
    if is_vit := isinstance(model, VisionTransformer):
        heads = {"trained": head_maps(model, images), "random weights": head_maps(blank, images)}
        silenced = {
            output: silencing(model, images, whole, means)
            for output, means in (("zero", None), ("mean", mean_head_outputs(model, images)))
        }
    kind = (
        "CNN" if not is_vit else "class token" if model.class_token is not None else "mean readout"
    )
    return MapTests(
        kind=kind,
        images=len(split),
        hidden=_rounded(measured[NO_MODEL]["random"].hidden),
        curves={
            name: {order: _rounded(by_order[order].probability.mean(dim=0)) for order in ORDERS}
            for name, by_order in measured.items()
        },
        lead={
            name: _interval(by_order["random"].area - areas[name])
            for name, by_order in measured.items()
        },
        beyond={name: _interval(areas[NO_MODEL] - areas[name]) for name in random},
        likeness={name: _interval(rank_correlation(maps[name], random[name])) for name in random},
        silenced=silenced,
        **({} if split.masks is None else object_shares(maps, random, heads, split.masks)),
        **about,
    )


def deletions(
    model: nn.Module, images: Tensor, classes: Tensor, maps: dict[str, Tensor], steps: int
) -> dict[str, dict[str, DeletionCurve]]:
    """For each map the curve of each order; the random one does not depend on the map and is measured once."""

    def curve(scores: Tensor, order: str) -> DeletionCurve:
        return deletion_curve(
            model, images, classes, scores, order=order, steps=steps, patch_grid=GRID
        )

    chance = curve(maps[NO_MODEL], "random")
    return {
        name: {"random": chance} | {order: curve(scores, order) for order in ORDERS[:2]}
        for name, scores in maps.items()
    }


def silencing(
    vit: VisionTransformer, images: Tensor, whole: Tensor, means: Tensor | None
) -> list[list[float]]:
    """For each layer and head the mean change of the probability (B, C) `whole` of its own class without the head."""
    classes = whole.argmax(dim=1)
    without = silenced_probabilities(vit, images, means)
    picked = classes[:, None, None, None].expand(*without.shape[:3], 1)
    change = without.gather(3, picked)[..., 0] - whole.amax(dim=1)[:, None, None]
    return [_rounded(layer) for layer in change.mean(dim=0)]


def object_shares(
    maps: dict[str, Tensor], random: dict[str, Tensor], heads: dict[str, Tensor], masks: Tensor
) -> dict[str, Any]:
    """The fields of `MapTests` that need masks."""

    def excess(scores: Tensor) -> Tensor:
        share = share_on_object(scores, masks, GRID)
        return share.of_map - share.of_area

    kinds = dict(maps)
    kinds |= {f"{name} (moved)": scores.roll(1, 0) for name, scores in maps.items()}
    kinds |= {f"{name} (random)": scores for name, scores in random.items()}
    if heads:
        heads = {"trained": heads["trained"], "another image": heads["trained"].roll(1, 0)} | heads
    return {
        "object_area": float(masks.float().mean()),
        "on_object": {name: _interval(excess(scores)) for name, scores in kinds.items()},
        "heads": {
            name: [_rounded(layer) for layer in excess(scores).mean(dim=0)]
            for name, scores in heads.items()
        }
        or None,
    }


def _interval(values: Tensor) -> Interval:
    """The bootstrap interval of the values that are numbers; nan if fewer than two are."""
    numbers = values[values.isfinite()]
    if len(numbers) < 2:
        return Interval(*[float("nan")] * 3)
    return Interval(*_rounded(bootstrap_interval(numbers.numpy(), resamples=2_000)))


def _rounded(values: Tensor | tuple[float, ...]) -> list[float]:
    """Numbers with four decimals: more are noise."""
    return [round(float(value), 4) for value in values]


def load_map_tests(name: str, folder: Path = FOLDER) -> list[MapTests]:
    """The networks of the stored measurement called `name`, in the order in which they were measured.

    Raises FileNotFoundError naming what there is, ValueError for a file that is no measurement.
    """
    return load_named_json(name, folder, list[MapTests], "measurement", "Measure again.")


def measure_runs(name: str, runs: list[str], images: int, folder: Path = FOLDER) -> None:
    """Add the networks of the records `runs` to the measurement called `name`, but for those that it holds."""
    path = folder / f"{name}.json"
    rows = load_json_rows(path, MapTests, "measured networks")
    for run in runs:
        record = load_record(run)
        if (record.title, record.seed) in [(row.network, row.seed) for row in rows]:
            continue
        split = data_of(record).test.first(images)
        about = {"network": record.title, "seed": record.seed, "data": record.data["title"]}
        about["accuracy"] = record.test.accuracy
        rows.append(measure_maps(load_run(run), split, **about))
        save_json(rows, path)
        print(f"{name}: {record.title}, seed {record.seed}", flush=True)


def main() -> None:
    """Measure the networks of runs and store the result."""
    parser = argparse.ArgumentParser(prog="python -m dlvc.studies.maps", description=main.__doc__)
    parser.add_argument("name", help="of the file in figures/records/explanations/")
    parser.add_argument("runs", nargs="+", metavar="RECORD")
    parser.add_argument("--images", type=int, default=500, help="how many test images")
    options = parser.parse_args()
    measure_runs(options.name, options.runs, options.images)


if __name__ == "__main__":
    main()
