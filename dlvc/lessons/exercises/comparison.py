"""The exercises of notebook 05: intervals, paired counts, McNemar's test, means over epochs, classes."""

from __future__ import annotations

from functools import partial

from dlvc.lessons.exercises import comparison_judges as judge
from dlvc.lessons.exercises.exercise import Exercise

comparison_exercise = partial(Exercise, notebook="05_comparison")

EXERCISES = (
    comparison_exercise(
        name="two_accuracies",
        title="Two accuracies",
        difficulty="easy",
        minutes=4,
        task="""\
Model A gets 68.6 % on 10,000 test images, model B 69.2 %, one run each. What are the two half-widths, as shares with
four decimals? And what do these numbers say: `"B is better"`, `"A is better"` or `"not decided"`?""",
        solution="""\
two_accuracies = {
    "half-width of A": 1.96 * math.sqrt(0.686 * 0.314 / 10_000),
    "half-width of B": 1.96 * math.sqrt(0.692 * 0.308 / 10_000),
    "verdict": "not decided",
}""",
        hints=(
            'The formula stands under "Idea", and there is a function for it.',
            "a (1 - a) is 0.686 times 0.314. Divide it by the number of images before you take the root.",
            "Compare the difference, 0.006, with the half-widths.",
        ),
        judge=judge.two_accuracies,
        after="""\
The difference of 0.6 points is smaller than either half-width. Train both with several seeds, and count the images
that only one of them gets right.""",
    ),
    comparison_exercise(
        name="four_boxes",
        title="Four boxes",
        difficulty="easy",
        minutes=4,
        task="""\
On 10,000 images both models are right on 8,900, only A on 60, only B on 30. What are the two accuracies? And suppose
that someone told you only that exactly one of the two is right on 90 images: how large could the difference of their
accuracies be at most?""",
        solution="""\
four_boxes = {
    "accuracy of A": (8_900 + 60) / 10_000,
    "accuracy of B": (8_900 + 30) / 10_000,
    "largest difference": 90 / 10_000,
}""",
        hints=(
            "On which images is A right? It is two of the four boxes.",
            "Images that both get right, or both wrong, do not change the difference.",
            "The difference is largest if all 90 images go to the same model.",
        ),
        judge=judge.four_boxes,
        after="Here the difference is (60 - 30) / 10,000 = 0.003, that is, 0.3 points in favour of A.",
    ),
    comparison_exercise(
        name="epoch_mean",
        title="The other way round",
        difficulty="medium",
        minutes=5,
        task="""\
The report's validation column is a mean over all epochs. Is it `"possible"` or `"impossible"` that this mean lies above
the numbers below? And which of its models has a mean closest to its best epoch: `"deep-cnn"`, `"deep-vit"` or
`"resnet18"`?""",
        solution="""\
epoch_mean = {
    "above the test accuracy of the best epoch": "possible",
    "above the validation accuracy of the best epoch": "impossible",
    "closest to its best epoch": "deep-vit",
}""",
        hints=(
            "Is the largest of ten numbers ever smaller than their mean?",
            "Validation and test images are different images: one part may be easier.",
            "The mean is close to the best if the curve is flat. Which model never learned anything?",
        ),
        judge=judge.epoch_mean,
        after="""\
The mean is close to the best if the model learned at once or never. The report's deep ViT has 0.0994 on validation and
0.1000 on the test set, both of them chance.""",
    ),
    comparison_exercise(
        name="only_one_right",
        title="Who is right where the other is wrong?",
        difficulty="easy",
        minutes=5,
        task="""\
Write the count behind "Image by image": of two arrays that say for each test image whether a model is right, return
$b$, on how many images only the first is right, and $c$, on how many only the second.""",
        shapes="two arrays of True and False, one entry an image -> b, c",
        solution="""\
def only_one_right(first, second):
    return (first & ~second).sum(), (~first & second).sum()""",
        hints=(
            "For arrays of True and False, `&` is and, `~` is not.",
            "b counts the images where the first is right and the second is not.",
            "`(first & ~second).sum()` is b. Exchange the two for c.",
        ),
        judge=judge.only_one_right,
        after="The difference of the accuracies is (c - b) / n: the other images do not matter for it.",
    ),
    comparison_exercise(
        name="wilson",
        title="An interval for small counts",
        difficulty="medium",
        minutes=12,
        task="""\
With 50 of 50 images right the half-width is 0: "100 %, and no doubt". Wilson's interval does better. With $a = k / n$
and $z = 1.96$ its middle and its half-width are

$$\\frac{a + z^2 / 2n}{1 + z^2 / n}, \\qquad
\\frac{z}{1 + z^2 / n} \\sqrt{\\frac{a (1 - a)}{n} + \\frac{z^2}{4 n^2}}.$$

Return its two ends.""",
        shapes="right of images -> (low, high), two shares",
        solution="""\
def wilson(right, images):
    z, share = 1.96, right / images
    middle = (share + z**2 / (2 * images)) / (1 + z**2 / images)
    root = math.sqrt(share * (1 - share) / images + z**2 / (4 * images**2))
    half = z / (1 + z**2 / images) * root
    return middle - half, middle + half""",
        hints=(
            "Write middle and half-width on a line each; then return middle minus and plus half-width.",
            "Try 50 of 50: the ends should be about 0.929 and 1.",
            "`root = math.sqrt(a * (1 - a) / n + z**2 / (4 * n**2))`; both formulas divide by `1 + z**2 / n`.",
        ),
        judge=judge.wilson,
        after="""\
50 of 50 give 0.929 to 1: up to 7 % errors are still possible. For 10,000 images it is nearly the simple interval.""",
    ),
    comparison_exercise(
        name="mcnemar",
        title="Would a coin do this?",
        difficulty="hard",
        minutes=15,
        task="""\
If two models are equally good, each image that only one of them gets right goes to either like a tossed coin. Write
McNemar's exact test: with $n = b + c$ tosses, the probability of a result at least as uneven as $b$ against $c$, in
either direction, but never more than 1. For $n = 0$ it is 1.""",
        shapes="two whole numbers -> the probability p",
        solution="""\
def mcnemar(b, c):
    tosses = b + c
    tail = sum(math.comb(tosses, heads) for heads in range(min(b, c) + 1)) / 2**tosses
    return min(1.0, 2 * tail)""",
        hints=(
            "How likely are exactly k heads in n tosses? `math.comb(n, k) / 2**n`.",
            "Add this up from 0 to the smaller of b and c: that is one direction.",
            "The other direction is as likely, so take it twice; with b = c this would be more than 1, so cut it.",
        ),
        judge=judge.mcnemar,
        after="""\
5 against 0 gives 0.06. 50 against 0 gives less than 0.000001, and 1,000 against 1,050 gives 0.28: the same difference
of 50 images can mean much or nothing.""",
    ),
    comparison_exercise(
        name="class_gains",
        title="Who gains?",
        difficulty="medium",
        minutes=10,
        task="""\
From one model to the other, which class gains most? Write the function that returns the gain of each class in
percentage points, from the two confusion matrices (a row for each true class).""",
        shapes="two arrays (C, C) of counts -> (C,), percentage points",
        solution="""\
def class_gains(before, after):
    shares = [counts.diagonal() / counts.sum(axis=1) for counts in (before, after)]
    return 100 * (shares[1] - shares[0])""",
        hints=(
            "First the accuracy within each class, for each of the two models.",
            "`counts.diagonal() / counts.sum(axis=1)` is a share for each class.",
            "After minus before, times 100.",
        ),
        judge=judge.class_gains,
        after="""\
Call it with `np.array(runs[key][0].test.confusion)` of the simple and of the deep CNN. Each class has 1,000 test
images, so at 60 % each of the two accuracies has a half-width of 3 points, and gains of less than 6 points are not
decided by our rule. And you look at ten classes: the largest of ten noisy numbers is large.""",
    ),
)
