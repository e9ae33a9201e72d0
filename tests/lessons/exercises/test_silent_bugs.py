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


class AddedGradientsLeft(_Mended):
    step = Program.step


class ClearedTooLate(_Mended):
    """Gradients are cleared between backward() and the optimizer's step."""

    def step(self, images, labels):
        loss = torch.nn.functional.cross_entropy(self.model(self.prepare(images)), labels)
        loss.backward()
        self.optimizer.zero_grad()
        self.optimizer.step()
        return loss.item()


class OtherAccuracy(_Mended):
    def accuracy(self, split):
        return super().accuracy(split) + 0.1


class CopiedBlocks(Program):
    """Another right way: copies of one block, and gradients cleared in the loop of the epoch, after each step."""

    def build(self):
        first, block = super().build()[:3], super().build()[3:7]
        return nn.Sequential(
            *first,
            *(copy.deepcopy(layer) for _ in range(3) for layer in block),
            nn.Flatten(),
            nn.Linear(512, 10),
        )

    def train_epoch(self):
        self.model.train()
        losses = []
        for index in torch.randperm(len(self.data.train)).split(64):
            losses.append(self.step(self.data.train.images[index], self.data.train.labels[index]))
            self.optimizer.zero_grad()
        return sum(losses) / len(losses)


def shares_no_layer(program):
    assert len(set(map(id, program.model))) == len(program.model)


def counts_parameters(program):
    convolutions = [layer for layer in program.model.modules() if isinstance(layer, nn.Conv2d)]
    return len(convolutions) == 4  # a test may also return True or False


def gradient_is_its_own(program):
    batch = program.data.train.images[:8], program.data.train.labels[:8]
    for group in program.optimizer.param_groups:
        group["lr"] = 0.0
    gradients = []
    for _ in range(2):
        torch.manual_seed(0)
        program.step(*batch)
        gradients.append(program.model[0].weight.grad.clone())
    assert torch.allclose(*gradients)


def both(program):
    shares_no_layer(program)
    gradient_is_its_own(program)


def always(program):
    assert True


def never(program):
    raise AssertionError("too strict")


def misspelt(program):
    assert program.models


WRONG: Table = {
    "mended_program": [
        (OneBlockLeft, "gradients are right now"),
        (AddedGradientsLeft, "the model is right now"),
        (ClearedTooLate, "between backward() and step()"),
        (OtherAccuracy, "no longer the share"),
        (nn.Identity, "must stay a Program"),
        (3, "a function is asked for"),
    ],
    "two_tests": [
        ((shares_no_layer, never), "never fails on the mended program, too"),
        ((shares_no_layer, always), "always passes on every program"),
        ((shares_no_layer, counts_parameters), "catch the same bug"),
        ((both, gradient_is_its_own), "both fails with either bug alone"),
        ((misspelt, gradient_is_its_own), "misspelt should fail by assert; it stopped with Attrib"),
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
    [(shares_no_layer, gradient_is_its_own), [gradient_is_its_own, counts_parameters]],
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
