"""A model that takes no steps leaves what a training leaves: one epoch, scores, or nothing if it was stopped."""

import threading

import pytest

from dlvc.config import TrainConfig
from dlvc.models import MajorityClassifier, NearestNeighbour
from dlvc.training.baselines import fit_majority, fit_nearest_neighbour
from dlvc.training.evaluation import evaluate

CONFIG = TrainConfig(train_size=200, evaluation_size=50, device="cpu")
WAYS = [(MajorityClassifier, fit_majority), (NearestNeighbour, fit_nearest_neighbour)]


@pytest.mark.parametrize(("build", "fit"), WAYS)
def test_the_one_epoch_has_the_scores_of_the_model_that_is_left(build, fit, sketches):
    model, told = build(), []
    result = fit(model, sketches, CONFIG, on_epoch=told.append, progress=False)
    (epoch,) = told
    assert result.epochs == (epoch,) and result.best_epoch == 1 and not result.interrupted
    score = evaluate(model, sketches.validation.first(50), progress=False)
    assert (epoch.validation_accuracy, epoch.validation_loss) == (score.accuracy, score.loss)
    assert result.best_validation.confusion.tolist() == score.confusion.tolist()


def test_the_nearest_neighbour_knows_its_training_images_by_heart(sketches):
    result = fit_nearest_neighbour(NearestNeighbour(), sketches, CONFIG, progress=False)
    assert result.epochs[0].train_accuracy == 1


@pytest.mark.parametrize(("build", "fit"), WAYS)
def test_stopped_meanwhile_there_is_no_epoch(build, fit, sketches):
    stop = threading.Event()
    stop.set()
    result = fit(build(), sketches, CONFIG, stop=stop, progress=False)
    assert result.interrupted
    assert (result.epochs, result.best_epoch, result.best_validation) == ((), 0, None)
