"""Tables put the report's numbers beside the means of the records, and only like with like."""

from dataclasses import replace

import numpy as np
import pytest
from small_run import ALONE, make_run

from dlvc.experiments.grouping import conditions, differing
from dlvc.experiments.records import REFERENCE_RECORDS, load_records
from dlvc.experiments.registry import EXPERIMENTS
from dlvc.experiments.tables import (
    comparison_table,
    format_table,
    in_registry_order,
    mean_and_spread,
    protocol_table,
    results_table,
    setting_table,
)


def records_of(key):
    """The reference runs of an experiment."""
    return [record for record in load_records() if record.key == key]


# All runs as they are


def test_mean_and_spread_by_hand():
    assert mean_and_spread([0.5]) == "0.500"
    assert mean_and_spread([0.4, 0.5, 0.6]) == "0.500 ± 0.100"
    assert mean_and_spread([0.1004, 0.1006]) == "0.101 ± 0.000"  # 0.1005 and 0.00014


def test_a_row_is_the_mean_over_seeds():
    table = results_table([make_run(seed=0, final=0.4), make_run(seed=1, final=0.6)])
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["runs"], row["parameters"], row["test ACC"]) == (2, "60,000", "0.500 ± 0.141")
    assert row["val. ACC"] == "0.500 ± 0.141"


def with_classes(run, split, sizes):
    """The run with the confusion counts of a split of so many images in each class, half of them right."""
    half = np.diag(sizes) // 2
    counts = half + np.roll(half, 1, axis=1)
    return replace(run, **{split: replace(getattr(run, split), confusion=counts.tolist())})


def test_per_class_accuracy_has_a_column_only_where_classes_are_of_different_sizes():
    """Where each class has n of 10 n images, the mean of its shares k / n is the share of all k in 10 n."""
    equal, uneven = [100] * 10, [20, 180, *[100] * 8]

    def columns(**sizes):
        run = make_run()
        for split, counts in sizes.items():
            run = with_classes(run, split, counts)
        return [name for name in results_table([make_run(), run]) if name.endswith("PACC")]

    assert columns(validation=equal, test=equal) == []
    assert columns(validation=uneven) == ["val. PACC"]
    assert columns(test=uneven) == ["test PACC"]


def test_times_are_those_of_undisturbed_runs_the_median_with_the_fastest_and_the_slowest():
    alone = [
        make_run(seed=0, machine=ALONE, epoch_seconds=(4.2, 4.0, 4.1)),
        make_run(seed=1, machine=ALONE, epoch_seconds=(4.3, 4.6, 4.4)),
    ]
    busy = make_run(seed=2, machine=replace(ALONE, other_seconds=99.0), epoch_seconds=(9, 9, 9))
    old = make_run(seed=3)
    times = ["seconds an epoch", "seconds for the test"]
    shown = results_table([*alone, busy, old]).loc[0, ["runs", *times]].tolist()
    assert shown == [4, "4.3 (4.0 to 4.6)", "1.0 (1.0 to 1.0)"]
    assert results_table([busy, old]).loc[0, times].tolist() == ["-", "-"]
    one = make_run("majority", machine=ALONE, epoch_seconds=(0.25,))
    assert results_table([one]).loc[0, times].tolist() == ["0.3", "1.0"]
    by_setting = setting_table([*alone, busy], "batch_size")
    assert by_setting["seconds an epoch"].tolist() == ["4.3 (4.0 to 4.6)"]


def test_with_a_run_of_each_experiment_no_row_and_no_comparison_is_missing():
    runs = [
        replace(run, model={**run.model, "weights": EXPERIMENTS[run.key].weights or "random"})
        for run in map(make_run, EXPERIMENTS)
    ]
    assert results_table(runs)["Model"].tolist() == [
        experiment.title for experiment in EXPERIMENTS.values()
    ]
    table = comparison_table(runs)
    assert len(table) == 5
    assert not table["here"].str.contains("-").any()


def test_an_interrupted_run_is_left_out():
    table = results_table([make_run(), make_run(seed=1, test=None, interrupted=True)])
    assert table.iloc[0]["runs"] == 1


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"config": {**make_run().config, "epochs": 2}}, ["epochs"]),
        ({"profile": "class"}, ["profile"]),
        ({"title": "The one I liked"}, ["title"]),
        ({"key": "deep-cnn"}, ["key"]),
        ({"data": {"title": "Sketch-10", "digest": "e"}}, ["data"]),
        ({"model": {**make_run().model, "options": {"depth": 2}}}, ["model.depth"]),
        ({"model": {**make_run().model, "weights": "ImageNet"}}, ["weights"]),
        ({"device": {"type": "mps", "name": "a processor", "threads": 1}}, ["device"]),
        ({"precision": "bfloat16"}, ["precision"]),
    ],
)
def test_runs_that_differ_in_more_than_the_seed_are_named_and_get_rows_of_their_own(change, names):
    runs = [make_run(), replace(make_run(seed=1), **change)]
    assert differing([conditions(run) for run in runs]) == names
    assert results_table(runs)["runs"].tolist() == [1, 1]


def test_of_two_runs_with_one_seed_the_newer_counts():
    old, new = make_run(final=0.2), make_run(final=0.9, started="2026-02-01T00:00:00+00:00")
    for runs in ([old, new], [new, old]):
        table = results_table(runs)
        assert (len(table), table.iloc[0]["runs"], table.iloc[0]["test ACC"]) == (1, 1, "0.900")


@pytest.mark.parametrize(
    ("style", "line"),
    [
        ("markdown", "| Simple CNN | report     | 40,000 x 3"),
        ("latex", r"Simple CNN & report & 40,000 x 3 & 1 & 60,000 &"),
        ("csv", 'Simple CNN,report,"40,000 x 3",1,"60,000",0.450'),
    ],
)
def test_tables_come_in_three_styles(style, line):
    assert line in format_table(results_table([make_run()]), style)


def test_the_result_table_is_in_the_order_of_the_registry():
    records = load_records()
    ordered = in_registry_order(records[::-1])
    keys = [record.key for record in ordered]
    assert keys == sorted(keys, key=list(EXPERIMENTS).index)
    assert len(ordered) == len(records)


# Beside the report's numbers


def test_the_comparison_table_has_the_reports_numbers_and_the_means_of_the_records():
    records = load_records()
    table = comparison_table(records).set_index("models")
    row = table.loc["Simple CNN → Deep CNN"]
    assert row["report"] == "0.273 → 0.463"
    accuracies = [record.test.accuracy for record in records_of("simple-cnn")]
    assert row["here"].startswith(f"{sum(accuracies) / len(accuracies):.3f}")
    assert comparison_table([])["here"].tolist() == ["- → -"] * 5


def test_runs_on_different_numbers_of_images_are_not_compared():
    shorter = [
        replace(record, config={**record.config, "train_size": 8_000})
        for record in records_of("deep-cnn")
    ]
    table = comparison_table([*records_of("simple-cnn"), *shorter])
    row = table.set_index("models").loc["Simple CNN → Deep CNN"]
    assert (row["here"], row["images x epochs"]) == ("- → -", "-")


def test_the_protocol_table_has_a_row_for_each_experiment_and_keeps_the_protocols_apart():
    records = records_of("simple-cnn")
    options = {**records[0].model, "options": {"dropout": 0.0}}
    recipe = [replace(records[0], protocol="tuned", model=options)]
    table = protocol_table(records[1:] + recipe).set_index("Model")
    assert list(table.index) == [experiment.title for experiment in EXPERIMENTS.values()]
    row = table.loc["Simple CNN"]
    assert row["report"] == "0.273"
    assert row["tuned"] == f"{records[0].test.accuracy:.3f}"
    assert row["tuned: runs, images x epochs"] == "1, 40,000 x 10"
    mean = sum(record.test.accuracy for record in records[1:]) / len(records[1:])
    assert row["report protocol"].startswith(f"{mean:.3f} ±")
    assert table.loc["Deep CNN", "tuned"] == "-"


def with_stem(record, stem):
    model = {**record.model, "options": {**record.model["options"], "stem": stem}}
    return replace(record, title=f"{record.title} (stem {stem})", model=model)


def test_runs_with_another_option_have_a_row_of_their_own_and_no_number_of_the_report():
    records = load_records()
    run = records_of("deep-vit-residual")[0]
    other = replace(with_stem(run, "convolution"), protocol="tuned")
    table = protocol_table([*records, other]).set_index("Model")
    assert len(table) == len(EXPERIMENTS) + 1
    own, changed = table.loc["Deep Residual ViT"], table.loc[other.title]
    assert (own["report"], own["report protocol"]) == ("0.311", f"{run.test.accuracy:.3f}")
    assert (changed["report"], changed["report protocol"]) == ("-", "-")
    assert changed["tuned"] == f"{run.test.accuracy:.3f}"


def test_runs_with_another_option_do_not_count_in_a_comparison():
    records = load_records()
    worse = replace(records_of("deep-vit-residual")[0], test=records_of("majority")[0].test)
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
    tiny = next(record for record in runs if record.key == "resnet18")
    plain = next(record for record in runs if record.key == "resnet18-plain")
    row = comparison_table([tiny, plain]).iloc[-1]
    assert row["here"] == f"{plain.test.accuracy:.3f} → {tiny.test.accuracy:.3f}"
    assert row["images x epochs"] == "10,000 x 3, Tiny-ImageNet-200 weights"
    assert comparison_table([from_weights(tiny, "ImageNet"), plain]).iloc[-1]["here"] == "- → -"
    random = [from_weights(record, "random") for record in (tiny, plain)]
    assert comparison_table(random).iloc[-1]["images x epochs"] == "10,000 x 3, random start"
    both = comparison_table([tiny, plain, *random]).iloc[-1]
    assert both["images x epochs"] == "10,000 x 3, Tiny-ImageNet-200 weights"
    table = protocol_table([tiny, replace(from_weights(tiny, "ImageNet"), title="ResNet18")])
    shown = table.set_index("Model")["report"]
    assert shown["ResNet18"] == "0.631"  # the report's 0.6305
    assert shown["ResNet18 (Tiny-ImageNet-200 weights)"] == "-"


def test_the_table_of_a_setting_has_a_row_for_each_value_in_rising_order():
    records = records_of("simple-cnn")
    larger = [replace(record, config={**record.config, "batch_size": 9}) for record in records]
    table = setting_table(records + larger, "batch_size")
    assert table["Batch size"].tolist() == [9, 64]
    assert table["runs"].tolist() == [3, 3]
    assert table["test ACC"][0] == table["test ACC"][1]


def test_a_table_by_an_option_of_the_model_leaves_out_models_without_it():
    table = setting_table(load_records(), "depth")
    rows = dict(zip(table["Model"], table["Depth"], strict=True))
    assert rows["Deep CNN"] == 3  # the default of its class, which its record does not name
    assert (rows["Shallow ViT"], rows["Deep ViT"]) == (1, 6)
    assert "Simple CNN" not in rows
