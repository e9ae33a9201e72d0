"""Targets are met or missed by the ratios of a record, and what was missed is said with its values."""

from small_bench import record

from dlvc.studies.bench.targets import summary, targets


def missed(bench: dict) -> list[str]:
    return [aim.name for aim in targets(bench) if not aim.met]


def test_targets_are_met_or_missed_by_the_ratios():
    assert missed(record()) == []
    assert missed(record(loop=1.2, tutorial=3.0)) == [
        "simple-cnn: R_loop",
        "simple-cnn: times as fast as tutorial loop",
    ]


def test_a_gpu_must_not_be_waited_for_more_than_once_an_epoch_and_large_batches_cost_less():
    bench = record()
    bench["device"]["type"] = "cuda"
    measured = bench["models"]["simple-cnn"]
    measured["host_syncs"] = 2
    measured["seconds_per_large_step"] = {"bare step": [0.010], "dlvc": [0.0107], "data": [0.0]}
    assert missed(bench) == [
        "simple-cnn: waits for the GPU an epoch",
        "simple-cnn: R_loop with batches of 512",
        "simple-cnn: times as fast as tutorial loop",
    ]


def test_the_summary_names_a_target_that_the_median_of_all_rounds_misses():
    said = summary([record(loop=1.2), record(loop=1.2), record()])
    assert "missed: simple-cnn: R_loop 1.2; at most 1.15" in said
    assert "Targets met: 4 of 5 (medians over the rounds, 9 in all)." in said
    assert "missed" not in summary([record(loop=1.2), record(), record()])
    assert "100 ms and 100 µs an image" in said
    assert "400 MB of memory" in said


def test_the_summary_leaves_out_a_peak_of_memory_that_the_system_does_not_tell():
    bench = record()
    bench["cold_start"]["peak memory (MB)"] = None
    assert "memory" not in summary([bench])
