"""The registry: every model of the report with its settings, and what is compared with what.

`EXPERIMENTS` is the only list of models there is. Command line, tables, figures, tests and notebooks read it.
To add an experiment, add an entry here; `running.py` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from dlvc.checks import brief, check_choice, check_kind
from dlvc.config import TrainConfig, current_profile
from dlvc.data import ImageData, load_data
from dlvc.models import (
    DeepCNN,
    MajorityClassifier,
    ResNet18,
    SimpleCNN,
    VisionTransformer,
    chosen_options,
)
from dlvc.training import pick_device

REPORT = TrainConfig()  # the defaults are the report's settings


@dataclass(frozen=True)
class Budget:
    """How much of the full protocol a shorter profile uses. Models that are compared share one."""

    train_size: int
    epochs: int
    evaluation_size: int


FULL = Budget(40_000, 10, 10_000)
# The three models of a notebook train in one cell, within three minutes on two CPU cores in the class profile.
CNN_BUDGETS = {"smoke": Budget(2_000, 3, 500), "class": Budget(40_000, 3, 5_000)}
VIT_BUDGETS = {"smoke": Budget(400, 2, 200), "class": Budget(5_000, 3, 1_000)}
RESNET_BUDGETS = {"smoke": Budget(400, 1, 200), "class": Budget(10_000, 3, 2_000)}


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One row of the result table."""

    key: str
    title: str
    notebook: str
    build: Callable[..., nn.Module]  # a class with its options; the recorded architecture
    budgets: dict[str, Budget]  # per profile, on a CPU; a GPU runs "class" in full
    options: tuple[str, ...] = ("dropout",)  # settings of TrainConfig that the model itself takes
    report: TrainConfig = REPORT
    tuned: TrainConfig = REPORT
    weights: str = ""  # "ImageNet" if it starts from pre-trained weights
    report_row: dict[str, float] = field(default_factory=dict)  # the report's Table 1


@dataclass(frozen=True)
class Comparison:
    """Two experiments that differ in one factor. Source: report, section 3."""

    factor: str
    without: str
    with_factor: str
    report_says: str


def report_row(*values: float) -> dict[str, float]:
    """A row of the report's Table 1 under the names that `tables.TABLE_COLUMNS` uses."""
    names = ("val. ACC", "val. PACC", "test ACC", "test PACC", "train time (s)", "test time (s)")
    return dict(zip(names, values, strict=False))


vit = partial(VisionTransformer, patch_size=4, embed_dim=128, num_heads=4, mlp_ratio=2)
# One recipe for each family; what a search chose instead stands with the experiment.
tuned_cnn = replace(
    REPORT,
    optimizer="adamw",
    schedule="one-cycle",
    learning_rate=4e-3,
    weight_decay=0.01,
    dropout=0.1,
    largest_shift=0,
)
tuned_vit = replace(
    tuned_cnn,
    learning_rate=1e-3,
    weight_decay=0.05,
    dropout=0.0,
    largest_shift=4,
)
tuned_resnet = replace(tuned_vit, batch_size=128, image_size=64)

EXPERIMENTS: dict[str, Experiment] = {
    each.key: each
    for each in (
        Experiment(
            key="majority",
            title="Majority Model",
            notebook="01_data",
            build=MajorityClassifier,
            budgets=CNN_BUDGETS,
            options=(),
            report_row=report_row(0.1, 0.1, 0.1, 0.1),
        ),
        Experiment(
            key="simple-cnn",
            title="Simple CNN",
            notebook="02_cnns",
            build=SimpleCNN,
            budgets=CNN_BUDGETS,
            tuned=replace(tuned_cnn, dropout=0.0, largest_shift=1),
            report_row=report_row(0.1886, 0.1895, 0.2730, 0.2730, 53.46, 1.18),
        ),
        Experiment(
            key="deep-cnn",
            title="Deep CNN",
            notebook="02_cnns",
            build=DeepCNN,
            budgets=CNN_BUDGETS,
            tuned=replace(tuned_cnn, learning_rate=3e-3, dropout=0.0, largest_shift=1),
            report_row=report_row(0.3798, 0.3797, 0.4625, 0.4625, 108.25, 2.62),
        ),
        Experiment(
            key="deep-cnn-bn",
            title="Deep Normalized CNN",
            notebook="02_cnns",
            build=partial(DeepCNN, batch_norm=True),
            budgets=CNN_BUDGETS,
            tuned=replace(tuned_cnn, learning_rate=3e-3, batch_size=32, largest_shift=1),
            report_row=report_row(0.4712, 0.4707, 0.5814, 0.5814, 113.07, 2.80),
        ),
        Experiment(
            key="shallow-vit",
            title="Shallow ViT",
            notebook="03_vits",
            build=partial(vit, depth=1, residual=False),
            budgets=VIT_BUDGETS,
            tuned=replace(tuned_vit, learning_rate=2e-3, largest_shift=1),
            report_row=report_row(0.1922, 0.1922, 0.2170, 0.2170, 89.76, 2.38),
        ),
        Experiment(
            key="deep-vit",
            title="Deep ViT",
            notebook="03_vits",
            build=partial(vit, depth=6, residual=False),
            budgets=VIT_BUDGETS,
            tuned=tuned_vit,
            report_row=report_row(0.0994, 0.1000, 0.1000, 0.1000, 138.06, 3.10),
        ),
        Experiment(
            key="deep-vit-residual",
            title="Deep Residual ViT",
            notebook="03_vits",
            build=partial(vit, depth=6, residual=True),
            budgets=VIT_BUDGETS,
            tuned=replace(tuned_vit, largest_shift=2),
            report_row=report_row(0.2780, 0.2775, 0.3106, 0.3106, 136.58, 3.11),
        ),
        Experiment(
            key="resnet18",
            title="ResNet18",
            notebook="04_resnet18_transfer",
            build=ResNet18,
            budgets=RESNET_BUDGETS,
            options=("dropout", "image_size"),
            tuned=tuned_resnet,
            weights="ImageNet",
            report_row=report_row(0.5051, 0.5053, 0.6305, 0.6305, 1643.49, 61.08),
        ),
        Experiment(
            key="resnet18-plain",
            title="ResNet18 (no augmentation)",
            notebook="04_resnet18_transfer",
            build=ResNet18,
            budgets=RESNET_BUDGETS,
            options=("dropout", "image_size"),
            report=replace(REPORT, augmentation="none"),
            tuned=replace(tuned_resnet, augmentation="none"),
            weights="ImageNet",
        ),
    )
}

COMPARISONS: tuple[Comparison, ...] = (
    Comparison("depth", "simple-cnn", "deep-cnn", "the deep CNN is better"),
    Comparison(
        "batch normalisation", "deep-cnn", "deep-cnn-bn", "normalisation improves the deep CNN"
    ),
    Comparison("depth", "shallow-vit", "deep-vit", "the deep ViT is worse"),
    Comparison(
        "residual connections",
        "deep-vit",
        "deep-vit-residual",
        "residual connections repair the deep ViT",
    ),
    Comparison(
        "augmentation", "resnet18-plain", "resnet18", "named as an experiment, without a number"
    ),
)


def get_experiment(key: str) -> Experiment:
    """The entry called `key`. Raises ValueError naming all entries if there is none."""
    if not isinstance(key, str) or key not in EXPERIMENTS:
        raise ValueError(
            f"there is no experiment {brief(key)}; choose one of {', '.join(EXPERIMENTS)}."
        )
    return EXPERIMENTS[key]


def data_for(profile: str | None = None) -> ImageData:
    """The data a profile trains on: a small Sketch-10 for smoke, else CIFAR-10 (Sketch-10 where it cannot be had)."""
    if current_profile(profile).name == "smoke":
        # A few seconds of drawing: without a progress bar, which would make outputs depend on the machine's speed.
        data = load_data("sketch10", sizes=(2_000, 500, 500), quiet=True)
        print(data.summary())
        return data
    return load_data("auto")


def config_for(
    key: str,
    data: ImageData,
    *,
    protocol: str = "report",
    profile: str | None = None,
    **changes: Any,
) -> TrainConfig:
    """The settings of an experiment: its protocol, cut to the profile's budget and the data's size, then `changes`.

    Raises ValueError for an unknown key, protocol, profile or setting, or a value out of range.
    """
    experiment = get_experiment(key)
    check_kind("data", data, ImageData, "Get them with load_data().")
    check_choice("protocol", protocol, ("report", "tuned"))
    names = [each.name for each in fields(TrainConfig)]
    for name in changes:
        if name not in names:
            raise ValueError(f"there is no setting {name!r}; choose from {', '.join(names)}.")
    config = experiment.report if protocol == "report" else experiment.tuned
    chosen = current_profile(profile).name
    device = pick_device(changes.get("device", config.device))
    on_gpu = device.type == "cuda" and chosen == "class"
    budget = FULL if on_gpu or chosen == "full" else experiment.budgets[chosen]
    config = replace(
        config,
        epochs=budget.epochs,
        train_size=min(budget.train_size, len(data.train)),
        evaluation_size=min(budget.evaluation_size, len(data.validation), len(data.test)),
    )
    return replace(config, **changes)


def build_model(
    key: str,
    config: TrainConfig,
    *,
    options: Mapping[str, Any] | None = None,
    weights: Any = None,
) -> nn.Module:
    """A new model of the experiment `key`; its initial weights depend on `config.seed` alone.

    `options` changes the architecture: `option_fields(get_experiment(key).build)` says what can be changed.
    `weights` (a file or a state dict) is the start of a model that takes pre-trained weights.
    Raises ValueError for what the model has not, or cannot be.
    """
    arguments = model_arguments(key, config, options)
    if weights is not None:
        if not get_experiment(key).weights:
            raise ValueError(f"{key} starts from random weights; leave weights out.")
        arguments["weights"] = weights
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return get_experiment(key).build(**arguments)


def outline_model(
    key: str, config: TrainConfig, *, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """The model that `build_model` would make, with shapes and no numbers (torch's device "meta"), in milliseconds.

    Draws no random numbers, so a training that is going on in another thread is not disturbed.
    """
    with torch.device("meta"):
        return get_experiment(key).build(**model_arguments(key, config, options))


def model_arguments(
    key: str, config: TrainConfig, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the experiment's `build` is called with."""
    experiment = get_experiment(key)
    check_kind("config", config, TrainConfig, "Make one with config_for(key, data).")
    settings = {name: getattr(config, name) for name in experiment.options}
    return {**settings, **chosen_options(experiment.build, options)}
