"""The same run is continued or given back and says so; anything else is another run."""

import errno
import json
import os
import threading
from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch
from small_training import same_weights

from dlvc import __main__ as command_line
from dlvc.experiments.records import load_records
from dlvc.experiments.registry import build_model, config_for
from dlvc.experiments.run_identity import run_digest
from dlvc.experiments.running import run_experiment
from dlvc.files import CannotWriteError

SMALL = {"epochs": 2, "train_size": 128, "evaluation_size": 20, "device": "cpu"}  # 2 steps an epoch


@pytest.fixture
def train_it(sketches, tmp_path):
    """A function that runs the simple CNN with records in `tmp_path`; `stop_in` is the epoch to stop after."""

    def run(*, stop_in=0, data=sketches, config=None, **options):
        stop = threading.Event()
        told = []

        def on_epoch(record):
            told.append(record.epoch)
            if record.epoch == stop_in:
                stop.set()

        done = run_experiment(
            options.pop("key", "simple-cnn"),
            data,
            config or config_for("simple-cnn", sketches, **SMALL),
            profile="smoke",
            folder=options.pop("folder", tmp_path),
            progress=False,
            stop=stop,
            on_epoch=on_epoch,
            **options,
        )
        return done, told

    return run


@pytest.fixture
def untrained(monkeypatch):
    """Whoever trains now fails."""
    monkeypatch.setattr(
        "dlvc.experiments.running.train", lambda *_, **__: pytest.fail("it was trained")
    )


def test_a_stopped_run_goes_on_says_so_and_leaves_one_record(train_it, tmp_path, capsys):
    stopped, _ = train_it(stop_in=1)
    assert stopped.record.interrupted
    assert [each.interrupted for each in load_records(tmp_path)] == [True]
    assert capsys.readouterr().out == ""
    run, told = train_it()
    assert "continues at epoch 2, step 0 of 2; checkpoint of " in capsys.readouterr().out
    assert told == [1, 2]
    assert [each.interrupted for each in load_records(tmp_path)] == [False]
    assert run.path == stopped.path
    assert list((tmp_path / "unfinished").iterdir()) == []
    straight, _ = train_it(fresh=True)
    assert same_weights(run.model, straight.model)
    assert run.record.test.confusion == straight.record.test.confusion


def test_a_run_stopped_in_its_test_only_tests(train_it, capsys):
    train_it(stop_in=2)  # after the last epoch: what is stopped is the test
    run, _ = train_it()
    assert "continues after the last of 2 epochs" in capsys.readouterr().out
    assert run.record.test is not None


def test_a_finished_run_is_given_back_and_says_so(train_it, capsys, request):
    first, _ = train_it()
    capsys.readouterr()
    request.getfixturevalue("untrained")
    again, told = train_it()
    assert (again.path, again.record, told) == (first.path, first.record, [1, 2])
    assert same_weights(first.model, again.model)
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith(f"finished before, nothing is trained: {first.path.parent.name}/simple-")
    assert "To train again: fresh=True, --fresh" in said


def test_fresh_trains_again_and_keeps_the_old_record(train_it, tmp_path, capsys):
    first, _ = train_it()
    second, _ = train_it(fresh=True)
    assert second.path != first.path
    assert capsys.readouterr().out == ""
    assert len(load_records(tmp_path)) == 2


def test_fresh_starts_a_stopped_run_from_the_beginning(train_it, capsys):
    train_it(stop_in=1)
    run, told = train_it(fresh=True)
    assert (told, run.record.interrupted, capsys.readouterr().out) == ([1, 2], False, "")


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_finished_run_whose_weights_are_lost_is_trained_again(train_it, damage, capsys):
    first, _ = train_it()
    damage(first.path.with_suffix(".safetensors"))
    second, _ = train_it()
    assert "what is left cannot be used" in capsys.readouterr().out
    assert same_weights(first.model, second.model)


def changed_labels(data):
    return replace(data, train=replace(data.train, labels=data.train.labels.roll(1)))


# Each of them decides the result, also where the data's own digest or the config does not tell.
CHANGES = {
    "seed": lambda config, data: {"config": replace(config, seed=1)},
    "learning rate": lambda config, data: {"config": replace(config, learning_rate=0.002)},
    "epochs": lambda config, data: {"config": replace(config, epochs=3)},
    "images": lambda config, data: {"data": changed_labels(data)},
    "protocol": lambda config, data: {"protocol": "tuned"},
    "model": lambda config, data: {"key": "deep-cnn"},
}


@pytest.mark.parametrize("what", [*CHANGES, "code"])
@pytest.mark.parametrize("stop_in", [0, 1])
def test_a_changed_run_reuses_nothing(what, stop_in, train_it, sketches, monkeypatch, capsys):
    train_it(stop_in=stop_in)
    if what == "code":
        monkeypatch.setattr("dlvc.training.identity.code_digest", lambda: "another")
    change = CHANGES.get(what, lambda config, data: {})
    run, told = train_it(**change(config_for("simple-cnn", sketches, **SMALL), sketches))
    assert capsys.readouterr().out == ""
    assert not run.record.interrupted
    assert told == list(range(1, run.record.config["epochs"] + 1))


def test_other_starting_weights_are_another_run(sketches):
    config = config_for("simple-cnn", sketches, **SMALL)
    model = build_model("simple-cnn", config)
    digests = [run_digest(model, sketches, config)[0] for _ in range(2)]
    with torch.no_grad():
        next(model.parameters())[0] += 1
    assert digests[0] == digests[1] != run_digest(model, sketches, config)[0]


def test_a_disk_that_refuses_the_finished_run_loses_nothing(
    train_it, tmp_path, monkeypatch, capsys
):
    full = CannotWriteError("model.safetensors could not be written in runs: the disk is full.")
    with monkeypatch.context() as patch:
        patch.setattr("dlvc.experiments.running.save_weights", Mock(side_effect=full))
        run, _ = train_it()
    assert run.path is None
    assert run.record.test is not None
    assert [each.name for each in tmp_path.iterdir()] == ["unfinished"]
    assert "THE RUN IS NOT SAVED: model.safetensors could not" in capsys.readouterr().out
    again, _ = train_it()
    assert "continues after the last of 2 epochs" in capsys.readouterr().out
    assert same_weights(run.model, again.model)
    assert again.path.is_file()


def test_a_read_only_folder_is_refused_before_the_training(train_it, untrained, monkeypatch):
    read_only = OSError(errno.EROFS, os.strerror(errno.EROFS))
    monkeypatch.setattr("os.fsync", Mock(side_effect=read_only))
    with pytest.raises(CannotWriteError, match=r"the folder is read-only.*DLVC_RUNS_DIR"):
        train_it()


def test_a_file_where_the_folder_should_be_is_refused_before_the_training(
    train_it, untrained, tmp_path
):
    (tmp_path / "runs").touch()
    with pytest.raises(CannotWriteError, match="could not be written"):
        train_it(folder=tmp_path / "runs")


def test_the_unfinished_folder_says_what_it_is_of(train_it, tmp_path):
    train_it(stop_in=1)
    (folder,) = (tmp_path / "unfinished").iterdir()
    assert folder.name.startswith("simple-cnn_report_smoke_seed0_")
    described = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert described["config"]["epochs"] == 2
    assert described["key"] == "simple-cnn"


def test_the_command_line_gives_back_and_trains_fresh(sketches, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dlvc.experiments.data_for", lambda profile: sketches)
    monkeypatch.setenv("DLVC_RUNS_DIR", str(tmp_path))
    arguments = ["train", "simple-cnn", "--profile", "smoke", "--epochs", "1", "--train-size", "64"]
    arguments += ["--evaluation-size", "20"]
    for extra, records in (([], 1), ([], 1), (["--fresh"], 2)):
        assert command_line.main([*arguments, *extra]) == 0
        assert len(load_records(tmp_path)) == records
    assert capsys.readouterr().out.count("finished before, nothing is trained") == 1
