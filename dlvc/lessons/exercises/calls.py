"""What a learner's function does while it is judged: which functions of torch it calls, and how many lines it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from torch.overrides import TorchFunctionMode

MOST_LINES = 20  # more lines than for a smaller argument are a loop; a branch or two are not


class TorchCalls(TorchFunctionMode):
    """While it is entered, `names` gathers the functions of torch that are called, not those that they call in turn.

    It does not matter how they are reached: `torch.conv2d`, `F.conv2d` and a layer `nn.Conv2d` are all "conv2d".
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Any = None
    ) -> Any:
        self.names.add(getattr(function, "__name__", ""))
        return function(*arguments, **(options or {}))


def forbidden_call(names: set[str], forbidden: Mapping[str, str]) -> str | None:
    """What to say of the first of `names` that is forbidden, None if none is.

    `forbidden` maps a part of the forbidden names ("conv" stands for conv2d, convolution, ...) to what to do instead.
    """
    for part, instead in forbidden.items():
        if called := sorted(name for name in names if part in name):
            return f"your answer calls torch's `{called[0]}`, which this task forbids: {instead}"
    return None


@contextmanager
def counted_lines(function: Callable[..., Any]) -> Iterator[list[int]]:
    """How many lines run in the namespace of `function`: its own and those of what it calls there, not in a library.

    A list of one number, which is complete afterwards. Each turn of a loop counts, also inside a single line.
    """
    namespace = getattr(function, "__globals__", None)
    count, before = [0], sys.gettrace()

    def trace(frame: FrameType, event: str, value: Any) -> Any:
        if frame.f_globals is not namespace:
            return None
        count[0] += event == "line"
        return trace

    if namespace is not None:
        sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)
