"""Runs to draw: made-up numbers, one model learning better than the next."""

from __future__ import annotations

import pytest
from small_run import make_run as build_run

from dlvc.experiments.records import RunRecord
from dlvc.experiments.registry import EXPERIMENTS


@pytest.fixture
def make_run():
    """The function that builds a run: `make_run(key, seed=0, final=None, **changes)`."""
    return build_run


@pytest.fixture(scope="session")
def all_runs() -> list[RunRecord]:
    """Three runs of the CNNs and one of every other experiment."""
    return [build_run(key, seed) for key in EXPERIMENTS for seed in range(3 if "cnn" in key else 1)]
