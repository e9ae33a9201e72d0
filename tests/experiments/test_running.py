"""A run of any experiment leaves a record that says everything, and weights that load back."""

import signal
from dataclasses import replace

import pytest

from dlvc.experiments.provenance import weights_origin
from dlvc.experiments.records import load_record
from dlvc.experiments.registry import EXPERIMENTS, config_for
from dlvc.experiments.running import load_run, run_experiment
from dlvc.models.resnet import ResNet18
from dlvc.training.evaluation import evaluate

KEYS = tuple(EXPERIMENTS)
QUICK = {"epochs": 1, "train_size": 20, "evaluation_size": 20, "device": "cpu"}
UNSAVED = {"save": False, "progress": False}


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_a_run_leaves_a_record_and_weights_that_load_back(key, sketches, tmp_path):
    config = config_for(key, sketches, **QUICK)
    run = run_experiment(key, sketches, config, profile="smoke", folder=tmp_path, progress=False)
    record = load_record(run.path)
    assert record == run.record
    assert record.config == config.as_dict()
    assert record.data["digest"] == sketches.digest
    assert record.data["sizes"] == {"train": 300, "validation": 100, "test": 100}
    assert record.best_epoch == 1
    assert sum(map(sum, record.test.confusion)) == 20
    assert record.model["parameters"] == sum(each.numel() for each in run.model.parameters())
    assert (tmp_path / record.weights_file).is_file()

    restored = load_run(run.path)
    again = evaluate(restored, sketches.test.first(20), progress=False)
    assert again.confusion.tolist() == record.test.confusion
    assert again.correct.numpy().tolist() == record.test.correct_images().tolist()


def test_two_runs_of_one_second_get_two_files(sketches, tmp_path):
    config = config_for("majority", sketches, **QUICK)
    paths = {
        run_experiment(
            "majority", sketches, config, folder=tmp_path, progress=False, fresh=True
        ).path
        for _ in range(3)
    }
    assert len(paths) == len(list(tmp_path.glob("*.json"))) == 3


def test_the_record_says_which_weights_a_transfer_started_from(sketches):
    config = config_for("resnet18", sketches, **QUICK)
    source = ResNet18().backbone.state_dict()
    start = {"weights": source, "weights_name": "drawn task"}
    named = run_experiment("resnet18", sketches, config, **start, **UNSAVED).record
    assert named.model["weights"] == "drawn task"
    assert named.title == "ResNet18 (drawn task weights)"
    bare = run_experiment("resnet18", sketches, config, weights=None, **UNSAVED)
    assert bare.record.model["weights"] == "random"
    assert bare.record.title == "ResNet18 (random start)"
    assert bare.path is None


def test_a_weights_file_without_a_name_is_called_by_its_digest(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"abc")
    assert weights_origin(path) == "mine.pth, SHA-256 ba7816bf8f01"


def test_multiply_adds_of_the_simple_cnn_counted_by_hand(sketches):
    config = config_for("simple-cnn", sketches, **QUICK)
    record = run_experiment("simple-cnn", sketches, config, **UNSAVED).record
    convolutions = 28 * 28 * 6 * (5 * 5 * 3) + 10 * 10 * 16 * (5 * 5 * 6)
    linear = 400 * 120 + 120 * 84 + 84 * 10
    assert record.model["multiply_adds"] == convolutions + linear


def test_ctrl_c_while_testing_leaves_record_and_weights_but_no_test_score(sketches, tmp_path):
    config = config_for("simple-cnn", sketches, **QUICK)

    def press_ctrl_c(record):
        signal.raise_signal(signal.SIGINT)

    run = run_experiment(
        "simple-cnn", sketches, config, folder=tmp_path, progress=False, on_epoch=press_ctrl_c
    )
    assert run.record.interrupted
    assert run.record.test is None
    assert run.record.validation.accuracy == run.record.best.validation_accuracy
    assert not load_run(run.path).training


def test_too_few_test_images_are_noticed_before_the_training(sketches):
    data = replace(sketches, test=sketches.test.first(10))
    config = config_for("simple-cnn", sketches, **QUICK)
    with pytest.raises(ValueError, match="evaluation_size is 20, but Sketch-10 has only 10"):
        run_experiment("simple-cnn", data, config, **UNSAVED)


@pytest.mark.slow
def test_a_resnet_of_another_image_size_loads_back(sketches, tmp_path):
    config, options = config_for("resnet18", sketches, **QUICK), {"image_size": 64}
    run = run_experiment(
        "resnet18", sketches, config, options=options, folder=tmp_path, weights=None, progress=False
    )
    assert load_run(run.path).image_size == 64
    assert run.record.title == "ResNet18 (image size 64) (random start)"


@pytest.mark.parametrize("key", ["majority", "simple-cnn"])
def test_a_misspelt_option_is_refused_for_every_model(key, sketches, tmp_path):
    config = config_for(key, sketches, **QUICK)
    with pytest.raises(TypeError, match="unexpected keyword argument 'on_epochs'"):
        run_experiment(key, sketches, config, folder=tmp_path, on_epochs=print)
