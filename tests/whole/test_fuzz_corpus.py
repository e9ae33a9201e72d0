"""What the fuzzer found or began with is read, or refused with the reader's own error, in every test run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from dlvc.data import cifar10

FUZZ = Path(__file__).parents[1] / "fuzz"
CORPUS = sorted((FUZZ / "corpus").iterdir())


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The fuzzer's readers, with batches of one image."""
    for name in ("CLASSES", *(name for name in dir(cifar10) if name.endswith(("BATCH", "BYTES")))):
        monkeypatch.setattr(cifar10, name, getattr(cifar10, name))  # put back after the test
    specification = importlib.util.spec_from_file_location("readers", FUZZ / "fuzz_readers.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.shrink_cifar10()
    module.FOLDER = tmp_path
    return module


def test_the_corpus_is_there_and_small():
    assert len(CORPUS) >= 20
    assert sum(path.stat().st_size for path in CORPUS) < 500_000


def test_each_input_is_read_or_refused(fuzz, tmp_path):
    for path in CORPUS:
        fuzz.read_one(path.read_bytes())  # an error that is not the reader's own ends the test
    read = {"run.json", "predictions.json", "trace.json"}
    assert {each.name for each in tmp_path.iterdir()} <= read


def test_the_fuzzers_seeds_are_right_where_they_should_be(fuzz, tmp_path):
    seeds = fuzz.seeds()
    pixels, labels = cifar10._read_batch("data_batch_1", seeds["batch"][1:])
    assert (pixels.shape, labels) == ((1, 3072), [3])
    cifar10._check_class_names(seeds["names"][1:])
    assert fuzz.records.record_from_json(seeds["record"][1:].decode()).key == "majority"
    for number in range(1, 6):
        assert fuzz.batch_pickle.read_pickle(seeds[f"pickle-{number}"][1:])["key"] == {b"b": 10**30}
    (tmp_path / "trace.json").write_bytes(seeds["trace"][1:])
    assert fuzz.traces.load_trace("trace", tmp_path).model == "Deep Normalized CNN"
    (tmp_path / "predictions.json").write_bytes(seeds["guesses"][1:])
    found = fuzz.predictions.load_predictions(tmp_path / "predictions.json")
    assert not found.note and all(each.resolved for each in found.predictions.values())
