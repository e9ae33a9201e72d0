"""Why the deep ViT without residual connections fails by the report's recipe, and which change makes it learn.

The runs are those of the study "deep-vit" in `trainings.py`; here is what is measured in them, their table and figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dlvc.config import TrainConfig
from dlvc.data import ImageData, Split
from dlvc.experiments import mean_and_spread
from dlvc.inspection import (
    evaluation_mode,
    gradient_by_layer,
    token_similarity,
    tokens_by_block,
)
from dlvc.models import VisionTransformer
from dlvc.plots import Picture, measured_lines
from dlvc.training import train

WATCHED_IMAGES = 64  # the first of the training split
LEARNED = 0.15  # validation accuracy; who guesses 2,000 images has 0.1, and hardly ever 0.13


@dataclass(frozen=True)
class WatchedStep:
    """What a ViT was like after `step` steps, on images that stay the same, without dropout and augmentation.

    gradient: the norm of the cross-entropy's gradient with respect to the weights of all layers; first_block and
    last_block: of those of one block. similarity: of the tokens of one image (mean cosine), before the first block and
    after each; image_similarity: the same for the images' mean tokens after the last block.
    """

    step: int
    gradient: float
    first_block: float
    last_block: float
    similarity: list[float]
    image_similarity: float


@dataclass(frozen=True)
class WatchedRun:
    """A training and how the model changed in its first steps.

    Curves have one value an epoch; those of training images were taken during the epoch, with dropout and augmentation.
    """

    label: str
    seed: int
    settings: dict[str, Any]
    data: str
    train_loss: list[float]
    train_accuracy: list[float]
    validation_loss: list[float]
    validation_accuracy: list[float]
    watched: list[WatchedStep]

    @property
    def accuracy(self) -> float:
        """Validation accuracy after the last epoch."""
        return self.validation_accuracy[-1]


def watched_step(model: VisionTransformer, images: Split, step: int) -> WatchedStep:
    """What `model` is like now, four digits of it; the model stays as it is, and no random numbers are drawn."""
    with evaluation_mode(model):
        gradients = gradient_by_layer(model, images.images, images.labels)
    layers = dict(model.named_modules())

    def norm(of: str) -> float:
        squares = [
            layers[gradient.layer].weight.numel() * gradient.size**2
            for gradient in gradients
            if gradient.layer.startswith(of)
        ]
        return float(f"{math.sqrt(sum(squares)):.4g}")

    tokens = tokens_by_block(model, images.images)  # (B, N, D) each
    summaries = tokens[-1].mean(dim=1)  # (B, D)
    return WatchedStep(
        step,
        gradient=norm(""),
        first_block=norm("blocks.0."),
        last_block=norm(f"blocks.{len(model.blocks) - 1}."),
        similarity=[round(token_similarity(block).mean().item(), 4) for block in tokens],
        image_similarity=round(token_similarity(summaries).item(), 4),
    )


def watched_run(
    model: VisionTransformer,
    data: ImageData,
    config: TrainConfig,
    steps: Sequence[int],
    **about: Any,
) -> WatchedRun:
    """Train `model`, watched at `steps`; 0 is before the first. `about` are the other fields of the run."""
    images = data.train.first(WATCHED_IMAGES)
    watched: list[WatchedStep] = []

    def look(epoch: int, done: int, all_steps: int) -> None:
        step = (epoch - 1) * all_steps + done
        if step in steps:
            watched.append(watched_step(model, images, step))

    look(1, 0, 0)
    result = train(model, data, config, on_step=look, progress=False)
    if result.interrupted:
        raise KeyboardInterrupt  # shorter than it says: no run of the study
    curves = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    numbers = {name: [round(getattr(epoch, name), 4) for epoch in result.epochs] for name in curves}
    return WatchedRun(**about, data=data.title, **numbers, watched=watched)


def runs_by_label(runs: Sequence[WatchedRun]) -> dict[str, list[WatchedRun]]:
    """The runs of each variant, in the order in which the variants come."""
    return {
        label: [run for run in runs if run.label == label]
        for label in dict.fromkeys(run.label for run in runs)
    }


def deep_vit_table(runs: Sequence[WatchedRun]) -> pd.DataFrame:
    """A row for each change: the accuracy at the end, how many runs learned, and what the last watched step showed."""
    rows = {}
    for label, seeds in runs_by_label(runs).items():
        last = [run.watched[-1] for run in seeds]
        rows[label] = {
            "val. ACC": mean_and_spread([run.accuracy for run in seeds]),
            "learned": f"{sum(run.accuracy > LEARNED for run in seeds)} of {len(seeds)}",
            "images alike": mean_and_spread([step.image_similarity for step in last]),
            "tokens alike": mean_and_spread([step.similarity[-1] for step in last]),
            **{
                f"gradient, {block} block": f"{np.mean([getattr(step, name) for step in last]):.0e}"
                for block, name in (("first", "first_block"), ("last", "last_block"))
            },
        }
    table = pd.DataFrame(rows).T
    table.index.name = f"after {runs[0].watched[-1].step} steps"
    return table


TELLING = (
    "report's recipe",
    "warm-up",
    "learning rate 0.0003",
    "identity attention",
    "residual connections",
)
# What is drawn of each watched step, with its logarithmic axes; 0 and the first steps need one for the steps.
MEASURES = {
    "gradient norm, first block": ("xy", lambda step: step.first_block),
    "similarity of images": ("x", lambda step: step.image_similarity),
    "similarity of an image's tokens": ("x", lambda step: step.similarity[-1]),
}


def deep_vit_figure(runs: Sequence[WatchedRun], labels: Sequence[str] = TELLING) -> Picture:
    """Gradient of the first block and similarity of images and tokens in the first steps, for these variants."""
    chosen = {label: seeds for label, seeds in runs_by_label(runs).items() if label in labels}
    return measured_lines(
        {
            panel: {
                label: [[measure(step) for step in run.watched] for run in seeds]
                for label, seeds in chosen.items()
            }
            for panel, (_, measure) in MEASURES.items()
        },
        [step.step for step in runs[0].watched],
        place_label="step",
        value_label="",
        log={panel: axes for panel, (axes, _) in MEASURES.items()},
        title="The deep ViT in its first steps",
        says="The gradient norm of the first block's weights, and how alike images and the tokens of one image are "
        f"after the last block (mean cosine; 1 is all alike), over the first {runs[0].watched[-1].step} steps. Lines "
        "are means over seeds, bands go from the lowest to the highest.",
    )
