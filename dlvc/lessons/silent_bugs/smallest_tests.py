"""The smallest test for each fault: a few lines that fail on the fault and pass on correct code, without training.

A test takes a training before its `run()` and says whether it passes. `SMALLEST` has one for each fault.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch.nn.functional import one_hot

from dlvc.config import TrainConfig
from dlvc.data import ImageData, Split
from dlvc.lessons.silent_bugs.correct import PlainTraining
from dlvc.lessons.silent_bugs.faults import SUSPECTS

IMAGES = 100  # these tests need no more


def all_images_are_read(code: PlainTraining) -> bool:
    return len(code.data.train) == code.config.train_size


def images_keep_their_labels(code: PlainTraining) -> bool:
    labels = torch.arange(10)
    images = labels.to(torch.uint8).view(10, 1, 1, 1).expand(10, 3, 32, 32)  # of the label's grey
    read = code.read_files([Split(images, labels)])
    return torch.equal(read.images[:, 0, 0, 0].long(), read.labels)


def white_becomes_one(code: PlainTraining) -> bool:
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    return bool((code.prepare(white) == 1).all())


def there_is_an_output_for_each_class(code: PlainTraining) -> bool:
    return code.scores(code.model, code.data.test.images[:2]).shape == (2, 10)


def an_image_alone_scores_as_in_a_batch(code: PlainTraining) -> bool:
    images = code.data.validation.images[:8]
    together, alone = code.scores(code.model, images)[:1], code.scores(code.model, images[:1])
    return torch.allclose(together, alone, atol=1e-4)


def a_sure_right_answer_costs_nothing(code: PlainTraining) -> bool:
    labels = torch.tensor([3, 7])
    return code.loss(20.0 * one_hot(labels, 10), labels).item() < 0.01


def the_rate_is_fixed(code: PlainTraining) -> bool:
    return code.learning_rate(1) == code.learning_rate(5)


def the_epoch_loss_is_a_mean(code: PlainTraining) -> bool:
    return code.epoch_loss([1.0, 2.0, 6.0], [64, 64, 64]) == 3.0


def evaluation_ends_training_mode(code: PlainTraining) -> bool:
    code.model.train()
    code.scores(code.model, code.data.validation.images[:4])
    return not code.model.training


def the_same_question_has_the_same_answer(code: PlainTraining) -> bool:
    images = code.data.validation.images[:8]
    return torch.equal(code.scores(code.model, images), code.scores(code.model, images))


def the_choice_leaves_the_test_set_shut(code: PlainTraining) -> bool:
    code.selection_split()
    return code.test_evaluations == 0


def a_worse_epoch_is_not_kept(code: PlainTraining) -> bool:
    for epoch, score in ((1, 0.5), (2, 0.3)):
        code.keep_best(epoch, score)
    return code.best_epoch == 1


def the_table_has_the_kept_epoch(code: PlainTraining) -> bool:
    code.best_epoch = 2
    return code.validation_column([0.1, 0.5, 0.3]) == 0.5


SMALLEST: dict[str, Callable[[PlainTraining], bool]] = {
    "first file only": all_images_are_read,
    "shuffled labels": images_keep_their_labels,
    "unscaled pixels": white_becomes_one,
    "1,000 outputs": there_is_an_output_for_each_class,
    "attention over the batch": an_image_alone_scores_as_in_a_batch,
    "softmax twice": a_sure_right_answer_costs_nothing,
    "decaying learning rate": the_rate_is_fixed,
    "last batch's loss": the_epoch_loss_is_a_mean,
    "eval() forgotten": evaluation_ends_training_mode,
    "augmented validation": the_same_question_has_the_same_answer,
    "chosen on the test set": the_choice_leaves_the_test_set_shut,
    "best score never updated": a_worse_epoch_is_not_kept,
    "mean over epochs": the_table_has_the_kept_epoch,
}


def try_smallest(name: str, data: ImageData) -> str:
    """The source of the smallest test for the fault `name`, and what it says of correct code and of the fault."""
    test, fault = SMALLEST[name], SUSPECTS[name]
    config = TrainConfig(train_size=IMAGES, evaluation_size=IMAGES, device="cpu")
    lines = [inspect.getsource(test).rstrip(), ""]
    for what, code in (("mended code", fault.__base__), ("wrong code", fault)):
        lines.append(f"# {what}: {'passes' if test(code(data, config)) else 'FAILS'}")
    return "\n".join(lines)
