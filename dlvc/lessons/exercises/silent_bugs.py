"""The exercises of notebook 06: losses that cannot be, numbers that tell where they come from, and small tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.exercise import Exercise

silent_exercise = partial(Exercise, notebook="06_silent_bugs")


def honest_row(validation: list[float], test: list[float]) -> tuple[int, float, float]:
    """Epoch (from 1), validation and test accuracy of the epoch that is best on validation."""
    return row_of(validation.index(max(validation)), validation, test)


def row_of(place: int, validation: list[float], test: list[float]) -> tuple[int, float, float]:
    """The row of the epoch at `place`, counted from 0."""
    return place + 1, validation[place], test[place]


def independent(
    scores: Callable[[Tensor], Tensor], images: Tensor, *, tolerance: float = 1e-5
) -> bool:
    """Whether the first image alone has the scores that it has in the batch."""
    return torch.allclose(scores(images)[:1], scores(images[:1]), atol=tolerance)


def lone_scores(images: Tensor) -> Tensor:
    """Scores of a model that looks at each image alone."""
    return images.flatten(1)[:, :3]


def mixed_scores(images: Tensor) -> Tensor:
    """Scores of a model that compares each image with the mean of its batch."""
    return lone_scores(images) - lone_scores(images).mean(dim=0)


def imprecise_scores(images: Tensor) -> Tensor:
    """Lone scores with a rounding error that depends on the number of images, as real models have."""
    return lone_scores(images) + 1e-6 * len(images)


def leaking_scores(images: Tensor) -> Tensor:
    """Scores of a model that lets a little of the others through."""
    return lone_scores(images) + 0.01 * mixed_scores(images)


BATCH = torch.linspace(0, 1, 4 * 3 * 2 * 2).view(4, 3, 2, 2) ** 2
CURVES = (
    ([0.2, 0.5, 0.4], [0.25, 0.45, 0.48]),
    ([0.3, 0.35, 0.6, 0.55], [0.31, 0.7, 0.58, 0.52]),
)
DATA, MODEL, NONE = "a test of the data", "a test of the model", "only the log or the table"

EXERCISES = (
    silent_exercise(
        name="softmax_floor",
        title="The floor of softmax twice",
        difficulty="medium",
        minutes=6,
        task="""\
Cross-entropy is given probabilities instead of logits. The model is perfect: probability 1 for the right class, 0 for
the other nine. What loss is reported? (Three decimals.)""",
        starter="softmax_floor = ...",
        solution="""\
import math

softmax_floor = -math.log(math.e / (math.e + 9))""",
        hints=(
            "Cross-entropy applies softmax to what it gets: here to one 1 and nine 0.",
            "The softmax of the right class is e to the 1, divided by the sum over all ten.",
            "-ln(e / (e + 9)).",
        ),
        judge=judges.number(
            1.4612,
            {
                0.0: "that is the loss of a perfect model whose logits are given. Apply softmax to the probabilities.",
                2.3026: "that is guessing. The right class still has the largest of the ten inputs.",
                0.2320: "that is the probability. Take the negative logarithm.",
                1.0: "the 1 is an input of softmax, not its result.",
                0.6346: "the base of the logarithm is e, not 10.",
            },
            within=0.001,
        ),
        after="No training can bring this loss below 1.46. So a batch that cannot be learned by heart betrays it.",
    ),
    silent_exercise(
        name="images_behind",
        title="How many images?",
        difficulty="easy",
        minutes=4,
        task="""\
The report's log has training accuracies such as 0.1234, 0.2871 and 0.3002, never a fifth decimal. What is the smallest
number of training images that gives all three?""",
        starter="images_behind = ...",
        solution="images_behind = 10_000",
        hints=(
            "A training accuracy is a whole number divided by the number of images.",
            "0.1234 = 1234 / 10,000. Can this fraction be reduced, and the other two by the same number?",
            "0.2871 = 2871 / 10,000 cannot be reduced: 2871 is neither even nor a multiple of 5.",
        ),
        judge=judges.number(
            10_000,
            {
                40_000: "with 40,000 images steps of 0.000025 would occur. These three need fewer.",
                5_000: "0.1234 and 0.3002 would do with 5,000, but 0.2871 of 5,000 is 1,435.5 images.",
                50_000: "that is all of CIFAR-10's training files. Count decimals.",
                1_000: "0.1234 of 1,000 images is 123.4 images.",
            },
        ),
        after="One of four training files. The number of images was written in every line of the log.",
    ),
    silent_exercise(
        name="first_loss",
        title="A first loss",
        difficulty="easy",
        minutes=3,
        task="""\
A fresh model has 200 outputs. Which first loss do you expect, whatever the data? (Two decimals.)""",
        starter="first_loss = ...",
        solution="""\
import math

first_loss = math.log(200)""",
        hints=(
            "A fresh model knows nothing: it spreads its probability over all outputs.",
            "The loss is the negative logarithm of the right class's probability.",
            "-ln(1 / 200).",
        ),
        judge=judges.number(
            5.298,
            {
                2.302: "that is ln 10 (or 200 with the wrong base): take the natural logarithm of all outputs.",
                0.005: "that is the probability. Take the negative logarithm.",
                -5.298: "a loss is the negative logarithm, so it is positive.",
                7.644: "cross-entropy uses the natural logarithm, not that of base 2.",
            },
            within=0.006,
        ),
        after="5.30, even if the data have ten classes only: the first loss counts the outputs of the head.",
    ),
    silent_exercise(
        name="honest_row",
        title="An honest row",
        difficulty="medium",
        minutes=6,
        task="""\
Write a function that gets the validation and the test accuracies of all epochs (two lists) and returns what the table
should say: number of the epoch (from 1), its validation accuracy, its test accuracy.""",
        starter="""\
def honest_row(validation, test): ...""",
        solution="""\
def honest_row(validation, test):
    best = validation.index(max(validation))
    return best + 1, validation[best], test[best]""",
        hints=(
            "One of the two lists may decide which epoch is taken. Which?",
            "Both accuracies must belong to the same epoch.",
            "validation.index(max(validation)) counts from 0.",
        ),
        judge=judges.function(
            honest_row,
            {
                "you choose by the test accuracies: then they are no test any more.": (
                    lambda v, t: row_of(t.index(max(t)), v, t)
                ),
                "you take the last epoch, not the best one.": (
                    lambda v, t: row_of(len(t) - 1, v, t)
                ),
                "your epochs count from 0.": (
                    lambda v, t: (v.index(max(v)), *honest_row(v, t)[1:])
                ),
                "your validation accuracy is the mean over epochs, the report's mistake.": (
                    lambda v, t: (honest_row(v, t)[0], sum(v) / len(v), honest_row(v, t)[2])
                ),
                "your test accuracy is the best of all epochs, not that of the chosen one.": (
                    lambda v, t: (*honest_row(v, t)[:2], max(t))
                ),
            },
            CURVES,
        ),
        after="One epoch, chosen by validation alone, and both numbers from it.",
    ),
    silent_exercise(
        name="independent",
        title="A test for images that see each other",
        difficulty="hard",
        minutes=8,
        task="""\
Write a function that gets `scores`, which turns images (B, 3, H, W) into scores (B, K), and a batch `images`. It
returns True if the first image has the same scores alone as it has in the batch, up to 0.00001, else False.""",
        starter="""\
def independent(scores, images): ...""",
        solution="""\
import torch


def independent(scores, images):
    return torch.allclose(scores(images)[:1], scores(images[:1]), atol=1e-5)""",
        hints=(
            "Ask twice: once about the batch, once about the first image.",
            "images[:1] is a batch of one; images[0] has no batch axis.",
            "Compare scores(images)[:1] and scores(images[:1]) with torch.allclose, after `import torch`.",
        ),
        judge=judges.function(
            independent,
            {
                "it says True of a model that mixes images: do you ask about the same batch twice?": (
                    lambda scores, images: True
                ),
                "it says False of a model that looks at each image alone: compare the same image, up to rounding.": (
                    lambda scores, images: False
                ),
                "True and False are the wrong way round.": (
                    lambda scores, images: not independent(scores, images)
                ),
                "it does not allow for rounding: differences up to 0.00001 mean nothing.": (
                    lambda scores, images: torch.equal(scores(images)[:1], scores(images[:1]))
                ),
                "it overlooks small differences: anything above 0.00001 counts.": (
                    partial(independent, tolerance=0.05)
                ),
            },
            [
                (scores, BATCH)
                for scores in (lone_scores, mixed_scores, imprecise_scores, leaking_scores)
            ],
        ),
        after="Two lines that would have caught attention over the batch before the first step.",
    ),
    silent_exercise(
        name="who_sees_it",
        title="Which test sees which fault?",
        difficulty="medium",
        minutes=5,
        task=f"""\
For each fault, name what can find it first: "{DATA}" (before there is a model), "{MODEL}" (before training), or
"{NONE}".""",
        solution=f"""\
who_sees_it = {{
    "shuffled labels": "{DATA}",
    "softmax twice": "{MODEL}",
    "chosen on the test set": "{NONE}",
    "mean over epochs": "{NONE}",
}}""",
        hints=(
            "What has to exist before the fault can happen?",
            "Labels belong to images without any model. A loss needs scores.",
            "Nothing can be chosen, and no mean taken, before there are epochs.",
        ),
        judge=judges.parts(
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
        ),
        after="A pre-flight check ends where the epochs begin. For the rest, read the code that makes the table.",
    ),
)
