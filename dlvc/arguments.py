"""Arguments that are what they should be, or one sentence with what came, what is allowed and what to do.

For values that would otherwise fail far from the call, in the words of torch or numpy.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any


def check_whole(
    name: str, value: Any, *, low: int, high: int | None = None, hint: str = ""
) -> None:
    """Raise ValueError unless `value` is a whole number from `low` to `high` (None: no upper end)."""
    # True is an int in Python, but surely a slip where a number is asked for.
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        allowed = f"of at least {low:,}" if high is None else f"from {low:,} to {high:,}"
        raise ValueError(
            f"{name} must be a whole number {allowed}; got {brief(value)}. {hint}".strip()
        )


def check_share(name: str, value: Any, *, hint: str = "") -> None:
    """Raise ValueError unless `value` is a number from 0 to 1."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1; got {brief(value)}. {hint}".strip())


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(choices)
        raise ValueError(
            f"{name} must be one of {allowed}; got {brief(value)}. Try {choices[0]!r}."
        )


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], hint: str) -> None:
    """Raise ValueError unless `value` is of the type `kind`; `hint` says how to get one."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(allowed.__name__ for allowed in kinds)
        raise ValueError(f"{name} must be of type {wanted}; got {brief(value)}. {hint}")


def brief(value: Any) -> str:
    """The value where it is short, else its type: a message must not hold a whole tensor."""
    parts = value if type(value) is tuple and len(value) <= 8 else (value,)
    plain = all(isinstance(part, (str, int, float, bytes, type(None))) for part in parts)
    # A number of more than 4,300 digits cannot even be printed.
    if plain and not any(isinstance(part, int) and part.bit_length() > 200 for part in parts):
        text = repr(value)
        if len(text) <= 60:
            return text
    shape = getattr(value, "shape", None)
    shaped = f" of shape {tuple(shape)}" if isinstance(shape, tuple) else ""
    return f"a value of type {type(value).__name__}{shaped}"
