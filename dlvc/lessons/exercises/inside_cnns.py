"""How the answers to the exercises of notebook 02b are judged; each judge has the name of its exercise."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dlvc.arguments import brief
from dlvc.experiments import outline_model
from dlvc.inspection import gradient_by_layer
from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.answers import Judge, call, read_number
from dlvc.lessons.exercises.judges import random_numbers
from dlvc.studies import ConvolutionStack

# Initial weights.

DEPTH = 32
IMAGES, LABELS = random_numbers(16, 3, 16, 16), torch.arange(16) % 10
LEAST, MOST = 1e-5, 1.0  # of the first gradient; He's initialisation has about 0.003
# Variance of a weight times the number of inputs, and what gives that instead of 2.
VARIANCES = {
    1.0: "these weights have variance 1 / n. ReLU sets half of the values to 0: take twice that.",
    1 / 3: "these are the weights that torch chose: give each layer new ones, in place.",
    18.0: "a filter of k x k on C channels sums up k * k * C products, not C.",
    4 / 144: "2 / n is the variance, and what torch.randn is multiplied by is its square root.",
    288.0: "these weights have variance 2, whatever the number of inputs: divide.",
    144.0: "these weights have variance 1, whatever the number of inputs: the values explode.",
}


def initialise(answer: Any) -> str | None:
    """Judge initial weights by the gradient that they let through, then look at them for the reason."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stack = call(answer, ConvolutionStack(DEPTH))
    if not isinstance(stack, nn.Module):
        return f"return the stack itself; it returned {brief(stack)}."
    layers = [layer for layer in stack.modules() if isinstance(layer, nn.Conv2d)]
    weight = layers[len(layers) // 2].weight.detach()
    if torch.equal(weight[0], weight[1]):
        return "all filters of a layer are alike, and would learn the same: take random numbers."
    gradient = gradient_by_layer(stack, IMAGES, LABELS)[0].size
    if LEAST < gradient < MOST:
        loud = [layer for layer in layers if layer.bias is not None and layer.bias.any()]
        return "set the biases to 0." if loud else None
    variance = weight.var().item() * weight[0].numel()
    for known, reason in VARIANCES.items():
        if abs(variance / known - 1) < 0.2:
            return reason
    return f"a gradient of {gradient:.1e} reaches the first layer; between {LEAST:g} and {MOST:g} is asked for."


# When to stop.


def _stop(losses: list[float], patience: int, *, previous: bool = False) -> tuple[int, int]:
    """Early stopping; `previous` compares with the epoch before instead of the best one."""
    best = waited = epoch = 0
    for epoch, loss in enumerate(losses):
        better = loss < losses[epoch - 1 if previous else best] or epoch == 0
        waited = 0 if better else waited + 1
        best = epoch if better else best
        if waited >= patience:
            break
    return epoch + 1, best + 1


def _shifted(losses: list[float], patience: int, stop: int, best: int) -> tuple[int, int]:
    right = _stop(losses, patience)
    return right[0] + stop, right[1] + best


stop_epoch = judges.function(
    _stop,
    {
        "you count epochs from 0; the first epoch is 1.": lambda *given: _shifted(*given, -1, -1),
        "compare with the best loss so far, not with that of the epoch before.": (
            lambda *given: _stop(*given, previous=True)
        ),
        "you keep the last epoch: keep the best one.": lambda *given: (_stop(*given)[0],) * 2,
        "you wait one epoch too long.": lambda losses, patience: _stop(losses, patience + 1),
        "you stop one epoch too early.": lambda losses, patience: _stop(losses, patience - 1),
        "the best epoch after the end is not known yet: look at the epochs before it only.": (
            lambda losses, patience: (
                _stop(losses, patience)[0],
                losses.index(min(losses)) + 1,
            )
        ),
        "first the epoch that ends the training, then the one that is kept.": (
            lambda *given: _stop(*given)[::-1]
        ),
    },
    [
        ([3.0, 2.0, 2.5, 2.2, 1.0], 2),
        ([2.0, 1.5, 1.6, 1.55, 1.52, 1.4, 1.3], 3),
        ([2.0, 1.8, 1.9, 1.7, 1.75, 1.6, 1.65], 2),
        ([2.0, 1.0, 1.5, 1.4, 1.3, 1.2], 2),
        ([5.0, 4.0, 3.0], 1),
    ],
)

# A fair comparison of depth.

REPORTED = 289_322  # parameters of the report's deep CNN
NEAR = 0.05


def _judge_width(blocks: int) -> Judge:
    def judge(answer: Any) -> str | None:
        width = read_number(answer)
        if width != int(width) or not 1 <= width <= 128:
            return f"a width is a whole number of filters from 1 to 128; this is {width:g}."
        outline = outline_model("deep-cnn", {"depth": blocks, "width": int(width)})
        count = sum(value.numel() for value in outline.parameters())
        share = count / REPORTED - 1
        if abs(share) <= NEAR:
            return None
        return f"width {width:g} gives {count:,} parameters, {abs(share):.0%} too {'many' if share > 0 else 'few'}."

    return judge


fair_depth = judges.parts({f"{blocks} blocks": _judge_width(blocks) for blocks in (2, 4)})

# What a network looks at.


def _occluded(image: Tensor, *, fill: float = 0.5, keep: bool = False, channels: int = 3) -> Tensor:
    """64 copies of an image, in each a square filled; with `keep` all squares before it, too."""
    covered = image.repeat(64, 1, 1, 1)
    for square in range(64):
        row, column = 4 * (square // 8), 4 * (square % 8)
        copies = slice(square, None if keep else square + 1)
        covered[copies, :channels, row : row + 4, column : column + 4] = fill
    return covered


@torch.no_grad()
def _occlusion(
    model: nn.Module, image: Tensor, label: int, *, logits: bool = False, **how: Any
) -> Tensor:
    scores = model(torch.cat([image[None], _occluded(image, **how)]))
    scores = scores if logits else scores.softmax(dim=1)
    return (scores[0, label] - scores[1:, label]).view(8, 8)


def _small_network() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 28 * 28, 10))
    with torch.no_grad():
        for seed, weights in enumerate(network.parameters()):
            weights.copy_(0.5 * (random_numbers(*weights.shape, seed=seed) - 0.5))
    return network.eval()


occlusion_map = judges.function(
    _occlusion,
    {
        "what is needed gets negative numbers: take the probability before minus after.": (
            lambda *given: -_occlusion(*given)
        ),
        "these are differences of logits: softmax first.": (
            lambda *given: _occlusion(*given, logits=True)
        ),
        "cover with grey, 0.5: black is darker than most images.": (
            lambda *given: _occlusion(*given, fill=0.0)
        ),
        "rows and columns are exchanged.": lambda *given: _occlusion(*given).T,
        "uncover a square before the next one: work on copies.": (
            lambda *given: _occlusion(*given, keep=True)
        ),
        "cover all three channels.": lambda *given: _occlusion(*given, channels=1),
    },
    [(_small_network(), random_numbers(3, 32, 32, seed=seed), seed) for seed in (1, 2)],
)
