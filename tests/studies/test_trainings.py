"""A study's variants differ from each other, and runs that are there are kept."""

from dataclasses import replace

import pytest

from dlvc.studies.changes import CHANGES
from dlvc.studies.trainings import FOLDER, STUDIES, Study, Variant, load_study, run_study

SMALL = Study(
    "small",
    "Does it run?",
    {"epochs": 2, "train_size": 64, "evaluation_size": 40, "dropout": 0.0},
    (Variant("none", "simple-cnn", {}), Variant("L1", "simple-cnn", {}, changes={"l1": 1.0})),
)


@pytest.mark.parametrize("name", STUDIES)
def test_every_variant_can_be_trained_and_differs_from_the_others(name):
    study = STUDIES[name]
    for variant in study.variants:
        variant.model(study, variant.config(study, seed=0))
        assert set(variant.changes) <= set(CHANGES)
    seen = [variant.all_settings(study) for variant in study.variants]
    assert all(first != second for n, first in enumerate(seen) for second in seen[:n])


def test_training_size_variants_take_about_the_same_number_of_steps():
    steps = []
    for variant in STUDIES["training-size"].variants:
        size, epochs = variant.settings["train_size"], variant.settings["epochs"]
        steps.append(epochs * -(-size // 64))
    assert min(steps) >= 0.95 * 1_000
    assert max(steps) <= 1.05 * 1_024


def test_a_run_that_is_there_is_kept_and_a_missing_one_is_made(sketches, tmp_path, capsys):
    first = run_study(replace(SMALL, variants=SMALL.variants[:1]), sketches, 1, tmp_path)
    both = run_study(SMALL, sketches, 1, tmp_path)
    assert [run.label for run in both] == ["none", "L1"]
    assert both[0] == first[0]
    assert capsys.readouterr().out.count("small: none") == 1
    assert both[0].zero_share == 0.0 < both[1].zero_share
    assert both[1].weight_norm < both[0].weight_norm
    assert len(both[0].train_loss) == 2 and len(both[0].consistency) == 4
    assert load_study("small", tmp_path) == both
    assert load_study("other", tmp_path) == []


def test_runs_on_other_data_are_not_mixed_with_those_there_are(sketches, tmp_path):
    run = run_study(replace(SMALL, variants=SMALL.variants[:1]), sketches, 1, tmp_path)[0]
    text = (tmp_path / "small.json").read_text().replace(run.data, "Other data")
    (tmp_path / "small.json").write_text(text)
    with pytest.raises(ValueError, match=f"holds runs on Other data; data is {sketches.title}"):
        run_study(SMALL, sketches, 1, tmp_path)


@pytest.mark.parametrize("name", [name for name in STUDIES if (FOLDER / f"{name}.json").exists()])
def test_the_stored_runs_are_those_of_the_study_of_today(name):
    study = STUDIES[name]
    expected = [variant.all_settings(study) for variant in study.variants]
    runs = load_study(name)
    assert all(settings in [run.settings for run in runs] for settings in expected)
    for run in runs:
        assert run.settings in expected
        assert run.data == "CIFAR-10 (JPEG copy)"
        assert len(run.train_loss) == len(run.validation_loss) == run.settings["epochs"]
