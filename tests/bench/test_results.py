"""The bench's ratios, targets and table, from a made-up record whose numbers a person can check."""

import json
from pathlib import Path

import pytest
from small_bench import record

from dlvc.bench.curves import fixed_and_per_image
from dlvc.bench.measure import MODELS, ratio
from dlvc.bench.results import (
    FOLDER,
    bench_table,
    load_bench,
    step_ratio,
    step_table,
    summary,
    targets,
)
from dlvc.plots.bench import bench_figure
from dlvc.plots.style import description


def test_a_ratio_is_the_median_over_rounds_so_one_slow_round_does_not_count():
    assert ratio({"a": [2.0, 2.0, 9.0], "b": [1.0, 1.0, 1.0]}, "a", "b") == 2.0


def test_the_table_shows_what_a_person_can_divide():
    row = bench_table(record()).iloc[0]
    assert row["R_loop"] == "1.100 (1.10 to 1.10)"
    assert row["data share"] == "9.1 %"
    assert row["x tutorial loop"] == "3.64 (3.64 to 3.64)"
    assert row["x Lightning"] == "-"


def test_the_step_is_compared_with_the_fastest_of_its_precision():
    assert step_ratio(record()["models"]["simple-cnn"], "float32") == pytest.approx(1.05)
    row = step_table(record()).iloc[0]
    assert row["fastest in float32"] == "channels_last, 2 threads"
    assert row["bfloat16 is faster by"] == "1.40"


def test_targets_are_met_or_missed_by_the_ratios():
    assert all(targets(record()).values())
    missed = [name for name, met in targets(record(loop=1.2, tutorial=3.0)).items() if not met]
    assert [each.split(":")[1].split()[0] for each in missed] == ["R_loop", "2.50"]


def test_a_gpu_must_not_be_waited_for_more_than_once_an_epoch():
    found = record()
    found["device"]["type"] = "cuda"
    found["models"]["simple-cnn"]["host_syncs"] = 2
    assert not targets(found)["simple-cnn: 2 waits for the GPU an epoch, at most 1"]


def test_the_fixed_cost_and_the_cost_of_an_image_are_read_from_a_straight_line():
    fixed, per_image = fixed_and_per_image(record()["curves"]["simple-cnn"]["data size"])
    assert fixed == pytest.approx(0.1, rel=1e-6)
    assert per_image == pytest.approx(1e-4, rel=1e-6)


def test_the_summary_names_each_missed_target():
    said = summary(record(loop=1.2))
    assert "missed: simple-cnn: R_loop 1.200, at most 1.15" in said
    assert "100 ms and 100 µs an image" in said


def test_the_figure_says_what_it_shows_and_on_which_machine():
    picture = bench_figure(record())
    assert "a made-up CPU" in description(picture)
    assert [each.get_text() for each in picture.axes[0].get_legend().get_texts()] == [
        "dlvc",
        "tutorial loop",
    ]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_committed_record_is_of_all_models_with_equal_work(path: Path):
    found = load_bench(path)
    assert list(found["models"]) == list(MODELS)
    assert all(each["largest_loss_difference"] < 1e-4 for each in found["models"].values())
    json.dumps(found, allow_nan=False)
