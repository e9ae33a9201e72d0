"""How large is the gradient of a deep network's first layer before training, and what makes it vanish or explode?

    python -m dlvc.studies.initialisation

writes figures/records/studies/initialisation.json, in less than a minute.

A layer adds up n products of a weight and an input, so it multiplies the mean square of its input by n Var(w), and the
ReLU behind it halves that. On the way back the same happens to the gradient. torch draws weights with a variance of
1 / (3 n): a sixth of the mean square is left after each layer, and after 32 layers next to nothing. He initialisation
draws them with 2 / n: all of it is left.
Source: He et al. 2015, "Delving deep into rectifiers", section 2.2, arXiv:1502.01852.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dlvc.data import ImageData, load_data
from dlvc.experiments import REFERENCE_RECORDS
from dlvc.files import save_json
from dlvc.inspection import gradient_by_layer
from dlvc.plots import Picture, measured_lines

STORED = REFERENCE_RECORDS / "studies" / "initialisation.json"
DEPTHS = (2, 4, 8, 16, 32)
IMAGES = 16
STACKS = {
    "plain": {},
    "plain, He initialisation": {"he": True},
    "batch norm": {"batch_norm": True},
    "residual": {"residual": True},
    "batch norm and residual": {"batch_norm": True, "residual": True},
}


class ConvolutionStack(nn.Module):
    """Logits (B, 10) from a first convolution and `depth` more with ReLU, all of one width: the plainest deep network.

    For looking at depth alone, never trained: with `batch_norm` before each ReLU, with `residual` connections around
    each convolution, or neither. Weights are torch's, or with `he` normal with
    a variance of 2 over the number of inputs, and biases 0.
    """

    def __init__(
        self,
        depth: int,
        *,
        width: int = 16,
        batch_norm: bool = False,
        residual: bool = False,
        he: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, bias=not batch_norm),
                *([nn.BatchNorm2d(width)] if batch_norm else []),
                nn.ReLU(),
            )
            for _ in range(depth)
        )
        self.head = nn.Linear(width, 10)
        for layer in self.modules():
            if he and isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        values = self.stem(2 * images - 1)  # (B, width, H, W)
        for layer in self.layers:
            values = values + layer(values) if self.residual else layer(values)
        return self.head(values.mean(dim=(2, 3)))


@dataclass(frozen=True)
class FirstGradients:
    """The gradient of the first convolution (root mean square) of stacks of each of `depths`, before training."""

    label: str
    seed: int
    data: str
    depths: list[int]
    gradients: list[float]


def first_gradients(
    data: ImageData, *, seeds: int = 5, depths: Sequence[int] = DEPTHS
) -> list[FirstGradients]:
    """The gradients on the first training images, for each of `STACKS` and each seed; takes some seconds."""
    images, labels = data.train.images[:IMAGES], data.train.labels[:IMAGES]
    rows = []
    for label, parts in STACKS.items():
        for seed in range(seeds):
            gradients = []
            for depth in depths:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed)
                    stack = ConvolutionStack(depth, **parts)
                first = gradient_by_layer(stack, images, labels)[0]
                gradients.append(float(f"{first.size:.4g}"))
            rows.append(FirstGradients(label, seed, data.title, list(depths), gradients))
    return rows


def gradients_by_label(rows: Sequence[FirstGradients]) -> dict[str, np.ndarray]:
    """The gradients of each kind of stack, (seeds, depths)."""
    labels = dict.fromkeys(row.label for row in rows)
    return {
        label: np.array([row.gradients for row in rows if row.label == label]) for label in labels
    }


def initialisation_table(rows: Sequence[FirstGradients]) -> pd.DataFrame:
    """A row for each kind of stack: the mean gradient at each depth, and from where to where it goes at the largest."""
    table = {
        label: {
            **{
                f"{depth} layers": f"{mean:.1e}"
                for depth, mean in zip(rows[0].depths, gradients.mean(axis=0), strict=True)
            },
            f"{rows[0].depths[-1]} layers, by seed": f"{gradients[:, -1].min():.1e} to {gradients[:, -1].max():.1e}",
        }
        for label, gradients in gradients_by_label(rows).items()
    }
    return pd.DataFrame(table).T


def initialisation_figure(rows: Sequence[FirstGradients]) -> Picture:
    """The gradient of the first layer over depth, a line for each kind of stack."""
    return measured_lines(
        {"": gradients_by_label(rows)},
        rows[0].depths,
        place_label="convolutions",
        value_label="gradient of the first layer",
        log="xy",
        title="What arrives at the first layer, before training",
        says="The first layer's gradient (root mean square) falls steeply with depth in a plain stack with torch's "
        "initial weights and stays about level with He initialisation; with residual connections alone it grows. "
        "Lines are means over seeds, bands go from the lowest to the highest.",
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure the gradients and store them."""
    parser = argparse.ArgumentParser(
        prog="python -m dlvc.studies.initialisation", description=main.__doc__
    )
    parser.add_argument("--data", choices=("cifar10", "sketch10"), default="cifar10")
    rows = first_gradients(load_data(parser.parse_args(arguments).data))
    save_json(rows, STORED)
    print(initialisation_table(rows).to_string())


if __name__ == "__main__":
    main()
