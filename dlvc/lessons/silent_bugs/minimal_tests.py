"""The smallest test for each fault: a few lines that fail on the fault and pass on correct code, without a training.

A test takes a training before its `run()` and says whether it passes. `SMALLEST` has one for each fault.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch.nn.functional import one_hot

from dlvc.config import TrainConfig
from dlvc.data import ImageData, Split
from dlvc.lessons.silent_bugs.correct import PlainTraining, PretrainedTraining
from dlvc.lessons.silent_bugs.faults import FAULTS
from dlvc.models import ResNet18

IMAGES = 100  # these tests need no more


def all_images_are_read(code: PlainTraining) -> bool:
    return len(code.data.train) == code.config.train_size


def pixels_become_shares(code: PlainTraining) -> bool:
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    return bool((code.prepare(white) == 1).all())


def an_image_alone_scores_as_in_a_batch(code: PlainTraining) -> bool:
    images = code.data.validation.images[:8]
    together, alone = code.scores(code.model, images)[:1], code.scores(code.model, images[:1])
    return torch.allclose(together, alone, atol=1e-4)


def the_table_has_the_kept_epoch(code: PlainTraining) -> bool:
    code.best_epoch = 2
    return code.validation_column([0.1, 0.5, 0.3]) == 0.5


def a_worse_epoch_is_not_kept(code: PlainTraining) -> bool:
    for epoch, score in ((1, 0.5), (2, 0.3)):
        code.keep_best(epoch, score)
    return code.best_epoch == 1


def the_epoch_loss_is_a_mean(code: PlainTraining) -> bool:
    return code.epoch_loss([1.0, 2.0, 6.0], [64, 64, 64]) == 3.0


def the_file_is_in_the_model(code: PretrainedTraining) -> bool:
    first = code.model.backbone.conv1.weight
    same = torch.equal(first, code.weights["conv1.weight"])
    return same and code.scores(code.model, code.data.test.images[:2]).shape == (2, 10)


def there_are_patches_to_attend_to(code: PlainTraining) -> bool:
    return code.attention_map() == [8, 8]


def a_sure_right_answer_costs_nothing(code: PlainTraining) -> bool:
    labels = torch.tensor([3, 7])
    return code.loss(20.0 * one_hot(labels, 10), labels).item() < 0.01


def the_rate_is_fixed(code: PlainTraining) -> bool:
    return code.learning_rate(1) == code.learning_rate(5)


def images_keep_their_labels(code: PlainTraining) -> bool:
    labels = torch.arange(10)
    images = labels.to(torch.uint8).view(10, 1, 1, 1).expand(10, 3, 32, 32)  # of the label's grey
    read = code.read_files([Split(images, labels)])
    return torch.equal(read.images[:, 0, 0, 0].long(), read.labels)


def evaluation_ends_training_mode(code: PlainTraining) -> bool:
    code.model.train()
    code.scores(code.model, code.data.validation.images[:4])
    return not code.model.training


def the_same_question_has_the_same_answer(code: PlainTraining) -> bool:
    images = code.data.validation.images[:8]
    return torch.equal(code.scores(code.model, images), code.scores(code.model, images))


def the_choice_leaves_the_test_set_shut(code: PlainTraining) -> bool:
    code.selection_split()
    return code.test_openings == 0


SMALLEST: dict[str, Callable[[PlainTraining], bool]] = {
    "first file only": all_images_are_read,
    "unscaled pixels": pixels_become_shares,
    "attention over the batch": an_image_alone_scores_as_in_a_batch,
    "mean over epochs": the_table_has_the_kept_epoch,
    "best score never updated": a_worse_epoch_is_not_kept,
    "last batch's loss": the_epoch_loss_is_a_mean,
    "no weights loaded": the_file_is_in_the_model,
    "four patches": there_are_patches_to_attend_to,
    "softmax twice": a_sure_right_answer_costs_nothing,
    "decaying learning rate": the_rate_is_fixed,
    "shuffled labels": images_keep_their_labels,
    "eval() forgotten": evaluation_ends_training_mode,
    "augmented validation": the_same_question_has_the_same_answer,
    "chosen on the test set": the_choice_leaves_the_test_set_shut,
}


def make_code(code: type[PlainTraining], data: ImageData, config: TrainConfig) -> PlainTraining:
    """A training, not yet run. What starts from weights gets some that stand for a downloaded file."""
    if not issubclass(code, PretrainedTraining):
        return code(data, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        weights = ResNet18().backbone.state_dict()
        for name, value in weights.items():
            if "bn" in name and name.endswith(("weight", "bias")):
                value.add_(0.1 * torch.randn_like(value))  # as a training leaves them
    return code(data, config, weights)


def try_smallest(name: str, data: ImageData) -> str:
    """The source of the smallest test for the fault `name`, and what it says of correct code and of the fault."""
    test, fault = SMALLEST[name], FAULTS[name]
    config = TrainConfig(train_size=IMAGES, evaluation_size=IMAGES, device="cpu")
    passed = {
        "correct code": test(make_code(fault.__base__, data, config)),
        name: test(make_code(fault, data, config)),
    }
    verdicts = [f"{what}: {'green' if green else 'RED'}" for what, green in passed.items()]
    return "\n".join([inspect.getsource(test), *verdicts])
