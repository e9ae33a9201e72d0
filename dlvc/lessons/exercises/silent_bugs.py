"""How the answers to the exercises of notebook 06 are judged; each judge has the name of its exercise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dlvc.lessons.exercises import judges


def _honest_row(validation: list[float], test: list[float]) -> tuple[int, float, float]:
    """Epoch (from 1), validation and test accuracy of the epoch that is best on validation."""
    return _row(validation.index(max(validation)), validation, test)


def _row(place: int, validation: list[float], test: list[float]) -> tuple[int, float, float]:
    """The row of the epoch at `place`, counted from 0."""
    return place + 1, validation[place], test[place]


def _independent(
    scores: Callable[[Tensor], Tensor], images: Tensor, *, tolerance: float = 1e-5
) -> bool:
    """Whether the first image alone has the scores that it has in the batch."""
    return torch.allclose(scores(images)[:1], scores(images[:1]), atol=tolerance)


def _lone_scores(images: Tensor) -> Tensor:
    """Scores of a model that looks at each image alone."""
    return images.flatten(1)[:, :3]


def _mixed_scores(images: Tensor) -> Tensor:
    """Scores of a model that compares each image with the mean of its batch."""
    return _lone_scores(images) - _lone_scores(images).mean(dim=0)


def _imprecise_scores(images: Tensor) -> Tensor:
    """Lone scores with a rounding error that depends on the number of images, as real models have."""
    return _lone_scores(images) + 1e-6 * len(images)


def _leaking_scores(images: Tensor) -> Tensor:
    """Scores of a model that lets a little of the others through."""
    return _lone_scores(images) + 0.01 * _mixed_scores(images)


BATCH = torch.linspace(0, 1, 4 * 3 * 2 * 2).view(4, 3, 2, 2) ** 2
CURVES = (
    ([0.2, 0.5, 0.4], [0.25, 0.45, 0.48]),
    ([0.3, 0.35, 0.6, 0.55], [0.31, 0.7, 0.58, 0.52]),
)
DATA, MODEL, NONE = "a test of the data", "a test of the model", "only the log or the table"

softmax_floor = judges.number(
    1.4612,
    {
        0.0: "that is the loss of a perfect model whose logits are given. Apply softmax to the probabilities.",
        2.3026: "that is guessing. The right class still has the largest of the ten inputs.",
        0.2320: "that is the probability. Take the negative logarithm.",
        1.0: "the 1 is an input of softmax, not its result.",
        0.6346: "the base of the logarithm is e, not 10.",
    },
    within=0.001,
)
images_behind = judges.number(
    10_000,
    {
        40_000: "with 40,000 images steps of 0.000025 would occur. These three need fewer.",
        5_000: "0.1234 and 0.3002 would do with 5,000, but 0.2871 of 5,000 is 1,435.5 images.",
        50_000: "that is all of CIFAR-10's training files. Count decimals.",
        1_000: "0.1234 of 1,000 images is 123.4 images.",
    },
)
first_loss = judges.number(
    5.298,
    {
        2.302: "that is ln 10 (or 200 with the wrong base): take the natural logarithm of all outputs.",
        0.005: "that is the probability. Take the negative logarithm.",
        -5.298: "a loss is the negative logarithm, so it is positive.",
        7.644: "cross-entropy uses the natural logarithm, not that of base 2.",
    },
    within=0.006,
)
honest_row = judges.function(
    _honest_row,
    {
        "you choose by the test accuracies: then they are no test any more.": (
            lambda v, t: _row(t.index(max(t)), v, t)
        ),
        "you take the last epoch, not the best one.": lambda v, t: _row(len(t) - 1, v, t),
        "your epochs count from 0.": lambda v, t: (v.index(max(v)), *_honest_row(v, t)[1:]),
        "your validation accuracy is the mean over epochs, the report's mistake.": (
            lambda v, t: (_honest_row(v, t)[0], sum(v) / len(v), _honest_row(v, t)[2])
        ),
        "your test accuracy is the best of all epochs, not that of the chosen one.": (
            lambda v, t: (*_honest_row(v, t)[:2], max(t))
        ),
    },
    CURVES,
)
independent = judges.function(
    _independent,
    {
        "it says True of a model that mixes images: do you ask about the same batch twice?": (
            lambda scores, images: True
        ),
        "it says False of a model that looks at each image alone: compare the same image, up to rounding.": (
            lambda scores, images: False
        ),
        "True and False are the wrong way round.": (
            lambda scores, images: not _independent(scores, images)
        ),
        "it does not allow for rounding: differences up to 0.00001 mean nothing.": (
            lambda scores, images: torch.equal(scores(images)[:1], scores(images[:1]))
        ),
        "it overlooks small differences: anything above 0.00001 counts.": (
            partial(_independent, tolerance=0.05)
        ),
    },
    [
        (scores, BATCH)
        for scores in (_lone_scores, _mixed_scores, _imprecise_scores, _leaking_scores)
    ],
)
who_sees_it = judges.parts(
    {
        "shuffled labels": judges.choice(
            DATA,
            **{
                MODEL: "a model learns shuffled labels by heart without complaint. Test the data.",
                NONE: "you need not train to see it: do images of one class have anything in common?",
            },
        ),
        "softmax twice": judges.choice(
            MODEL,
            **{
                DATA: "the data are right. It is the loss that gets the wrong thing.",
                NONE: "before training, a few images that cannot be learned by heart betray it.",
            },
        ),
        "chosen on the test set": judges.choice(
            NONE,
            **{
                DATA: "the data are right. They are used at the wrong moment.",
                MODEL: "model and loss are right. The choice comes after the epochs.",
            },
        ),
        "mean over epochs": judges.choice(
            NONE,
            **{
                DATA: "the data are right. It is the table that is wrong.",
                MODEL: "the model is right. No test of it looks at the table.",
            },
        ),
    }
)
