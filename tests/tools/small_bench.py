"""A made-up record of the bench, whose numbers a person can check."""

from __future__ import annotations

KINDS = {
    "float32, channels_last, 1 thread": 0.0021,
    "float32, contiguous, 1 thread": 0.0050,
    "float32, contiguous, 2 threads": 0.0040,
    "float32, channels_last, 2 threads": 0.0020,
    "bfloat16, contiguous, 2 threads": 0.0015,
}


def record(loop: float = 1.1, tutorial: float = 4.0) -> dict:
    """A record of one model with a bare step of 2 ms; `loop` and `tutorial` are multiples of it."""
    seconds = {
        "bare step": [0.002, 0.002, 0.004],
        "data": [0.0002, 0.0002, 0.0004],
        "dlvc": [0.002 * loop, 0.002 * loop, 0.004 * loop],
        "tutorial loop": [0.002 * tutorial, 0.002 * tutorial, 0.004 * tutorial],
    }
    measured = {
        "steps": 100,
        "workers": 0,
        "largest_loss_difference": 1e-6,
        "seconds_per_step": seconds,
        "seconds_per_large_step": None,
        "host_syncs": None,
        "step_kinds": dict(KINDS),
        "own_kind": "float32, channels_last, 1 thread",
    }
    curves = {
        "data size": {"images": [640, 1280, 2560], "seconds": [0.164, 0.228, 0.356]},
        "batch size": {"batch sizes": [32, 64], "images a second": [9000.0, 16000.0]},
        "threads": {"threads": [1, 2], "images a second": [12_800.0, 21_333.0]},
    }
    return {
        "started": "2026-01-01T00:00:00+00:00",
        "device": {"type": "cpu", "name": "a made-up CPU", "threads": 2},
        "versions": {"torch": "2"},
        "git_commit": "a",
        "data": "made-up images",
        "rounds": 3,
        "models": {"simple-cnn": measured},
        "curves": {"simple-cnn": curves},
        "cold_start": {"import": 1.5, "first step": 0.2, "peak memory (MB)": 400.0},
    }
