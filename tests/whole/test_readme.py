"""README says what the project really gives."""

import re
from pathlib import Path

from dlvc import __main__ as command_line
from dlvc.experiments.registry import EXPERIMENTS, config_for
from dlvc.experiments.running import run_experiment
from dlvc.lessons.notebooks import NOTEBOOKS

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_every_table_is_what_its_command_prints(capsys, monkeypatch):
    monkeypatch.chdir(PROJECT)
    tables = re.findall(
        r"<!-- [\w ]+: python -m dlvc (.*?) -->\n(.*?)\n<!-- end", README, re.DOTALL
    )
    assert len(tables) == 9
    for command, shown in tables:
        assert not command_line.main(command.split())
        assert shown == capsys.readouterr().out.strip()


def test_every_notebook_is_linked_and_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert {f"notebooks/{each.name}" for each in NOTEBOOKS.glob("*.ipynb")} <= set(links)
    assert [each for each in links if not (PROJECT / each).exists()] == []


def test_every_command_shown_is_understood():
    lines = re.findall(r"^python -m dlvc (.*?)(?:  +#.*)?$", README, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        command_line.build_parser().parse_args(line.split())


def test_keys_in_the_examples_exist():
    keys = re.findall(r"dlvc train (\w[\w-]*)", README)
    assert keys
    assert set(keys) <= set(EXPERIMENTS)


def test_the_line_that_loads_a_model_back_works(tmp_path, sketches):
    config = config_for(
        "simple-cnn", sketches, epochs=1, train_size=20, evaluation_size=20, device="cpu"
    )
    run = run_experiment("simple-cnn", sketches, config, folder=tmp_path, progress=False)
    snippet = re.search(r"```python\n(from dlvc.experiments.running.*?)```", README, re.DOTALL)[1]
    names = {}
    exec(re.sub(r'"runs/.*?"', repr(str(run.path)), snippet), names)
    assert names["model"](sketches.test.images[:2] / 255).shape == (2, 10)
