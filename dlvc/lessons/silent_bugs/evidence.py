"""The questions about a training run, with their prices: each answer is measured on the code of that run.

A question is put before the first step or after the last one, and leaves the run as it would be without it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor, nn

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.inspection import PreflightReport, preflight
from dlvc.lessons.silent_bugs.correct import PlainTraining
from dlvc.lessons.silent_bugs.faults import SUSPECTS
from dlvc.lessons.silent_bugs.traces import Trace
from dlvc.training import bare_step

ASKED = 3  # so many images are asked about together with others
NEIGHBOURS = 32  # with so many in a batch
MEMORISING_STEPS, STEP_SIZE = 60, 5e-4
CHECKED_IMAGES = 300  # of each split, for a check of a suspect before training


@dataclass(frozen=True)
class Question:
    """What is measured, what the answer costs, and how it is measured: before training, or after it."""

    text: str
    price: int
    measure: Callable[[PlainTraining], str]
    before: bool = False


def class_counts(code: PlainTraining) -> str:
    train = code.data.train
    counts = zip(code.data.classes, train.class_counts().tolist(), strict=True)
    return f"{len(train):,} images: {', '.join(f'{count} {name}' for name, count in counts)}"


def input_range(code: PlainTraining) -> str:
    model = copy.deepcopy(code.model)
    # The first layer with weights; what comes before it normalises.
    kinds = (nn.Conv2d, nn.Linear)
    first = next(layer for layer in model.modules() if isinstance(layer, kinds))
    received: list[Tensor] = []
    first.register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
    code.scores(model, code.data.validation.images[:500])
    return f"{received[0].min():.2f} to {received[0].max():.2f}"


def first_loss(code: PlainTraining) -> str:
    split = code.data.validation
    logits = code.scores(copy.deepcopy(code.model), split.images[:500])
    return f"{code.loss(logits, split.labels[:500]):.3f}"


def parameters(code: PlainTraining) -> str:
    count = sum(value.numel() for value in code.model.parameters())
    outputs = code.scores(copy.deepcopy(code.model), code.data.validation.images[:2]).shape[1]
    return f"{count:,} parameters, {outputs:,} outputs"


def linear_classifier(code: PlainTraining) -> str:
    return preflight_of(code)["labels fit the images"].measured


def ten_images(code: PlainTraining) -> str:
    learner = copy.deepcopy(code.model).train()
    for layer in learner.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    train = code.data.train
    places = [int((train.labels == number).nonzero()[0]) for number in train.labels.unique()]
    inputs, labels = code.prepare(train.images[places]), train.labels[places]
    optimizer = torch.optim.Adam(learner.parameters(), STEP_SIZE)
    for _ in range(MEMORISING_STEPS):
        loss, logits = bare_step(learner, optimizer, inputs, labels, loss=code.loss)
    hits = int((logits.argmax(dim=1) == labels).sum())
    return f"loss {loss:.2f}, {hits} of {len(labels)} right"


def learning_rates(code: PlainTraining) -> str:
    return ", ".join(f"{rate:.6f}" for rate in code.learning_rates)


def last_steps(code: PlainTraining) -> str:
    return ", ".join(f"{loss:.4f}" for loss in code.step_losses[-5:])


def kept_epoch(code: PlainTraining) -> str:
    return f"epoch {code.best_epoch}"


def test_evaluations(code: PlainTraining) -> str:
    return f"{code.test_evaluations} x"


def scored_twice(code: PlainTraining) -> str:
    rounds = []
    for _ in range(2):
        code.model.train()  # as it is when an epoch ends
        loss, accuracy = code.evaluate(code.data.validation)
        rounds.append(f"loss {loss:.4f}, accuracy {accuracy:.4f}")
    return f"first {rounds[0]}; then {rounds[1]}"


def other_neighbours(code: PlainTraining) -> str:
    images, labels = code.data.validation.images, code.data.validation.labels[:ASKED, None]
    company = (images[ASKED:NEIGHBOURS], images[NEIGHBOURS : 2 * NEIGHBOURS - ASKED])
    asked = [
        code.scores(copy.deepcopy(code.model).train(), torch.cat([images[:ASKED], others]))
        for others in company
    ]
    pairs = zip(*(scores[:ASKED].softmax(dim=1).gather(1, labels) for scores in asked), strict=True)
    return "; ".join(f"{one.item():.4f} and {other.item():.4f}" for one, other in pairs)


QUESTIONS: dict[str, Question] = {
    "class counts": Question("training images of each class that were read", 1, class_counts, True),
    "input range": Question(
        "smallest and largest number that reaches the first layer", 1, input_range, True
    ),
    "first loss": Question("loss before training, as the code evaluates", 1, first_loss, True),
    "parameters": Question("number of parameters and of outputs", 1, parameters, True),
    "learning rates": Question("the learning rate of each epoch", 1, learning_rates),
    "last steps": Question("losses of the last five steps of the last epoch", 1, last_steps),
    "kept epoch": Question("the epoch whose weights were kept and tested", 1, kept_epoch),
    "test evaluations": Question("how often the test images were evaluated", 1, test_evaluations),
    "other neighbours": Question(
        "probability of the right class of three images, each in two batches with other images",
        2,
        other_neighbours,
    ),
    "scored twice": Question("the kept weights, evaluated twice on validation", 2, scored_twice),
    "linear classifier": Question(
        "how well a linear classifier does on the same images and labels",
        2,
        linear_classifier,
        True,
    ),
    "ten images": Question(
        f"a fresh network after {MEMORISING_STEPS} steps at a rate of {STEP_SIZE} on ten images, one of each class",
        2,
        ten_images,
        True,
    ),
}


def preflight_of(code: PlainTraining) -> PreflightReport:
    """The pre-flight check of a training before its `run()`, with the claims of its text."""
    return preflight(
        code.model,
        code.data,
        prepare=code.prepare,
        loss=code.loss,
        scores=code.scores,
        train_size=code.config.train_size,
    )


def who_caught_it(data: ImageData) -> pd.DataFrame:
    """One row for each suspect: the checks that raise an alarm before training, and the question that shows it."""
    size = min(CHECKED_IMAGES, len(data.validation), len(data.test))
    config = TrainConfig(train_size=CHECKED_IMAGES, evaluation_size=size, device="cpu")
    rows = []
    for name, fault in SUSPECTS.items():
        alarms = preflight_of(fault(data, config)).alarms
        alarm = "; ".join(alarms) or "none"
        shows = fault.shows.replace("*", "")
        rows.append({"suspect": name, "alarm before training": alarm, "it would show in": shows})
    return pd.DataFrame(rows)


def investigate(code: PlainTraining) -> Trace:
    """The trace of a training with the answers to all questions; runs it."""
    answers = {name: put(name, code) for name, asked in QUESTIONS.items() if asked.before}
    trace = code.run()
    answers |= {name: put(name, code) for name, asked in QUESTIONS.items() if not asked.before}
    return replace(trace, answers={name: answers[name] for name in QUESTIONS})


def put(name: str, code: PlainTraining) -> str:
    """The answer to one question; torch's random numbers go on as if it had not been put."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return QUESTIONS[name].measure(code)
