"""The exercises of notebook 02 name the likely mistake behind a wrong answer, and accept every right way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, cross_entropy
from wrong_answers import NAMED, Table, both_tests

from dlvc.data import ImageData
from dlvc.experiments import TrainConfig
from dlvc.lessons.exercises import networks
from dlvc.lessons.exercises.exercise import RIGHT, WRONG
from dlvc.models import Normalize
from dlvc.models.cnn import DeepCNN as Library


def network(
    batch_norm: bool,
    dropout: float = 0.5,
    *,
    bias: bool = False,
    normalise: bool = True,
    last: nn.Module | None = None,
    kernel: int = 5,
) -> nn.Module:
    """The deep CNN as a flat list of layers, or with a mistake."""
    layers = [Normalize()] if normalise else []
    for before, after, k in ((3, 16, kernel), (16, 32, 3), (32, 64, 3)):
        layers.append(nn.Conv2d(before, after, k, padding=k // 2, bias=bias or not batch_norm))
        layers += [nn.BatchNorm2d(after)] if batch_norm else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Dropout(dropout), nn.Linear(1024, 256), nn.ReLU()]
    layers += [nn.Dropout(dropout), nn.Linear(256, 10), last or nn.Identity()]
    return nn.Sequential(*layers)


def loop(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    orders: list[Tensor],
    *,
    mode: bool = True,
    before: tuple[str, ...] = ("zero_grad",),
    after: tuple[str, ...] = ("step",),
    mean: Callable[[list[float]], Any] | None = None,
) -> list[Any]:
    """A training loop with `before` and `after` the backward pass, and another `mean` of the losses of an epoch."""
    model.train(mode)
    means = []
    for order in orders:
        losses = []
        for index in order.split(64):
            loss = cross_entropy(model(images[index].float() / 255), labels[index], reduction="sum")
            for call in before:
                getattr(optimizer, call)()
            (loss / len(index)).backward()
            for call in after:
                getattr(optimizer, call)()
            losses.append(loss.item())
        means.append(mean(losses) if mean else sum(losses) / len(order))
    return means


class Layer(nn.Module):
    """Batch normalisation with other names and shapes than the solution's, or with a mistake."""

    def __init__(
        self,
        channels: int,
        *,
        kept: float = 0.9,
        correction: int = 1,
        axes: tuple[int, ...] = (0, 2, 3),
        always: bool = False,
        buffers: bool = True,
        hold: bool = False,
    ) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.kept, self.correction, self.axes = kept, correction, axes
        self.always, self.hold = always, hold
        start = {"m": torch.zeros(1, channels, 1, 1), "v": torch.ones(1, channels, 1, 1)}
        for name, value in start.items():
            self.register_buffer(name, value) if buffers else setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(self.axes, keepdim=True)
        variance = x.var(self.axes, keepdim=True, correction=0)
        if not self.training and self.always is not True:
            mean, variance = self.m, self.v
        if self.training or self.always == "moves":
            new = x.var((0, 2, 3), keepdim=True, correction=self.correction)
            pair = x.mean((0, 2, 3), keepdim=True), new
            pair = pair if self.hold else [value.detach() for value in pair]
            self.m = self.kept * self.m + (1 - self.kept) * pair[0]
            self.v = self.kept * self.v + (1 - self.kept) * pair[1]
        return self.gamma * (x - mean) / (variance + 1e-5).sqrt() + self.beta


class Functional(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training
        )


def at_once(image: Tensor, filters: Tensor, biases: Tensor) -> Tensor:
    k = filters.shape[-1]
    windows = nn.functional.unfold(image[None], k)[0]
    sums = filters.flatten(1) @ windows + biases[:, None]
    return sums.view(len(filters), image.shape[1] - k + 1, -1)


def respond(first: Tensor, second: Tensor) -> Tensor:
    pixel = torch.zeros(1, 1, 11, 11)
    pixel[0, 0, 5, 5] = 1
    return torch.conv2d(torch.conv2d(pixel, first), second)[:, :, 1:-1, 1:-1]


def field(layers: list[tuple[int, int]], add: Callable[[int, int, int], int]) -> int:
    size = jump = 1
    for kernel, stride in layers:
        size += add(kernel, stride, jump)
        jump *= stride
    return size


WRONG_ANSWERS: Table = {
    "convolve": [
        (
            lambda x, w, b: torch.nn.functional.conv2d(x[None], w, b)[0],
            "calls torch's `conv2d`, which this task forbids",
        ),
        (lambda x, w, b: at_once(x, w, 0 * b), "the bias of each filter is missing"),
        (lambda x, w, b: at_once(x, w, len(x) * b), "add the bias once"),
        (lambda x, w, b: at_once(x, w.flip(2, 3), b), "turned the filters round"),
        (lambda x, w, b: at_once(x, w.mT, b), "rows and columns of the filters"),
        (lambda x, w, b: at_once(x, w, b)[:, :-1, :-1], "the last row and column"),
        (lambda x, w, b: at_once(x[:1], w[:, :1], b), "not only the first"),
        (lambda x, w, b: at_once(x, w, b).tolist(), "should return a tensor"),
        (lambda x, w, b: at_once(x, w, b) / 0, "nan or an infinite"),
        (lambda x, w, b: x @ w, "your function stopped with RuntimeError"),
    ],
    "DeepCNN": [
        (lambda b, p=0.5: network(b, p, bias=True), "still has a bias"),
        (lambda b, p=0.5: network(b, p, normalise=False), "are not normalised first"),
        (lambda b, p=0.5: network(b, p, last=nn.Softmax(1)), "leave softmax out"),
        (lambda b, p=0.5: network(b, p, last=nn.LogSoftmax(1)), "leave log_softmax out"),
        (lambda b, p=0.5: network(b, p, last=nn.ReLU()), "a logit may be negative"),
        (lambda b, p=0.5: network(b, p, kernel=3), "has the shape (16, 3, 3, 3)"),
        (lambda b, p=0.5: network(False, p), "has 13 tensors of parameters; yours has 10"),
        (lambda b, p=0.5: network(b, 0.0), "dropout is missing"),
        (lambda b, p=0.5: network(b, 0.5), "nothing may be left to chance"),
        (network(True), "without brackets"),
        (lambda b, p=0.5: nn.Linear(3, 3), "stopped with RuntimeError"),
    ],
    "training_loop": [
        (lambda *given: loop(*given, before=()), "add up"),
        (lambda *given: loop(*given, after=()), "nothing moves"),
        (lambda *given: loop(*given, before=(), after=("zero_grad", "step")), "nothing moves"),
        (lambda m, images, *others: loop(m, 255 * images.float(), *others), "divide the pixels"),
        (lambda *given: loop(*given, mode=False), "evaluation mode"),
        (lambda *given: loop(*given, mean=lambda losses: losses[-1] / 22), "the last batch"),
        (lambda *given: loop(*given, mean=sum), "the sum over the images"),
        (lambda *given: loop(*given)[0], "it should return 3 values"),
    ],
    "field_size": [
        (lambda layers: field(layers, lambda k, s, j: k - 1), "the strides are missing"),
        (lambda layers: field(layers, lambda k, s, j: (k - 1) * j * s), "only the layers after it"),
        (lambda layers: field(layers, lambda k, s, j: (k - 1) * s), "of the layer itself"),
        (lambda layers: field(layers, lambda k, s, j: (k - 1) * j) - 1, "start at 1"),
        (lambda layers: field(layers, lambda k, s, j: k * j), "k - 1 gaps"),
        (lambda layers: 24, "it should return 27; it returned 24"),
    ],
    "small_cnn": [
        (Library, "289,322 parameters are more than 60,000. Most of them, 262,144, are in `clas"),
        (network(True), "without brackets"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 5)), "it gave (4, 5)"),
        (lambda: nn.AdaptiveAvgPool2d(1), "it gave (4, 3, 1, 1)"),
        (lambda: "CNN", "it should make an nn.Module; it made 'CNN'"),
    ],
    "BatchNorm": [
        (lambda c: Layer(c, axes=(2, 3)), "instance norm"),
        (lambda c: Layer(c, axes=(1, 2, 3)), "layer norm"),
        (lambda c: Layer(c, axes=(0,)), "over all pixels, too"),
        (lambda c: Layer(c, always=True), "`self.training` tells the mode"),
        (lambda c: Layer(c, always="moves"), "evaluation changes the running statistics"),
        (lambda c: Layer(c, kept=0.1), "the other way round"),
        (lambda c: Layer(c, kept=1.0), "have not moved"),
        (lambda c: Layer(c, buffers=False), "not saved with the model"),
        (lambda c: Layer(c, hold=True), "hold on to all batches"),
        (nn.BatchNorm2d, "calls torch's `batch_norm`, which this task forbids"),
        (Functional, "calls torch's `batch_norm`, which this task forbids"),
        (lambda c: nn.InstanceNorm2d(c), "it needs two nn.Parameters"),
    ],
    "combined_filter": [
        (respond, "upside down and mirrored"),
        (lambda a, b: respond(a, b).flip(3), "only from left to right"),
        (lambda a, b: a + b, "not their sum"),
        (lambda a, b: a * b, "not their product"),
        (lambda a, b: torch.conv2d(a, b), "without its border"),
        (lambda a, b: respond(a, b).flip(2, 3)[0, 0], "the shape (1, 1, 5, 5)"),
    ],
}


test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "02_cnns", WRONG_ANSWERS
)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("DeepCNN", network),
        ("training_loop", lambda *given: torch.tensor(loop(*given))),
        ("BatchNorm", Layer),
        ("BatchNorm", lambda channels: Layer(channels, correction=0)),
        ("convolve", at_once),
    ],
    ids=["layers in a row", "losses as a tensor", "torch's variance", "the other", "unfold"],
)
def test_every_right_way_is_accepted(name: str, answer: Any) -> None:
    assert NAMED[name].assess(answer).heading == RIGHT


@pytest.mark.parametrize(("to_beat", "heading"), [(-0.1, RIGHT), (1.0, WRONG)])
def test_a_small_network_is_trained_and_must_beat_its_rival(
    to_beat: float,
    heading: str,
    sketches: ImageData,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = TrainConfig(epochs=1, train_size=128, evaluation_size=100)
    monkeypatch.setattr(networks, "_goal", lambda profile: (sketches, config, to_beat))
    note = NAMED["small_cnn"].assess(lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)))
    assert note.heading == heading
    assert "with 30,730 parameters; the deep CNN has" in capsys.readouterr().out


@pytest.mark.slow
def test_the_solutions_network_beats_the_deep_cnn_on_the_drawings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, Any] = {"nn": nn}
    exec(NAMED["small_cnn"].solution, names)
    assert NAMED["small_cnn"].assess(names["small_cnn"]).heading == RIGHT
    assert "On 500 validation images" in capsys.readouterr().out
