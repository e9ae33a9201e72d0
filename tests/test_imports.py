"""The table of levels in `LEVELS` is the architecture: a file imports only from a level below its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "dlvc"

# From the bottom up. A folder's name stands for all files below it, which may import one another.
LEVELS = [
    ["", "checks", "notices"],
    [
        "files",
        "memory",
        "models.normalize",
        "models.torchvision_check",
        "data.drawing",
        "data.plain_pickle",
    ],
    [
        "config",
        "metrics",
        "attention_statistics",
        "augment",
        "device",
        "checkpoint",
        "data.transfer",
        "models.cnn",
        "record_content",
        "data.sketch_objects",
        "data.sketch_scenes",
    ],
    ["distributed", "records", "data.download", "data.cifar10", "data.sketch10"],
    ["lines", "predictions", "data.splits", "models.vit", "models.resnet", "models.majority"],
    ["data", "models", "traces"],
    [
        "evaluation",
        "identity",
        "interruption",
        "optimization",
        "provenance",
        "attention",
        "statistics",
        "model_options",
        "plots.*",
    ],
    ["batches", "resume", "explanation", "diagnosis.*"],
    ["training", "experiments"],
    ["unfinished", "tables"],
    ["running", "run_files", "notebooks", "silent_bugs.*"],
    [
        "map_tests",
        "recordings",
        "bench.*",
        "scaling",
        "search",
        "studies",
        "sweeps",
        "exercises.*",
        "widgets.*",
    ],
    ["speed", "figures"],
    ["__main__"],
]
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the package without `dlvc`; a package's is its folder's."""
    return (
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        .removesuffix("__init__")
        .rstrip(".")
    )


def row(module: str) -> str:
    """Return the entry of the table that stands for `module`."""
    folder = f"{module.partition('.')[0]}.*"
    return folder if folder in LEVEL_OF else module


def imported_modules(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, inside functions too."""
    known = {module_name(file) for file in FILES}
    here = ["dlvc", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            targets = [(source, alias.name) for alias in node.names]
        else:
            continue
        for source, name in targets:
            if source.split(".")[0] == "dlvc":
                module = source.removeprefix("dlvc").lstrip(".")
                inner = f"{module}.{name}".lstrip(".")
                found.add(inner if inner in known else module)
    return found


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_file_imports_only_from_levels_below_its_own(path: Path) -> None:
    here = row(module_name(path))
    assert here in LEVEL_OF, f"{path.name} is not in LEVELS: give it a place"
    for target in map(row, imported_modules(path)):
        same_folder = target == here and here.endswith(".*")
        below = target in LEVEL_OF and LEVEL_OF[target] < LEVEL_OF[here]
        assert same_folder or below, f"{here} imports {target}"


def test_the_levels_name_each_module_once() -> None:
    names = [name for level in LEVELS for name in level]
    assert len(names) == len(set(names))


def test_importing_dlvc_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import dlvc; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.split() == ["dlvc"]


@pytest.mark.parametrize("module", ["config", "notebooks"])
def test_modules_without_pictures_leave_matplotlib_alone(module: str) -> None:
    code = f"import sys, dlvc.{module}; print('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.strip() == "False"
