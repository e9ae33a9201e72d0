"""What may be chosen of a model: declared on its constructor; check, form, command line and record read it there.

    @options(depth=option("Depth", "encoder blocks, one after the other", 1, 24, unit="blocks"))
    def __init__(self, *, depth: int = 6) -> None:

An option's default is that of the constructor. An experiment sets some (`EXPERIMENTS`), a run may set others.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field
from typing import Any

from torch import nn

from dlvc.arguments import brief, check_kind
from dlvc.config import check_setting, setting


def option(
    label: str, help: str, low: float | None = None, high: float | None = None, **more: Any
) -> Field:
    """What `setting` makes, for an option of a model: its default is that of the constructor."""
    return setting(MISSING, label=label, help=help, low=low, high=high, **more)


DROPOUT = option(
    "Dropout",
    "share of hidden values of fully connected layers set to zero while training",
    low=0.0,
    high=0.9,
)


def options(**declared: Field) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator of a model's constructor, which from then on refuses values that are not allowed, in words."""

    def declare(constructor: Callable[..., None]) -> Callable[..., None]:
        parameters = inspect.signature(constructor).parameters
        known = {name: copy.copy(field) for name, field in declared.items()}
        for name, field in known.items():
            field.name, field.default = name, parameters[name].default

        @functools.wraps(constructor)
        def checked(self: nn.Module, *others: Any, **arguments: Any) -> None:
            for name, value in arguments.items():
                if name in known:
                    check_setting(known[name], value)
            constructor(self, *others, **arguments)

        checked.options = known
        return checked

    return declare


def option_fields(model: type[nn.Module]) -> dict[str, Field]:
    """The options of a model's class by name; {} for one without."""
    return getattr(model.__init__, "options", {})


def changed_options(
    model: type[nn.Module], own: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """What `changes` really change, where a model has its `own` options and the defaults of its class.

    Raises ValueError for an option that there is not, or a value that is not allowed.
    """
    check_kind("options", changes, Mapping, 'Give a dict such as {"depth": 2}.')
    known = option_fields(model)
    for name, value in changes.items():
        if name not in known:
            allowed = f"choose from {', '.join(known)}" if known else "leave options out"
            raise ValueError(f"this model has no option {brief(name)}; {allowed}.")
        check_setting(known[name], value)
    return {
        name: value
        for name, value in changes.items()
        if value != own.get(name, known[name].default)
    }


def describe_options(model: type[nn.Module], changes: Mapping[str, Any]) -> str:
    """Changed options in words such as "depth 2, stem convolution"; "" for none."""
    words = {
        name: ("no", "yes")[value] if isinstance(value, bool) else value
        for name, value in changes.items()
    }
    return ", ".join(
        f"{field.metadata['label'].lower()} {words[name]}"
        for name, field in option_fields(model).items()
        if name in changes
    )
