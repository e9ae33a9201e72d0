"""Runs to draw: real records with made-up numbers, one model learning better than the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dlvc.experiments.records import EvaluationRecord, RunRecord, pack_bits
from dlvc.experiments.registry import EXPERIMENTS
from dlvc.training.result import EpochRecord

MakeRun = Callable[..., RunRecord]


def build_run(key: str, seed: int = 0, *, final: float | None = None, **changes) -> RunRecord:
    """Return a run of three epochs whose test accuracy is `final` (default: by key and seed)."""
    if final is None:
        final = 0.3 + 0.05 * list(EXPERIMENTS).index(key) + 0.01 * seed
    right = round(100 * final)
    confusion = np.full((10, 10), 0)
    for row in range(10):
        confusion[row, row] = right
        confusion[row, (row + 1) % 10] = 100 - right
    correct = np.arange(1000) < 10 * right
    score = EvaluationRecord(
        loss=1.0, confusion=confusion.tolist(), correct=pack_bits(correct), seconds=1.0
    )
    learns = key != "majority"
    epochs = tuple(
        EpochRecord(
            epoch=number,
            learning_rate=1e-3,
            train_loss=2.3 - number * final,
            train_accuracy=final * number / 4,
            validation_loss=2.4 - number * final,
            validation_accuracy=final * number / 3,
            validation_mean_per_class_accuracy=final * number / 3,
            seconds=1.0,
            validation_seconds=0.1,
        )
        for number in range(1, 4 if learns else 2)
    )
    parts = {
        "key": key,
        "title": EXPERIMENTS[key].title,
        "protocol": "report",
        "profile": "full",
        "seed": seed,
        "config": {"seed": seed, "learning_rate": 1e-3},
        "model": {
            "parameters": 60_000 * learns,
            "multiply_adds": 600_000 * learns,
            "options": {},
            "weights": "random",
        },
        "data": {"title": "Sketch-10", "source": "", "verified": True, "digest": "d", "sizes": {}},
        "device": {"type": "cpu", "name": "a processor", "threads": 1},
        "precision": "float32",
        "versions": {},
        "git_commit": "unknown",
        "started": "2026-01-01T00:00:00+00:00",
        "epochs": epochs,
        "best_epoch": len(epochs),
        "interrupted": False,
        "train_seconds": 10.0 + seed,
        "validation": score,
        "test": score,
    }
    return RunRecord(**{**parts, **changes})


@pytest.fixture
def make_run() -> MakeRun:
    """The function that builds a run: `make_run(key, seed=0, final=None, **changes)`."""
    return build_run


@pytest.fixture(scope="session")
def all_runs() -> list[RunRecord]:
    """Three runs of the CNNs and one of every other experiment."""
    return [build_run(key, seed) for key in EXPERIMENTS for seed in range(3 if "cnn" in key else 1)]
