"""What one of several processes does in tests/training/test_processes.py: `python tests/tools/two_processes.py FOLDER`.

torchrun's variables (RANK and so on) say which process this is. Each leaves what it found in FOLDER/rank<N>.pt.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from small_training import CONFIG, Breaks, make_model, outcome
from torch import Tensor, nn

from dlvc.config import TrainConfig
from dlvc.data import ImageData, load_data
from dlvc.experiments.running import run_experiment
from dlvc.training import NonFiniteLoss, train
from dlvc.training.processes import ALONE, OneProcess, processes_of_torchrun
from dlvc.training.result import TrainResult

SIZES = (300, 100, 100)
# 7 steps an epoch, 21 in all: six batches of 49 images (25 and 24), and one of 3, which is too short for two.
PLAIN = TrainConfig(
    epochs=3, batch_size=49, train_size=297, evaluation_size=99, seed=3, device="cpu"
)
RUN = replace(PLAIN, epochs=1, train_size=64, batch_size=32)


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def loopback() -> str:
    """The name of the network interface that leads back to this machine."""
    return next(name for _, name in socket.if_nameindex() if name.startswith("lo"))


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process that imports this dlvc, has one thread, and meets others on this machine alone."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": loopback(),
        **variables,
    }


def plain_model() -> nn.Module:
    """A model without dropout and batch normalisation: each image is computed for itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 15 * 15, 10)
        )


def train_plain(
    data: ImageData, processes: OneProcess = ALONE, **options
) -> tuple[nn.Module, TrainResult, list[Tensor]]:
    """The plain model after its training, the result, and the images of each step of this process, uint8."""
    model, seen = plain_model(), []

    def keep(module: nn.Module, images: tuple[Tensor]) -> None:
        if module.training:
            seen.append((images[0] * 255).round().to(torch.uint8))

    hook = model.register_forward_pre_hook(keep)
    result = train(model, data, PLAIN, progress=False, processes=processes, **options)
    hook.remove()
    return model, result, seen


def told(result: TrainResult) -> list[list[float]]:
    """The numbers of each epoch."""
    return [
        [each.train_loss, each.train_accuracy, each.validation_loss, each.validation_accuracy]
        for each in result.epochs
    ]


def in_plain_words(model: nn.Module, result: TrainResult) -> list:
    """`outcome` in types that a file of tensors may hold."""
    digest, epochs, *rest = outcome(model, result)
    return [digest, [dataclasses.asdict(each) for each in epochs], *rest]


def sentence(work: Callable[[], object], kind: type[Exception]) -> str:
    """What the exception of that kind says which `work()` raises; "" if it raises none."""
    try:
        work()
    except kind as error:
        return str(error)
    return ""


def training(data: ImageData, processes: OneProcess) -> dict:
    """One training without anything that may differ from a single process, and what each step saw."""
    model, result, seen = train_plain(data, processes)
    return {"weights": model.state_dict(), "told": told(result), "seen": seen}


def stopping(data: ImageData, processes: OneProcess, folder: Path) -> dict:
    """A model with dropout and batch normalisation, trained in one go, and stopped by the last process alone."""
    whole = make_model()
    result = train(whole, data, CONFIG, progress=False, processes=processes)
    found = {"whole": in_plain_words(whole, result)}
    stop = threading.Event()

    def stop_in_second_epoch(epoch: int, step: int, steps: int) -> None:
        if (epoch, step, processes.rank) == (2, 2, processes.size - 1):
            stop.set()

    for name in ("stopped", "resumed"):
        model, steps = make_model(), []
        result = train(
            model,
            data,
            CONFIG,
            progress=False,
            processes=processes,
            checkpoints=folder / "stopped",
            stop=stop if name == "stopped" else None,
            on_step=lambda *step, steps=steps: (steps.append(step), stop_in_second_epoch(*step)),
        )
        found[name] = {"steps": steps, "outcome": in_plain_words(model, result)}
    return found


def going_on(data: ImageData, processes: OneProcess, folder: Path) -> dict:
    """The plain training, which one process has begun in FOLDER/begun."""
    model, result, seen = train_plain(data, processes, checkpoints=folder / "begun")
    return {"weights": model.state_dict(), "told": told(result), "steps": len(seen)}


def running(data: ImageData, processes: OneProcess, folder: Path) -> dict:
    """A whole run with its test, twice: the second time it is given back."""
    found = []
    for _ in range(2):
        run = run_experiment(
            "simple-cnn",
            data,
            RUN,
            profile="smoke",
            folder=folder / "runs",
            processes=processes,
            progress=False,
        )
        weights = {name: value.cpu() for name, value in run.model.state_dict().items()}
        found.append({"path": str(run.path), "started": run.record.started, "weights": weights})
    return {"runs": found, "test": run.record.test.confusion}


def errors(data: ImageData, processes: OneProcess) -> dict:
    """What each process is told of faults that only one of them has."""
    broken = Breaks({8} if processes.rank == 1 else {})
    other = replace(CONFIG, seed=processes.rank)
    return {
        "not finite": sentence(
            lambda: train(broken, data, CONFIG, progress=False, processes=processes), NonFiniteLoss
        ),
        "other settings": sentence(
            lambda: train(make_model(), data, other, progress=False, processes=processes),
            ValueError,
        ),
        "first": sentence(lambda: processes.from_first(lambda: int("first")), ValueError),
    }


def main(folder: Path) -> None:
    """Do all, and leave what was found."""
    torch.set_num_threads(1)
    written: list[str] = []

    def note(event: str, arguments: tuple) -> None:
        changes = {"os.rename", "os.remove", "os.mkdir"}
        if event == "open":
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            changed = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        else:
            changed = event in changes
        if changed and str(arguments[0]).startswith(str(folder)):
            written.append(f"{event} {arguments[0]}")

    data = load_data("sketch10", sizes=SIZES, quiet=True)
    sys.addaudithook(note)
    with processes_of_torchrun("cpu") as processes:
        found = {
            "training": training(data, processes),
            "stopping": stopping(data, processes, folder),
            "going on": going_on(data, processes, folder),
            "running": running(data, processes, folder),
            "errors": errors(data, processes),
            "written": list(written),
        }
    torch.save(found, folder / f"rank{processes.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
