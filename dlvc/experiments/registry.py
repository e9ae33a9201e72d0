"""The registry: every model with its settings, and what is compared with what.

`EXPERIMENTS` is the only list of models there is. Command line, tables, figures, tests and notebooks read it.
To add an experiment, add an entry here; `running.py` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, replace
from typing import Any

import torch
from torch import nn

from dlvc.arguments import brief, check_choice, check_kind
from dlvc.config import TrainConfig, current_profile
from dlvc.data import ImageData, load_data
from dlvc.models import (
    DeepCNN,
    MajorityClassifier,
    NearestNeighbour,
    ResNet18,
    SimpleCNN,
    SoftmaxRegression,
    VisionTransformer,
    changed_options,
    option_fields,
)
from dlvc.training import TrainResult, fit_majority, fit_nearest_neighbour, pick_device

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


@dataclass(frozen=True)
class ModelStyle:
    """How one model is drawn in every figure."""

    color: str
    marker: str
    line: str | tuple[int, tuple[float, ...]]


BASELINES = "Baselines"  # a family
OTHER_STYLE = ModelStyle("#444444", "h", (0, (6, 2, 1, 2, 1, 2)))  # dark grey hexagons


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One row of the result table."""

    key: str
    title: str
    model: type[nn.Module]
    options: Mapping[str, Any] = field(default_factory=dict)  # of the model
    report: TrainConfig = REPORT
    tuned: TrainConfig = REPORT
    tuned_options: Mapping[str, Any] = field(default_factory=dict)  # other than `options`
    fit: Callable[..., TrainResult] | None = None  # its training, if it is not `training.train`
    keeps_images: bool = False  # the training images, so that their number decides its size
    weights: str = ""  # "ImageNet" if it starts from pre-trained weights
    budgets: Mapping[str, Budget] = field(  # per profile, on a CPU; a GPU runs "class" in full
        default_factory=CNN_BUDGETS.copy
    )
    notebook: str = ""  # the one that trains it
    family: str = ""  # models of one family are drawn together
    style: ModelStyle = OTHER_STYLE
    same_step_as: str = ""  # the experiment whose training step costs the same
    report_row: Mapping[str, float] = field(default_factory=dict)  # the report's Table 1

    @property
    def is_baseline(self) -> bool:
        """Whether it is there to be beaten: it has a row and a bar, and no learning curves, search or bench."""
        return self.family == BASELINES

    @property
    def option_fields(self) -> dict[str, Field]:
        """The options that its model has, by name."""
        return option_fields(self.model)

    def recipe(self, protocol: str) -> tuple[TrainConfig, Mapping[str, Any]]:
        """The settings of the training and the options of the model by `protocol`. Raises ValueError for another."""
        check_choice("protocol", protocol, ("report", "tuned"))
        if protocol == "report":
            return self.report, self.options
        return self.tuned, {**self.options, **self.tuned_options}

    def changed_options(
        self, protocol: str, changes: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Those of `changes` in which the model differs from the one of `protocol`.

        Raises ValueError for an option that the model does not have, or a value that is not allowed.
        """
        return changed_options(self.model, self.recipe(protocol)[1], changes or {})

    def model_options(
        self, protocol: str, changes: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The options of a run's model, as its record has them: those of `protocol` with `changes`.

        One model is described in one way, so a change to what holds anyway is left out. Raises ValueError.
        """
        return {**self.recipe(protocol)[1], **self.changed_options(protocol, changes)}


@dataclass(frozen=True)
class Comparison:
    """Two experiments that differ in one factor. Source: report, section 3."""

    factor: str
    without: str
    with_factor: str
    report_says: str


def report_row(*values: float) -> dict[str, float]:
    """A row of the report's Table 1 under the names that `tables.SCORE_COLUMNS` uses.

    Its seconds are left out: they are of all epochs together, on a machine that it does not name.
    """
    names = ("val. ACC", "val. PACC", "test ACC", "test PACC")
    return dict(zip(names, values, strict=True))


REPORT_OPTIONS = {"dropout": 0.5}
VIT_OPTIONS = {**REPORT_OPTIONS, "patch_size": 4, "embed_dim": 128, "num_heads": 4, "mlp_ratio": 2}
RESNET_OPTIONS = {**REPORT_OPTIONS, "image_size": 32}
# One recipe for each family; what a search chose instead stands with the experiment.
tuned_cnn = replace(
    REPORT,
    optimizer="adamw",
    schedule="one-cycle",
    learning_rate=4e-3,
    weight_decay=0.01,
    largest_shift=0,
)
tuned_vit = replace(tuned_cnn, learning_rate=1e-3, weight_decay=0.05, largest_shift=4)
tuned_resnet = replace(tuned_vit, batch_size=128)
NO_DROPOUT = {"dropout": 0.0}
as_they_are = replace(REPORT, augmentation="none")

EXPERIMENTS: dict[str, Experiment] = {
    experiment.key: experiment
    for experiment in (
        Experiment(
            key="majority",
            title="Majority Model",
            family=BASELINES,
            style=ModelStyle("#767676", "x", ":"),
            notebook="01_data",
            model=MajorityClassifier,
            fit=fit_majority,
            budgets=CNN_BUDGETS,
            report_row=report_row(0.1, 0.1, 0.1, 0.1),
        ),
        Experiment(
            key="softmax-regression",
            title="Softmax Regression",
            family=BASELINES,
            style=ModelStyle("#5F6B2F", "p", (0, (3, 1, 1, 1))),
            notebook="01_data",
            model=SoftmaxRegression,
            budgets=CNN_BUDGETS,
        ),
        Experiment(
            key="nearest-neighbour",
            title="Nearest Neighbour",
            family=BASELINES,
            style=ModelStyle("#B8B8B8", "+", (0, (1, 3))),
            notebook="01_data",
            model=NearestNeighbour,
            fit=fit_nearest_neighbour,
            keeps_images=True,
            report=as_they_are,
            tuned=as_they_are,
            budgets=CNN_BUDGETS,
        ),
        Experiment(
            key="simple-cnn",
            title="Simple CNN",
            family="CNNs",
            style=ModelStyle("#56B4E9", "o", "--"),
            notebook="02_cnns",
            model=SimpleCNN,
            options=REPORT_OPTIONS,
            tuned=replace(tuned_cnn, largest_shift=1),
            tuned_options=NO_DROPOUT,
            budgets=CNN_BUDGETS,
            report_row=report_row(0.1886, 0.1895, 0.2730, 0.2730),
        ),
        Experiment(
            key="deep-cnn",
            title="Deep CNN",
            family="CNNs",
            style=ModelStyle("#0072B2", "s", "-."),
            notebook="02_cnns",
            model=DeepCNN,
            options=REPORT_OPTIONS,
            tuned=replace(tuned_cnn, learning_rate=3e-3, largest_shift=1),
            tuned_options=NO_DROPOUT,
            budgets=CNN_BUDGETS,
            report_row=report_row(0.3798, 0.3797, 0.4625, 0.4625),
        ),
        Experiment(
            key="deep-cnn-bn",
            title="Deep Normalized CNN",
            family="CNNs",
            style=ModelStyle("#0B2545", "D", "-"),
            notebook="02_cnns",
            model=DeepCNN,
            options={**REPORT_OPTIONS, "batch_norm": True},
            tuned=replace(tuned_cnn, learning_rate=3e-3, batch_size=32, largest_shift=1),
            tuned_options={"dropout": 0.1},
            budgets=CNN_BUDGETS,
            report_row=report_row(0.4712, 0.4707, 0.5814, 0.5814),
        ),
        Experiment(
            key="shallow-vit",
            title="Shallow ViT",
            family="Vision transformers",
            style=ModelStyle("#E69F00", "^", "--"),
            notebook="03_vits",
            model=VisionTransformer,
            options={**VIT_OPTIONS, "depth": 1, "residual": False},
            tuned=replace(tuned_vit, learning_rate=2e-3, largest_shift=1),
            tuned_options=NO_DROPOUT,
            budgets=VIT_BUDGETS,
            report_row=report_row(0.1922, 0.1922, 0.2170, 0.2170),
        ),
        Experiment(
            key="deep-vit",
            title="Deep ViT",
            family="Vision transformers",
            style=ModelStyle("#D55E00", "v", "-."),
            notebook="03_vits",
            model=VisionTransformer,
            options={**VIT_OPTIONS, "depth": 6, "residual": False},
            tuned=tuned_vit,
            tuned_options=NO_DROPOUT,
            budgets=VIT_BUDGETS,
            same_step_as="deep-vit-residual",  # but for twelve additions
            report_row=report_row(0.0994, 0.1000, 0.1000, 0.1000),
        ),
        Experiment(
            key="deep-vit-residual",
            title="Deep Residual ViT",
            family="Vision transformers",
            style=ModelStyle("#6B2300", "P", "-"),
            notebook="03_vits",
            model=VisionTransformer,
            options={**VIT_OPTIONS, "depth": 6, "residual": True},
            tuned=replace(tuned_vit, largest_shift=2),
            tuned_options=NO_DROPOUT,
            budgets=VIT_BUDGETS,
            report_row=report_row(0.2780, 0.2775, 0.3106, 0.3106),
        ),
        Experiment(
            key="resnet18",
            title="ResNet18",
            family="ResNet18",
            style=ModelStyle("#009E73", "*", "-"),
            notebook="04_resnet18_transfer",
            model=ResNet18,
            options=RESNET_OPTIONS,
            tuned=tuned_resnet,
            tuned_options={**NO_DROPOUT, "image_size": 64},
            weights="ImageNet",
            budgets=RESNET_BUDGETS,
            report_row=report_row(0.5051, 0.5053, 0.6305, 0.6305),
        ),
        Experiment(
            key="resnet18-plain",
            title="ResNet18 (no augmentation)",
            family="ResNet18",
            style=ModelStyle("#CC79A7", "X", "--"),
            notebook="04_resnet18_transfer",
            model=ResNet18,
            options=RESNET_OPTIONS,
            report=as_they_are,
            tuned=replace(tuned_resnet, augmentation="none"),
            tuned_options={**NO_DROPOUT, "image_size": 64},
            weights="ImageNet",
            budgets=RESNET_BUDGETS,
            same_step_as="resnet18",
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


def options_of_all_models() -> dict[str, list[Field]]:
    """The options that any model has, by name, as each class that has it declares it."""
    known: dict[str, list[Field]] = {}
    for experiment in EXPERIMENTS.values():
        for name, option in experiment.option_fields.items():
            if option not in known.setdefault(name, []):
                known[name].append(option)
    return known


def data_for(profile: str | None = None, *, quiet: bool = False) -> ImageData:
    """The data a profile trains on: a small Sketch-10 for smoke, else CIFAR-10 (Sketch-10 where it cannot be had)."""
    if current_profile(profile).name == "smoke":
        # A few seconds of drawing: without a progress bar, which would make outputs depend on the machine's speed.
        data = load_data("sketch10", sizes=(2_000, 500, 500), quiet=True)
        if not quiet:
            print(data.summary())
        return data
    return load_data("auto", quiet=quiet)


def protocol_for(profile: str | None = None) -> str:
    """The protocol that the notebooks train by: the report's, whose claims they check, or "tuned" in the smoke profile.

    There it is to be seen that networks learn, and the tuned recipes learn within seconds.
    """
    return "tuned" if current_profile(profile).name == "smoke" else "report"


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
    config, _ = experiment.recipe(protocol)
    check_kind("data", data, ImageData, "Get them with load_data().")
    for name in changes:
        if name in experiment.option_fields:
            raise ValueError(f"{name} is an option of the model: give options={{{name!r}: ...}}.")
        if name not in config.as_dict():
            known = ", ".join(config.as_dict())
            raise ValueError(f"there is no setting {name!r}; choose from {known}.")
    profile = current_profile(profile).name
    device = pick_device(changes.get("device", config.device))
    on_gpu = device.type == "cuda" and profile == "class"
    budget = FULL if on_gpu or profile == "full" else experiment.budgets[profile]
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
    protocol: str = "report",
    options: Mapping[str, Any] | None = None,
    weights: Any = None,
) -> nn.Module:
    """A new model of the experiment `key`; its initial weights depend on `config.seed` alone.

    `options` changes those that the model has by `protocol`, such as {"depth": 2}: `option_fields` lists them all.
    `weights` (a file or a state dict) is the start of a model that takes pre-trained weights.
    Raises ValueError for what the model has not, or cannot be.
    """
    experiment = get_experiment(key)
    check_kind("config", config, TrainConfig, "Make one with config_for(key, data).")
    options = experiment.model_options(protocol, options)
    if weights is not None and not experiment.weights:
        raise ValueError(f"{key} starts from random weights; leave weights out.")
    start = {} if weights is None else {"weights": weights}
    if experiment.keeps_images:
        start["images"] = config.train_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return experiment.model(**options, **start)


def outline_model(key: str, options: Mapping[str, Any] | None = None) -> nn.Module:
    """The model that `build_model` would make, with shapes and no numbers (torch's device "meta"), in milliseconds.

    Draws no random numbers, so a training that is going on in another thread is not disturbed.
    """
    experiment = get_experiment(key)
    with torch.device("meta"):
        return experiment.model(**experiment.model_options("report", options))
