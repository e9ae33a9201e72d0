"""A record keeps everything exactly, and a table never mixes what must not be mixed."""

import dataclasses
import json

import numpy as np
import pytest

from dlvc.experiments.records import (
    EvaluationRecord,
    RunRecord,
    check_same_experiment,
    format_table,
    load_record,
    load_records,
    mean_and_spread,
    pack_bits,
    record_from_json,
    results_table,
    save_record,
)
from dlvc.training.result import EpochRecord


def make_record(*, right: int = 5, seed: int = 0, **changes) -> RunRecord:
    """A record whose test split has ten images, one a class, the first `right` of them classified correctly."""
    confusion = [
        [int(i == j) if i < right else int(j == (i + 1) % 10) for j in range(10)] for i in range(10)
    ]
    correct = np.arange(10) < right
    score = EvaluationRecord(
        loss=1.25, confusion=confusion, correct=pack_bits(correct), seconds=2.0
    )
    epoch = EpochRecord(
        epoch=1,
        learning_rate=1e-3,
        train_loss=2.0,
        train_accuracy=0.3,
        validation_loss=1.9,
        validation_accuracy=0.4,
        validation_mean_per_class_accuracy=0.41,
        seconds=3.0,
        validation_seconds=1.0,
    )
    fields = {
        "key": "simple-cnn",
        "title": "Simple CNN",
        "protocol": "report",
        "profile": "full",
        "seed": seed,
        "config": {"epochs": 1, "train_size": 40_000, "seed": seed, "device": "auto"},
        "model": {
            "parameters": 62_006,
            "multiply_adds": 651_720,
            "options": {},
            "weights": "random",
        },
        "data": {
            "title": "Sketch-10",
            "source": "",
            "verified": True,
            "digest": "d" * 64,
            "sizes": {},
        },
        "device": {"type": "cpu", "name": "a CPU", "threads": 2},
        "precision": "float32",
        "versions": {"torch": "2.10"},
        "git_commit": "0" * 12,
        "started": "2026-01-01T00:00:00+00:00",
        "epochs": (epoch,),
        "best_epoch": 1,
        "interrupted": False,
        "train_seconds": 4.0,
        "validation": score,
        "test": score,
    }
    return RunRecord(**{**fields, **changes})


def test_a_record_comes_back_from_its_file_unchanged(tmp_path):
    record = make_record()
    path = save_record(record, tmp_path / "run.json")
    assert load_record(path) == record
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_accuracies_are_read_from_the_counts():
    test = make_record(right=7).test
    assert test.accuracy == pytest.approx(0.7)
    assert test.mean_per_class_accuracy == pytest.approx(0.7)


def test_per_image_correctness_comes_back_bit_by_bit():
    correct = np.random.default_rng(0).random(1003) < 0.6
    confusion = [[int(correct.sum()), int((~correct).sum())], [0, 0]]
    score = EvaluationRecord(loss=0.0, confusion=confusion, correct=pack_bits(correct), seconds=0.0)
    assert np.array_equal(score.correct_images(), correct)


def test_records_are_sorted_by_file_name_and_a_missing_folder_is_empty(tmp_path):
    for name, seed in (("b.json", 1), ("a.json", 0)):
        save_record(make_record(seed=seed), tmp_path / name)
    assert [each.seed for each in load_records(tmp_path)] == [0, 1]
    assert load_records(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "has format 99; this dlvc reads formats up to 2"),
        ({"surprise": 1}, "no field `.*surprise`"),
        ({"train_seconds": 10**400}, "too large a number.*train_seconds"),
        ({"best_epoch": 2}, "best_epoch is 2 of 1"),
        ({"config": {"epochs": 1}}, "config.train_size must be of type int"),
    ],
)
def test_what_is_no_record_is_named(tmp_path, change, message):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(dataclasses.asdict(make_record()) | change), encoding="utf-8")
    with pytest.raises(ValueError, match=f"run.json .*{message}"):
        load_record(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confusion": [[1, 2]]}, "test: confusion must be a square of counts"),
        ({"confusion": [[-1]]}, "test: confusion must be a square of counts"),
        ({"confusion": [[0]]}, "test: confusion counts no image"),
        ({"correct": "?"}, "test: correct is no base64"),
        ({"correct": "AAAAAA=="}, "test: correct has 4 bytes for 10 images"),
    ],
)
def test_a_score_that_cannot_be_is_named(change, message):
    record = make_record()
    record = dataclasses.replace(record, test=dataclasses.replace(record.test, **change))
    with pytest.raises(ValueError, match=message):
        record_from_json(json.dumps(dataclasses.asdict(record)))


def test_mean_and_spread_by_hand():
    assert mean_and_spread([0.5]) == "0.500"
    assert mean_and_spread([0.4, 0.5, 0.6]) == "0.500 ± 0.100"


def test_a_row_is_the_mean_over_seeds():
    table = results_table([make_record(right=4, seed=0), make_record(right=6, seed=1)])
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["runs"], row["parameters"], row["test ACC"]) == (2, "62,006", "0.500 ± 0.141")
    assert row["val. PACC"] == "0.410 ± 0.000"


def test_an_interrupted_run_is_left_out():
    table = results_table([make_record(), make_record(seed=1, test=None, interrupted=True)])
    assert table.iloc[0]["runs"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"config": {"epochs": 2, "train_size": 40_000, "seed": 1}},
            "differ in epochs and not only in the seed",
        ),
        ({"profile": "class"}, "differ in profile"),
        ({"data": {"title": "CIFAR-10", "digest": "e" * 64}}, "differ in data"),
        ({"device": {"type": "cuda", "name": "a GPU", "threads": 2}}, "differ in device"),
        ({"precision": "bfloat16"}, "differ in precision"),
    ],
)
def test_different_things_get_rows_of_their_own_and_no_mean(change, message):
    runs = [make_record(), make_record(**{"seed": 1, **change})]
    assert results_table(runs)["runs"].tolist() == [1, 1]
    with pytest.raises(ValueError, match=message):
        check_same_experiment(runs)


def test_of_two_runs_with_one_seed_the_newer_counts():
    old, new = make_record(right=2), make_record(right=9, started="2026-02-01T00:00:00+00:00")
    for runs in ([old, new], [new, old]):
        table = results_table(runs)
        assert (len(table), table.iloc[0]["runs"], table.iloc[0]["test ACC"]) == (1, 1, "0.900")
    with pytest.raises(ValueError, match="have the same seed"):
        check_same_experiment([old, new])


@pytest.mark.parametrize(
    ("style", "line"),
    [
        ("markdown", "| Simple CNN | report     | 40,000 x 1"),
        ("latex", r"Simple CNN & report & 40,000 x 1 & 1 & 62,006 &"),
        ("csv", 'Simple CNN,report,"40,000 x 1",1,"62,006",0.400'),
    ],
)
def test_tables_come_in_three_styles(style, line):
    assert line in format_table(results_table([make_record()]), style)


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match="one of markdown, latex, csv; got 'html'"):
        format_table(results_table([make_record()]), "html")
