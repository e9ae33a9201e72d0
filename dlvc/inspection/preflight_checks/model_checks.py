"""Pre-flight checks of a model with a batch of prepared images: each works on a copy, and leaves the model alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.nn.modules.dropout import _DropoutNd as Dropout

from dlvc.inspection.preflight_checks.findings import Finding, judged, skipped
from dlvc.training import bare_step

Loss = Callable[[Tensor, Tensor], Tensor]
Scores = Callable[[nn.Module, Tensor], Tensor]

# A first layer is made for inputs of about this size: normalised pixels lie within 2.7 and have a spread of about 1.
LARGEST_INPUT, LEAST_SPREAD = 10.0, 0.05
# First losses of the models of the registry lie between 2.30 and 2.54, where ln 10 is 2.30.
LOSS_BELOW, LOSS_ABOVE = 0.5, 1.0
STEPS, STEP_SIZE = 60, 5e-4
# A loss below this share of guessing's means that the batch is being learned by heart.
FORGOTTEN = 0.5
ROUNDING = 1e-4  # of the largest score: what another order of additions may change


@dataclass(frozen=True)
class Batch:
    """What the checks see: images as the data have them, as the code prepares them, and their labels."""

    images: Tensor
    inputs: Tensor
    labels: Tensor
    classes: int


def check_outputs(model: nn.Module, batch: Batch) -> Finding:
    """Whether the model gives one finite score for each class."""
    scores = evaluated(model, batch.inputs)
    shape, wanted = tuple(scores.shape), (len(batch.inputs), batch.classes)
    return judged(
        "one score for each class",
        shape == wanted and finite(scores),
        f"scores {shape}{'' if finite(scores) else ', not all of them finite'}",
        f"{wanted}",
        "replace the last layer by one with as many outputs as classes",
    )


def check_input_range(model: nn.Module, batch: Batch) -> Finding:
    """Whether what the first layer with weights receives has the size that such layers are made for."""
    name = "inputs in range"
    learner = copy.deepcopy(model)
    received: list[Tensor] = []

    def note(_: nn.Module, inputs: tuple, keywords: dict) -> None:
        received.extend([*inputs, *keywords.values()][:1])

    for layer in learner.modules():
        if layer is not learner and next(layer.parameters(recurse=False), None) is not None:
            layer.register_forward_pre_hook(note, with_kwargs=True)
    evaluated(learner, batch.inputs)
    if not received:
        return skipped(name, "the model has no layer with weights")
    first = received[0].float()
    low, high = first.min().item(), first.max().item()
    spread = first.std(dim=0).mean().item()  # between images: a colour that all share says nothing
    return judged(
        name,
        max(abs(low), abs(high)) <= LARGEST_INPUT and spread >= LEAST_SPREAD,
        f"the first layer gets {low:.3g} to {high:.3g}, standard deviation between images {spread:.2g}",
        f"within ± {LARGEST_INPUT:g}, standard deviation between images at least {LEAST_SPREAD:g}",
        "scale uint8 pixels to [0, 1] by dividing by 255, once, then normalise them, once",
    )


def check_first_loss(model: nn.Module, batch: Batch, loss: Loss) -> Finding:
    """Whether the loss before training is about that of guessing, ln(classes)."""
    first, guessing = loss(evaluated(model, batch.inputs), batch.labels).item(), chance(batch)
    return judged(
        "first loss",
        guessing - LOSS_BELOW <= first <= guessing + LOSS_ABOVE,
        f"{first:.2f}",
        f"about ln {batch.classes} = {guessing:.2f}, the loss of guessing",
        "too high: look at the range of the inputs and the number of outputs; "
        "too low: the model was trained before, or sees the labels",
    )


def check_overfit(model: nn.Module, batch: Batch, loss: Loss) -> Finding:
    """Whether a copy of the model can learn a few images by heart, without dropout."""
    name = "a small batch can be overfitted"
    learner = copy.deepcopy(model).train()
    for each in learner.modules():
        if isinstance(each, Dropout):
            each.eval()
    parameters = [each for each in learner.parameters() if each.requires_grad]
    if not parameters:
        return skipped(name, "the model has no weights to train")
    if len(parameters) < len(list(learner.parameters())):
        return skipped(name, "part of the model is frozen: the rest alone may need more steps")
    optimizer = torch.optim.Adam(parameters, STEP_SIZE)
    goal = FORGOTTEN * chance(batch)
    lowest, step = math.inf, 0
    while lowest > goal and step < STEPS:
        value, _ = bare_step(learner, optimizer, batch.inputs, batch.labels, loss=loss)
        lowest, step = min(lowest, value.item()), step + 1
    return judged(
        name,
        lowest <= goal,
        f"loss {lowest:.2f} after {step} steps on {len(batch.labels)} images",
        f"below {goal:.2f} within {STEPS} steps",
        "look at the loss (logits in, no softmax before it), at the gradients, and at the optimizer's parameters",
    )


def check_gradients(model: nn.Module, batch: Batch, loss: Loss) -> Finding:
    """Whether the loss has a finite gradient, not zero throughout, for each parameter that is to be trained."""
    name = "gradients reach every parameter"
    learner = copy.deepcopy(model).train()
    trained = {key: value for key, value in learner.named_parameters() if value.requires_grad}
    if not trained:
        return skipped(name, "the model has no weights to train")
    learner.zero_grad(set_to_none=True)
    loss(learner(batch.inputs), batch.labels).backward()
    missed = [key for key, value in trained.items() if value.grad is None or not value.grad.any()]
    wild = [key for key, value in trained.items() if key not in missed and not finite(value.grad)]
    faults = {"none for": missed, "not finite for": wild}
    texts = [f"{what} {listed(names)}" for what, names in faults.items() if names]
    return judged(
        name,
        not texts,
        "; ".join(texts) or f"{len(trained)} parameters, each has one",
        "finite and not zero for each",
        "look for detach(), no_grad() or a layer that forward() does not call",
    )


def check_modes(model: nn.Module, batch: Batch) -> Finding:
    """Whether dropout and batch normalisation act in training mode, and nothing is random in evaluation mode."""
    name = "training and evaluation mode differ"
    first, second = evaluated(model, batch.inputs), evaluated(model, batch.inputs)
    steady = bool(torch.equal(first, second))
    learner = copy.deepcopy(model).train()
    layers = list(learner.modules())
    kinds = []
    if any(isinstance(layer, Dropout) and layer.p > 0 for layer in layers):
        kinds.append("dropout")
    if any(isinstance(layer, BatchNorm) and not is_frozen(layer) for layer in layers):
        kinds.append("batch normalisation")
    if not kinds and steady:
        return skipped(name, "no dropout and no batch normalisation")
    with torch.no_grad():
        moved = not close(first, learner(batch.inputs))
    return judged(
        name,
        steady and moved,
        f"{' and '.join(kinds) or 'no layer with two modes'}: training mode gives "
        f"{'other' if moved else 'the same'} scores, evaluation mode gives twice "
        f"{'the same' if steady else 'different ones'}",
        "other scores in training mode, the same twice in evaluation mode",
        "use nn.Dropout instead of a function, and let train() and eval() reach every layer",
    )


def check_evaluation_repeats(model: nn.Module, batch: Batch, scores: Scores) -> Finding:
    """Whether the code's own evaluation of the same images gives the same twice."""
    learner, modes = copy.deepcopy(model).train(), []
    learner.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    first, second = (scores(learner, batch.images) for _ in range(2))
    same = close(first, second)
    training = any(modes)
    outcome = "the same scores twice" if same else "other scores the second time"
    advice = "evaluate images as they are: without augmentation or anything else at random"
    if training:
        advice = "call model.eval() before evaluating"
    return judged(
        "evaluation repeats itself",
        same and not training,
        f"{outcome}, with the model in {'training' if training else 'evaluation'} mode",
        "the same scores twice, in evaluation mode",
        advice,
    )


def check_neighbours(model: nn.Module, batch: Batch, scores: Scores) -> Finding:
    """Whether an image's scores stay the same when the other images of its batch change."""
    name = "images do not see each other"
    learner, half = copy.deepcopy(model).train(), len(batch.images) // 2
    together = scores(learner, batch.images)[:half]
    if not close(together, scores(learner, batch.images)[:half]):
        return skipped(name, "evaluation does not repeat itself")
    change = (together - scores(learner, batch.images[:half])).abs().max().item()
    return judged(
        name,
        change <= ROUNDING * max(1.0, together.abs().max().item()),
        f"scores change by up to {change:.2g} when half of the batch leaves",
        "no change beyond rounding",
        "find the layer that mixes along the batch axis: attention without batch_first=True, "
        "batch normalisation in training mode, a wrong view()",
    )


def check_pretrained(model: nn.Module, claimed: bool) -> Finding:
    """Whether normalisation layers have left their start: fresh ones multiply by 1, add 0 and have seen no image.

    A trained one has other numbers, so a model all of whose layers have these was not loaded.
    """
    name = "pretrained weights are there"
    if not claimed:
        return skipped(name, "none were claimed")
    kinds = (BatchNorm, nn.LayerNorm, nn.GroupNorm)
    layers = [layer for layer in model.modules() if isinstance(layer, kinds)]
    weights = [layer.weight for layer in layers if layer.weight is not None]
    if not weights:
        return skipped(
            name, "no normalisation layer to tell from: compare the weights with the file"
        )
    fresh = sum(bool((weight == 1).all()) for weight in weights)
    return judged(
        name,
        fresh < len(weights) / 2,
        f"{fresh} of {len(weights)} normalisation layers are as at their start",
        "most layers have moved from their start",
        "load_state_dict(..., strict=False) says nothing of keys that do not fit: print what it returns",
    )


def evaluated(model: nn.Module, inputs: Tensor) -> Tensor:
    """The scores of a copy of the model in evaluation mode."""
    with torch.no_grad():
        return copy.deepcopy(model).eval()(inputs)


def chance(batch: Batch) -> float:
    """The cross-entropy of guessing."""
    return math.log(batch.classes)


def close(first: Tensor, second: Tensor) -> bool:
    """Whether two sets of scores are the same up to rounding."""
    scale = max(1.0, first.abs().max().item())
    return bool((first - second).abs().max() <= ROUNDING * scale)


def is_frozen(layer: nn.Module) -> bool:
    """Whether a layer stays in evaluation mode on purpose: `train()` leaves it there, and its weights are fixed."""
    return not layer.training and not any(p.requires_grad for p in layer.parameters())


def finite(values: Tensor) -> bool:
    """Whether all values are finite."""
    return bool(values.isfinite().all())


def listed(names: list[str]) -> str:
    """The names, the first three of them if there are more."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
