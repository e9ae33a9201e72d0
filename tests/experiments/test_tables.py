"""Tables put the report's numbers beside the means of the records, and only like with like."""

from dataclasses import replace

import pytest

from dlvc.experiments.records import REFERENCE_RECORDS, load_records
from dlvc.experiments.registry import EXPERIMENTS
from dlvc.experiments.tables import comparison_table, protocol_table, setting_table


def test_the_comparison_table_has_the_reports_numbers_and_the_means_of_the_records():
    records = load_records(REFERENCE_RECORDS)
    table = comparison_table(records).set_index("models")
    row = table.loc["Simple CNN → Deep CNN"]
    assert row["report"] == "0.273 → 0.463"
    accuracies = [each.test.accuracy for each in records if each.key == "simple-cnn"]
    assert row["here"].startswith(f"{sum(accuracies) / len(accuracies):.3f}")
    assert comparison_table([])["here"].tolist() == ["- → -"] * 5


def test_runs_on_different_numbers_of_images_are_not_compared():
    records = [
        each for each in load_records(REFERENCE_RECORDS) if each.key in ("simple-cnn", "deep-cnn")
    ]
    shorter = [
        replace(each, config={**each.config, "train_size": 8_000})
        if each.key == "deep-cnn"
        else each
        for each in records
    ]
    row = comparison_table(shorter).set_index("models").loc["Simple CNN → Deep CNN"]
    assert (row["here"], row["images x epochs"]) == ("- → -", "-")


def test_the_protocol_table_has_a_row_for_each_experiment_and_keeps_the_protocols_apart():
    records = [each for each in load_records(REFERENCE_RECORDS) if each.key == "simple-cnn"]
    options = {**records[0].model, "options": {"dropout": 0.0}}
    recipe = [replace(records[0], protocol="tuned", model=options)]
    table = protocol_table(records[1:] + recipe).set_index("Model")
    assert list(table.index) == [each.title for each in EXPERIMENTS.values()]
    row = table.loc["Simple CNN"]
    assert row["report"] == "0.273"
    assert row["tuned"] == f"{records[0].test.accuracy:.3f}"
    assert row["tuned: runs, images x epochs"] == "1, 40,000 x 10"
    mean = sum(each.test.accuracy for each in records[1:]) / len(records[1:])
    assert row["report protocol"].startswith(f"{mean:.3f} ±")
    assert table.loc["Deep CNN", "tuned"] == "-"


def with_stem(record, stem):
    model = {**record.model, "options": {**record.model["options"], "stem": stem}}
    return replace(record, title=f"{record.title} (stem {stem})", model=model)


def test_runs_with_another_option_have_a_row_of_their_own_and_no_number_of_the_report():
    records = load_records(REFERENCE_RECORDS)
    run = next(each for each in records if each.key == "deep-vit-residual")
    other = replace(with_stem(run, "convolution"), protocol="tuned")
    table = protocol_table([*records, other]).set_index("Model")
    assert len(table) == len(EXPERIMENTS) + 1
    own, changed = table.loc["Deep Residual ViT"], table.loc[other.title]
    assert (own["report"], own["report protocol"]) == ("0.311", f"{run.test.accuracy:.3f}")
    assert (changed["report"], changed["report protocol"]) == ("-", "-")
    assert changed["tuned"] == f"{run.test.accuracy:.3f}"


def test_runs_with_another_option_do_not_count_in_a_comparison():
    records = load_records(REFERENCE_RECORDS)
    run = next(each for each in records if each.key == "deep-vit-residual")
    worse = replace(run, test=next(each.test for each in records if each.key == "majority"))
    with_worse = comparison_table([*records, with_stem(worse, "convolution")])
    assert with_worse.equals(comparison_table(records))


def from_weights(record, weights):
    return replace(
        record,
        title=f"{record.title} ({weights} weights)",
        model={**record.model, "weights": weights},
    )


def test_runs_from_other_weights_are_not_pooled_and_have_no_number_of_the_report():
    runs = load_records(REFERENCE_RECORDS / "class")
    tiny = next(each for each in runs if each.key == "resnet18")
    plain = next(each for each in runs if each.key == "resnet18-plain")
    row = comparison_table([tiny, plain]).iloc[-1]
    assert row["here"] == f"{plain.test.accuracy:.3f} → {tiny.test.accuracy:.3f}"
    assert row["images x epochs"] == "10,000 x 3, Tiny-ImageNet-200 weights"
    assert comparison_table([from_weights(tiny, "ImageNet"), plain]).iloc[-1]["here"] == "- → -"
    random = [from_weights(each, "random") for each in (tiny, plain)]
    assert comparison_table(random).iloc[-1]["images x epochs"] == "10,000 x 3, random start"
    both = comparison_table([tiny, plain, *random]).iloc[-1]
    assert both["images x epochs"] == "10,000 x 3, Tiny-ImageNet-200 weights"
    table = protocol_table([tiny, replace(from_weights(tiny, "ImageNet"), title="ResNet18")])
    shown = table.set_index("Model")["report"]
    assert shown["ResNet18"] == "0.630"
    assert shown["ResNet18 (Tiny-ImageNet-200 weights)"] == "-"


def test_the_table_of_a_setting_has_a_row_for_each_value_in_rising_order():
    records = [each for each in load_records(REFERENCE_RECORDS) if each.key == "simple-cnn"]
    larger = [replace(each, config={**each.config, "batch_size": 9}) for each in records]
    table = setting_table(records + larger, "batch_size")
    assert table["Batch size"].tolist() == [9, 64]
    assert table["runs"].tolist() == [3, 3]
    assert table["test ACC"][0] == table["test ACC"][1]


def test_a_table_of_an_unknown_setting_names_the_known_ones():
    with pytest.raises(
        ValueError, match=r"the setting must be one of epochs, batch_size.*got 'lr'"
    ):
        setting_table([], "lr")


def test_a_table_by_an_option_of_the_model_leaves_out_models_without_it():
    table = setting_table(load_records(REFERENCE_RECORDS), "depth")
    rows = dict(zip(table["Model"], table["Depth"], strict=True))
    assert rows["Deep CNN"] == 3  # the default of its class, which its record does not name
    assert (rows["Shallow ViT"], rows["Deep ViT"]) == (1, 6)
    assert "Simple CNN" not in rows
