"""README says what the project really gives."""

import re
from pathlib import Path

import pytest

from dlvc import __main__ as command_line
from dlvc.experiments import EXPERIMENTS
from dlvc.notebooks import NOTEBOOKS

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_what_the_command_prints(capsys):
    shown = re.search(r"<!-- results: python -m dlvc table -->\n(.*?)\n<!-- end", README, re.DOTALL)
    assert command_line.main(["table"]) == 0
    assert shown is not None
    assert shown[1] == capsys.readouterr().out.strip()


def test_every_notebook_is_linked_and_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert {f"notebooks/{each.name}" for each in NOTEBOOKS.glob("*.ipynb")} <= set(links)
    assert [each for each in links if not (PROJECT / each).exists()] == []


@pytest.mark.parametrize("line", re.findall(r"^python -m dlvc (.*?)(?:  +#.*)?$", README, re.MULTILINE))
def test_every_command_shown_is_understood(line):
    command_line.build_parser().parse_args(line.split())


def test_keys_in_the_examples_exist():
    keys = re.findall(r"dlvc train ([\w-]+)", README)
    assert keys
    assert set(keys) <= set(EXPERIMENTS)
