"""The bench's ratios and table, from made-up records whose numbers a person can check."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from small_bench import record

from dlvc.__main__ import main
from dlvc.files import save_json
from dlvc.studies.bench import command, curves
from dlvc.studies.bench.curves import cold_start, fixed_and_per_image
from dlvc.studies.bench.figure import bench_figure
from dlvc.studies.bench.measure import MODELS, ratio
from dlvc.studies.bench.results import (
    BENCH_RECORDS,
    as_one,
    bench_table,
    load_benches,
    step_ratio,
    step_table,
)


def test_a_ratio_is_the_median_over_rounds_so_one_slow_round_does_not_count():
    assert ratio({"a": [2.0, 2.0, 9.0], "b": [1.0, 1.0, 1.0]}, "a", "b") == 2.0


def test_the_table_shows_what_a_person_can_divide():
    row = bench_table(record()).iloc[0]
    assert row["R_loop"] == "1.100 (1.100 to 1.100)"
    assert row["data share"] == "9.1 %"
    assert row["x tutorial loop"] == "3.64 (3.64 to 3.64)"
    assert row["x Lightning"] == "-"


def test_the_step_is_compared_with_the_fastest_of_its_precision():
    measured = record()["models"]["simple-cnn"]
    assert step_ratio(measured) == pytest.approx(1.05)
    row = step_table(record()).iloc[0]
    assert row["fastest in float32"] == "channels_last, 2 threads"
    assert (row["fastest in bfloat16"], row["bfloat16 is faster by"]) == (
        "contiguous, 2 threads",
        "1.40",
    )


def test_where_no_other_step_is_faster_than_ours_the_ratio_is_one():
    bench = record()
    measured = bench["models"]["simple-cnn"]
    measured["step_kinds"][measured["own_kind"]] = 0.0019
    assert step_ratio(measured) == 1.0
    row = step_table(bench).iloc[0]
    assert row["fastest in float32"] == row["dlvc's"] == "channels_last, 1 thread"


def test_several_runs_are_shown_as_one_with_all_their_rounds():
    one, other = record(), record(loop=1.2)
    other["cold_start"]["import"] = 2.5
    other["curves"]["simple-cnn"]["batch size"]["images a second"] = [11_000.0, 16_000.0]
    both = as_one([one, other])
    assert bench_table(both).iloc[0]["R_loop"] == "1.150 (1.100 to 1.200)"
    assert both["cold_start"]["import"] == 2.0
    assert both["curves"]["simple-cnn"]["batch size"]["images a second"] == [10_000.0, 16_000.0]
    assert both["curves"]["simple-cnn"]["data size"] == one["curves"]["simple-cnn"]["data size"]


def test_what_must_not_be_large_is_the_largest_of_several_runs():
    one, other = record(), record()
    measured = other["models"]["simple-cnn"]
    measured["largest_loss_difference"] = 0.5
    measured["host_syncs"] = one["models"]["simple-cnn"]["host_syncs"] = 1
    large = {"bare step": [0.01], "dlvc": [0.02]}
    for run in (one, other):
        run["models"]["simple-cnn"]["seconds_per_large_step"] = large
    both = as_one([one, other])["models"]["simple-cnn"]
    assert both["largest_loss_difference"] == 0.5
    assert both["host_syncs"] == 1
    assert both["seconds_per_large_step"] == {"bare step": [0.01] * 2, "dlvc": [0.02] * 2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"device": {"type": "cpu", "name": "another CPU", "threads": 2}}, "the same device"),
        ({"git_commit": "b"}, "the same code; got a and b"),
        ({"versions": {"torch": "3"}}, "the same versions"),
        ({"models": {}}, "the same models"),
    ],
)
def test_runs_of_two_machines_or_codes_are_not_taken_together(change, said):
    with pytest.raises(ValueError, match=said):
        as_one([record(), {**record(), **change}])


def test_runs_with_other_loops_are_not_taken_together():
    other = record()
    del other["models"]["simple-cnn"]["seconds_per_step"]["tutorial loop"]
    with pytest.raises(ValueError, match="the same loops"):
        as_one([record(), other])


def test_the_fixed_cost_and_the_cost_of_an_image_are_read_from_a_straight_line():
    fixed, per_image = fixed_and_per_image(record()["curves"]["simple-cnn"]["data size"])
    assert fixed == pytest.approx(0.1, rel=1e-6)
    assert per_image == pytest.approx(1e-4, rel=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not tell the peak of memory"
)
def test_the_memory_of_a_start_is_its_own_and_not_that_of_the_process_that_measures(monkeypatch):
    monkeypatch.setattr(curves, "REPEATS", 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    held = b"x" * (1_200 * 2**20)  # a child forked from here begins with all of it
    peak = cold_start("simple-cnn")["peak memory (MB)"]
    assert len(held) > 0
    assert 200 < peak < 1_100


def test_a_start_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(curves, "START", "raise SystemExit('no memory left')")
    with pytest.raises(RuntimeError, match="a first step in a new process failed:\nno memory left"):
        cold_start("simple-cnn")


def test_a_bench_that_breaks_off_has_kept_the_models_before(sketches, monkeypatch):
    def measure_model(key, data, rounds):
        if key == "deep-cnn":
            raise RuntimeError("out of memory")
        return deepcopy(record()["models"]["simple-cnn"])

    monkeypatch.setattr(command, "measure_model", measure_model)
    monkeypatch.setattr(command, "measure_kinds", lambda key, data: {})
    monkeypatch.setattr(command, "own_kind", lambda key: "")
    for name in ("cold_start", "data_size_curve", "batch_size_curve", "thread_curve"):
        monkeypatch.setattr(command, name, lambda *_: {})
    models = []
    with pytest.raises(RuntimeError, match="out of memory"):
        command.measure_bench(
            sketches,
            ("simple-cnn", "deep-cnn"),
            1,
            lambda bench: models.append(list(bench["models"])),
        )
    assert models == [["simple-cnn"]]


def test_another_file_is_refused_in_words(tmp_path, capsys):
    path = tmp_path / "other.json"
    path.write_text('{"key": "simple-cnn"}')
    assert main(["bench", "--show", str(path)]) == 2
    said = capsys.readouterr().err
    assert "other.json is not a record of the bench: Object missing required field" in said
    assert "`python -m dlvc bench --output FILE` writes one" in said


def test_a_missing_record_and_an_empty_folder_are_refused_in_words(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "missing.json"):
        assert main(["bench", "--show", str(path)]) == 2
        assert f"there is no record of the bench at {path}" in capsys.readouterr().err


def test_a_stored_run_is_shown_as_it_was_printed(tmp_path, capsys):
    save_json(record(loop=1.2), tmp_path / "1.json")
    assert main(["bench", "--show", str(tmp_path), "--summary"]) == 0
    assert "missed: simple-cnn: R_loop 1.2; at most 1.15" in capsys.readouterr().out
    assert main(["bench", "--summary"]) == 2
    assert "need a record" in capsys.readouterr().err


def test_the_figure_says_what_it_shows_and_on_which_machine():
    picture = bench_figure(record())
    assert "a made-up CPU" in picture.description
    assert [text.get_text() for text in picture.axes[0].get_legend().get_texts()] == [
        "dlvc",
        "tutorial loop",
    ]


@pytest.mark.parametrize("path", sorted(BENCH_RECORDS.glob("*.json")), ids=lambda path: path.stem)
def test_a_committed_record_is_of_all_models_with_equal_work(path: Path):
    bench = load_benches(path)[0]
    assert list(bench["models"]) == list(MODELS)
    assert all(model["largest_loss_difference"] < 1e-4 for model in bench["models"].values())
    json.dumps(bench, allow_nan=False)


def test_three_runs_of_one_commit_are_committed():
    benches = load_benches(BENCH_RECORDS)
    assert len(benches) == 3
    assert not as_one(benches)["git_commit"].endswith("+changes")
