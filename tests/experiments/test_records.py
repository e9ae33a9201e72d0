"""A record keeps everything exactly, and what is none is named."""

import dataclasses
import json

import numpy as np
import pytest
from small_run import make_run

from dlvc.experiments.records import (
    EvaluationRecord,
    load_record,
    load_records,
    pack_bits,
    save_record,
)


def test_a_record_comes_back_from_its_file_unchanged(tmp_path):
    record = make_run()
    path = save_record(record, tmp_path / "run.json")
    assert load_record(path) == record
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_accuracies_are_read_from_the_counts():
    test = make_run(final=0.7).test
    assert test.accuracy == pytest.approx(0.7)
    assert test.mean_per_class_accuracy == pytest.approx(0.7)


def test_per_image_correctness_comes_back_bit_by_bit():
    correct = np.random.default_rng(0).random(1003) < 0.6
    confusion = [[int(correct.sum()), int((~correct).sum())], [0, 0]]
    score = EvaluationRecord(loss=0.0, confusion=confusion, correct=pack_bits(correct), seconds=0.0)
    assert np.array_equal(score.correct_images(), correct)


def test_records_are_sorted_by_file_name_and_a_missing_folder_is_empty(tmp_path):
    for name, seed in (("b.json", 1), ("a.json", 0)):
        save_record(make_run(seed=seed), tmp_path / name)
    assert [record.seed for record in load_records(tmp_path)] == [0, 1]
    assert load_records(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "run.json is not a run record"),
        ("{}", "not a run record of dlvc: 'format_version'"),
        ('{"format_version": 1}', "not a run record"),
        ('{"format_version": 99}', "has format 99; this dlvc reads formats up to 2"),
    ],
)
def test_a_foreign_file_is_named(tmp_path, text, message):
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_record(path)


def test_a_record_with_an_unknown_field_is_refused(tmp_path):
    fields = {**dataclasses.asdict(make_run()), "surprise": 1}
    path = tmp_path / "run.json"
    path.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(ValueError, match="surprise"):
        load_record(path)


@pytest.mark.parametrize("number", ["1e400", "1" + "0" * 400])
def test_a_number_without_end_is_no_result(tmp_path, number):
    save_record(make_run(), path := tmp_path / "run.json")
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["train_seconds"] = 12345.678
    path.write_text(json.dumps(fields).replace("12345.678", number), encoding="utf-8")
    with pytest.raises(ValueError, match="train_seconds must be of type float"):
        load_record(path)
