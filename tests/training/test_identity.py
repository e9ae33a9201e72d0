"""A training is the same only if all that decides its result is: the code that trains, and the model's own."""

from __future__ import annotations

import importlib.util
import linecache
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from dlvc.training.identity import PACKAGE, code_digest, model_digest, training_code


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the library."""
    copy = tmp_path / "dlvc"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_change_in_any_file_that_the_training_imports_is_another_training(package):
    before = code_digest(package)
    assert before == code_digest()
    changed = training_code(package)
    for path in changed:
        content = path.read_bytes()
        path.write_bytes(content + b"# changed\n")
        assert code_digest(package) != before, path
        path.write_bytes(content)
    assert code_digest(package) == before
    # Those that were lost when files were split from a list kept by hand.
    names = {path.relative_to(package).as_posix() for path in changed}
    assert names >= {
        *("training/optimization.py", "training/memory.py", "training/randomness.py"),
        "training/baselines.py",
        *("data/batches.py", "data/augment.py", "metrics.py", "config.py", "models/vit.py"),
    }


@pytest.mark.slow
def test_python_itself_imports_no_file_that_the_digest_leaves_out():
    code = (
        "import sys, dlvc.training, dlvc.models\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'dlvc'), sep='\\n')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    loaded = {Path(line).resolve() for line in done.stdout.split("\n") if line}
    assert len(loaded) > 30
    assert loaded <= set(training_code())


@pytest.mark.parametrize("room", ["plots", "widgets", "inspection", "experiments", "lessons"])
def test_a_change_in_what_the_training_does_not_import_is_no_other_training(package, room):
    before = code_digest(package)
    for path in (package / room).rglob("*.py"):
        path.write_bytes(path.read_bytes() + b"# changed\n")
    assert code_digest(package) == before


@pytest.fixture
def digest_of(tmp_path, monkeypatch):
    """A function: the digest of a layer whose class, in a file of its own, has that line."""

    def digest(line: str) -> str:
        path = tmp_path / "own.py"
        path.write_text(f"from torch import nn\nclass Own(nn.Linear):\n    {line}\n")
        linecache.checkcache()
        specification = importlib.util.spec_from_file_location("own", path)
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, "own", module)
        specification.loader.exec_module(module)
        return model_digest(module.Own(2, 2))

    return digest


def test_the_code_of_a_models_own_classes_is_part_of_it(digest_of):
    assert digest_of("a = 1") == digest_of("a = 1") != digest_of("a = 2")


def test_a_class_without_a_file_is_known_by_its_methods_or_never_again():
    def forward(self, images):
        return images

    def namesake(self, images):
        return 2 * images

    def layer(**methods):
        return type("Cell", (nn.Linear,), {"__module__": "a cell", **methods})(2, 2)

    first, again, other = (
        model_digest(layer(forward=code)) for code in (forward, forward, namesake)
    )
    assert first == again != other
    assert model_digest(layer()) != model_digest(layer())


def test_attributes_and_properties_of_a_class_without_a_file_count_too():
    def forward(self, images):
        return images

    def twice(self):
        return 2

    def thrice(self):
        return 3

    def digest(**members):
        members = {"__module__": "a cell", "forward": forward, **members}
        return model_digest(type("Cell", (nn.Linear,), members)(2, 2))

    digests = [digest(a=1), digest(a=2), digest(a=property(twice)), digest(a=property(thrice))]
    assert len(set(digests)) == 4
    assert digest(a=property(twice)) == digests[2]
    assert digest(a=object()) != digest(a=object())  # in doubt it is another model


@pytest.mark.parametrize("option", [{"stride": 2}, {"padding": 2}, {"dilation": 2}])
def test_an_option_that_is_a_tuple_counts(option):
    assert model_digest(nn.Conv2d(3, 4, 3)) != model_digest(nn.Conv2d(3, 4, 3, **option))


def test_options_of_layers_and_what_is_trained_are_part_of_it():
    plain = model_digest(nn.Conv2d(3, 4, 3))
    assert plain == model_digest(nn.Conv2d(3, 4, 3))
    frozen = nn.Conv2d(3, 4, 3).requires_grad_(False)
    assert plain not in (model_digest(nn.Dropout(0.1)), model_digest(frozen))
    assert model_digest(nn.Dropout(0.1)) != model_digest(nn.Dropout(0.2))
