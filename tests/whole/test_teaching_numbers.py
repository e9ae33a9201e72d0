"""The numbers of the teacher's kit are those that code, records and notebooks give."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from teaching_kit import CHAPTERS, QUESTIONS, REFERENCE, TEXTS, rows, shown_text
from torch import nn
from torch.nn.functional import cross_entropy

from dlvc.experiments.records import RunRecord, load_records
from dlvc.metrics import mean_per_class_accuracy
from dlvc.models.cnn import SimpleCNN
from dlvc.models.normalize import Normalize
from dlvc.models.vit import SelfAttention
from dlvc.statistics import Interval
from dlvc.studies.maps import load_map_tests


def first_seed(key: str) -> RunRecord:
    """The reference run of a model with seed 0."""
    (run,) = (
        run
        for run in load_records()
        if (run.key, run.protocol, run.seed) == (key, "report", 0) and run.test
    )
    return run


def parameters(layer: nn.Module) -> int:
    return sum(each.numel() for each in layer.parameters())


def only_right(first: str, second: str) -> int:
    """How many test images only the first of two models gets right."""
    one, two = (first_seed(key).test.correct_images() for key in (first, second))
    return int((one & ~two).sum())


def softmax_twice() -> float:
    """The loss when the softmax before it gives all probability to the true class."""
    return cross_entropy(torch.eye(10)[:1], torch.tensor([0])).item()


def class_accuracy() -> float:
    """The mean per-class accuracy of question 1.13."""
    counts = torch.tensor([[72, 8, 0], [6, 9, 0], [4, 0, 1]])
    return mean_per_class_accuracy(counts)


def half_losses() -> float:
    """The cross-entropy of question 1.10, where the true classes get 1/2 and 1/4."""
    chances = torch.tensor([[0.5, 0.5], [0.25, 0.75]])
    return cross_entropy(chances.log(), torch.tensor([0, 0])).item()


def side(layer: nn.Module, pixels: int) -> int:
    return layer(torch.zeros(1, 1, pixels, pixels)).shape[-1]


def marked_first() -> Interval:
    """What hiding the patches that the last layer attends to costs, against a random order."""
    return load_map_tests("cifar10").lead["attention"]


# The number of a question, a format, and where the number in it comes from.
NUMBERS: tuple[tuple[str, str, Callable[[], float]], ...] = (
    ("1.7", ",.0f", lambda: Normalize()(torch.full((1, 3, 1, 1), 255.0))[0, 0].item()),
    ("1.7", ".2f", lambda: Normalize()(torch.ones(1, 3, 1, 1))[0, 0].item()),
    ("1.10", ".3f", half_losses),
    ("1.13", ".3f", class_accuracy),
    ("2.3", ",", lambda: parameters(nn.Conv2d(32, 64, 3))),
    ("2.5", "", lambda: side(nn.Conv2d(1, 1, 7, stride=2, padding=3), 64)),
    ("2.6", ",", lambda: 3 * nn.Conv2d(64, 64, 3).weight.numel()),
    ("2.6", ",", lambda: nn.Conv2d(64, 64, 7).weight.numel()),
    ("2.15", "", lambda: math.comb(10, 5)),
    ("3.2", ",", lambda: parameters(nn.Conv2d(3, 64, 8, stride=8))),
    ("3.7", ",", lambda: parameters(SelfAttention(embed_dim=128, num_heads=8))),
    ("3.14", ".1f", lambda: 100 * marked_first().mean),
    ("3.14", "+.1f", lambda: 100 * marked_first().high),
    ("3.15", ".0f", lambda: 100 * load_map_tests("sketch10").on_object["rollout (moved)"][0]),
    ("4.7", ",", lambda: parameters(nn.Linear(512, 100))),
    ("5.1", ".4f", lambda: 1.96 * math.sqrt(0.8 * 0.2 / 2500)),
    ("5.7", ",", lambda: only_right("simple-cnn", "deep-cnn")),
    ("5.7", ",", lambda: only_right("deep-cnn", "simple-cnn")),
    ("5.14", ",.0f", lambda: min(each.seconds for each in first_seed("deep-vit").epochs)),
    ("5.14", ",.0f", lambda: max(each.seconds for each in first_seed("deep-vit").epochs)),
    ("6.9", ".2f", softmax_twice),
    ("6.10", ".6f", lambda: 0.001 * 0.9**9),
)


@pytest.mark.parametrize(("number", "format", "computed"), NUMBERS)
def test_a_number_of_the_quiz_is_what_code_or_records_give(
    number: str, format: str, computed: Callable[[], float]
) -> None:
    (question,) = (each for each in QUESTIONS if each.title.startswith(f"{number} "))
    value = f"{computed():{format}}"
    said = f"{question.text} {question.answer} {question.reason}"
    assert re.search(rf"(?<![\w.,]){re.escape(value)}(?![\w]|[.,]\d)", said), value


def test_the_largest_layer_of_the_simple_cnn_is_the_one_that_the_kit_names() -> None:
    model = SimpleCNN()
    largest = max(parameters(each) for each in model.modules() if isinstance(each, nn.Linear))
    assert f"{largest:,} of {parameters(model):,} parameters" in TEXTS["misconceptions.md"]


@pytest.mark.parametrize("chapter", CHAPTERS[:5])
def test_every_number_of_a_remedy_stands_in_the_notebook(chapter: str) -> None:
    kind = re.split(r"^## ", TEXTS["misconceptions.md"], flags=re.MULTILINE)[1:][
        int(chapter[:2]) - 1
    ]
    remedies = " ".join(REFERENCE.sub("", remedy) for *_, remedy in rows(kind, columns=3))
    numbers = re.findall(r"\d[\d.,]*\d", remedies)
    assert len(numbers) > 2
    there = shown_text(chapter)
    assert [
        each for each in numbers if each not in there and each.replace(",", "") not in there
    ] == []
