"""The command line does what its help says, and says in words what it cannot do."""

import signal
import subprocess
import sys
from dataclasses import fields, replace

import pytest

from dlvc import __main__ as command_line
from dlvc.config import TrainConfig
from dlvc.experiments.records import load_records
from dlvc.experiments.registry import EXPERIMENTS, options_of_all_models


@pytest.fixture
def runs(tmp_path, monkeypatch, sketches):
    """A folder that takes the place of runs/, and small data."""
    monkeypatch.setenv("DLVC_RUNS_DIR", str(tmp_path))
    monkeypatch.setattr("dlvc.experiments.data_for", lambda profile: sketches)
    return tmp_path


SMALL = ["--profile", "smoke", "--train-size", "64", "--evaluation-size", "50"]


def test_list_names_every_experiment(capsys):
    assert command_line.main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(key in printed for key in EXPERIMENTS)


def test_train_has_one_option_for_each_setting():
    options = vars(command_line.build_parser().parse_args(["train", "simple-cnn"]))
    for each in fields(TrainConfig):
        assert each.name not in options
        value = (
            each.metadata["choices"][-1] if each.metadata["choices"] else str(each.metadata["high"])
        )
        name = f"--{each.name.replace('_', '-')}"
        given = vars(command_line.build_parser().parse_args(["train", "simple-cnn", name, value]))
        assert str(given[each.name]) == str(type(each.default)(value))


def test_train_has_one_option_for_each_option_of_a_model():
    for name, options in options_of_all_models().items():
        flag, default = f"--{name.replace('_', '-')}", options[0].default
        words = [flag] if isinstance(default, bool) else [flag, str(default)]
        given = vars(command_line.build_parser().parse_args(["train", "simple-cnn", *words]))
        assert given[name] == (default or given[name] is True)


def test_train_leaves_one_record_a_seed(runs, capsys):
    assert command_line.main(["train", "simple-cnn", *SMALL, "--seeds", "2", "--epochs", "1"]) == 0
    records = load_records(runs)
    assert [each.seed for each in records] == [0, 1]
    assert {each.config["train_size"] for each in records} == {64}
    assert capsys.readouterr().out.count("best epoch 1: test accuracy") == 2


def test_with_all_each_model_takes_the_options_that_it_has(runs):
    options = "--epochs 1 --shard 1/4 --dropout 0.25 --width 8 --no-residual"
    assert command_line.main(["train", "--all", *SMALL, *options.split()]) == 0
    vit = EXPERIMENTS["deep-vit-residual"].options
    assert {record.key: record.model["options"] for record in load_records(runs)} == {
        "majority": {},
        "deep-cnn": {"dropout": 0.25, "width": 8},
        "deep-vit-residual": {**vit, "dropout": 0.25, "residual": False},
    }


@pytest.mark.parametrize("style", ["markdown", "latex", "csv"])
def test_table_prints_the_committed_records(style, capsys):
    assert command_line.main(["table", "--format", style]) == 0
    assert "Simple CNN" in capsys.readouterr().out


def test_data_says_what_is_there_and_how_to_get_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DLVC_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(
        "dlvc.data.loading._places", lambda directory=None: [("DLVC_DATA_DIR", tmp_path)]
    )
    assert command_line.main(["data"]) == 0
    assert "python -m dlvc data --fetch" in capsys.readouterr().out


def test_a_stopped_training_ends_the_program_with_status_130(runs, monkeypatch):
    monkeypatch.setattr(
        command_line, "print_epoch", lambda epoch: signal.raise_signal(signal.SIGINT)
    )
    assert command_line.main(["train", "simple-cnn", *SMALL, "--seeds", "2"]) == 130
    assert [each.interrupted for each in load_records(runs)] == [True]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no pipes that break")
def test_a_reader_who_has_seen_enough_is_no_error():
    command = [sys.executable, "-m", "dlvc", "table"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        program.stdout.close()
        said = program.stderr.read()
    assert (program.returncode, said) == (0, b"")


def test_a_stopped_run_is_told_with_the_right_number_of_epochs():
    record = load_records()[1]
    said = [
        command_line.summarise(replace(record, test=None, epochs=record.epochs[:count]), None)
        for count in (0, 1, 2)
    ]
    assert [each.split(" finished")[0] for each in said] == [
        "stopped with no epoch",
        "stopped with 1 epoch",
        "stopped with 2 epochs",
    ]
