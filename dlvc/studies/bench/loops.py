"""The loops that are compared: each trains the same model on the same batches, but feeds and drives it in its own way.

A `Loop` is a source of batches and what is done with them. Peers beyond torch and torchvision are needed for their own
loops only: the extra `bench` brings them.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.config import TrainConfig
from dlvc.data import ImageData, Split
from dlvc.studies.bench.loaders import OurBatches, tutorial_batches, worker_batches
from dlvc.training import input_layout, make_optimizer, memory_layout, pick_device, train

Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Loop:
    """One way to train for an epoch. `run(model, batches, config)` gives the seconds that its passes took.

    `batches(split, config)` is where it gets its batches from; None: it makes them itself, as dlvc does. The loops of
    `tuned` loops have the model in dlvc's memory layout, so that our batches are made in it. `needs` is a package that
    must be there.
    """

    name: str
    run: Callable[[nn.Module, Batches, TrainConfig], list[float]]
    batches: Callable[[Split, TrainConfig], Batches] | None
    tuned: bool = True
    needs: str = ""

    @property
    def available(self) -> bool:
        """Whether the package that the loop needs is installed."""
        return not self.needs or find_spec(self.needs) is not None


def dlvc_loop(model: nn.Module, data: ImageData, config: TrainConfig) -> list[float]:
    """Ours: `training.train`, whose own record says how long each pass took.

    Raises KeyboardInterrupt where `train` would have kept what there is: a part of an epoch is no measurement.
    """
    result = train(model, data, config, progress=False)
    if result.interrupted:
        raise KeyboardInterrupt
    return [epoch.seconds for epoch in result.epochs]


def timed_passes(
    one_pass: Callable[[], None], config: TrainConfig, device: torch.device
) -> list[float]:
    """Seconds of each of `config.epochs` calls of `one_pass`, until the device is done."""
    seconds = []
    for _ in range(config.epochs):
        started = time.perf_counter()
        one_pass()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return seconds


def tutorial_loop(model: nn.Module, batches: Batches, config: TrainConfig) -> list[float]:
    """The loop of a first tutorial: it asks for loss and hits at each step, so a GPU is waited for."""
    device = pick_device(config.device)
    model.to(device).train()
    optimizer = torch.optim.Adam(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )

    def one_pass() -> None:
        running_loss, hits = 0.0, 0
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            scores = model(images)
            loss = cross_entropy(scores, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item() * len(labels)
            hits += (scores.argmax(dim=1) == labels).sum().item()

    return timed_passes(one_pass, config, device)


def tuned_loop(model: nn.Module, batches: Batches, config: TrainConfig) -> list[float]:
    """The same in dlvc's memory layout, with its optimizer, and sums that stay on the device until the pass is over."""
    device = pick_device(config.device)
    layout = input_layout(model, device)
    model.to(device, memory_format=memory_layout(model, device)).train()
    optimizer = make_optimizer(model, config)

    def one_pass() -> None:
        loss_sum, hits = torch.zeros((), device=device), torch.zeros((), device=device)
        for images, labels in batches:
            images = images.to(device, memory_format=layout, non_blocking=True)
            labels = labels.to(device, non_blocking=True)
            optimizer.zero_grad(set_to_none=True)
            scores = model(images)
            loss = cross_entropy(scores, labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(labels)
            hits += (scores.detach().argmax(dim=1) == labels).sum()
        loss_sum.item(), hits.item()

    return timed_passes(one_pass, config, device)


def timm_loop(model: nn.Module, batches: Batches, config: TrainConfig) -> list[float]:
    """timm's optimizer and its meters, which are told loss and accuracy at each step.

    timm's own training script keeps only the loss; hits are counted here as in every loop but Lightning's.
    """
    from timm.optim import create_optimizer_v2
    from timm.utils import AverageMeter, accuracy

    device = pick_device(config.device)
    layout = input_layout(model, device)
    model.to(device, memory_format=memory_layout(model, device)).train()
    optimizer = create_optimizer_v2(
        model,
        opt="adam",
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        filter_bias_and_bn=False,
    )

    def one_pass() -> None:
        losses, hits = AverageMeter(), AverageMeter()
        for images, labels in batches:
            images, labels = images.to(device, memory_format=layout), labels.to(device)
            optimizer.zero_grad()
            scores = model(images)
            loss = cross_entropy(scores, labels)
            loss.backward()
            optimizer.step()
            losses.update(loss.item(), len(labels))
            hits.update(accuracy(scores.detach(), labels)[0].item(), len(labels))

    return timed_passes(one_pass, config, device)


def lightning_loop(model: nn.Module, batches: Batches, config: TrainConfig) -> list[float]:
    """A LightningModule and a Trainer without logging, checkpoints, progress bar, and sums of loss and hits."""
    import lightning

    seconds: list[float] = []
    device = pick_device(config.device)
    layout = input_layout(model, device)
    model.to(memory_format=memory_layout(model, device))

    class Classifier(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
            images, labels = batch
            return cross_entropy(self.model(images.to(memory_format=layout)), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return make_optimizer(self.model, config)

        def on_train_epoch_start(self) -> None:
            self.started = time.perf_counter()

        def on_train_epoch_end(self) -> None:
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - self.started)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on workers and progress bars
        trainer = lightning.Trainer(
            max_epochs=config.epochs,
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            barebones=True,
        )
        trainer.fit(Classifier(), batches)
    return seconds


LOOPS: dict[str, Loop] = {
    loop.name: loop
    for loop in (
        Loop("dlvc", dlvc_loop, None),
        Loop("short loop, our batches", tuned_loop, OurBatches),
        Loop("tutorial loop", tutorial_loop, tutorial_batches, tuned=False),
        Loop("tutorial loop, tuned", tuned_loop, worker_batches),
        Loop("timm-style loop", timm_loop, worker_batches, needs="timm"),
        Loop("Lightning", lightning_loop, worker_batches, needs="lightning"),
        Loop("Lightning, our batches", lightning_loop, OurBatches, needs="lightning"),
    )
}


class Recorded:
    """The batches, not augmented, that dlvc takes in its first epoch: for all loops to train on alike."""

    def __init__(self, data: ImageData, config: TrainConfig) -> None:
        plain = replace(config, augmentation="none")
        ours = OurBatches(data.train.first(config.train_size), plain)
        self.batches = [(images.clone(), labels.clone()) for images, labels in ours]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(self.batches)


def losses_on_record(
    loop: Loop, model: nn.Module, data: ImageData, config: TrainConfig
) -> list[float]:
    """The loss of each step when the loop trains on `Recorded` batches: equal for all loops if they do equal work."""
    config = replace(config, augmentation="none", epochs=1)
    recorded = Recorded(data, config)
    scores: list[Tensor] = []

    def keep(module: nn.Module, _: tuple, output: Tensor) -> None:
        if module.training:
            scores.append(output.detach().float().cpu())

    with model.register_forward_hook(keep):
        loop.run(model, data if loop.batches is None else recorded, config)
    return [
        cross_entropy(logits, labels.cpu()).item()
        for logits, (_, labels) in zip(scores, recorded, strict=True)
    ]


def run_loop(loop: Loop, model: nn.Module, data: ImageData, config: TrainConfig) -> list[float]:
    """The seconds of each of `config.epochs` passes in which the loop trains `model`."""
    if loop.batches is None:
        return loop.run(model, data, config)
    make = loop.batches
    if loop.tuned and make is OurBatches:  # made in the layout that the loop wants, as dlvc does
        make = partial(OurBatches, layout=input_layout(model, pick_device(config.device)))
    return loop.run(model, make(data.train.first(config.train_size), config), config)
