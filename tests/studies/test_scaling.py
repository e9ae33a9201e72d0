"""What is told of more processes follows from the formula that is printed beside it."""

from __future__ import annotations

import pytest
import torch

from dlvc.config import TrainConfig
from dlvc.studies import scaling
from dlvc.studies.scaling import (
    Measured,
    expected_table,
    load_measured,
    save_measured,
    slice_size,
    sum_seconds,
    told,
)
from dlvc.training.processes import ALONE, OneProcess

# A step of 64 images takes 65 ms; a hop 1 ms; 8 MB at 1 GB/s are 8 ms.
MEASURED = Measured(
    key="deep-cnn",
    device={"type": "cpu", "name": "a machine", "threads": 1},
    batch_size=64,
    steps={64: 0.065, 32: 0.033, 16: 0.017, 8: 0.009},
    gradient_bytes=8_000_000,
    hop=0.001,
    bandwidth=1e9,
    processes=2,
    together=0.044,
)


def test_a_sum_over_a_ring_takes_its_hops_and_nearly_twice_its_bytes():
    assert sum_seconds(1, 8_000_000, 0.001, 1e9) == 0
    assert sum_seconds(2, 8_000_000, 0.001, 1e9) == pytest.approx(0.002 + 0.008)
    assert sum_seconds(8, 8_000_000, 0.001, 1e9) == pytest.approx(0.014 + 0.014)
    # With ever more processes: never more than twice the bytes, but a hop more for each.
    assert sum_seconds(1000, 8_000_000, 0.0, 1e9) == pytest.approx(0.016, rel=2e-3)


def test_the_table_is_the_step_of_a_slice_and_the_sum():
    table = expected_table(MEASURED).set_index("processes")
    assert table.loc["1"].tolist() == ["0.00", "65.00", "1.00", "65.00", "1.00"]
    # 33 + 10 = 43 ms; 65 / 43; 65 + 10 = 75 ms; 2 * 65 / 75
    assert table.loc["2"].tolist() == ["10.00", "43.00", "1.51", "75.00", "1.73"]
    # 9 + 28 = 37 ms; 65 / 37; 65 + 28 = 93 ms; 8 * 65 / 93
    assert table.loc["8"].tolist() == ["28.00", "37.00", "1.76", "93.00", "5.59"]


def test_what_is_printed_says_what_is_computed_and_what_was_measured():
    text = told(MEASURED)
    assert "deep-cnn on a machine, 1 thread(s) a process." in text
    assert "Measured with 2 processes (gloo)" in text
    assert "COMPUTED, NOT MEASURED" in text
    assert "2 processes with 32 images each: measured 44.00 ms, computed 43.00 ms" in text


class Pair(OneProcess):
    """Two processes, of which the other takes twice as long."""

    size = 2

    def gather(self, value):
        return [value, 2 * value]


def measured_with(medians: list[float], monkeypatch) -> Measured:
    """What two processes measure if the faster one's medians are these: four steps, two sums, a step together."""
    monkeypatch.setattr(scaling, "median_seconds", lambda works, *_: medians[: len(works)])
    config = TrainConfig(batch_size=16, device="cpu", precision="float32")
    return scaling.measure("simple-cnn", config, Pair())


def test_times_are_those_of_the_slowest_process_and_sums_tell_hop_and_bandwidth(monkeypatch):
    large = 0.001 + (16 * 2**20 - 4 * 2**10) / 2e9  # a sum among two is as many bytes as it adds up
    measured = measured_with([0.01, 0.02, 0.03, 0.04, 0.001, large, 0.05], monkeypatch)
    assert measured.steps == {2: 0.02, 4: 0.04, 8: 0.06, 16: 0.08}
    assert measured.gradient_bytes == 4 * 62_006
    assert measured.hop == pytest.approx(0.001)  # two hops in the slower one's 2 ms
    assert measured.bandwidth == pytest.approx(1e9)  # half of the faster one's
    assert measured.together == pytest.approx(0.1)


def test_sums_that_take_equally_long_are_not_made_a_bandwidth_of(monkeypatch):
    with pytest.raises(RuntimeError, match="no bandwidth can be told"):
        measured_with([0.01, 0.02, 0.03, 0.04, 0.001, 0.001, 0.05], monkeypatch)


def test_works_take_turns_three_times_each_a_round_and_the_first_two_rounds_do_not_count(
    monkeypatch,
):
    done, now = [], [0.0]

    def work(name, seconds):
        def takes():
            done.append(name)
            now[0] += seconds if len(done) > 12 else 100.0

        return takes

    monkeypatch.setattr(scaling.time, "perf_counter", lambda: now[0])
    works = [work("short", 1.0), work("long", 2.0)]
    found = scaling.median_seconds(works, torch.device("cpu"), ALONE)
    assert found == [1.0, 2.0]
    assert done == (["short"] * 3 + ["long"] * 3) * 17


def test_without_an_experiment_all_of_them_are_named(capsys):
    with pytest.raises(SystemExit) as ended:
        scaling.main([])
    assert ended.value.code == 2
    assert "name an experiment to measure (majority, simple-cnn" in capsys.readouterr().err


def test_what_was_measured_is_written_and_shown_again(tmp_path, capsys):
    path = tmp_path / "deep-cnn.json"
    save_measured(MEASURED, path)
    assert load_measured(path) == MEASURED
    scaling.main(["--show", str(path)])
    assert capsys.readouterr().out.strip() == told(MEASURED)


@pytest.mark.parametrize("content", ["{", "[]", '{"steps": {}}', '{"steps": {"a": 1}}'])
def test_another_file_is_refused_in_words(content, tmp_path, capsys):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(SystemExit) as ended:
        scaling.main(["--show", str(path)])
    assert ended.value.code == 2
    assert "does not hold what --output writes" in capsys.readouterr().err


def test_a_batch_that_does_not_divide_is_as_slow_as_its_largest_slice():
    assert [slice_size(65, count) for count in (1, 2, 4, 8)] == [65, 33, 17, 9]


def test_a_single_process_is_told_how_to_start_two(capsys):
    with pytest.raises(SystemExit) as ended:
        scaling.main(["deep-cnn", "--device", "cpu"])
    assert ended.value.code == 2
    assert "Start with torchrun --nproc-per-node 2" in capsys.readouterr().err
