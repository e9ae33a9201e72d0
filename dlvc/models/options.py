"""What of a model's architecture may be chosen, with ranges and help: for forms and checks.

The defaults are those of the model's class. An experiment sets some (`experiments.py`), a run may set others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from typing import Any

from torch import nn

from dlvc.checks import brief, check_kind
from dlvc.config import check_setting, setting
from dlvc.models.cnn import DeepCNN
from dlvc.models.resnet import ResNet18
from dlvc.models.vit import VisionTransformer


@dataclass(frozen=True, kw_only=True)
class DeepCNNOptions:
    """The options of `DeepCNN`."""

    depth: int = setting(
        3,
        label="Depth",
        low=1,
        high=5,
        unit="blocks",
        help="convolution blocks, one after the other",
    )
    width: int = setting(
        16,
        label="Width",
        low=1,
        high=128,
        log=True,
        unit="filters",
        help="filters of the first block; each further block has twice as many",
    )
    batch_norm: bool = setting(
        False, label="Batch norm", help="normalises each channel over the batch, in each block"
    )


@dataclass(frozen=True, kw_only=True)
class VisionTransformerOptions:
    """The options of `VisionTransformer`."""

    depth: int = setting(
        6, label="Depth", low=1, high=24, unit="blocks", help="encoder blocks, one after the other"
    )
    embed_dim: int = setting(
        128, label="Width", low=8, high=1024, unit="numbers", help="how many numbers a token has"
    )
    num_heads: int = setting(
        4, label="Heads", low=1, high=64, help="attention heads of a block; they share the width"
    )
    mlp_ratio: int = setting(
        2,
        label="MLP ratio",
        low=1,
        high=8,
        help="width of a block's hidden layer over that of a token",
    )
    patch_size: int = setting(
        4,
        label="Patch size",
        low=1,
        high=32,
        unit="pixels",
        help="side of the square that is one token",
    )
    residual: bool = setting(
        True, label="Residuals", help="each half of a block adds to its input, not replacing it"
    )
    stem: str = setting(
        "patch",
        label="Stem",
        choices=("patch", "convolution"),
        help="what makes the tokens: one layer on each patch, or convolutions over their borders",
    )
    positions: str = setting(
        "sinusoidal",
        label="Positions",
        choices=("sinusoidal", "learned"),
        help="how a token knows its place: by fixed waves or by learned numbers",
    )
    class_token: bool = setting(
        False,
        label="Class token",
        help="reads the scores from a token of its own, not from the mean",
    )


@dataclass(frozen=True, kw_only=True)
class ResNet18Options:
    """The options of `ResNet18`."""

    frozen: bool = setting(
        False, label="Frozen", help="trains the last layer alone; the others keep their weights"
    )


OPTIONS: dict[type[nn.Module], type] = {
    DeepCNN: DeepCNNOptions,
    VisionTransformer: VisionTransformerOptions,
    ResNet18: ResNet18Options,
}


def option_fields(build: Callable[..., nn.Module]) -> dict[str, Field]:
    """The options, by name, of the model that `build` makes: a class, or a partial of one; {} for one without."""
    model = build
    while hasattr(model, "func"):
        model = model.func
    options = OPTIONS.get(model)
    return {each.name: each for each in fields(options)} if options else {}


def preset_options(build: Callable[..., nn.Module]) -> dict[str, Any]:
    """The options that an experiment's `build` sets itself."""
    return dict(getattr(build, "keywords", {}))


def chosen_options(
    build: Callable[..., nn.Module], changes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The options of a run, as its record has them: those that `build` sets, and `changes` where they change anything.

    One model is described in one way, so a change to what holds anyway is left out.
    Raises ValueError for an option that there is not, or a value that is not allowed.
    """
    check_kind("options", changes or {}, Mapping, 'Give a dict such as {"depth": 2}.')
    known, chosen = option_fields(build), preset_options(build)
    for name, value in (changes or {}).items():
        if name in chosen and chosen[name] == value:
            continue
        if name not in known:
            there = f"choose from {', '.join(known)}" if known else "leave options out"
            raise ValueError(f"this model has no option {brief(name)}; {there}.")
        check_setting(known[name], value)
        if name in chosen or value != known[name].default:
            chosen[name] = value
    return chosen


def describe_options(
    build: Callable[..., nn.Module], changes: Mapping[str, Any] | None = None
) -> str:
    """The options that a run changes, in words such as "depth 2, stem convolution"; "" for none."""
    preset, known = preset_options(build), option_fields(build)
    changed = {
        name: value
        for name, value in chosen_options(build, changes).items()
        if name in known and value != preset.get(name, known[name].default)
    }
    words = {True: "yes", False: "no"}
    return ", ".join(
        f"{known[name].metadata['label'].lower()} {words[value] if isinstance(value, bool) else value}"
        for name, value in changed.items()
    )
