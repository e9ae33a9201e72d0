"""The training in small methods does what `dlvc.training` does."""

from __future__ import annotations

import pytest
import torch

from dlvc.config import TrainConfig
from dlvc.data import ImageData
from dlvc.experiments.registry import build_model
from dlvc.lessons.silent_bugs.correct import PlainTraining, SimpleCNNTraining
from dlvc.training.evaluation import evaluate
from dlvc.training.loop import train

CONFIG = TrainConfig(epochs=3, train_size=300, evaluation_size=100, seed=1, device="cpu")


@pytest.mark.parametrize("code", [PlainTraining, SimpleCNNTraining])
def test_it_ends_with_the_weights_and_numbers_of_the_real_training(code, sketches: ImageData):
    plain = code(sketches, CONFIG)
    trace = plain.run()
    model = build_model(code.key, CONFIG)
    result = train(model, sketches, CONFIG, progress=False)
    for name, value in model.state_dict().items():
        assert torch.equal(plain.model.state_dict()[name], value), name
    assert plain.best_epoch == result.best_epoch
    for epoch, loss, accuracy, score in zip(
        result.epochs,
        trace.train_loss,
        trace.train_accuracy,
        trace.validation_accuracy,
        strict=True,
    ):
        assert loss == pytest.approx(epoch.train_loss, abs=1e-4)
        assert accuracy == pytest.approx(epoch.train_accuracy, abs=1e-4)
        assert score == pytest.approx(epoch.validation_accuracy, abs=1e-4)
    tested = evaluate(model, sketches.test, progress=False)
    assert trace.table_test == pytest.approx(tested.accuracy, abs=1e-4)


def test_a_correct_log_holds_what_it_must(sketches: ImageData):
    code = PlainTraining(sketches, CONFIG)
    trace = code.run()
    assert len(code.step_losses) == 3 * 5  # 300 images in batches of 64
    assert trace.table_validation == max(trace.validation_accuracy)
    assert code.test_evaluations == 1
    assert trace.faults == []
