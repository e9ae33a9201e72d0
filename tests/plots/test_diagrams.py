"""The numbers and shapes on a drawing of an idea are those of the models and settings it speaks of."""

from __future__ import annotations

import torch

from dlvc.experiments import EXPERIMENTS, TrainConfig, build_model
from dlvc.models import ResNet18
from dlvc.plots import attention_drawing, residual_drawing, split_drawing, transfer_drawing
from dlvc.plots.parts import FORBIDDEN


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_sums_and_paths_without_change_are_drawn_for_blocks_with_residual_paths_only():
    words = texts(residual_drawing())
    # One in ResNet18's block, two in the ViT's; each block is drawn without and with them.
    assert words.count("+") == words.count(r"$\times\,1$") == 3
    assert words.count("attention\n66,048") == 2
    assert sum(word.startswith("$z = x + ") for word in words) == 2


def test_attention_has_the_shapes_of_the_model():
    model = build_model("deep-vit-residual", TrainConfig())
    attention = model.blocks[0].attention
    tokens = torch.rand(1, *model.positions.shape)
    query, _, value = attention.split_heads(tokens)
    weights = attention.attention_weights(tokens)
    words = texts(attention_drawing())
    for tensor, times in ((tokens[0], 3), (query[0, 0], 4), (weights[0, 0], 2)):
        assert words.count("×".join(map(str, tensor.shape))) == times
    assert f"head 1 of {value.shape[1]}" in words
    parameters = 128 * 32 + 32, 128 * 128 + 128  # of one head's projection, and of the last one
    assert [words.count(f"linear\n{count:,}") for count in parameters] == [3, 1]


def test_transfer_counts_what_really_can_change():
    words = "\n".join(texts(transfer_drawing()))
    for frozen, times in ((True, 1), (False, 2)):
        model = ResNet18(frozen=frozen)
        moving = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert words.count(f"{moving:,} parameters") == times
    model.train()(torch.rand(2, 3, 64, 64))
    changed = sum(
        int((new != (1 if name.endswith("var") else 0)).sum())
        for name, new in model.named_buffers()
        if "running" in name
    )
    assert words.count(f"{changed:,} batch statistics") == 2


def test_the_splits_are_those_of_the_protocol_and_two_uses_are_crossed_out():
    figure = split_drawing()
    words = "\n".join(texts(figure))
    config = EXPERIMENTS["deep-cnn"].report
    assert f"train\n{config.train_size:,} images" in words
    for name in ("validation", "test"):
        assert f"{name}\n{config.evaluation_size:,} images" in words
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [line.get_color() for line in crosses] == [FORBIDDEN] * 2
