"""The exercises of notebook 01 name the likely mistake behind a wrong answer, and refuse what they forbid."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy, one_hot
from wrong_answers import NAMED, Table, both_tests, right_answer

from dlvc.lessons.exercises.data import GOAL, linear_accuracy
from dlvc.lessons.exercises.exercise import RIGHT


def small(images: Tensor, size: int = 4) -> Tensor:
    return avg_pool2d(images, size).flatten(1)


def naive_loss(logits: Tensor, labels: Tensor) -> Tensor:
    probabilities = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    return -probabilities[torch.arange(len(labels)), labels].log().mean()


def loss_in_a_loop(logits: Tensor, labels: Tensor) -> Tensor:
    total = torch.tensor(0.0)
    for row, label in zip(logits, labels, strict=True):
        total += row.logsumexp(0) - row[label]
    return total / len(labels)


def descend(
    inputs: Tensor,
    labels: Tensor,
    steps: int,
    learning_rate: float,
    *,
    start: float = 0.0,
    forget: bool = True,
    softmax: bool = True,
    scale: float = 1.0,
    moves_bias: bool = True,
) -> tuple[Tensor, Tensor]:
    """Training by backward(), with the usual slips."""
    weights = torch.full((inputs.shape[1], 10), start, requires_grad=True)
    bias = torch.zeros(10, requires_grad=True)
    for _ in range(steps):
        logits = inputs @ weights + bias
        loss = cross_entropy(logits, labels)
        if not softmax:
            loss = ((logits - one_hot(labels, 10)) ** 2).sum() / (2 * len(labels))
        (scale * loss).backward()
        with torch.no_grad():
            weights -= learning_rate * weights.grad
            bias -= learning_rate * bias.grad * moves_bias
        if forget:
            weights.grad, bias.grad = None, None
    return weights, bias


WRONG: Table = {
    "nearest": [
        (lambda a, b: torch.cdist(small(a), small(b)).argmin(0), "along the other axis"),
        (lambda a, b: torch.cdist(small(a), small(b)).argmax(1), "farthest away"),
        (lambda a, b: torch.cdist(small(a), small(b)).min(1).values, "not its distance"),
        (lambda a, b: torch.cdist(a.flatten(1), b.flatten(1)).argmin(1), "shrink the images"),
        (lambda a, b: torch.cdist(small(a, 32), small(b, 32)).argmin(1), "mean colours"),
        (lambda a, b: torch.cdist(a, b).argmin(1), "stopped with"),
    ],
    "mean_loss": [
        (lambda s, y: cross_entropy(s, y), "calls torch's `cross_entropy`, which this task"),
        (lambda s, y: torch.nn.NLLLoss()(s.log_softmax(1), y), "which this task forbids: write it"),
        (loss_in_a_loop, "with a loop in Python"),
        (naive_loss, "e^1000 is no float"),
        (lambda s, y: -naive_loss(s, y), "the sign"),
        (lambda s, y: naive_loss(s, y) * len(y), "you added up the losses"),
        (lambda s, y: -s[torch.arange(len(y)), y].mean(), "into probabilities first"),
        (lambda s, y: naive_loss(s, y) / 0.6931472, "to the base 2"),
        (lambda s, y: (s.logsumexp(1) - s.amax(1)).mean(), "not that of the true class"),
        (lambda s, y: (s.logsumexp(0) - s)[torch.arange(len(y)), y].mean(), "over the images"),
    ],
    "fit": [
        (lambda *given: descend(*given, scale=-1), "uphill"),
        (lambda x, *given: descend(x, *given, scale=len(x)), "divide by the number of images"),
        (lambda *given: descend(*given, forget=False), "set it to zero after each step"),
        (lambda *given: descend(*given, start=0.1), "without a step it should return zeros"),
        (lambda *given: descend(*given, softmax=False), "the softmax is missing"),
        (lambda *given: descend(*given, moves_bias=False), "the bias stays at zero"),
        (lambda x, y, n, rate: descend(x, y, max(n - 1, 0), rate), "one step too few"),
        (lambda *given: descend(*given)[0], "the bias as well"),
    ],
    "repair": [
        (lambda x: x.reshape(len(x), 3, x.shape[1], x.shape[2]).float() / 255, "`permute` moves"),
        (lambda x: x.permute(0, 3, 1, 2).float(), "still lie in 0 to 255"),
        (lambda x: x.permute(0, 3, 2, 1).float() / 255, "rows and columns are exchanged"),
        (lambda x: x.permute(0, 3, 1, 2) / 255, "their type is torch.float64"),
        (lambda x: x.float() / 255, "channels are still the last axis"),
        (lambda x: x.permute(0, 3, 1, 2).float() / x.max(), "divide by 255, whatever"),
        (lambda x: x.permute(0, 3, 1, 2).numpy() / 255, "a model wants a tensor"),
        (lambda x: x.permute(0, 3, 1, 2).long() // 255, "of the numbers are not"),
    ],
    "class_mean": [
        (lambda y, p: (y == p).float().mean(), "that is the accuracy"),
        (
            lambda y, p: torch.stack([(y[p == c] == c).float().mean() for c in p.unique()]).mean(),
            "precision",
        ),
        (
            lambda y, p: sum((p[y == c] == c).float().mean() for c in y.unique()),
            "the mean of the shares",
        ),
        (
            lambda y, p: torch.stack([(p[y == c] == c).float().mean() for c in range(10)]).mean(),
            "returned nan",
        ),
        (
            lambda y, p: sum((p[y == c] == c).float().mean() for c in y.unique()) / 10,
            "seven of ten have none",
        ),
        (
            lambda y, p: (
                sum(
                    int(a == b) / (y == a).sum()
                    for a, b in zip(y.tolist(), p.tolist(), strict=True)
                )
                / len(y.unique())
            ),
            "with a loop in Python",
        ),
    ],
    "features": [
        (lambda x: x.flatten(1), "34.4% of the validation drawings are right; the goal is 70%"),
        (lambda x: x.flatten(1) - x.flatten(1).mean(0), "change with the other images"),
        (lambda x: x, "a float tensor (7, D)"),
        (lambda x: x.flatten(1).repeat(1, 2), "from 1 to 5,000 numbers"),
        (lambda x: x.flatten(1).log() / 0, "nan or an infinite number"),
    ],
}


test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "01_data", WRONG
)


def test_the_formula_with_torchs_backward_is_a_right_training() -> None:
    assert NAMED["fit"].assess(descend).heading == RIGHT


def test_the_features_of_the_solution_beat_the_goal_and_it_is_said_by_how_much(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert NAMED["features"].assess(right_answer("features")).heading == RIGHT
    reached = float(capsys.readouterr().out.partition("%")[0]) / 100
    assert GOAL < reached < 1


def test_the_linear_classifier_finds_classes_that_a_plane_parts() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 10
    rows = 5 * one_hot(labels, 10) + torch.randn(200, 10, generator=generator)
    assert linear_accuracy(rows[:100], labels[:100], rows[100:], labels[100:]) > 0.9
    shuffled = labels[torch.randperm(200, generator=generator)]
    assert linear_accuracy(rows[:100], shuffled[:100], rows[100:], shuffled[100:]) < 0.3
