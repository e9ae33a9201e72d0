"""A pre-flight check: seconds of measuring that find most silent faults of a training before it starts.

Finds what is wrong with data, model, loss and evaluation. What goes wrong after them, such as a table's columns or the
choice of the best epoch, it cannot see.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.arguments import check_kind
from dlvc.data import ImageData, to_float
from dlvc.inspection.preflight_checks.data_checks import (
    check_label_fit,
    check_no_shared_images,
    check_train_size,
)
from dlvc.inspection.preflight_checks.findings import Finding, PreflightReport, skipped
from dlvc.inspection.preflight_checks.model_checks import (
    Batch,
    Loss,
    Scores,
    check_evaluation_repeats,
    check_first_loss,
    check_gradients,
    check_input_range,
    check_modes,
    check_neighbours,
    check_outputs,
    check_overfit,
    check_pretrained,
    evaluated,
)
from dlvc.training import model_device

SEEN = 64  # images for everything but learning by heart


def preflight(
    model: nn.Module,
    data: ImageData,
    *,
    prepare: Callable[[Tensor], Tensor] = to_float,
    loss: Loss = cross_entropy,
    scores: Scores | None = None,
    train_size: int | None = None,
    pretrained: bool = False,
) -> PreflightReport:
    """What is wrong with a model before its training, and with the code around it: a `PreflightReport`, in seconds.

    Hand in the parts of your own training code, or what is wrong with them goes unseen: `prepare` makes the model's
    inputs of uint8 images (N, 3, H, W), `loss` gets scores and labels, `scores(model, images)` is the evaluation of
    uint8 images. `train_size` and `pretrained` are what the text claims. The model stays as it is, and so do its mode
    and torch's random numbers. Raises ValueError for a wrong type or a split without images,
    or with a single one to train on.
    """
    check_kind("model", model, nn.Module, "Build one with build_model(key, config).")
    check_kind("data", data, ImageData, "Get them with load_data().")
    for name, count in data.sizes.items():
        if count == 0:
            raise ValueError(f"preflight needs images in each split; {name} has none. Load more.")
    if len(data.train) < 2:
        raise ValueError("preflight compares training images; data has one only. Load more.")
    device = model_device(model)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        return PreflightReport(
            (
                check_train_size(data, train_size),
                check_no_shared_images(data),
                check_label_fit(data),
                *model_findings(model, data, prepare, loss, scores, pretrained),
            )
        )


def model_findings(
    model: nn.Module,
    data: ImageData,
    prepare: Callable[[Tensor], Tensor],
    loss: Loss,
    scores: Scores | None,
    pretrained: bool,
) -> list[Finding]:
    """The findings that need the model, in the order in which a learner should read them."""

    @torch.no_grad()
    def usual_scores(model: nn.Module, images: Tensor) -> Tensor:
        return model.eval()(prepare(images))

    batch = take(data, torch.arange(min(SEEN, len(data.train))), model_device(model), prepare)
    small = take(data, first_of_each_class(data), model_device(model), prepare)
    findings = [check_outputs(model, batch), check_input_range(model, batch)]
    too_few = evaluated(model, batch.inputs).shape[-1] < batch.classes
    for name, check, part in (
        ("first loss", check_first_loss, batch),
        ("gradients reach every parameter", check_gradients, small),
        ("a small batch can be overfitted", check_overfit, small),
    ):
        skip = skipped(name, "too few scores for a loss")
        findings.append(skip if too_few else check(model, part, loss))
    findings.append(check_modes(model, small))
    for check in (check_evaluation_repeats, check_neighbours):
        findings.append(check(model, batch, scores or usual_scores))
    return [*findings, check_pretrained(model, pretrained)]


def take(
    data: ImageData, index: Tensor, device: torch.device, prepare: Callable[[Tensor], Tensor]
) -> Batch:
    """The training images at `index`, on the model's device."""
    images = data.train.images[index].to(device)
    return Batch(images, prepare(images), data.train.labels[index].to(device), len(data.classes))


def first_of_each_class(data: ImageData) -> Tensor:
    """The places of the first training image of each class, at least two images."""
    labels = data.train.labels
    places = [int((labels == number).nonzero()[0, 0]) for number in labels.unique()]
    return torch.tensor(places if len(places) > 1 else [0, min(1, len(labels) - 1)])
