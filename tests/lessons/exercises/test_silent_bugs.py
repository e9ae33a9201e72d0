"""The exercises of notebook 06 take every right way, and name the likely mistake behind a wrong answer."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from wrong_answers import NAMED, Table, both_tests

from dlvc.lessons.exercises.exercise import NOT_ATTEMPTED, RIGHT
from dlvc.lessons.exercises.silent_bugs import _Mended
from dlvc.lessons.silent_bugs.program import Program


class OneBlockLeft(_Mended):
    build = Program.build


class UpsideDownLeft(_Mended):
    mirror = Program.mirror


class NeverMirrored(_Mended):
    def mirror(self, images):
        return images


class Turned(_Mended):
    def mirror(self, images):
        return torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(-1, -2), images)


class OtherAccuracy(_Mended):
    def accuracy(self, split):
        return super().accuracy(split) + 0.1


class CopiedBlocks(Program):
    """Another right way: copies of one block, and a loop over the images."""

    def build(self):
        layers = list(super().build())
        blocks = [copy.deepcopy(layer) for _ in range(3) for layer in layers[4:8]]
        return nn.Sequential(*layers[:4], *blocks, nn.Flatten(), nn.Linear(128, 10))

    def mirror(self, images):
        return torch.stack([image.flip(2) if torch.rand(()) < 0.5 else image for image in images])


def shares_no_layer(program):
    assert len(set(map(id, program.model))) == len(program.model)


def counts_convolutions(program):
    convolutions = [layer for layer in program.model.modules() if isinstance(layer, nn.Conv2d)]
    return len(convolutions) == 4  # a test may also return True or False


def leaves_the_sky_above(program):
    images = torch.zeros(64, 3, 32, 32, dtype=torch.uint8)
    images[:, :, :16] = 255
    assert torch.equal(program.mirror(images), images)


def both(program):
    shares_no_layer(program)
    leaves_the_sky_above(program)


def always(program):
    assert True


def never(program):
    raise AssertionError("too strict")


def misspelt(program):
    assert program.models


WRONG: Table = {
    "mended_program": [
        (OneBlockLeft, "mirroring is right now"),
        (UpsideDownLeft, "the model is right now"),
        (NeverMirrored, "about half of the images"),
        (Turned, "left and right exchanged"),
        (OtherAccuracy, "no longer the share"),
        (nn.Identity, "must stay a Program"),
        (3, "a function is asked for"),
    ],
    "two_tests": [
        ((shares_no_layer, never), "never fails on the mended program, too"),
        ((shares_no_layer, always), "always passes on every program"),
        ((shares_no_layer, counts_convolutions), "catch the same bug"),
        ((both, leaves_the_sky_above), "both fails with either bug alone"),
        (
            (misspelt, leaves_the_sky_above),
            "misspelt should fail by assert; it stopped with Attrib",
        ),
        (shares_no_layer, "two functions"),
    ],
    "what_the_log_says": [
        ({"images": 40_000}, "These five need fewer"),
        ({"images": 5_000}, "514.5"),
        ({"chance": 0.25}, "There are five"),
        ({"chance": 1e-5}, "not every tenth"),
        ({"behind_302": 64}, "Do 64 divide"),
        ({"behind_302": 156}, "full batches"),
    ],
    "softmax_floor": [
        (0, "Apply softmax to the probabilities"),
        (math.log(10), "that is guessing"),
        (0.232, "the negative logarithm"),
        (1.0, "an input of softmax"),
    ],
    "shared_images": [
        (
            lambda first, second: int(
                (first[: len(second)] == second[: len(first)]).flatten(1).all(dim=1).sum()
            ),
            "at the same place",
        ),
        (
            lambda first, second: sum(torch.equal(one, two) for one in first for two in second),
            "you count pairs",
        ),
        (
            lambda first, second: sum(
                any(torch.equal(one, two) for two in second) for one in first
            ),
            "images of `first`",
        ),
        (
            lambda first, second: sum(
                bool((first.float().mean(dim=(1, 2, 3)) == image.float().mean()).any())
                for image in second
            ),
            "the same mean",
        ),
        (lambda first, second: sum(bool((first == image).any()) for image in second), "same mean"),
    ],
}

test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "06_silent_bugs", WRONG
)


@pytest.mark.parametrize("program", [_Mended, CopiedBlocks])
def test_every_way_to_mend_the_program_is_right(program):
    assert NAMED["mended_program"].assess(program).heading == RIGHT


@pytest.mark.parametrize(
    "tests",
    [(shares_no_layer, leaves_the_sky_above), [leaves_the_sky_above, counts_convolutions]],
    ids=["as in the solution", "in another order, one without assert"],
)
def test_two_tests_may_stand_in_any_order_and_fail_in_two_ways(tests):
    assert NAMED["two_tests"].assess(tests).heading == RIGHT


def test_a_program_or_tests_that_change_nothing_are_not_attempted():
    assert NAMED["mended_program"].assess(Program).heading == NOT_ATTEMPTED
    assert NAMED["two_tests"].assess((always, always)).heading == NOT_ATTEMPTED


def test_each_image_counts_once_however_it_is_found():
    def pixel_by_pixel(first, second):
        return sum(any(torch.equal(image, other) for other in first) for image in second)

    assert NAMED["shared_images"].assess(pixel_by_pixel).heading == RIGHT
