"""The tests of `explanation.py` for several kinds of maps at once, on many images: what notebook 03 shows.

The reference in figures/records/explanations/ was made from the weights of two runs by

    python -m dlvc.studies.maps NAME --vit runs/VIT.json --cnn runs/CNN.json --data cifar10
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlvc.data import Split, load_data, to_float
from dlvc.experiments import REFERENCE_RECORDS, load_record, load_run
from dlvc.files import load_named_json, save_json
from dlvc.inspection import (
    ORDERS,
    DeletionCurve,
    attention_maps,
    attention_rollout,
    class_relevance,
    deletion_curve,
    grad_cam,
    patch_grid,
    randomized,
    rank_correlation,
    readout_row,
    relevance_shares,
    share_on_object,
    to_patches,
)
from dlvc.models import VisionTransformer
from dlvc.statistics import Interval, bootstrap_interval
from dlvc.training import predict

FOLDER = REFERENCE_RECORDS / "explanations"
IMAGES_AT_ONCE = 100  # their weights take 40 MB in six layers of four heads
VIT_MAPS = ("attention", "rollout", "relevance")
CNN_MAP = "Grad-CAM"
NO_MODEL = "contrast"  # a map that no model has a part in


@dataclass(frozen=True, kw_only=True)
class MapTests:
    """What `measure_maps` measured. Intervals are (mean, low, high) over images, 95 %.

    curves: for each map and order, the mean probability at each share `hidden`. lead: for each map, how much smaller
    the area is when the highest patches go first than when random ones do (positive: the map finds what is needed).
    beyond: the same against the map without a model instead of random ones.
    likeness: for each map, its rank correlation with the same map of the model with random weights.
    on_object: for each map, its share on the object minus the object's share of the area, object_area; with the suffix
    " (random)" from random weights, " (moved)" from the map of another image. heads: the same for each layer and head
    of the ViT, by "trained" and "random", means only. All three are None where the data have no masks.
    """

    data: str
    images: int
    models: dict[str, str]
    hidden: list[float]
    curves: dict[str, dict[str, list[float]]]
    lead: dict[str, Interval]
    beyond: dict[str, Interval]
    likeness: dict[str, Interval]
    object_area: float | None = None
    on_object: dict[str, Interval] | None = None
    heads: dict[str, list[list[float]]] | None = None


def contrast(images: Tensor, grid: tuple[int, int]) -> Tensor:
    """The spread of the pixels of each patch (B, patches), a map that knows no model.

    The standard deviation of the pixels, mean over the three colours.
    """
    rows, columns = grid
    # (B, 3, rows, height, columns, width)
    patches = to_float(images).unflatten(3, (columns, -1)).unflatten(2, (rows, -1))
    return patches.std(dim=(3, 5)).mean(dim=1).flatten(1)


def vit_maps(vit: VisionTransformer, images: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """What the classifier reads of three maps (B, patches), and of each head: "heads" (B, L, H, patches).

    attention: the last layer's, mean over its heads. rollout: up to the last layer. relevance: for `classes` (B,).
    """
    maps: dict[str, list[Tensor]] = {"attention": [], "rollout": [], "heads": []}
    for batch in images.split(IMAGES_AT_ONCE):
        weights = attention_maps(vit, batch)
        maps["attention"].append(readout_row(vit, weights[:, -1].mean(dim=1)))
        maps["rollout"].append(readout_row(vit, attention_rollout(weights)[:, -1]))
        maps["heads"].append(readout_row(vit, weights))
    joined = {name: torch.cat(batches) for name, batches in maps.items()}
    relevance = torch.empty_like(joined["rollout"])
    for number in classes.unique().tolist():  # one way back for each image, not one for each class
        for rows in (classes == number).nonzero()[:, 0].split(IMAGES_AT_ONCE):
            of_class = class_relevance(vit, images[rows], [number])[:, 0]
            relevance[rows] = relevance_shares(vit, of_class)
    return joined | {"relevance": relevance}


def cnn_map(cnn: nn.Module, images: Tensor, classes: Tensor, grid: tuple[int, int]) -> Tensor:
    """Grad-CAM as one number a patch, (B, patches)."""
    batches = zip(images.split(IMAGES_AT_ONCE), classes.split(IMAGES_AT_ONCE), strict=True)
    return to_patches(torch.cat([grad_cam(cnn, *batch) for batch in batches]), grid)


def measure_maps(
    vit: VisionTransformer,
    cnn: nn.Module,
    split: Split,
    *,
    steps: int = 8,
    data: str = "",
    models: dict[str, str] | None = None,
    seed: int = 1,
) -> MapTests:
    """All tests on all images of `split`, each model asked about the class that it says itself.

    A map that is the same everywhere has no order: such images are left out of `likeness`, and out of `on_object` if it
    is zero. `seed` is that of the random weights.
    """
    grid, images = patch_grid(vit), split.images
    of_vit, of_cnn = (predict(model, images).argmax(dim=1) for model in (vit, cnn))
    maps = vit_maps(vit, images, of_vit)
    random = vit_maps(randomized(vit, seed), images, of_vit)
    heads = {"trained": maps.pop("heads"), "random": random.pop("heads")}
    maps[CNN_MAP] = cnn_map(cnn, images, of_cnn, grid)
    random[CNN_MAP] = cnn_map(randomized(cnn, seed), images, of_cnn, grid)
    maps[NO_MODEL] = contrast(images, grid)
    # The map without a model is tried on both models.
    vit_scores = {name: maps[name] for name in (*VIT_MAPS, NO_MODEL)}
    cnn_scores = {CNN_MAP: maps[CNN_MAP], f"{NO_MODEL} (CNN)": maps[NO_MODEL]}
    curves, lead, beyond, hidden = {}, {}, {}, []
    for model, classes, scores in ((vit, of_vit, vit_scores), (cnn, of_cnn, cnn_scores)):
        measured = deletions(model, images, classes, scores, steps, grid)
        areas = {name: by_order["highest first"].area for name, by_order in measured.items()}
        without = next(area for name, area in areas.items() if name.startswith(NO_MODEL))
        for name, by_order in measured.items():
            curves[name] = {
                order: _rounded(by_order[order].probability.mean(dim=0)) for order in ORDERS
            }
            lead[name] = _interval(by_order["random"].area - areas[name])
            if not name.startswith(NO_MODEL):
                beyond[name] = _interval(without - areas[name])
            hidden = _rounded(by_order["random"].hidden)
    return MapTests(
        data=data,
        images=len(split),
        models=models or {},
        hidden=hidden,
        curves=curves,
        lead=lead,
        beyond=beyond,
        likeness={name: _interval(rank_correlation(maps[name], random[name])) for name in random},
        **({} if split.masks is None else object_shares(maps, random, heads, split.masks, grid)),
    )


def deletions(
    model: nn.Module,
    images: Tensor,
    classes: Tensor,
    maps: dict[str, Tensor],
    steps: int,
    grid: tuple[int, int],
) -> dict[str, dict[str, DeletionCurve]]:
    """For each map the curve of each order; the random one does not depend on the map and is measured once."""

    def curve(scores: Tensor, order: str) -> DeletionCurve:
        return deletion_curve(
            model, images, classes, scores, order=order, steps=steps, patch_grid=grid
        )

    chance = curve(next(iter(maps.values())), "random")
    return {
        name: {"random": chance} | {order: curve(scores, order) for order in ORDERS[:2]}
        for name, scores in maps.items()
    }


def object_shares(
    maps: dict[str, Tensor],
    random: dict[str, Tensor],
    heads: dict[str, Tensor],
    masks: Tensor,
    grid: tuple[int, int],
) -> dict[str, Any]:
    """The fields of `MapTests` that need masks."""

    def excess(scores: Tensor) -> Tensor:
        share = share_on_object(scores, masks, grid)
        return share.of_map - share.of_area

    kinds = dict(maps)
    kinds |= {f"{name} (moved)": scores.roll(1, 0) for name, scores in maps.items()}
    kinds |= {f"{name} (random)": scores for name, scores in random.items()}
    return {
        "object_area": float(masks.float().mean()),
        "on_object": {name: _interval(excess(scores)) for name, scores in kinds.items()},
        "heads": {
            name: [_rounded(layer) for layer in excess(scores).mean(dim=0)]
            for name, scores in heads.items()
        },
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


def load_map_tests(name: str, folder: Path = FOLDER) -> MapTests:
    """The stored measurement called `name`.

    Raises FileNotFoundError naming what there is, ValueError for a file that is no measurement.
    """
    return load_named_json(name, folder, MapTests, "measurement", "Measure again.")


def main() -> None:
    """Measure two trained models of runs/ and store the result."""
    parser = argparse.ArgumentParser(prog="python -m dlvc.studies.maps", description=main.__doc__)
    parser.add_argument("name", help="of the file in figures/records/explanations/")
    parser.add_argument("--vit", required=True, help="the record of a vision transformer's run")
    parser.add_argument("--cnn", required=True, help="the record of a CNN's run")
    parser.add_argument("--data", choices=("cifar10", "sketch10"), required=True)
    parser.add_argument("--images", type=int, default=500, help="how many test images")
    options = parser.parse_args()
    data = load_data(options.data)
    models, names = {}, {}
    for which in ("vit", "cnn"):
        path = getattr(options, which)
        record = load_record(Path(path))
        if record.data["digest"] != data.digest:
            raise ValueError(f"{Path(path).name} was trained on other data than {data.title}.")
        work = f"{record.config['train_size']:,} images, {record.config['epochs']} epochs"
        names[which] = f"{record.title}, {work}, test accuracy {record.test.accuracy:.3f}"
        models[which] = load_run(path)
    split = data.test.first(options.images)
    tests = measure_maps(models["vit"], models["cnn"], split, data=data.title, models=names)
    print(save_json(tests, FOLDER / f"{options.name}.json").name)


if __name__ == "__main__":
    main()
