"""How the answers to the exercises of notebook 01 are judged; each judge has the name of its exercise."""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy, one_hot

from dlvc.data import ImageData, load_data
from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.answers import call
from dlvc.lessons.exercises.judges import agree, random_numbers


def _distances(new: Tensor, known: Tensor, *, size: int = 4) -> Tensor:
    """The distances (M, N) of the images' means over blocks of `size` x `size` pixels."""
    return torch.cdist(avg_pool2d(new, size).flatten(1), avg_pool2d(known, size).flatten(1))


nearest = judges.function(
    lambda new, known: _distances(new, known).argmin(dim=1),
    {
        "you return the image that is farthest away.": (
            lambda new, known: _distances(new, known).argmax(dim=1)
        ),
        "for each known image you return a new one: take the smallest along the other axis.": (
            lambda new, known: _distances(new, known).argmin(dim=0)
        ),
        "return the number of the image, not its distance.": (
            lambda new, known: _distances(new, known).amin(dim=1)
        ),
        "shrink the images before you compare them: here you compared all 3,072 numbers.": (
            lambda new, known: _distances(new, known, size=1).argmin(dim=1)
        ),
        "you compare only the mean colours: shrink by 4, not by 32.": (
            lambda new, known: _distances(new, known, size=32).argmin(dim=1)
        ),
    },
    [(random_numbers(6, 3, 32, 32, seed=1), random_numbers(9, 3, 32, 32, seed=2))],
)


def _log_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """The logarithm (N,) of the probability of each true class."""
    return logits.log_softmax(dim=1)[torch.arange(len(labels)), labels]


_loss_values = judges.function(
    cross_entropy,
    {
        "the sign: a loss is -ln p, and not negative.": lambda s, y: -cross_entropy(s, y),
        "you added up the losses of the images: the cross-entropy is their mean.": (
            lambda s, y: cross_entropy(s, y, reduction="sum")
        ),
        "return the mean of the losses, not one for each image.": (
            lambda s, y: cross_entropy(s, y, reduction="none")
        ),
        "you divided by all N x 10 logits: the mean goes over the images.": (
            lambda s, y: cross_entropy(s, y) / 10
        ),
        "you took the logit of the true class: turn the logits into probabilities first.": (
            lambda s, y: -s[torch.arange(len(y)), y].mean()
        ),
        "you took the logarithm of the logits: turn them into probabilities first.": (
            lambda s, y: -s[torch.arange(len(y)), y].log().mean()
        ),
        "your softmax goes over the images: the ten classes of *one* image share the probability.": (
            lambda s, y: -s.log_softmax(dim=0)[torch.arange(len(y)), y].mean()
        ),
        "you took the largest probability of each row, not that of the true class.": (
            lambda s, y: -s.log_softmax(dim=1).amax(dim=1).mean()
        ),
        "the logarithm is missing: that is the mean of the probabilities.": (
            lambda s, y: _log_probabilities(s, y).exp().mean()
        ),
        "the logarithm is missing: that is one minus the mean probability.": (
            lambda s, y: 1 - _log_probabilities(s, y).exp().mean()
        ),
        "take the natural logarithm, not that to the base 2.": (
            lambda s, y: cross_entropy(s, y) / math.log(2)
        ),
        "you took the logarithm of the mean probability: take the mean of the logarithms.": (
            lambda s, y: -_log_probabilities(s, y).exp().mean().log()
        ),
    },
    [
        # The second has so many more images that a loop over them shows.
        (8 * random_numbers(count, 10, seed=count), torch.arange(count) * 7 % 10)
        for count in (6, 60)
    ],
)
LARGE_LOGITS = torch.tensor([[1000.0, *[0.0] * 9], [*[0.0] * 9, 999.0], [5.0, *[0.0] * 9]])
LARGE_LABELS = torch.tensor([0, 0, 0])


def _loss(answer: Any) -> str | None:
    """Judge the values for small logits, then for large ones."""
    if reason := _loss_values(answer):
        return reason
    if not agree(
        call(answer, LARGE_LOGITS, LARGE_LABELS), cross_entropy(LARGE_LOGITS, LARGE_LABELS)
    ):
        return (
            "right for small logits, but not for logits of 1,000: e^1000 is no float any more. Subtract the largest "
            "logit of each row first; its softmax stays the same."
        )
    return None


WRITE_IT_OUT = "write it out with `exp`, `log` and sums."
mean_loss = judges.without(
    _loss,
    {
        "cross_entropy": WRITE_IT_OUT,
        "nll_loss": WRITE_IT_OUT,
        "softmax": WRITE_IT_OUT,
    },
    loop="compute with whole columns of the logits.",
)


def _descend(
    inputs: Tensor,
    labels: Tensor,
    steps: int,
    learning_rate: float,
    *,
    sign: float = 1.0,
    share: float | None = None,
    with_bias: bool = True,
    keeps_gradients: bool = False,
    with_softmax: bool = True,
) -> tuple[Tensor, Tensor]:
    """Gradient descent from zero, or what becomes of it by a mistake."""
    weights, bias = torch.zeros(inputs.shape[1], 10), torch.zeros(10)
    before = torch.zeros_like(weights), torch.zeros_like(bias)
    for _ in range(steps):
        scores = inputs @ weights + bias
        errors = (scores.softmax(dim=1) if with_softmax else scores) - one_hot(labels, 10)
        errors = errors / (share or len(inputs))
        gradients = inputs.T @ errors, errors.sum(dim=0)
        if keeps_gradients:
            gradients = before = before[0] + gradients[0], before[1] + gradients[1]
        weights = weights - sign * learning_rate * gradients[0]
        bias = bias - sign * learning_rate * gradients[1] * with_bias
    return weights, bias


_descent = judges.function(
    _descend,
    {
        "you go uphill: subtract the gradient.": partial(_descend, sign=-1),
        "your gradient is that of the sum of the losses: divide by the number of images.": partial(
            _descend, share=1
        ),
        "your gradient is divided by N x 10: divide by the number of images.": (
            lambda x, y, steps, rate: _descend(x, y, steps, rate / 10)
        ),
        "the bias stays at zero: update it, too.": partial(_descend, with_bias=False),
        "`backward()` adds to the gradient that is there: set it to zero after each step.": partial(
            _descend, keeps_gradients=True
        ),
        "the softmax is missing: the gradient is that of the squared error of the logits.": partial(
            _descend, with_softmax=False
        ),
        "one step too few.": lambda x, y, steps, rate: _descend(x, y, steps - 1, rate),
        "one step too many.": lambda x, y, steps, rate: _descend(x, y, steps + 1, rate),
        "the weights have shape (10, D): return (D, 10), so that `inputs @ weights` works.": (
            lambda *arguments: (_descend(*arguments)[0].T, _descend(*arguments)[1])
        ),
        "return the bias as well: weights, bias.": lambda *arguments: _descend(*arguments)[0],
        "weights first, then the bias.": lambda *arguments: _descend(*arguments)[::-1],
    },
    [
        (random_numbers(count, 5, seed=count) - 0.5, torch.arange(count) * 3 % 10, steps, 0.5)
        for count, steps in ((12, 4), (30, 7))
    ],
)
NO_STEPS = random_numbers(3, 4), torch.tensor([1, 2, 3]), 0, 0.5


def fit(answer: Any) -> str | None:
    """Judge the start, which shows before the first step, then the steps."""
    start = call(answer, *NO_STEPS)
    if isinstance(start, tuple) and len(start) == 2 and not agree(start, _descend(*NO_STEPS)):
        return "without a step it should return zeros: (D, 10) for the weights, (10,) for the bias."
    return _descent(answer)


def _repaired(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).float() / 255


IMAGES = 255 * random_numbers(2, 4, 5, 3).double()
_repaired_values = judges.function(
    _repaired,
    {
        "the shape is right and the image is not: `reshape` keeps the order of the numbers, and so mixes rows, "
        "columns and colours. `permute` moves the axes.": lambda x: x.reshape(2, 3, 4, 5) / 255,
        "the values still lie in 0 to 255: divide.": lambda x: x.permute(0, 3, 1, 2),
        "divide by 255, whatever the largest value of these images is: else a dark image becomes a bright one.": (
            lambda x: x.permute(0, 3, 1, 2).float() / x.max()
        ),
        "rows and columns are exchanged: the order of the axes is images, channels, rows, columns.": lambda x: (
            _repaired(x).transpose(2, 3)
        ),
        "the channels are still the last axis.": lambda x: x.float() / 255,
        "do not normalise here: each model does that itself.": lambda x: (
            (_repaired(x) - _repaired(x).mean((0, 2, 3), keepdim=True))
            / _repaired(x).std((0, 2, 3), keepdim=True)
        ),
    },
    [(IMAGES,)],
)


def repair(answer: Any) -> str | None:
    """Judge the values, then the type, which comparing numbers does not look at."""
    reason = _repaired_values(answer)
    if reason:
        return reason
    result = call(answer, IMAGES)
    if not isinstance(result, Tensor):
        return "the values are right, but a model wants a tensor: `torch.from_numpy` makes one of an array."
    if result.dtype != torch.float32:
        return f"the values are right, but their type is {result.dtype}; the models want torch.float32."
    return None


def _shares(labels: Tensor, predictions: Tensor, *, given: bool = False) -> Tensor:
    """The share (10,) of right images among those of each class, or with `given` among those that got its name."""
    right = torch.bincount(labels[labels == predictions], minlength=10)
    return right / torch.bincount(predictions if given else labels, minlength=10)


def _few_classes(repeats: int) -> tuple[Tensor, Tensor]:
    """Labels of three classes, and predictions that also name a fourth."""
    labels = torch.tensor([1] * 7 + [4] * 3 + [9]).repeat(repeats)
    return labels, torch.tensor([1] * 5 + [4, 2] + [4, 1, 1] + [9]).repeat(repeats)


class_mean = judges.without(
    judges.function(
        lambda labels, predictions: _shares(labels, predictions).nanmean(),
        {
            "that is the accuracy: it weighs each image equally, not each class.": lambda y, p: (
                (y == p).float().mean()
            ),
            "you divided by how often each answer was given (the mean is then one of precisions): divide by the "
            "images of the class.": lambda y, p: _shares(y, p, given=True).nanmean(),
            "return the mean of the shares, not one share for each class that there is.": (
                lambda y, p: _shares(y, p)[y.unique()]
            ),
            "the mean goes over the classes that have images: here seven of ten have none.": (
                lambda y, p: _shares(y, p).nan_to_num().mean()
            ),
            "the mean goes over the classes of the labels, not over all that were answered.": (
                lambda y, p: _shares(y, p).nansum() / len(torch.cat((y, p)).unique())
            ),
            "divide by the number of classes as well: the mean of the shares, not their sum.": (
                lambda y, p: _shares(y, p).nansum()
            ),
        },
        [_few_classes(repeats) for repeats in (1, 9)],
    ),
    {},
    loop="count with whole tensors, class by class at most.",
)

GOAL = 0.7  # of the validation drawings
MOST_FEATURES = 5_000


@cache
def _drawings() -> ImageData:
    return load_data("sketch10", sizes=(1_000, 500, 1), quiet=True)


def linear_accuracy(known: Tensor, labels: Tensor, new: Tensor, new_labels: Tensor) -> float:
    """The share of new rows (M, D) whose class a linear classifier names that least squares fit to the known (N, D)."""
    mean, spread = known.mean(dim=0), known.std(dim=0) + 1e-6
    known, new = (((rows - mean) / spread).double() for rows in (known, new))
    similarity = known @ known.T / known.shape[1]  # N x N, however many columns there are
    targets = one_hot(labels, 10).double() - 0.1
    ridge = 0.1 * torch.eye(len(known), dtype=torch.float64)
    scores = new @ known.T / known.shape[1] @ torch.linalg.solve(similarity + ridge, targets)
    return (scores.argmax(dim=1) == new_labels).double().mean().item()


def features(answer: Any) -> str | None:
    """Judge the form on a few images, then what a linear classifier reaches with it on validation drawings."""
    few = random_numbers(7, 3, 32, 32)
    rows = call(answer, few)
    fits = isinstance(rows, Tensor) and rows.ndim == 2 and len(rows) == 7
    if not fits or not rows.is_floating_point() or rows.is_meta or rows.is_sparse:
        return "called with 7 images, it should return a float tensor (7, D): a row of numbers for each."
    if not 1 <= rows.shape[1] <= MOST_FEATURES:
        return f"from 1 to {MOST_FEATURES:,} numbers for each image are allowed; yours are {rows.shape[1]:,}."
    if not rows.isfinite().all():
        return "it returned nan or an infinite number."
    if not agree(call(answer, few[:2]), rows[:2]):
        return (
            "the numbers of an image change with the other images it comes with: compute them from each image alone "
            "(a mean over the batch is the usual reason)."
        )
    data = _drawings()
    splits = data.train, data.validation
    known, new = (call(answer, split.images.float() / 255).detach().float() for split in splits)
    reached = linear_accuracy(known, data.train.labels, new, data.validation.labels)
    print(f"{reached:.1%} of 500 validation drawings; the goal is {GOAL:.0%}")
    if reached < GOAL:
        return f"{reached:.1%} of the validation drawings are right; the goal is {GOAL:.0%}."
    return None
