"""A record keeps everything exactly, and what is none is named."""

import dataclasses
import json

import pytest
from small_run import make_run

from dlvc.experiments.records import load_record, load_records, record_from_json, save_record


def test_accuracies_are_read_from_the_counts():
    test = make_run(final=0.7).test
    assert test.accuracy == pytest.approx(0.7)
    assert test.mean_per_class_accuracy == pytest.approx(0.7)


def test_records_are_sorted_by_file_name_and_a_missing_folder_is_empty(tmp_path):
    for name, seed in (("b.json", 1), ("a.json", 0)):
        save_record(make_run(seed=seed), tmp_path / name)
    assert [record.seed for record in load_records(tmp_path)] == [0, 1]
    assert load_records(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "has format 99; this dlvc reads formats up to 4"),
        ({"surprise": 1}, "no field `.*surprise`"),
        ({"train_seconds": 10**400}, "too large a number.*train_seconds"),
        ({"best_epoch": 9}, "best_epoch is 9 of 3"),
        ({"config": {"epochs": 1}}, "config.train_size must be of type int"),
    ],
)
def test_what_is_no_record_is_named(tmp_path, change, message):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(dataclasses.asdict(make_run()) | change), encoding="utf-8")
    with pytest.raises(ValueError, match=f"run.json .*{message}"):
        load_record(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confusion": [[1, 2]]}, "test: confusion must be a square of counts"),
        ({"confusion": [[-1]]}, "test: confusion must be a square of counts"),
        ({"confusion": [[0]]}, "test: confusion counts no image"),
        ({"correct": "?"}, "test: correct is no base64"),
        ({"correct": "AAAAAA=="}, "test: correct has 4 bytes for 1000 images"),
    ],
)
def test_a_score_that_cannot_be_is_named(change, message):
    record = make_run()
    record = dataclasses.replace(record, test=dataclasses.replace(record.test, **change))
    with pytest.raises(ValueError, match=message):
        record_from_json(json.dumps(dataclasses.asdict(record)))
