"""The kinds of steps that are tried are all combinations, and dlvc's own is one of them."""

import torch

from dlvc.studies.bench import step_kinds
from dlvc.studies.bench.measure import MODELS
from dlvc.studies.bench.step_kinds import all_kinds, measure_kinds, own_kind


def test_both_layouts_precisions_and_one_or_all_threads_are_tried(monkeypatch):
    monkeypatch.setattr(step_kinds, "all_threads", lambda: 4)
    kinds = all_kinds()
    assert list(kinds)[:4] == [
        "float32, contiguous, 1 thread",
        "float32, contiguous, 4 threads",
        "float32, channels_last, 1 thread",
        "float32, channels_last, 4 threads",
    ]
    assert [kind.replace("bfloat16", "float32") for kind in list(kinds)[4:]] == list(kinds)[:4]
    assert kinds["bfloat16, channels_last, 1 thread"].threads == 1
    monkeypatch.setattr(step_kinds, "all_threads", lambda: 0)  # on a GPU
    assert len(all_kinds()) == 4


def test_the_step_that_a_training_takes_is_one_of_the_kinds(monkeypatch):
    assert {own_kind(key) for key in MODELS} <= set(all_kinds())
    monkeypatch.setattr(step_kinds, "pick_device", lambda: torch.device("cpu"))
    assert "channels_last" in own_kind("deep-cnn")
    assert "contiguous" in own_kind("resnet18")


def test_each_kind_is_timed_and_the_threads_are_as_before(sketches, monkeypatch):
    monkeypatch.setattr(step_kinds, "ROUNDS", 1)
    monkeypatch.setattr(step_kinds, "TRY_SECONDS", 0.0)
    threads = torch.get_num_threads()
    seconds = measure_kinds("simple-cnn", sketches)
    assert list(seconds) == list(all_kinds())
    assert min(seconds.values()) > 0
    assert torch.get_num_threads() == threads
