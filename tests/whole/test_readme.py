"""README and the pages beside what they describe say what the project really gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlvc import __main__ as command_line
from dlvc.experiments import EXPERIMENTS, config_for, run_experiment
from dlvc.lessons.notebooks import NOTEBOOKS

PROJECT = Path(__file__).resolve().parents[2]
PAGES = {
    name: (PROJECT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "dlvc/training/README.md",
        "figures/records/README.md",
        "figures/records/bench/README.md",
        "tests/README.md",
    )
}
README = PAGES["README.md"]
PRINTED = re.compile(
    r"<!-- ([\w ]+): python -m dlvc (.*?) -->\n(.*?)\n<!-- end of \1 -->", re.DOTALL
)


def test_readme_is_one_page():
    assert len(README.encode()) <= 10_000


def test_every_table_is_what_its_command_prints(capsys, monkeypatch):
    monkeypatch.chdir(PROJECT)
    tables = PRINTED.findall("\n".join(PAGES.values()))
    assert len(tables) == "".join(PAGES.values()).count("<!-- end of") >= 7
    for _, command, shown in tables:
        assert not command_line.main(command.split())
        assert shown == capsys.readouterr().out.strip()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", PAGES[page])
    assert [link for link in links if not (PROJECT / page).parent.joinpath(link).exists()] == []


def test_every_notebook_and_page_is_linked_and_every_folder_named():
    links = set(re.findall(r"\]\(([^)#:]+)\)", README))
    assert {f"notebooks/{path.name}" for path in NOTEBOOKS.glob("*.ipynb")} <= links
    assert {*PAGES} - links == {"README.md"}
    folders = re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE)
    assert {path.parent.name for path in PROJECT.glob("dlvc/*/__init__.py")} == set(folders)


def test_every_command_shown_is_understood():
    text = "\n".join(PAGES.values())
    commands = re.findall(r"^python -m dlvc (.*?)(?:  +#.*)?$", text, re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        command_line.build_parser().parse_args(command.split())
    assert set(re.findall(r"dlvc train (\w[\w-]*)", text)) <= set(EXPERIMENTS)


def test_the_line_that_loads_a_model_back_works(tmp_path, sketches):
    config = config_for(
        "simple-cnn", sketches, epochs=1, train_size=20, evaluation_size=20, device="cpu"
    )
    run = run_experiment("simple-cnn", sketches, config, folder=tmp_path, progress=False)
    snippet = re.search(r"```python\n(from dlvc.experiments.*?)```", README, re.DOTALL)[1]
    names = {}
    exec(re.sub(r'"runs/.*?"', repr(str(run.path)), snippet), names)
    assert names["model"](sketches.test.images[:2] / 255).shape == (2, 10)
