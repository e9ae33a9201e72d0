"""One training on several processes that torchrun starts: what they tell one another, and what only the first does.

Each process has all images and a model of its own. All draw the same order and the same crops, each takes its slice of
every batch, and DistributedDataParallel averages their gradients: a step is the same whatever the number of processes.
Not so with dropout, where each process draws its own numbers, and with batch normalisation, where each takes the
statistics of its own slice; the running ones that are saved and used for scores are those of the first.

`ALONE` is the usual single process, for which everything here does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    redirect_stdout,
)
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from dlvc.training.checkpoint import CheckpointFolder
from dlvc.training.device import pick_device

Result = TypeVar("Result")
# How long a process waits for another one that is alive. One that has died is noticed at once.
TIMEOUT = timedelta(minutes=10)


class LostProcessError(RuntimeError):
    """Another process of the same training has ended or does not answer."""


class OneProcess:
    """A training on a single process: it shares nothing and waits for nobody."""

    rank = 0  # the number of this process
    size = 1  # how many there are

    def seed(self, seed: int) -> int:
        """The start of this process's own random numbers; no two processes and seeds have the same."""
        return seed + self.rank * 2**32

    def wrap(self, model: nn.Module) -> nn.Module:
        """What computes the scores in training, and averages the gradients over the processes."""
        return model

    def share(self, batch: Tensor) -> tuple[Tensor, bool]:
        """This process's slice of a `batch` (B,) of image numbers, and whether it counts."""
        return batch, True

    def images(self, count: int) -> range:
        """Which of `count` images this process evaluates."""
        return range(count)

    def agree(self, flag: bool) -> bool:
        """Whether any process says yes. Waits for all."""
        return flag

    def agree_soon(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag whether any process says yes; with several processes what they said one call before."""
        return flags

    def add_up(self, *tensors: Tensor) -> None:
        """Replace each tensor by its sum over the processes, in place."""

    def copy_from_first(self, *tensors: Tensor) -> None:
        """Give each tensor the values that it has in the first process, in place."""

    def gather(self, value: Tensor) -> list[Tensor]:
        """The tensors (on the CPU, of one shape) of all processes, by rank."""
        return [value]

    def check_same(self, **what: Any) -> None:
        """Raise ValueError in all processes, naming what differs, unless all have the same."""

    def from_first(self, work: Callable[[], Result]) -> Result:
        """What `work()` gives in the first process, which alone calls it; what it raises there is raised in all."""
        return work()

    def held_by_first(self, folder: CheckpointFolder | None) -> AbstractContextManager:
        """A context manager that gives `folder` to all processes, while the first has it for the training alone."""
        return nullcontext() if folder is None else folder


ALONE = OneProcess()


class SeveralProcesses(OneProcess):
    """One of several processes, after torch.distributed has been initialised; its methods do what `OneProcess` says."""

    def __init__(self) -> None:
        from torch import distributed

        self.torch = distributed
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.asked: tuple[Tensor, Any] | None = None

    def wrap(self, model: nn.Module) -> nn.Module:
        """The weights of the first process are copied to the others."""
        self.finish_asking()  # what was asked last in an earlier training
        wrapper = nn.parallel.DistributedDataParallel
        # Not in each step: buffers are copied before they are used. The option has another name in newer versions.
        names = signature(wrapper).parameters
        copying = next(
            name for name in ("forward_sync_buffers", "broadcast_buffers") if name in names
        )
        on_gpu = next(model.parameters()).is_cuda
        return wrapper(
            model,
            device_ids=[torch.cuda.current_device()] if on_gpu else None,
            gradient_as_bucket_view=True,
            **{copying: False},
        )

    def share(self, batch: Tensor) -> tuple[Tensor, bool]:
        """A slice has at least two images, as batch normalisation needs them.

        A batch that is too short for all leaves some without a slice. They compute two of its images, because all must
        take part in the sum of the gradients, but those do not count.
        """
        slices = batch.tensor_split(min(self.size, max(1, len(batch) // 2)))
        return (slices[self.rank], True) if self.rank < len(slices) else (batch[:2], False)

    def images(self, count: int) -> range:
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def agree(self, flag: bool) -> bool:
        vote = torch.tensor([flag], dtype=torch.uint8)
        self.torch.all_reduce(vote, self.torch.ReduceOp.MAX)
        return bool(vote)

    def agree_soon(self, *flags: bool) -> tuple[bool, ...]:
        """The answers travel while the next step is computed, so nobody waits for them."""
        before = self.finish_asking()
        votes = torch.tensor(flags, dtype=torch.uint8)
        self.asked = votes, self.torch.all_reduce(votes, self.torch.ReduceOp.MAX, async_op=True)
        return (False,) * len(flags) if before is None else tuple(map(bool, before.tolist()))

    def finish_asking(self) -> Tensor | None:
        """The answers to what `agree_soon` asked last; None if it asked nothing."""
        if self.asked is None:
            return None
        votes, work = self.asked
        work.wait()
        self.asked = None
        return votes

    def add_up(self, *tensors: Tensor) -> None:
        for tensor in tensors:
            if tensor.numel():
                self.torch.all_reduce(tensor)

    def copy_from_first(self, *tensors: Tensor) -> None:
        for tensor in tensors:
            self.torch.broadcast(tensor, src=0)

    def gather(self, value: Tensor) -> list[Tensor]:
        values = [torch.empty_like(value) for _ in range(self.size)]
        self.torch.all_gather(values, value)
        return values

    def check_same(self, **what: Any) -> None:
        others: list[Any] = [None] * self.size
        self.torch.all_gather_object(others, what)
        differing = [name for name in what if any(other[name] != what[name] for other in others)]
        if differing:
            raise ValueError(
                f"the {self.size} processes of this training have not the same {' and '.join(differing)}. "
                "Start all with the same command, and with the same files on each machine."
            )

    def from_first(self, work: Callable[[], Result]) -> Result:
        outcome: list[Any] = [None, None]  # what it gave, what it raised
        if self.rank == 0:
            try:
                outcome[0] = work()
            except Exception as error:
                outcome[1] = error
        self.torch.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    @contextmanager
    def held_by_first(self, folder: CheckpointFolder | None) -> Iterator[CheckpointFolder | None]:
        with ExitStack() as stack:
            if folder is not None:
                self.from_first(lambda: stack.enter_context(folder) and None)
            yield folder


@contextmanager
def processes_of_torchrun(device: str = "auto") -> Iterator[OneProcess]:
    """The processes that torchrun started, this one among them; `ALONE` if there is only one.

    `device` is that of the training's config: on GPUs each process has one for itself, and gradients travel by nccl, on
    CPUs by gloo. Inside, only the first process prints.
    Raises ValueError for more processes than GPUs, LostProcessError in the others when one of the processes ends early.
    """
    if int(os.environ.get("WORLD_SIZE") or 1) == 1:
        yield ALONE
        return
    from torch import distributed

    on_gpu = pick_device(device).type == "cuda"
    if on_gpu:
        take_own_gpu(int(os.environ.get("LOCAL_RANK") or 0))
    with ExitStack() as stack:
        try:
            # Flags and files' contents stay on the CPU in any case.
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=TIMEOUT
            )
            processes = SeveralProcesses()
            if processes.rank > 0:
                nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
                stack.enter_context(redirect_stdout(nowhere))
            yield processes
            processes.finish_asking()
        except (RuntimeError, ValueError) as error:
            if not is_lost_process(error):
                raise
            raise LostProcessError(
                f"process {os.environ.get('RANK')} of {os.environ['WORLD_SIZE']} has lost the others: one of them "
                f"ended or could not be reached ({str(error).splitlines()[0]:.200}). What it says is the cause. "
                "The same command goes on from the last checkpoint."
            ) from error
        # Not after an error: it would wait for those that are gone.
        distributed.destroy_process_group()


def take_own_gpu(local_rank: int) -> None:
    """Let "cuda" mean the GPU with the number that the process has on its machine. Raises ValueError without one."""
    if local_rank >= torch.cuda.device_count():
        raise ValueError(
            f"this machine has {torch.cuda.device_count()} CUDA GPUs, but at least {local_rank + 1} processes; each "
            "needs one for itself. Lower --nproc-per-node, or train with --device cpu."
        )
    torch.cuda.set_device(local_rank)


def is_lost_process(error: Exception) -> bool:
    """Whether the error says that another process could not be reached; gloo's has no type of its own."""
    from torch import distributed

    return isinstance(error, distributed.DistError) or (
        type(error) is RuntimeError and "gloo" in str(error).lower()
    )
