"""The loops of notebook 02 differ in what their names say; that they do equal work is seen in bench/test_loops.py."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from dlvc.studies.bench.loaders import OurBatches
from dlvc.studies.bench.loops import Loop, timed_passes
from dlvc.studies.bench.measure import bench_model
from dlvc.studies.speed import (
    MODEL,
    PARTS,
    TECHNIQUES,
    each_image_once,
    profile_parts,
    speed_config,
    time_techniques,
)


def test_an_image_taken_twice_is_noticed(sketches):
    def forgetful(model, batches, config):
        first, *others = list(batches)
        model.train()
        return timed_passes(
            lambda: [model(images) for images, _ in (first, first, *others[1:])],
            config,
            torch.device("cpu"),
        )

    config = replace(speed_config(192), device="cpu")
    assert len(OurBatches(sketches.train.first(192), config)) == 3
    assert not each_image_once(Loop("forgetful", forgetful, OurBatches), sketches, 192)


def test_each_loop_has_the_technique_that_its_name_says(monkeypatch):
    """Asked at each step, fused, layout of the filters: what the loops differ in, in their order."""
    batches = [(torch.rand(4, 3, 32, 32), torch.zeros(4, dtype=torch.long))] * 3
    step, item, asked = torch.optim.Adam.step, torch.Tensor.item, []

    def watched_step(self, *arguments, **options):
        before = len(asked)
        step(self, *arguments, **options)
        del asked[before:]  # an optimizer that is not fused asks for its own numbers
        fused.add(bool(self.defaults["fused"]))

    monkeypatch.setattr(torch.optim.Adam, "step", watched_step)
    monkeypatch.setattr(torch.Tensor, "item", lambda self: asked.append(1) or item(self))
    techniques = {}
    for name in list(TECHNIQUES)[1:5]:
        fused = set()
        config = replace(speed_config(128), device="cpu", epochs=1)
        model = bench_model(MODEL, config)
        asked.clear()
        TECHNIQUES[name].run(model, batches, config)
        last = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)][-1].weight
        layout = last.is_contiguous(memory_format=torch.channels_last)
        techniques[name] = (len(asked), fused, layout)
    assert techniques == {
        "whole batches": (6, {False}, False),  # loss and hits at each of three steps
        "no questions": (2, {False}, False),
        "fused optimizer": (2, {True}, False),
        "channels_last": (2, {True}, True),
    }


def test_times_are_told_for_each_loop_and_parts_for_the_first_and_the_best(sketches):
    seconds = time_techniques(sketches, 128, 1)
    assert list(seconds) == list(TECHNIQUES)
    assert min(seconds.values()) > 0
    parts = profile_parts(sketches, 128)
    assert list(parts) == ["tutorial loop", "all techniques"]
    for spent in parts.values():
        assert tuple(spent) == PARTS
        assert min(spent.values()) > 0


def test_measuring_no_time_is_refused_in_words(sketches):
    with pytest.raises(ValueError, match="repeats must be a whole number of at least 1"):
        time_techniques(sketches, 128, 0)
