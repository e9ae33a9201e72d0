"""A network, drawn from pixels to logits.

All shapes and numbers are read off the model in a forward pass on torch's device "meta", which computes shapes only:
a changed model changes its drawing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isqrt, prod

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import nn

from dlvc.arguments import check_kind
from dlvc.data import Factors, draw_sketches
from dlvc.experiments import EXPERIMENTS, outline_model
from dlvc.plots.parts import (
    FROZEN,
    LEARNED,
    LINE,
    OPERATION,
    PIXEL,
    SMALL,
    TENSOR,
    Look,
    draw_arrow,
    draw_box,
    draw_key,
    draw_tensor,
    new_drawing,
    tensor_size,
    text_width,
    write,
)
from dlvc.plots.style import MUTED, Picture, styled

Shape = tuple[int, ...]
IMAGE_SHAPE = (3, 32, 32)
# The words for a layer, by its class; what is not listed is called by the name of its class.
WORDS = {
    "AdaptiveAvgPool2d": "mean over\npositions",
    "BasicBlock": "residual\nblock",
    "BatchNorm2d": "batch norm",
    "Dropout": "dropout",
    "EncoderBlock": "encoder\nblock",
    "Flatten": "flatten",
    "LayerNorm": "layer norm",
    "Linear": "linear",
    "Normalize": "normalise",
    "SelfAttention": "attention",
}
SUMS = {"EncoderBlock": (2, 6), "BasicBlock": (5,)}  # after which operations the input is added


@dataclass(frozen=True)
class Operation:
    """What is done to a tensor, how often in a row, and with how many parameters."""

    name: str
    parameters: int = 0
    learns: bool = True
    times: int = 1

    @property
    def words(self) -> str:
        """What stands in its box."""
        often = f"{self.times} × " if self.times > 1 else ""
        return often + self.name + (f"\n{self.parameters:,}" if self.parameters else "")

    @property
    def look(self) -> Look:
        return OPERATION if not self.parameters else LEARNED if self.learns else FROZEN

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of its box in inches."""
        return text_width(self.words) + 0.14, LINE * (1 + self.words.count("\n")) + 0.07


SUM = Operation("+")


@dataclass
class Step:
    """A tensor, (H, W, C), (N, D) or (D,), and the operations that made it from the one before."""

    shape: Shape
    operations: list[Operation]

    def __str__(self) -> str:
        return "×".join(map(str, self.shape))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the boxes of its operations in inches."""
        widths, heights = zip(*(operation.size for operation in self.operations), strict=True)
        return max(widths), sum(heights) + 0.03 * len(heights)


def outline(network: str | nn.Module) -> nn.Module:
    """The experiment's model, or a copy of `network`, with shapes and no numbers."""
    if isinstance(network, str):
        return outline_model(network).eval()
    check_kind("network", network, nn.Module, "Give the key of an experiment, or a model.")
    return copy.deepcopy(network).to("meta").eval()


def layers_of(module: nn.Module) -> Iterator[nn.Module]:
    """The parts of a module that are drawn as one operation each."""
    for part in module.children():
        if type(part).__name__ in WORDS or not any(part.children()):
            yield part
        else:
            yield from layers_of(part)


def forward_pass(
    module: nn.Module, shape: Shape = IMAGE_SHAPE
) -> list[tuple[nn.Module, Shape, Shape]]:
    """The layers that an input of `shape` passes in turn, each with the shapes of its input and its output."""
    passed = []

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        passed.append((layer, tuple(inputs[0].shape[1:]), tuple(output.shape[1:])))

    hooks = [layer.register_forward_hook(note) for layer in layers_of(module)]
    with torch.no_grad():
        module(torch.zeros(1, *shape, device="meta"))
    for hook in hooks:
        hook.remove()
    return passed


def window_of(layer: nn.Module) -> list[int]:
    """Kernel size, stride and padding of a convolution or a pooling, along a row of the image."""
    sizes = (layer.kernel_size, layer.stride, layer.padding)
    return [size if isinstance(size, int) else size[-1] for size in sizes]


def operation_of(layer: nn.Module) -> Operation:
    """A layer in words, with its parameters."""
    name = WORDS.get(type(layer).__name__, type(layer).__name__)
    if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
        kernel, stride, _ = window_of(layer)
        convolves = isinstance(layer, nn.Conv2d)
        name = f"conv {kernel}×{kernel}" if convolves else f"max-pool {kernel}"
        name += f"\nstride {stride}" if stride != (1 if convolves else kernel) else ""
    parameters = list(layer.parameters())
    learns = any(parameter.requires_grad for parameter in parameters)
    return Operation(name, sum(parameter.numel() for parameter in parameters), learns)


def network_steps(network: str | nn.Module) -> list[Step]:
    """The tensors from the image to the logits, with the operations between them."""
    model = outline(network)
    own = {name: values.numel() for name, values in model.named_parameters(recurse=False)}
    steps = [Step(_drawn(IMAGE_SHAPE), [])]
    waiting: list[Operation] = []  # what is done to the image before its shape changes

    def add(operation: Operation, shape: Shape, *, is_block: bool = False) -> None:
        done = steps[-1].operations
        if done and done[-1].name == operation.name and shape == steps[-1].shape:
            parameters = done[-1].parameters + operation.parameters
            done[-1] = replace(done[-1], parameters=parameters, times=done[-1].times + 1)
        elif shape != steps[-1].shape or is_block:
            steps.append(Step(shape, [*waiting, operation]))
            waiting.clear()
        else:
            (done if len(steps) > 1 else waiting).append(operation)

    for layer, *shapes in forward_pass(model):
        before, after = map(_drawn, shapes)
        name = type(layer).__name__
        if name == "EncoderBlock" and steps[-1].operations[-1].name != WORDS[name]:
            add(Operation("+ positions", own.get("positions", 0)), steps[-1].shape)
        if before != steps[-1].shape:  # by something that is no layer
            add(_reshaping(steps[-1].shape, before, own.get("class_token", 0)), before)
        if name != "Identity":
            add(operation_of(layer), after, is_block=name in SUMS)
    return steps


def _drawn(shape: Shape) -> Shape:
    """A shape as it is drawn: the channels of an image last."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def _reshaping(before: Shape, after: Shape, class_token: int) -> Operation:
    """What a model does between its layers to get from one shape to another."""
    if prod(before) == prod(after):
        side = isqrt(after[-1] // before[-1])
        cut = len(after) == 2 and after[-1] != before[-1]
        return Operation(f"cut into {side}×{side}\npatches" if cut else "flatten")
    if len(before) == 2 and len(after) == 1:
        return Operation("take the\nclass token" if class_token else "mean of\ntokens")
    if class_token:
        return Operation("class token", class_token)
    return Operation("resize" if len(after) == 3 else "…")


def first_block(network: str | nn.Module) -> tuple[nn.Module, Shape, list[Operation]] | None:
    """The first block that adds its input, or could; the shape of that; and its operations, `SUM` for an addition."""
    for block, shape, _ in forward_pass(outline(network)):
        if type(block).__name__ in SUMS:
            operations = [operation_of(layer) for layer, *_ in forward_pass(block, shape)]
            for place in reversed(SUMS[type(block).__name__]):
                operations.insert(place, SUM)
            return block, shape, operations
    return None


@styled
def network_drawing(network: str | nn.Module) -> Picture:
    """A network from pixels to logits: each tensor with its shape, each operation with its parameters.

    `network` is the key of an experiment, or a model of one's own for images of 32 x 32 pixels.
    """
    model = outline(network)
    (image, *steps), block = network_steps(model), first_block(model)
    name = EXPERIMENTS[network].title if isinstance(network, str) else type(network).__name__
    total = sum(parameter.numel() for parameter in model.parameters())
    lane = max(step.size[1] for step in steps)  # what is done stands above what it makes
    tallest = max(PIXEL * 32, *(tensor_size(step.shape)[1] for step in steps))
    middle = lane + 0.1 + tallest / 2
    height = middle + tallest / 2 + (1.95 if block else 0.75)
    inside = chain_places(0.7, block[2])[-1][1] + 1 if block else 0
    places = _places([image, *steps], inside)
    picture, axes = new_drawing(
        places[-1][1] + 0.15,
        height,
        title=f"{name}: from pixels to logits",
        says=f"{name}, {total:,} parameters: the tensors with their shapes, and between them the operations, each with "
        "the number of its parameters.",
    )
    _draw_image(axes, middle, steps[0].shape)
    for step, (_, start), (end, _) in zip(steps, places, places[1:], strict=False):
        x, y, half = (start + end) / 2, lane, step.size[0] / 2
        axes.plot([x, x], [lane, middle], color=MUTED, linewidth=0.8, linestyle=":")
        for operation in reversed(step.operations):
            high, look = operation.size[1], operation.look
            draw_box(axes, (x - half, x + half), y - high / 2, high, look, operation.words)
            y -= high + 0.03
        draw_arrow(axes, (start + 0.04, middle), (end - 0.03, middle))
        draw_tensor(axes, end, middle, step.shape)
    labels = [f"{image}\nimage", *map(str, steps[:-1]), f"{steps[-1]}\nlogits"]
    for label, ends in zip(labels, places, strict=True):
        y = middle + tallest / 2 + 0.1
        write(axes, sum(ends) / 2, y, label, fontsize=SMALL, va="top")
    if block:
        layer, shape, chain = block
        residual, y = getattr(layer, "residual", True), height - 0.6
        kind = operation_of(layer).name.replace("\n", " ")
        without = "" if residual else ", without residual paths"
        write(axes, 0, y - 0.6, f"inside one {kind}{without}:", ha="left")
        ends = [str(Step(_drawn(shape), []))] * 2
        draw_chain(axes, 0.7, y, chain, residual=residual, ends=ends)
    looks = {operation.look for step in steps for operation in step.operations}
    draw_key(axes, height - 0.08, {TENSOR, *looks})
    turns = [f"{', '.join(o.words for o in step.operations)}: {step}" for step in steps]
    picture.description += f" In turn: image: {image}; {'; '.join(turns)}.".replace("\n", " ")
    return picture


def _places(steps: Sequence[Step], least: float) -> list[tuple[float, float]]:
    """The left and the right end of each tensor: as near as words allow, or further apart to fill the width `least`."""
    places, box = [(0.0, PIXEL * 32)], 0.0  # the right end of the boxes before
    for before, step in pairwise(steps):
        right, size = places[-1][1], tensor_size(step.shape)[0]
        labels = (text_width(str(before)) + text_width(str(step))) / 2 + 0.12
        touching = sum(places[-1]) / 2 + labels - right - size / 2
        gap = max(0.34, 2 * (box + 0.06 + step.size[0] / 2 - right), touching)
        box = right + gap / 2 + step.size[0] / 2
        places.append((right + gap, right + gap + size))
    more = max(0.0, least - places[-1][1] - 0.15) / (len(steps) - 1)
    return [(left + more * i, right + more * i) for i, (left, right) in enumerate(places)]


def _draw_image(axes: Axes, middle: float, next_shape: Shape) -> None:
    """Draw the input, with the borders of its patches if they become tokens."""
    side, top = PIXEL * 32, middle - PIXEL * 16
    plain = Factors(noise=(0, 0), clutter=(0, 0), occluded=0)  # few colours: a third of the bytes
    image = draw_sketches(1, factors=plain).images[0].permute(1, 2, 0).numpy()
    axes.imshow(image, extent=(0, side, top + side, top), zorder=2)
    if len(next_shape) == 2:
        borders = np.linspace(0, side, isqrt(next_shape[0]) + 1)[1:-1]
        look = {"color": "white", "linewidth": 0.8, "antialiased": False, "zorder": 3}
        axes.hlines(top + borders, 0, side, **look)
        axes.vlines(borders, top, top + side, **look)


def chain_places(x: float, operations: Sequence[Operation]) -> list[tuple[float, float]]:
    """The left and the right end of each operation of a chain that starts at x."""
    places = []
    for before, operation in zip((SUM, *operations), operations, strict=False):
        x += 0.32 if before == SUM else 0.2  # room for the way that turns off
        places.append((x, x + operation.size[0]))
        x = places[-1][1]
    return places


def draw_chain(
    axes: Axes,
    x: float,
    y: float,
    operations: Sequence[Operation],
    *,
    residual: bool,
    ends: Sequence[str],
    rise: float = 0.4,
) -> None:
    """Draw operations from left to right; without `residual`, the sums are left out."""
    write(axes, x - 0.06, y, ends[0], ha="right")
    start = turn = x
    for operation, (left, right) in zip(operations, chain_places(x, operations), strict=True):
        if operation == SUM:
            if residual:
                middle = (left + right) / 2
                corners = [(turn + 0.12, y - rise), (middle, y - rise)]
                way = [(turn + 0.12, y), *corners, (middle, y - 0.12)]
                draw_arrow(axes, *way, color=TENSOR.edge)
            turn = right
        if operation != SUM or residual:
            draw_arrow(axes, (start, y), (left, y))
            draw_box(axes, (left, right), y, operation.size[1], operation.look, operation.words)
            start = right
    draw_arrow(axes, (start, y), (right + 0.3, y))
    write(axes, right + 0.36, y, ends[1], ha="left")
