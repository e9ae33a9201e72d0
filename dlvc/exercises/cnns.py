"""The exercises of notebook 02: sizes and counts of convolutions, batch normalisation, stacked filters."""

from __future__ import annotations

from functools import partial

from dlvc.exercises import judges
from dlvc.exercises.checker import Check
from dlvc.exercises.exercise import Exercise

cnn_exercise = partial(Exercise, notebook="02_cnns")

EXERCISES = (
    cnn_exercise(
        name="stem_shape",
        title="The shape after the first layer",
        difficulty="easy",
        minutes=3,
        task="""\
ResNet18 begins with a convolution of 64 filters of 7x7 with stride 2 and padding 3.
What shape does it make of a batch (64, 3, 32, 32)?""",
        starter="stem_shape = ...  # a tuple: (images, channels, rows, columns)",
        solution="stem_shape = (64, 64, (32 + 2 * 3 - 7) // 2 + 1, (32 + 2 * 3 - 7) // 2 + 1)",
        hints=(
            "The number of images does not change. Which number of the layer is the new number of channels?",
            "The side is floor((side + 2 padding - filter) / stride) + 1.",
            "(32 + 6 - 7) / 2 is 15.5. Round it down before you add 1.",
        ),
        judge=judges.shape(
            (64, 64, 16, 16),
            {
                (
                    64,
                    3,
                    16,
                    16,
                ): "the channels of the result are the filters of the layer, not its input's.",
                (64, 64, 14, 14): "the padding lies on both sides: it counts twice.",
                (64, 64, 13, 13): "padding 3 adds 3 pixels on each side, and you left it out.",
                (
                    64,
                    64,
                    15,
                    15,
                ): "the last + 1 is missing: a filter that just fits gives one value, not none.",
                (64, 64, 17, 17): "round down: a filter that does not fit wholly is not applied.",
                (64, 64, 32, 32): "with stride 2 the filter moves two pixels at a time.",
                (
                    64,
                    16,
                    16,
                    64,
                ): "torch keeps the channels in second place: (images, channels, rows, columns).",
            },
        ),
        after="Stride 2 halves the side: 32 becomes 16, so all that follows costs a quarter.",
    ),
)
check = Check(EXERCISES)
