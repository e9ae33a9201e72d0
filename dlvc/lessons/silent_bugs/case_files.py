"""What is behind each case of notebook 06: the code that was run, its seed, and what its fault changes."""

from __future__ import annotations

from dataclasses import dataclass

from dlvc.lessons.silent_bugs.correct import DeepViTTraining, PlainTraining
from dlvc.lessons.silent_bugs.faults import (
    AttentionOverBatch,
    ChosenOnTest,
    EvalForgotten,
    FirstFileOnly,
    MeanAndLast,
    ShuffledLabels,
    SoftmaxTwice,
    UnscaledPixels,
)
from dlvc.lessons.silent_bugs.traces import Trace, load_trace

REFERENCE_SEEDS = (1, 2, 3)  # of correct code, for the bands of the figures


@dataclass(frozen=True)
class CaseFile:
    """Which code was run, with which seed, and what the fault changes.

    `lesson` is a text with the fields test and validation, and right_test and right_validation of the `twin`.
    """

    code: type[PlainTraining]
    seed: int
    lesson: str

    @property
    def trace(self) -> Trace:
        """The stored trace of the run."""
        return load_trace(f"{self.code.__name__}-seed{self.seed}")

    @property
    def right(self) -> type[PlainTraining]:
        """The correct code of the same model; innocent code is its own."""
        return next(code for code in self.code.__mro__ if not code.faults)

    @property
    def twin(self) -> Trace:
        """The stored trace of the correct code with the same seed."""
        return load_trace(f"{self.right.__name__}-seed{self.seed}")


CASES: dict[int, CaseFile] = {
    1: CaseFile(
        UnscaledPixels,
        1,
        "Whoever believes this row drops a network that works: {test} on the test set, where the mended code has "
        "{right_test}.",
    ),
    2: CaseFile(
        PlainTraining,
        8,
        "Nothing is wrong. Validation is better than training because training is measured with dropout and cropped "
        "images, while the network still learns. And {test} on the test set beside {validation} on validation is "
        "chance: of pairs of accuracies from 1,000 images each, one in six differs by three points or more.",
    ),
    3: CaseFile(
        FirstFileOnly,
        2,
        "It changes the verdict on the network: {test} on the test set, where 3,000 images give {right_test}. Every "
        "comparison with a network that saw all images is unfair.",
    ),
    4: CaseFile(
        SoftmaxTwice,
        3,
        "It changes what the loss seems to say. Even a perfect network would have 1.46, so the curve looks as if "
        "training had hardly begun. The accuracy suffers less: {test} on the test set instead of {right_test}.",
    ),
    5: CaseFile(
        DeepViTTraining,
        1,
        "Nothing is wrong with the code. With these settings this network ends at guessing; with a warm-up it learns. "
        "The failure is one of optimisation, and there is no line to mend.",
    ),
    6: CaseFile(
        ChosenOnTest,
        4,
        "The test accuracy is no test any more: {test} is the largest of six. The epoch that validation chooses has "
        "{right_test}.",
    ),
    7: CaseFile(
        AttentionOverBatch,
        1,
        "It makes the sentence 'attends over the patches of an image' wrong, and every attention map with it. The "
        "answer for an image depends on its neighbours in the batch: {test} on the test set instead of {right_test}.",
    ),
    8: CaseFile(
        MeanAndLast,
        1,
        "The test set looks easier than validation: {test} against {validation}. With the same epoch for both, the one "
        "that is best on validation, they are {right_test} and {right_validation}.",
    ),
    9: CaseFile(
        EvalForgotten,
        2,
        "All evaluations are made with dropout at work, and each gives another number: {test} on the test set, where "
        "the mended code has {right_test}. A network with more dropout would look worse than it is.",
    ),
    10: CaseFile(
        ShuffledLabels,
        3,
        "The network seems unable to learn: {test} on the test set, where the mended code has {right_test}. It was "
        "given nothing to learn.",
    ),
}


def references(trace: Trace) -> list[Trace]:
    """The traces of correct code with the same model, where there are several seeds."""
    if trace.model != PlainTraining.title:
        return []
    return [load_trace(f"{PlainTraining.__name__}-seed{seed}") for seed in REFERENCE_SEEDS]
