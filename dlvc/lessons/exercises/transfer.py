"""How the answers to the exercises of notebook 04 are judged; each judge has the name of its exercise."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from dlvc.arguments import brief
from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.answers import as_tensor, call
from dlvc.lessons.exercises.judges import random_numbers

HEAD_MISTAKES = {
    512 * 37: "each breed has a bias, too.",
    512 * 10 + 10: "there are 37 classes here, not ten.",
    512 * 37 + 512: "there is one bias for each breed, not for each feature.",
}
new_head = judges.parts(
    {
        "parameters of the head": judges.number(512 * 37 + 37, HEAD_MISTAKES),
        "changed by the optimizer": judges.number(
            512 * 37 + 37, {**HEAD_MISTAKES, 0: "the head is not frozen."}
        ),
        "rows of layer4": judges.number(
            3,
            {
                6: "the side is halved once more: twice in the stem, then in `layer2` to `layer4`.",
                12: "the side is halved five times: twice in the stem, then in `layer2` to `layer4`.",
                1: "that is the side for pictures of 32 pixels.",
                9: "that is the number of places, 3 x 3.",
            },
        ),
    }
)
larger_gap = judges.choice(
    "resnet18-plain",
    resnet18="crops and mirror images make its training harder, so its training accuracy is lower.",
)
tensors_loaded = judges.number(
    0,
    {
        120: "do the names fit? Compare the first one with `conv1.weight`.",
        122: "the model has 122, the file has none for its head.",
        118: "the head is not in the file; and do the other names fit?",
        2: "the head is just what the file does not have.",
    },
)
gradient_factors = judges.parts(
    {
        "plain": judges.number(
            1e-10,
            {
                1: "the derivatives are multiplied, not added.",
                0.1: "that is one layer; there are ten.",
                1e-9: "count the layers: there are ten.",
                0: "it is tiny, but not 0: give the power.",
            },
            within=1e-12,
        ),
        "residual": judges.number(
            1.1**10,
            {
                1 + 1e-10: "each layer has the factor 1 + 0.1; these ten are multiplied.",
                2: "each layer adds a tenth of what has already grown: multiply, do not add.",
                1.1: "that is one layer; there are ten.",
                11: "the factors are multiplied, not added.",
                1.1**9: "count the layers: there are ten.",
            },
            within=0.01,
        ),
    }
)
# Ten groups of features, one around each of ten unit vectors, far enough apart for a linear layer.
CENTRES = torch.eye(10, 32)
LABELS = torch.arange(60) % 10
NEW_LABELS = torch.arange(20).flip(0) % 10
FEATURES = CENTRES[LABELS] + 0.3 * (random_numbers(60, 32, seed=1) - 0.5)
NEW_FEATURES = CENTRES[NEW_LABELS] + 0.3 * (random_numbers(20, 32, seed=2) - 0.5)


def linear_probe(answer: Any) -> str | None:
    """Judge the classes of new rows out of ten groups that a line can tell apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        returned = call(answer, FEATURES, LABELS, NEW_FEATURES)
    result = as_tensor(returned)
    if result is None or not result.ndim:
        return f"it should return a tensor of classes; it returned {brief(returned)}."
    if result.shape == (20, 10):
        return (
            "these are ten scores for each row: return the class with the largest, `argmax(dim=1)`."
        )
    if result.shape == (60,):
        return "these are the classes of the rows it was trained on: predict the new ones."
    if result.shape != (20,):
        return (
            f"for 20 new rows it should return the shape (20,); it returned {tuple(result.shape)}."
        )
    right = (result == NEW_LABELS).double().mean().item()
    if right >= 0.9:
        return None
    if right <= 0.3:
        return (
            f"only {right:.0%} of ten easy groups are right, as by guessing. Is `optimizer.step()` called after "
            "`backward()`, and the loss computed from `labels`?"
        )
    return (
        f"{right:.0%} of ten easy groups are right: train longer, or with a larger learning rate."
    )


def _not_loaded(in_file: dict[str, Tensor], in_model: dict[str, Tensor]) -> list[str]:
    return [
        name
        for name, value in in_model.items()
        if name not in in_file or not torch.equal(in_file[name], value)
    ]


IN_FILE = {"a": torch.ones(2), "b": torch.ones(3), "c": torch.zeros(2, 2), "fc": torch.ones(1)}
IN_MODEL = {"b": torch.ones(3), "head": torch.ones(1), "c": torch.ones(2, 2), "a": torch.ones(4)}
not_loaded = judges.function(
    _not_loaded,
    {
        "these are the tensors that do equal the file's.": lambda f, m: [
            name for name in m if name not in _not_loaded(f, m)
        ],
        "these are names of the file that the model does not have. Go through the model's.": lambda f, m: [
            name for name in f if name not in m
        ],
        "only names that the file lacks: a tensor of the same name can have other numbers or another shape.": (
            lambda f, m: [name for name in m if name not in f]
        ),
        "a name that the file does not have counts, too.": lambda f, m: [
            name for name in _not_loaded(f, m) if name in f
        ],
        "a tensor of another shape is not the file's either.": lambda f, m: [
            name for name in _not_loaded(f, m) if name not in f or f[name].shape == m[name].shape
        ],
        "a tensor of the same shape can have other numbers.": lambda f, m: [
            name for name in _not_loaded(f, m) if name not in f or f[name].shape != m[name].shape
        ],
        "the names are right; keep the order of the model.": lambda f, m: sorted(_not_loaded(f, m)),
    },
    [(IN_FILE, IN_MODEL)],
)


def freeze(answer: Any) -> str | None:
    """Judge which weights of a small model still learn, and which of its parts are in training mode."""
    with torch.random.fork_rng(devices=[]):
        backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
        head = nn.Sequential(nn.Dropout(0.5), nn.Linear(144, 10))
    model = nn.Sequential(OrderedDict(backbone=backbone, head=head)).eval()
    if call(answer, model) is not model:
        return "return the model that you were given."
    learning = sum(weight.requires_grad for weight in backbone.parameters())
    if not all(weight.requires_grad for weight in head.parameters()):
        return "the head is frozen, too, so nothing learns."
    if learning:
        return (
            f"{learning} of 4 tensors of the backbone still get a gradient. `backbone.requires_grad_(False)` reaches "
            "them all; setting an attribute of the backbone reaches none."
        )
    # Only batch normalisation acts differently in training; other layers of the backbone may be in either mode.
    if backbone[1].training:
        return (
            "batch normalisation still moves its running statistics: the backbone needs `eval()`."
        )
    if not head[0].training:
        return "the head is in evaluation mode, so its dropout is off: it should train as usual."
    return None
