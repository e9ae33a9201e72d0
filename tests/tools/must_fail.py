"""A check that is itself put to the test: it must notice a broken implementation."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def must_fail(check: Callable, *arguments) -> None:
    """Assert that a check notices a broken implementation."""
    with pytest.raises(AssertionError):
        check(*arguments)
