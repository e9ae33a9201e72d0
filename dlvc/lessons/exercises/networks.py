"""How answers that are networks or training loops are judged: by what they compute, whatever their parts are called."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.arguments import brief
from dlvc.data import ImageData
from dlvc.experiments import TrainConfig, build_model, config_for, current_profile, data_for
from dlvc.lessons.exercises.answers import Wrong, call, read_values
from dlvc.lessons.exercises.judges import agree, difference, random_numbers
from dlvc.models import DeepCNN
from dlvc.training import train

IMAGES = random_numbers(4, 3, 32, 32)


def made(answer: Any, *arguments: Any) -> nn.Module:
    """The module that the learner's class or function makes. Raises Wrong if it makes none."""
    if isinstance(answer, nn.Module):
        raise Wrong("give the class itself, without brackets: the check makes its own.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = call(answer, *arguments)
    if not isinstance(module, nn.Module):
        raise Wrong(f"it should make an nn.Module; it made {brief(module)}.")
    return module


def count(module: nn.Module) -> int:
    """The number of its parameters."""
    return sum(value.numel() for value in module.parameters())


# The deep CNN.


def judge_deep_cnn(answer: Any) -> str | None:
    """Judge the class with and without batch normalisation, by the library's weights, then its dropout."""
    for batch_norm in (False, True):
        mine = made(answer, batch_norm)
        call(mine, IMAGES)  # an untouched starter ends here
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            theirs = DeepCNN(batch_norm=batch_norm)
        with_batch_norm = f"with batch_norm={batch_norm}"
        if reason := _copy_weights(theirs, mine):
            return f"{with_batch_norm}, {reason}"
        logits = call(mine.eval(), IMAGES)
        if not agree(logits, theirs.eval()(IMAGES).detach()):
            return (
                f"{with_batch_norm} and the library's weights, {_why_other_logits(logits, theirs)}"
            )
    with torch.random.fork_rng(devices=[]):
        first, second, third, fourth = (
            call(network.train(), IMAGES).detach()
            for network in (made(answer, False), made(answer, False, 0.0))
            for _ in range(2)
        )
    if agree(first, second):
        return "dropout is missing: in training mode, two calls with the same images differ."
    return None if agree(third, fourth) else "with dropout=0.0, nothing may be left to chance."


def _copy_weights(theirs: nn.Module, mine: nn.Module) -> str | None:
    """Why not all weights of `theirs` can be copied into `mine`, in their order; None after copying them."""
    own, others = list(mine.parameters()), dict(theirs.named_parameters())
    if count(mine) == count(theirs) + 112 and len(own) == len(others) + 3:
        return "each convolution still has a bias, which the normalisation takes away again: bias=False."
    if len(own) != len(others):
        return (
            f"the library's network has {len(others)} tensors of parameters; yours has {len(own)}."
        )
    for number, (value, (name, wanted)) in enumerate(zip(own, others.items(), strict=True)):
        if value.shape != wanted.shape:
            return (
                f"tensor {number} (counted from 0) of your parameters has the shape {tuple(value.shape)}; the "
                f"library's, `{name}`, has {tuple(wanted.shape)}. Make the layers in the order in which an image "
                "passes them."
            )
    norms = [
        [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        for network in (mine, theirs)
    ]
    with torch.no_grad():
        for layer in norms[
            1
        ]:  # as after some training: at the start it would change next to nothing
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.5, 2)
        for value, wanted in zip(own, others.values(), strict=True):
            value.copy_(wanted)
        for layer, wanted in zip(*norms, strict=False):
            layer.load_state_dict(wanted.state_dict())
    return None


def _why_other_logits(logits: Any, theirs: DeepCNN) -> str:
    right = theirs(IMAGES).detach()
    mistakes = {
        "the images are not normalised first: `Normalize()`.": theirs.classifier(
            theirs.features(IMAGES)
        ),
        "you return probabilities: leave softmax out, cross_entropy takes the logits.": right.softmax(
            1
        ),
        "you return logarithms of probabilities: leave log_softmax out.": right.log_softmax(1),
        "a ReLU follows the last layer: a logit may be negative.": right.relu(),
    }
    for reason, mistaken in mistakes.items():
        if agree(logits, mistaken.detach()):
            return reason
    return difference(logits, right)


# The training loop.

BATCH = 64
TRAIN_IMAGES = (255 * random_numbers(150, 3, 4, 4, seed=5)).to(torch.uint8)
TRAIN_LABELS = torch.arange(150) % 10
ORDERS = [torch.randperm(150, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1, 2)]


def _loop(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    orders: Iterable[Tensor],
    *,
    training: bool = True,
    white: float = 255.0,
    clears: bool = True,
    steps: bool = True,
    epoch_loss: str = "mean",
) -> list[float]:
    """The loop that the task asks for, or one with a mistake."""
    model.train(training)
    means = []
    for order in orders:
        losses, sizes = [], []
        for index in order.split(BATCH):
            loss = cross_entropy(model(images[index] / white), labels[index])
            if clears:
                optimizer.zero_grad()
            loss.backward()
            if steps:
                optimizer.step()
            losses.append(loss.item())
            sizes.append(len(index))
        total = sum(loss * size for loss, size in zip(losses, sizes, strict=True))
        means.append(
            {
                "mean": total / len(order),
                "of batches": sum(losses) / len(losses),
                "last": losses[-1],
                "sum": sum(losses),
                "total": total,
            }[epoch_loss]
        )
    return means


LOOP_MISTAKES = {
    "the gradients of all batches so far add up: `optimizer.zero_grad()` before each `backward()`.": {
        "clears": False
    },
    "nothing moves: `optimizer.step()` is missing, or zero_grad() comes between backward() and step().": {
        "steps": False
    },
    "divide the pixels by 255.": {"white": 1.0},
    "the last batch is smaller: weigh each loss by its number of images.": {
        "epoch_loss": "of batches"
    },
    "that is the loss of the last batch, which is the report's mistake: the mean of the epoch is asked for.": {
        "epoch_loss": "last"
    },
    "that is the sum over the batches, not the mean over the images.": {"epoch_loss": "sum"},
    "that is the sum over the images, not their mean.": {"epoch_loss": "total"},
    "the model is still in evaluation mode: `model.train()` first.": {"training": False},
}


def judge_loop(answer: Any) -> str | None:
    """Judge a loop by the losses that it returns for a small network."""
    result = _run_loop(partial(call, answer))
    wanted = _run_loop(_loop)
    if agree(result, wanted):
        return None
    for reason, mistake in LOOP_MISTAKES.items():
        if agree(result, _run_loop(partial(_loop, **mistake))):
            return reason
    values = read_values(result)
    if values is not None and len(values) == len(ORDERS) * len(ORDERS[0].split(BATCH)):
        return "you return the loss of each step: the mean of each epoch is asked for."
    return difference(result, wanted)


def _run_loop(loop: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(48, 16), nn.Tanh(), nn.BatchNorm1d(16)]
        model = nn.Sequential(*layers, nn.Linear(16, 10)).eval()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        return loop(model, TRAIN_IMAGES, TRAIN_LABELS, optimizer, ORDERS)


# A network to beat.

MOST_PARAMETERS = 60_000


@cache  # the rival is trained once
def _goal(profile: str) -> tuple[ImageData, TrainConfig, float]:
    """The profile's images, the recipe of both networks, and the deep CNN's validation accuracy by it."""
    data = data_for(profile, quiet=True)
    config = config_for("deep-cnn", data, protocol="tuned", profile=profile)
    rival = build_model("deep-cnn", config, protocol="tuned")
    return data, config, _validation_accuracy(rival, data, config)


def _validation_accuracy(model: nn.Module, data: ImageData, config: TrainConfig) -> float:
    return train(model, data, config).best_validation.accuracy


def judge_small_cnn(answer: Any) -> str | None:
    """Judge a network by its parameters and logits, then by training it."""
    model = made(answer)
    logits = call(model.eval(), IMAGES)
    if not isinstance(logits, Tensor) or logits.shape != (len(IMAGES), 10):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else brief(logits)
        return f"for four images it should give logits of shape (4, 10); it gave {shape}."
    sizes = {name: value.numel() for name, value in model.named_parameters()}
    if not sizes:
        return "it has no parameter, so there is nothing to train."
    if count(model) > MOST_PARAMETERS:
        largest = max(sizes, key=sizes.get)
        return (
            f"{count(model):,} parameters are more than {MOST_PARAMETERS:,}. Most of them, {sizes[largest]:,}, "
            f"are in `{largest}`."
        )
    data, config, to_beat = _goal(current_profile().name)
    accuracy = _validation_accuracy(model, data, config)
    scores = f"{accuracy:.1%} with {count(model):,} parameters; the deep CNN has {to_beat:.1%}"
    print(f"On {config.evaluation_size:,} validation images: {scores}.")
    return None if accuracy > to_beat else f"{scores} after the same training. Change one thing."
