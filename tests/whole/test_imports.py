"""The architecture: nine folders in floor order, each with a face; an arrow goes down, and never round."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "dlvc"
# From the ground up. A file imports from its own room and from those before it.
ROOMS = (
    *("checks", "files", "stored", "config", "metrics", "statistics"),
    *("data", "models", "training", "experiments", "inspection", "plots", "widgets", "studies"),
    *("lessons", "__main__"),
)
FOLDERS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name of a file of the package without `dlvc`; a face's is its folder's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imported_modules(path: Path) -> set[str]:
    """The modules of the package that a file imports, inside functions too."""
    targets = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name[5:] in MODULES else node.module for name in inner]
        else:
            continue
        named = {name.removeprefix("dlvc").lstrip(".") for name in names if name.startswith("dlvc")}
        targets |= {name for name in named if name and name in MODULES}
    return targets


def room(module: str) -> str:
    return module.partition(".")[0]


IMPORTS = {module: imported_modules(path) for module, path in MODULES.items()}


def test_there_are_nine_folders_and_at_most_nine_files_beside_them() -> None:
    assert len(FOLDERS) == 9
    assert {*FOLDERS, *(path.stem for path in PACKAGE.glob("*.py"))} == {*ROOMS, "__init__"}
    assert len(list(PACKAGE.glob("*.py"))) <= 9


@pytest.mark.parametrize("module", MODULES, ids=lambda name: name or "dlvc")
def test_a_file_imports_from_its_own_room_or_from_the_face_of_one_below(module: str) -> None:
    for target in IMPORTS[module]:
        if room(target) != room(module) != "__main__":
            assert ROOMS.index(room(target)) < ROOMS.index(room(module)), f"imports {target}"
            assert MODULES[target].name == "__init__.py" or target == room(target), (
                f"imports {target}, which is private to {room(target)}/"
            )


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_the_files_of_a_folder_import_one_another_without_a_circle(folder: str) -> None:
    inside = {
        module: {target for target in targets if room(target) == folder}
        for module, targets in IMPORTS.items()
        if room(module) == folder
    }
    TopologicalSorter(inside).prepare()  # raises CycleError, which names the circle


def test_the_rooms_have_few_arrows_between_them() -> None:
    arrows = {
        (room(module), room(target))
        for module, targets in IMPORTS.items()
        for target in targets
        if module and room(target) != room(module)
    }
    assert len(arrows) <= 70


def test_importing_dlvc_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import dlvc; print(*set(sys.modules) - before)"
    assert printed(code) == "dlvc"


@pytest.mark.parametrize("module", ["config", "lessons.notebooks"])
def test_modules_without_pictures_leave_matplotlib_alone(module: str) -> None:
    assert printed(f"import sys, dlvc.{module}; print('matplotlib' in sys.modules)") == "False"


def printed(code: str) -> str:
    """What Python prints when it runs `code`."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    return done.stdout.strip()
