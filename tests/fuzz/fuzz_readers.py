"""Feed the readers of files that may come from anywhere with what a coverage-guided fuzzer makes up.

    pip install atheris                      # Linux, not a part of the test environment
    python tests/fuzz/fuzz_readers.py -max_total_time=600 tests/fuzz/corpus

Each reader may return data or raise its own error. Any other error, a hang or too much memory ends the run, and
libFuzzer leaves the input as a file; it belongs into tests/fuzz/corpus, which test_fuzz_corpus.py goes through in every
test run. Options are libFuzzer's. With another folder before tests/fuzz/corpus, what is found goes there.

The first byte of an input chooses the reader, the rest is the file. Here a batch of CIFAR-10 is one image of 3 kB.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def read_pickle_file(content: bytes) -> None:
    """The pickle reader alone."""
    with contextlib.suppress(batch_pickle.PickleError):
        batch_pickle.read_pickle(content)


def read_batch_file(content: bytes) -> None:
    """A batch of one image, or the file of class names."""
    for read in (
        lambda: cifar10._read_batch("data_batch_1", content),
        lambda: cifar10._check_class_names(content),
    ):
        with contextlib.suppress(cifar10.InvalidFileError):
            read()


def read_record_file(content: bytes) -> None:
    """A run record; what is read can be shown in every table."""
    path = FOLDER / "run.json"
    path.write_bytes(content)
    try:
        record = records.load_record(path)
    except ValueError:
        return
    tables.format_table(tables.results_table([record]))
    if record.test is not None:
        record.test.correct_images()


def read_prediction_file(content: bytes) -> None:
    """A learner's guesses; what is read can be scored and said. A damaged file has a note, never an error."""
    path = FOLDER / "predictions.json"
    path.write_bytes(content)
    guesses = list(predictions.load_predictions(path).predictions.values())
    for choices in (False, True):
        predictions.guess_calibration(guesses, choices=choices)


def read_trace_file(content: bytes) -> None:
    """The log of a training run; what is read can be described."""
    path = FOLDER / "trace.json"
    path.write_bytes(content)
    try:
        trace = traces.load_trace("trace", FOLDER)
    except ValueError:
        return
    traces.describe_trace(trace)


READERS = (
    read_pickle_file,
    read_batch_file,
    read_record_file,
    read_prediction_file,
    read_trace_file,
)


def shrink_cifar10() -> None:
    """Let a batch be one image, so that it is 3 kB, and let there be two classes."""
    cifar10.CLASSES = ("cat", "dog")
    cifar10.IMAGES_PER_BATCH = 1
    cifar10.MAX_BATCH_BYTES = cifar10.MAX_OTHER_BYTES = 10_000


def read_one(data: bytes) -> None:
    """Give the data to the reader that its first byte chooses."""
    if data:
        READERS[data[0] % len(READERS)](data[1:])


def seeds() -> dict[str, bytes]:
    """Small files that are nearly right, as a beginning for the fuzzer: name and content."""
    import pickle

    batch = b"\x80\x02}(U\x04data" + (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x00\x0c\x00\x00" + bytes(3072) + b"tb"
    ) + b"U\x06labels](K\x03eu."  # fmt: skip
    values = {b"a": [1, 2.5, None, True, "text", (1, (2, 3))], "key": {b"b": 10**30}}
    stored = Path(__file__).resolve().parents[2] / "figures" / "records"
    text = (stored / "majority_report_seed0.json").read_bytes()
    trace = (stored / "silent_bugs" / "PlainTraining-seed1.json").read_bytes()
    asked = {"notebook": "05", "question": "How much?", "measured": 1.5}
    guesses = {
        "format_version": 1,
        "predictions": [
            asked | {"name": "range", "guess": [1.0, 2.0]},
            asked | {"name": "choice", "choices": ["a", "b"], "guess": "a", "measured": "b"},
        ],
    }
    pickles = {f"pickle-{number}": b"\x00" + pickle.dumps(values, number) for number in range(1, 6)}
    return pickles | {
        "batch": b"\x01" + batch,
        "names": b"\x01" + pickle.dumps({b"label_names": [b"cat", b"dog"]}, 2),
        "record": b"\x02" + text,
        "guesses": b"\x03" + json.dumps(guesses).encode(),
        "guesses-wrong": b"\x03" + json.dumps(guesses).replace("[1.0, 2.0]", "[2.0, []]").encode(),
        "trace": b"\x04" + trace,
        "trace-no-epoch": b"\x04" + re.sub(rb'"train_loss": \[[^]]*\]', b'"train_loss": []', trace),
        "trace-no-numbers": b"\x04" + trace.replace(b'"table_test": ', b'"table_test": [], "x": '),
        "trace-deep": b"\x04" + b"[" * 20_000,
        "record-empty": b'\x02{"format_version": 1, "epochs": [], "validation": null, "test": null}',
    }


def write_seeds(folder: Path) -> None:
    """Write the seeds as files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write-seeds"]:
        write_seeds(Path(__file__).parent / "corpus")
        sys.exit()
    import atheris

    with atheris.instrument_imports(include=["dlvc", "pickle", "pickletools"]):
        from dlvc.data import batch_pickle, cifar10
        from dlvc.experiments import records, tables
        from dlvc.lessons.guesses import store as predictions
        from dlvc.lessons.silent_bugs import traces
    with tempfile.TemporaryDirectory() as temporary:
        FOLDER = Path(temporary)
        shrink_cifar10()
        atheris.Setup(sys.argv, read_one)
        atheris.Fuzz()
else:
    from dlvc.data import batch_pickle, cifar10
    from dlvc.experiments import records, tables
    from dlvc.lessons.guesses import store as predictions
    from dlvc.lessons.silent_bugs import traces

    FOLDER = Path(tempfile.gettempdir())
