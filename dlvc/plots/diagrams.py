"""Drawings of an idea: residual paths, attention, transfer, the three splits.

What they say in numbers is read off the models and settings of the registry.
"""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from dlvc.experiments import TrainConfig, outline_model
from dlvc.plots.networks import (
    SUM,
    chain_places,
    draw_chain,
    first_block,
)
from dlvc.plots.parts import (
    FORBIDDEN,
    FROZEN,
    GRADIENT,
    LEARNED,
    MIDDLE,
    OPERATION,
    PLAIN,
    SMALL,
    TENSOR,
    draw_arrow,
    draw_box,
    draw_key,
    new_drawing,
    write,
)
from dlvc.plots.style import BLUE, INK, MUTED, Picture, styled

TINTS = LinearSegmentedColormap.from_list("tensor", ("#F7FBFE", "#9CC8EA", BLUE))
# Of each: its name, what is added to the input x, what follows, and the first and the last operation of each F.
RESIDUAL_BLOCKS = {
    "resnet18": ("Residual block of ResNet18", "F(x)", ",\\; y = \\mathrm{ReLU}(z)", [(0, 4)]),
    "deep-vit-residual": ("Encoder block of the ViT", "F(\\mathrm{LN}(x))", "", [(1, 1), (4, 6)]),
}
ON_LINE = {"color": GRADIENT, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}


@styled
def residual_drawing() -> Picture:
    """A block of ResNet18 and one of the ViT, each without and with residual paths, and the gradient's way back."""
    picture, axes = new_drawing(
        9.4,
        6.1,
        title="A block without and with residual paths",
        says="With a residual path (blue) the input is added to what the layers F make of it. The gradient (purple, "
        "from right to left) then has a path on which no layer changes it: × 1.",
    )
    for half, (key, (name, change, after, parts)) in enumerate(RESIDUAL_BLOCKS.items()):
        *_, operations = first_block(key)
        places, top = chain_places(1.0, operations), 0.1 + 2.9 * half
        write(axes, 0, top, name, ha="left", fontweight="bold", fontsize=10.5)
        write(axes, 7.7, top, "in each half" if len(parts) > 1 else "", ha="left", color=MUTED)
        for residual in (False, True):
            y = top + 0.55 + 1.32 * residual
            write(axes, 0, y, "with" if residual else "without", ha="left")
            draw_chain(axes, 1.0, y, operations, residual=residual, ends=("$x$", "$y$"), rise=0.48)
            back = [(places[-1][1] + 0.3, y + 0.46), (1.0, y + 0.46)]
            draw_arrow(axes, *back, color=GRADIENT, dashed=True)
            for first, last in parts:
                left, right = places[first][0] - 0.06, places[last][1] + 0.06
                frame = {"fill": False, "edgecolor": MUTED, "linestyle": ":"}
                axes.add_patch(Rectangle((left, y - 0.25), right - left, 0.5, **frame))
                write(axes, (left + right) / 2, y - 0.36, "$F$")
                slope = f"$\\times\\,\\partial {change} / \\partial x$"
                write(axes, (left + right) / 2, y + 0.46, slope, **ON_LINE)
            turn = 1.12
            for operation, ends in zip(operations, places, strict=True):
                if operation == SUM and residual:
                    end = sum(ends) / 2
                    draw_arrow(axes, (end, y - 0.6), (turn, y - 0.6), color=GRADIENT)
                    write(axes, (end + turn) / 2, y - 0.6, "$\\times\\,1$", **ON_LINE)
                    turn = ends[1] + 0.12
            x, one = ("x + ", "1 + ") if residual else ("", "")
            write(axes, 7.7, y - 0.15, f"$z = {x}{change}{after}$", ha="left", fontsize=10.5)
            slope = f"$\\partial z / \\partial x = {one}\\partial {change} / \\partial x$"
            write(axes, 7.7, y + 0.15, slope, ha="left", fontsize=10.5, color=GRADIENT)
    draw_key(axes, 6.02, (OPERATION, LEARNED))
    return picture


@styled
def attention_drawing() -> Picture:
    """One attention head of the ViT, from tokens to new tokens, with the shapes of the registry's model."""
    model = outline_model("deep-vit-residual")
    attention = model.blocks[0].attention
    (count, width), heads = model.positions.shape, attention.num_heads
    part = width // heads
    picture, axes = new_drawing(
        9.4,
        4.35,
        title="Self-attention in a vision transformer",
        says=f"Rows are tokens (8 drawn of {count}), dark cells large numbers. The framed token compares its query "
        "with all keys; softmax turns the scores into attention weights that sum to 1, and these weigh the values.",
    )
    for number in reversed(range(heads)):
        shift = 0.05 * number
        card = {"facecolor": "white", "edgecolor": "#AAAAAA", "linewidth": 1, "zorder": 0.5}
        axes.add_patch(Rectangle((0.9 + shift, 0.05 + shift), 5.8, 3.85, **card))
    write(axes, 6.58, 0.22, f"head 1 of {heads}", ha="right", fontweight="bold")
    # A small case is really computed, for the tints of the cells.
    numbers = np.random.default_rng(2)
    tokens = numbers.normal(size=(8, 8))
    query, key, value = (tokens @ numbers.normal(size=(8, 2)) / 3 for _ in range(3))
    scores = query @ key.T
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    joined = np.hstack((weights @ value, numbers.normal(size=(8, 6)) / 2))
    top, low = 1.4, 3.25
    matrices = (
        (0.36, 2.0, tokens, "tokens $X$", (count, width)),
        (2.0, 0.75, query, "queries $Q$", (count, part)),
        (2.0, 2.0, key, "keys $K$", (count, part)),
        (2.0, low, value, "values $V$", (count, part)),
        (3.75, top, scores, "scores $S$", (count, count)),
        (5.65, top, weights, "attention weights $A$", (count, count)),
        (6.42, low, joined[:, :2], "$A V$", (count, part)),
        (7.4, low, joined, f"{heads} heads, joined", (count, width)),
        (9.0, low, joined @ numbers.normal(size=(8, 8)), "new tokens", (count, width)),
    )
    for x, y, values, name, size in matrices:
        half = 0.045 * values.shape[1]
        axes.imshow(values, extent=(x - half, x + half, y + 0.36, y - 0.36), cmap=TINTS, zorder=2)
        frame = {"fill": False, "edgecolor": TENSOR.edge, "linewidth": 1, "zorder": 3}
        axes.add_patch(Rectangle((x - half, y - 0.36), 2 * half, 0.72, **frame))
        if values is not key and values is not value:  # the row of the token that is followed
            frame |= {"edgecolor": INK, "linewidth": 1.8}
            axes.add_patch(Rectangle((x - half, y), 2 * half, 0.09, **frame))
        if values is joined:
            borders = x - half + 2 * half * np.arange(1, heads) / heads
            axes.vlines(borders, y - 0.36, y + 0.36, color=TENSOR.edge, linewidth=1, zorder=3)
        write(axes, x, y - 0.46, name, fontsize=SMALL)
        write(axes, x, y + 0.46, "×".join(map(str, size)), fontsize=SMALL, color=MUTED)
    each = sum(weight.numel() for weight in attention.query_key_value.parameters()) // (3 * heads)
    last = sum(weight.numel() for weight in attention.projection.parameters())
    for y in (0.75, 2.0, low):
        draw_arrow(axes, (0.74, 2.0), (0.82, 2.0), (0.82, y), (1.1, y))
        draw_box(axes, (1.1, 1.66), y, 0.42, LEARNED, f"linear\n{each:,}")
        draw_arrow(axes, (1.66, y), (1.89, y))
    for y, edge in ((0.75, top - 0.22), (2.0, top + 0.22)):
        draw_arrow(axes, (2.11, y), (2.8, y), (2.8, edge))
    draw_box(axes, (2.4, 3.2), top, 0.44, OPERATION, f"$Q K^T / \\sqrt{{{part}}}$", fontsize=MIDDLE)
    draw_box(axes, (4.3, 5.1), top, 0.44, OPERATION, "softmax\nof each row")
    draw_box(axes, (5.3, 6.0), low, 0.32, OPERATION, "multiply")
    draw_box(axes, (7.98, 8.44), low, 0.42, LEARNED, f"linear\n{last:,}")
    for start, end in ((3.2, 3.37), (4.13, 4.3), (5.1, 5.27)):
        draw_arrow(axes, (start, top), (end, top))
    for start, end in ((2.11, 5.3), (6.0, 6.31), (6.53, 7.02), (7.78, 7.98), (8.44, 8.62)):
        draw_arrow(axes, (start, low), (end, low))
    draw_arrow(axes, (5.65, top + 0.56), (5.65, low - 0.16))
    formula = f"$A = \\mathrm{{softmax}}(QK^T / \\sqrt{{{part}}})$"
    write(axes, 8.2, 1.2, f"{formula}\n\n$\\sum_j A_{{ij}} = 1$", fontsize=11)
    draw_key(axes, 4.27, (TENSOR, OPERATION, LEARNED))
    return picture


@styled
def transfer_drawing() -> Picture:
    """What is kept, new and frozen in the three ways to train ResNet18, and how many numbers move in each."""
    model = outline_model("resnet18", {"frozen": True})
    backbone, head = (
        sum(w.numel() for w in part.parameters()) for part in (model.backbone, model.head)
    )
    statistics = sum(b.numel() for name, b in model.named_buffers() if "running" in name)
    linear = model.head[-1]
    old = 1000 * (linear.in_features + 1)
    both = f"{backbone + head:,} parameters,\n{statistics:,} batch statistics"
    picture, axes = new_drawing(
        9.4,
        4.45,
        title="Transfer: what is kept, what is new, what moves",
        says="Three ways to train ResNet18: from random numbers, with ImageNet's backbone frozen, or with that "
        f"backbone as the start. The head for {linear.out_features} classes is new in all three.",
    )
    rows = (
        ("source: ImageNet", "trained", PLAIN, "(thrown away)"),
        ("random start", "random numbers, then trained", LEARNED, both),
        ("frozen backbone", "copied", FROZEN, f"{head:,} parameters"),
        ("fine-tuned", "copied, then trained", LEARNED, both),
    )
    heads = ((3.45, "backbone"), (5.35, "features"), (6.3, "head"), (8.3, "what moves in training"))
    for x, words in heads:
        write(axes, x, 0.14, words, fontweight="bold", va="baseline")
    for row, (way, start, look, moves) in enumerate(rows):
        y = 0.6 + 0.95 * row + 0.25 * (row > 0)
        write(axes, 0, y, way, ha="left", fontweight="bold")
        draw_box(axes, (1.9, 5.0), y, 0.6, look, f"{start}\n{backbone:,} parameters")
        draw_arrow(axes, (5.0, y), (5.7, y))
        write(axes, 5.32, y - 0.12, str(linear.in_features), fontsize=SMALL)
        last = f"new head\n{head:,}" if row else f"1,000 classes\n{old:,}"
        draw_box(axes, (5.7, 6.9), y, 0.6, LEARNED if row else PLAIN, last)
        write(axes, 7.2, y, moves, ha="left", color=INK if row else MUTED)
        if start.startswith("copied"):
            draw_arrow(axes, (1.9, 0.6), (1.65, 0.6), (1.65, y), (1.9, y), color=TENSOR.edge)
    draw_key(axes, 4.37, (LEARNED, FROZEN))
    return picture


@styled
def split_drawing() -> Picture:
    """The three splits: what each is used for, how often, and which uses are forbidden."""
    train_size, size = TrainConfig().train_size, TrainConfig().evaluation_size
    picture, axes = new_drawing(
        9.4,
        3.05,
        title="Three splits, three purposes",
        says="Parameters are learned from the training split, choices are made on the validation split, and the test "
        "split is used once, for the number that is reported. The crossed arrows are forbidden.",
    )
    splits = (
        ("train", train_size, "gradient steps,\nin every epoch", "parameters", LEARNED),
        ("validation", size, "after\neach epoch", "choices: epoch,\nsettings, model", OPERATION),
        ("test", size, "once,\nat the end", "reported\naccuracy", OPERATION),
    )
    left, middles = 0.0, []
    for name, count, often, use, look in splits:
        right = left + 8.2 * count / (train_size + 2 * size)
        x = (left + right) / 2
        middles.append(x)
        words = f"{name}\n{count:,} images"
        draw_box(axes, (left, right), 0.35, 0.6, TENSOR, words, fontsize=MIDDLE)
        draw_arrow(axes, (x, 0.65), (x, 2.1))
        write(axes, x - 0.08, 1.8, often, ha="right", fontsize=SMALL)
        draw_box(axes, (x - 0.65, x + 0.65), 2.4, 0.6, look, use, fontsize=MIDDLE)
        left = right + 0.6
    train, validation, test = middles
    draw_arrow(axes, (validation - 0.65, 2.4), (train + 0.65, 2.4))
    draw_arrow(axes, (validation + 0.65, 2.4), (test - 0.65, 2.4))
    below = {"fontsize": SMALL, "va": "top"}
    write(axes, (train + validation) / 2, 2.5, "train again with other settings", **below)
    write(axes, (test + validation) / 2, 2.5, "chosen\nmodel", **below)
    for start, end, words in (
        (validation, train, "never learn from it"),
        (test, validation, "never\nchoose by it"),
    ):
        way = (start - 0.3, 0.68), (end + 0.5, 2.07)
        draw_arrow(axes, *way, color=FORBIDDEN, dashed=True)
        x, y = np.mean(way, axis=0)
        axes.plot(x, y, marker="x", markersize=12, markeredgewidth=3, color=FORBIDDEN)
        write(axes, x - 0.15, y - 0.22, words, ha="right", fontsize=SMALL, color=FORBIDDEN)
    return picture
