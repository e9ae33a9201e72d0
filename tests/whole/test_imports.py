"""The architecture: nine folders in floor order, each with a face; an arrow goes down, and never round."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import nbformat

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "dlvc"
# From the ground up. A file imports from its own room and from those before it.
ROOMS = (
    *("arguments", "files", "config", "metrics", "statistics"),
    *("data", "models", "training", "experiments", "inspection", "plots", "widgets", "studies"),
    *("lessons", "__main__"),
)
FOLDERS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
FILES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
TEXTS = [
    path
    for folder in ("", "dlvc", "figures", "notebooks", "tests")
    for path in (PROJECT / folder).glob("**/*.md" if folder else "*.md")
]


def module_name(path: Path) -> str:
    """The dotted name of a file of the package without `dlvc`; a face's is its folder's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imported_modules(source: str) -> set[str]:
    """The modules of the package that a piece of code imports, inside functions too."""
    targets = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name[5:] in MODULES else node.module for name in inner]
        else:
            continue
        named = {name.removeprefix("dlvc").lstrip(".") for name in names if name.startswith("dlvc")}
        targets |= {name for name in named if name and name in MODULES}
    return targets


def room(module: str) -> str:
    return module.partition(".")[0]


def is_open(module: str) -> bool:
    """Whether other rooms may import from it: the face of a folder, or a file beside the folders."""
    return MODULES[module].name == "__init__.py" or module == room(module)


IMPORTS = {
    module: imported_modules(path.read_text(encoding="utf-8")) for module, path in MODULES.items()
}


def test_there_are_nine_folders_and_at_most_nine_files_beside_them() -> None:
    assert len(FOLDERS) == 9
    assert {*FOLDERS, *(path.stem for path in PACKAGE.glob("*.py"))} == {*ROOMS, "__init__"}
    assert len(list(PACKAGE.glob("*.py"))) <= 9


def test_a_file_imports_from_its_own_room_or_from_the_face_of_one_below() -> None:
    wrong = []
    for module, targets in IMPORTS.items():
        for target in targets:
            if room(target) == room(module):
                continue
            if ROOMS.index(room(target)) >= ROOMS.index(room(module)):
                wrong.append(f"dlvc.{module} imports {target}, which stands above it")
            elif not is_open(target):
                wrong.append(f"dlvc.{module} imports {target}, private to {room(target)}/")
    assert wrong == []


def test_a_notebook_imports_from_at_most_eight_faces() -> None:
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        sources = [cell.source for cell in cells if cell.cell_type == "code"]
        imported = imported_modules("\n".join(sources))
        assert len(imported) <= 8, path.name
        assert all(map(is_open, imported)), f"{path.name}: {imported}"


def test_what_a_text_imports_comes_from_a_face_that_has_it() -> None:
    for path in [*NOTEBOOKS, *TEXTS]:
        text = path.read_text(encoding="utf-8")
        for line in re.findall(r"from dlvc[\w.]* import [\w, ]+\w", text):
            exec(line, {})
            assert all(map(is_open, imported_modules(line))), f"{path.name}: {line}"


def test_the_files_of_a_folder_import_one_another_without_a_circle() -> None:
    for folder in FOLDERS:
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


def test_what_needs_no_torch_and_no_pictures_imports_neither() -> None:
    """`import dlvc` imports nothing, and settings and command line start quickly."""
    code = (
        "import sys; before = set(sys.modules); import dlvc; print(*set(sys.modules) - before)\n"
        "import dlvc.config, dlvc.__main__; print({'torch', 'matplotlib'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.split("\n")[:2] == ["dlvc", "set()"]
