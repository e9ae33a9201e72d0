"""pyproject.toml, environment.yml and the commands in README say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings tomli
    import tomli as tomllib

PROJECT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch"}  # conda-forge's name where it differs
README_COMMANDS = {
    "learn": r'^pip install -e "\.\[([a-z,]+)\]" && jupyter lab notebooks/?$',
    "test": r'^pip install -e "\.\[([a-z,]+)\]" && pytest --nbval$',
}


def split_requirement(text: str) -> tuple[str, str]:
    """The name and the version range of a line like `numpy>=1.26`."""
    name, version = re.fullmatch(r"([\w.-]+)\s*(.*)", text.strip()).groups()
    return name, version


def conda_packages() -> dict[str, str]:
    """The version range of every package in environment.yml, those that only pip has too."""
    lines = (PROJECT / "environment.yml").read_text(encoding="utf-8").splitlines()
    listed = lines[lines.index("dependencies:") + 1 :]
    packages = [line.strip(" -") for line in listed if re.match(r" +- \w+[^:]*$", line)]
    return dict(map(split_requirement, packages))


def test_conda_and_pip_install_the_same_packages_in_the_same_ranges() -> None:
    requirements = [*PYPROJECT["dependencies"]]
    for name, extra in PYPROJECT["optional-dependencies"].items():
        if name != "bench":  # the peers that are measured: nothing that a learner or a test needs
            requirements += extra
    wanted = dict(split_requirement(line) for line in requirements)
    wanted = {CONDA_NAMES.get(name, name): version for name, version in wanted.items()}
    wanted |= {"python": PYPROJECT["requires-python"], "pip": ""}
    assert conda_packages() == wanted


def test_a_package_has_one_range_in_all_extras() -> None:
    ranges: dict[str, set[str]] = {}
    for extra in PYPROJECT["optional-dependencies"].values():
        for name, version in map(split_requirement, extra):
            ranges.setdefault(name, set()).add(version)
    assert {name: several for name, several in ranges.items() if len(several) > 1} == {}


def test_a_plain_installation_brings_no_jupyterlab_and_no_test_tools() -> None:
    names = {name for name, _ in map(split_requirement, PYPROJECT["dependencies"])}
    assert not names & {"jupyterlab", "notebook", "pytest", "nbval", "scikit-learn", "ruff"}


@pytest.mark.parametrize("purpose", README_COMMANDS)
def test_readme_has_one_command_to_learn_and_one_to_test(purpose: str) -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    (extras,) = re.findall(README_COMMANDS[purpose], readme, flags=re.MULTILINE)
    assert set(extras.split(",")) <= set(PYPROJECT["optional-dependencies"])
