"""The list of runs: curves over one another, the difference of their settings, rename, put away, export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from html_page import Page

from dlvc.experiments.records import load_record, load_records, save_record
from dlvc.widgets.panel.history import RunHistory

DEEP = next(each for each in load_records() if each.key == "deep-cnn")
WIDE = next(each for each in load_records() if each.key == "deep-cnn-bn")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def history(tmp_path: Path) -> RunHistory:
    one = replace(DEEP, title=HOSTILE, started="2026-01-01T00:00:00+00:00")
    save_record(one, tmp_path / "one.json")
    config = {**DEEP.config, "learning_rate": 0.005, "optimizer": HOSTILE}
    model = {**DEEP.model, "options": {**DEEP.model["options"], "depth": 2}}
    two = replace(DEEP, config=config, model=model, started="2026-01-02T00:00:00+00:00")
    save_record(two, tmp_path / "two.json")
    found = RunHistory(tmp_path)
    found.load()
    return found


def choose(history: RunHistory, *names: str) -> None:
    history.list.value = tuple(str(history.folder / name) for name in names)


def test_all_runs_of_the_folder_are_listed_newest_first(history):
    assert [Path(name).name for _, name in history.list.options] == ["two.json", "one.json"]
    label = history.list.options[0][0]
    assert label.startswith("2026-01-02 00:00 · Deep CNN") and "10 epochs · test 6" in label


def test_a_run_of_this_session_that_was_not_saved_is_listed_too(history):
    history.add(WIDE, None)
    history.list.value = ("unsaved 1",)
    assert history.selected == [WIDE]
    assert history.delete.disabled and history.rename.disabled


def test_two_chosen_runs_are_drawn_over_one_another_with_what_differs(history):
    choose(history, "one.json")
    assert "<table" not in history.view.value
    choose(history, "one.json", "two.json")
    page = Page(history.view.value)
    assert page.texts("th", "td") == [
        "setting", "run 1", "run 2",
        "learning_rate", "0.005", "0.001",
        "optimizer", HOSTILE, "adam",
        "model.depth", "2", "-",
    ]  # fmt: skip
    assert page.all("img") == page.all("script") == []
    assert history.view.value.count("<svg class") == 1


def test_runs_without_a_difference_are_said_to_be_the_same(history):
    save_record(load_record(history.folder / "one.json"), history.folder / "copy.json")
    history.refresh.click()
    choose(history, "one.json", "copy.json")
    assert "same in everything" in history.view.value


def test_rename_gives_the_chosen_run_another_title(history):
    assert history.rename.disabled
    choose(history, "two.json")
    history.title.value = "Half the depth"
    assert not history.rename.disabled
    history.rename.click()
    assert load_record(history.folder / "two.json").title == "Half the depth"
    assert "Half the depth" in history.list.options[0][0]
    assert "now called Half the depth" in history.message.value
    assert "gets back" not in history.message.value


def test_the_new_title_of_a_stopped_run_is_said_to_end_when_it_goes_on(history):
    stopped = replace(load_record(history.folder / "two.json"), interrupted=True, test=None)
    save_record(stopped, history.folder / "two.json")
    choose(history, "two.json")
    history.title.value = "Half the way"
    history.rename.click()
    assert "If it goes on, it gets back its own title." in history.message.value


def test_delete_asks_first_and_no_keeps_the_run(history):
    choose(history, "one.json")
    history.delete.click()
    assert history._asking.layout.display == "flex"
    assert "Put this run away" in history.message.value
    history.no.click()
    assert history._asking.layout.display == "none"
    assert (history.folder / "one.json").exists()


def test_delete_and_yes_put_the_chosen_runs_away(history):
    choose(history, "one.json", "two.json")
    history.delete.click()
    history.yes.click()
    assert history.list.options == ()
    assert sorted(path.name for path in (history.folder / "deleted").iterdir()) == [
        "one.json",
        "two.json",
    ]


def test_another_choice_takes_the_question_back(history):
    choose(history, "one.json")
    history.delete.click()
    choose(history, "two.json")
    assert history._asking.layout.display == "none"


def test_nothing_is_changed_while_a_training_goes_on(history, monkeypatch):
    monkeypatch.setattr("dlvc.widgets.panel.history.training_goes_on", lambda: True)
    choose(history, "one.json")
    history.delete.click()
    history.yes.click()
    history.title.value = "other"
    history.rename.click()
    assert "Not while a training is going on" in history.message.value
    assert load_record(history.folder / "one.json").title == HOSTILE


def test_export_writes_every_epoch_of_the_chosen_runs(history):
    choose(history, "one.json", "two.json")
    history.export.click()
    table = pd.read_csv(history.folder / "epochs.csv")
    assert "2 runs written to" in history.message.value
    assert len(table) == 20
    assert table["validation_loss"].tolist()[:10] == [each.validation_loss for each in DEEP.epochs]


def test_a_file_that_is_no_record_is_named_as_text(history):
    (history.folder / "x<b>.json").write_text("{")
    history.refresh.click()
    assert "x&lt;b&gt;.json is not a run record" in history.message.value
    assert len(history.list.options) == 2


def test_a_run_without_an_epoch_is_not_exported_as_an_empty_table(history):
    none = replace(DEEP, epochs=(), best_epoch=0, interrupted=True, validation=None, test=None)
    history.add(none, None)
    history.list.value = ("unsaved 1",)
    assert history.export.disabled
    history.list.value = ("unsaved 1", str(history.folder / "one.json"))
    assert not history.export.disabled
