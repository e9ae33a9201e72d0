"""How the answers to the exercises of notebook 06 are judged; each judge has the name of its exercise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from dlvc.data import ImageData, load_data
from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.answers import NotAttempted, Wrong, call, named
from dlvc.lessons.silent_bugs.program import Program


class _Mended(Program):
    """The program without its bugs."""

    def build(self) -> nn.Module:
        layers: list[nn.Module] = []
        for channels in (3, 32, 32, 32):
            layers += [nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32)]
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 10))

    def mirror(self, images: Tensor) -> Tensor:
        mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
        return torch.where(mirrored, images.flip(-1), images)


class _OneBlock(_Mended):
    """The program with one bug: its three blocks are one."""

    build = Program.build


class _UpsideDown(_Mended):
    """The program with the other bug: images are turned upside down."""

    mirror = Program.mirror


@cache
def _drawings() -> ImageData:
    return load_data("sketch10", sizes=(200, 100, 100), quiet=True)


def mended_program(answer: Any) -> str | None:
    """None if both bugs are gone and nothing else is broken, else what is wrong."""
    program = call(answer, _drawings())
    missing = [name for name in ("model", "mirror", "accuracy") if not hasattr(program, name)]
    if missing:
        raise Wrong(f"the class must stay a Program; it has no {' and no '.join(missing)}.")
    convolutions = [layer for layer in program.model.modules() if isinstance(layer, nn.Conv2d)]
    shared = len(convolutions) < 4  # modules() names a layer once
    images = program.data.train.images[:64]
    mirrored = call(program.mirror, images)
    ways = {way: _rows_equal(mirrored, images.flip(way)) for way in (-1, -2)}
    as_they_were = _rows_equal(mirrored, images)
    upside_down = bool((ways[-2] & ~as_they_were).any())
    if shared and upside_down:
        raise NotAttempted("both bugs are still there")
    if shared:
        return (
            "mirroring is right now. How many convolutions has the model: are there three blocks?"
        )
    if upside_down:
        return "the model is right now. Look at a few mirrored images."
    if as_they_were.all() or (ways[-1] & ~as_they_were).all():
        return "both bugs are gone, but about half of the images should be mirrored, at random."
    if not (as_they_were | ways[-1]).all():
        return "an image must come out as it was, or with left and right exchanged."
    share, train = call(program.accuracy, program.data.train), program.data.train
    logits = program.model.eval()(program.prepare(train.images))
    if abs(share - (logits.argmax(dim=1) == train.labels).double().mean().item()) > 1e-6:
        return "both bugs are gone, but the accuracy is no longer the share of right answers."
    return None


def _rows_equal(first: Tensor, second: Tensor) -> Tensor:
    """Which images of two batches are equal, (N,) bool."""
    return (first == second).flatten(1).all(dim=1)


def two_tests(answer: Any) -> str | None:
    """None if each of two tests fails on its own bug alone, else what is wrong."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2 or not all(map(callable, answer)):
        raise Wrong("two functions are asked for: two_tests = (first_test, second_test).")
    caught = []
    for test in answer:
        name = getattr(test, "__name__", "a test")
        if not _passes(test, _Mended):
            return f"{name} fails on the mended program, too."
        caught.append({bug for bug in (_OneBlock, _UpsideDown) if not _passes(test, bug)})
        if caught[-1] and _passes(test, Program):
            return f"{name} passes on the program with both bugs."
        if len(caught[-1]) == 2:
            return f"{name} fails with either bug alone: a test should say which one it is."
    if not any(caught):
        raise NotAttempted("no test fails on the program yet")
    for test, bugs in zip(answer, caught, strict=True):
        if not bugs:
            return (
                f"{getattr(test, '__name__', 'a test')} passes on every program: it catches no bug."
            )
    if caught[0] == caught[1]:
        return "both tests catch the same bug, and the other one goes free."
    return None


def _passes(test: Callable[[Program], Any], program: type[Program]) -> bool:
    """Whether a learner's test passes: no failed `assert`, and not False. Raises Wrong for any other error."""
    try:
        with torch.random.fork_rng(devices=[]):
            return test(program(_drawings())) is not False
    except AssertionError:
        return False
    except (Exception, SystemExit) as error:
        name = getattr(test, "__name__", "a test")
        raise Wrong(f"{name} should fail by assert; it stopped with {named(error)}") from None


what_the_log_says = judges.parts(
    {
        "images": judges.number(
            10_000,
            {
                40_000: "with 40,000 images steps of 0.000025 would occur. These five need fewer.",
                5_000: "0.1074 and 0.1054 would do with 5,000, but 0.1029 of 5,000 is 514.5 images.",
                50_000: "that is all of CIFAR-10's training files. Count decimals.",
                1_000: "0.1074 of 1,000 images is 107.4 images.",
            },
        ),
        "chance": judges.number(
            1 / 1024,
            {
                0.25: "that is the chance for one of them. There are five.",
                1.25: "chances of things that must all happen are multiplied.",
                0.05: "chances of things that must all happen are multiplied.",
                1e-5: "of the multiples of 1/40,000 every fourth is a multiple of 1/10,000, not every tenth.",
            },
            within=2e-6,
        ),
        "behind_302": judges.number(
            16,
            {
                64: "that is a full batch. Do 64 divide 10,000?",
                156: "that is the number of full batches. How many images are left for the last one?",
                10_000: "that would be the mean over the epoch. The code logs the last batch.",
            },
        ),
    }
)
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


def _shared_images(first: Tensor, second: Tensor) -> int:
    """How many images of `second` also stand in `first`."""
    return sum(bool((first == image).all(dim=(1, 2, 3)).any()) for image in second)


def _numbered(*values: int) -> Tensor:
    """Images (N, 3, 4, 4), each known by its value; all have the same mean."""
    images = torch.full((len(values), 3, 4, 4), 100, dtype=torch.uint8)
    for place, value in enumerate(values):
        images[place, 0, 0, 0] += value
        images[place, 2, 3, 3] -= value
    return images


shared_images = judges.function(
    _shared_images,
    {
        "you compare only images at the same place: the same image may stand anywhere.": (
            lambda first, second: int(
                (first[: len(second)] == second[: len(first)]).all(dim=(1, 2, 3)).sum()
            )
        ),
        "you count pairs: an image of `second` counts once, however often `first` has it.": (
            lambda first, second: sum(
                int((first == image).all(dim=(1, 2, 3)).sum()) for image in second
            )
        ),
        "you count images of `first`; those of `second` are asked for.": (
            lambda first, second: _shared_images(second, first)
        ),
        "you compare a summary: two images may have the same mean and differ.": (
            lambda first, second: len(second)
        ),
        "one equal pixel makes no equal images: all must agree.": (
            lambda first, second: sum(bool((first == image).any()) for image in second)
        ),
    },
    [
        (_numbered(1, 2, 3, 4), _numbered(5, 3, 6, 4)),
        (_numbered(1, 1, 2, 3), _numbered(3, 1, 8, 9)),
        (_numbered(1, 2, 3), _numbered(7, 8, 9)),
        (_numbered(4, 5, 6, 7, 8), _numbered(6, 6, 8)),
    ],
)
