"""The exercises of notebook 01: pixel layouts, the three parts, the two accuracies, duplicates."""

from __future__ import annotations

from functools import partial

from dlvc.lessons.exercises import data_judges as judge
from dlvc.lessons.exercises.exercise import Exercise

data_exercise = partial(Exercise, notebook="01_data")

EXERCISES = (
    data_exercise(
        name="repair",
        title="Repair an input",
        difficulty="easy",
        minutes=5,
        task="""\
A colleague hands you pictures of shape `(N, 32, 32, 3)` (pictures, rows, columns, colours) and type `float64` with
values from 0 to 255. Write the function that makes of them what a model of this workbook wants.""",
        shapes="(N, rows, columns, 3) from 0 to 255 -> (N, 3, rows, columns), float32, from 0 to 1",
        solution="""\
def repair(pictures):
    return pictures.permute(0, 3, 1, 2).float() / 255""",
        hints=(
            "Three things are wrong: the order of the axes, the range and the type.",
            "`permute` takes the old numbers of the axes in their new order. The colours are axis 3 and become axis 1.",
            "`pictures.permute(0, 3, 1, 2)`, then `.float()`, then divide by 255, the largest value a pixel can have.",
        ),
        judge=judge.repair,
        after="""\
Normalisation is not your task here, as the model does it. Draw one picture to be sure: a wrong order of the axes
raises no error.""",
    ),
    data_exercise(
        name="which_part",
        title="Which part?",
        difficulty="easy",
        minutes=3,
        task="""\
`"train"`, `"validation"` or `"test"`: which part do you use to choose between two learning rates, to count the classes
for the majority model, to state in your report how good the final model is, and to find out why it confuses cats and
dogs, so that you can improve it?""",
        solution="""\
which_part = {
    "choose the learning rate": "validation",
    "count for the majority model": "train",
    "state the result": "test",
    "study the errors": "validation",
}""",
        hints=(
            "One part is for learning, one for deciding, one for a single last measurement.",
            "Whatever leads to a change of the model is a decision.",
            "Two of the four are decisions; the majority model is trained like any other.",
        ),
        judge=judge.which_part,
        after="""\
Whoever studies the errors on the test part and then changes the model has used the test part to choose.""",
    ),
    data_exercise(
        name="doctor",
        title="A doctor's model",
        difficulty="medium",
        minutes=6,
        task="""\
In a test set 95 % of the X-ray pictures show a healthy lung, 5 % an ill one. Model 1 always answers "healthy". What are
its accuracy and its mean per-class accuracy? Model 2 looks at no picture either, but gives "healthy" the probability
0.95 each time. What is its cross-entropy, and what is that of guessing with one half each? Three decimals.""",
        solution="""\
doctor = {
    "accuracy": 0.95,
    "mean per-class accuracy": (1 + 0) / 2,
    "cross-entropy": -0.95 * math.log(0.95) - 0.05 * math.log(0.05),
    "cross-entropy of guessing": math.log(2),
}""",
        hints=(
            "Ask of each picture: is the answer right, and what probability did its true class get?",
            "The mean per-class accuracy is the mean of two numbers. The cross-entropy is a mean over all pictures.",
            "95 % of the pictures have the loss -ln 0.95, the others -ln 0.05.",
        ),
        judge=judge.doctor,
        after="""\
A loss of 0.199 looks small beside ln 2 = 0.693, and still comes from a model that never looked. Know the loss of the
best constant answer first.""",
    ),
    data_exercise(
        name="may_mirror",
        title="May I mirror?",
        difficulty="medium",
        minutes=5,
        task="""\
Which mirrorings are a fair augmentation for each task: `"left-right"` only, `"both"` (left-right and upside-down), or
`"neither"`?""",
        solution="""\
may_mirror = {
    "the ten classes of CIFAR-10": "left-right",
    "house numbers": "neither",
    "left shoes and right shoes": "neither",
    "cells under a microscope": "both",
}""",
        hints=(
            "Does the mirrored picture still have its label? And could it occur in the test part?",
            "Two of the tasks forbid mirroring altogether.",
            "A microscope has no up or left; a street has an up.",
        ),
        judge=judge.may_mirror,
        after="""\
Shoes could be mirrored if the label were exchanged with them. An augmentation is a claim about your classes.""",
    ),
    data_exercise(
        name="class_mean",
        title="The mean per-class accuracy",
        difficulty="medium",
        minutes=8,
        task="""\
Write it down in torch. `counts[i, j]` is the number of pictures of class i that were called class j; each class has at
least one picture. Return one number.""",
        shapes="counts (C, C): a row for each true class, a column for each answer",
        solution="""\
def class_mean(counts):
    right = counts.diagonal()  # (C,)
    pictures = counts.sum(dim=1)  # (C,)
    return (right / pictures).mean()""",
        hints=(
            "First the share of each class, then the mean of the shares.",
            "The right answers are on the diagonal. How many pictures has class i?",
            "Row i adds up to the pictures of class i: `counts.sum(dim=1)`.",
        ),
        judge=judge.class_mean,
        after="The library's is `mean_per_class_accuracy(counts)`, which also refuses classes without a picture.",
    ),
    data_exercise(
        name="nearest",
        title="Find near-duplicates",
        difficulty="hard",
        minutes=12,
        task="""\
The fingerprints found only exact copies. Near-duplicates need a distance. Shrink each picture from 32 x 32 to 8 x 8
pixels, each the mean of a 4 x 4 block (`torch.nn.functional.avg_pool2d(images, 4)`), and compare the 192 numbers: for
each test picture, return the number of the training picture with the smallest Euclidean distance. Both arguments are
float pictures (N, 3, 32, 32).""",
        shapes="(M, 3, 32, 32), (N, 3, 32, 32) -> (M,): for each test picture a number from 0 to N - 1",
        solution="""\
def nearest(test, train):
    small_test = torch.nn.functional.avg_pool2d(test, 4).flatten(1)  # (M, 192)
    small_train = torch.nn.functional.avg_pool2d(train, 4).flatten(1)  # (N, 192)
    return torch.cdist(small_test, small_train).argmin(dim=1)""",
        hints=(
            "Make a list of numbers of each picture, then compare each list with each.",
            "`flatten(1)` makes (M, 192) of the shrunk pictures. `torch.cdist` gives all distances, (M, N).",
            "The place of the smallest distance in row i is the answer for test picture i: `argmin` along dim 1.",
        ),
        judge=judge.nearest,
        after="""\
Try it on `to_float(data.test.first(500).images)` and `to_float(data.train.first(2_000).images)`, and draw the closest
pairs with `show_images`. Sketch-10 has no twins: each drawing is made anew. CIFAR-10 has some, the same photograph
cut or coloured a little differently, next to pairs that are alike for no reason: a person has to judge each one.""",
    ),
)
