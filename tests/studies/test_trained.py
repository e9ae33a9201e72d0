"""No network of the project has seen a drawing on which a learner tests it."""

from __future__ import annotations

import pytest
import torch
from small_run import make_run

from dlvc.data import draw_sketches, load_data
from dlvc.data.loading import MOST_SKETCHES
from dlvc.studies import trained


def test_the_drawings_to_train_on_are_in_no_split_of_any_size(monkeypatch):
    """Splits are cut out of one row of drawings, so the test images of one size are training images of another."""
    small, large = (
        load_data("sketch10", sizes=sizes, quiet=True) for sizes in ((20, 10, 10), (40, 1, 1))
    )
    assert torch.equal(small.test.images, large.train.images[30:])
    assert trained.FIRST_INDEX >= 3 * MOST_SKETCHES

    monkeypatch.setattr(trained, "TRAIN", 30)
    monkeypatch.setattr(trained, "VALIDATION", 10)
    monkeypatch.setattr(trained, "load_data", lambda *_, **__: small)
    own = trained.own_drawings.__wrapped__()
    drawn = draw_sketches(40, first_index=3 * MOST_SKETCHES)
    assert torch.equal(own.train.images, drawn.images[:30])
    assert torch.equal(own.validation.masks, drawn.masks[30:])
    assert own.test is small.test and own.digest != small.digest


def test_the_data_of_a_run_are_those_of_its_digest(monkeypatch):
    data = load_data("sketch10", sizes=(20, 10, 10), quiet=True)
    monkeypatch.setattr(trained, "own_drawings", lambda: data)
    record = make_run(data={"title": "Sketch-10", "digest": data.digest})
    assert trained.data_of(record) is data
    with pytest.raises(ValueError, match=r"was made on Sketch-10 with digest other.* here is"):
        trained.data_of(make_run(data={"title": "Sketch-10", "digest": "other drawings"}))
