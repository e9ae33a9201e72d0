"""Every control of the training panel, without a browser: what a front end would set is set here."""

from __future__ import annotations

import gc
import math
import os
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
import torch

from dlvc.config import PROFILES, TrainConfig
from dlvc.data import ImageData
from dlvc.experiments.records import load_records
from dlvc.experiments.registry import EXPERIMENTS, build_model, config_for
from dlvc.experiments.running import run_experiment
from dlvc.training import NonFiniteLoss, train
from dlvc.training.checkpoint import load_weights
from dlvc.training.result import EpochRecord
from dlvc.widgets import TrainingPanel
from dlvc.widgets.panel.text import result_sentences

QUICK = {"epochs": 2, "train_size": 100, "evaluation_size": 40, "device": "cpu"}
CYCLES = int(os.environ.get("DLVC_PANEL_CYCLES", "25"))  # starts and stops


@pytest.fixture
def make(sketches: ImageData, tmp_path: Path) -> Callable[..., TrainingPanel]:
    def make_panel(key: str = "simple-cnn", **arguments: Any) -> TrainingPanel:
        return TrainingPanel(key, sketches, profile="smoke", folder=str(tmp_path), **arguments)

    return make_panel


def type_in(panel: TrainingPanel, **texts: Any) -> None:
    """Set controls as a learner does: as text, or by choosing."""
    for name, text in texts.items():
        panel.form.rows[name].control.value = text


def note(panel: TrainingPanel, name: str) -> str:
    return panel.form.rows[name].note.value


def said(panel: TrainingPanel) -> str:
    return panel.controls._status.value


def run_to_its_end(panel: TrainingPanel) -> None:
    panel.controls.run.click()
    assert panel.wait(120)


def run_until(panel: TrainingPanel, steps: int) -> None:
    """Press Run, and wait for so many steps."""
    panel.controls.run.click()
    while panel._progress is None or panel._progress.finished_steps < steps:
        assert not panel.wait(0.001)


def stop_after(panel: TrainingPanel, steps: int = 3) -> None:
    """Start a training and stop it after so many steps."""
    run_until(panel, steps)
    panel.controls.stop.click()
    assert panel.wait(60)


def numbers(epochs: tuple[EpochRecord, ...]) -> list[EpochRecord]:
    """Epochs without the seconds, which are never the same."""
    return [replace(each, seconds=0.0, validation_seconds=0.0) for each in epochs]


@pytest.mark.parametrize("protocol", ["report", "tuned"])
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("key", EXPERIMENTS)
def test_an_untouched_panel_gives_the_default_and_nothing_is_wrong(
    key, profile, protocol, sketches
):
    panel = TrainingPanel(key, sketches, profile=profile, protocol=protocol)
    assert panel.config == config_for(key, sketches, profile=profile, protocol=protocol)
    experiment = EXPERIMENTS[key]
    assert experiment.model_options("report", panel.options) == experiment.recipe(protocol)[1]
    assert bool(panel.options) == (protocol == "tuned" and bool(experiment.tuned_options))
    assert "options" not in panel.code
    assert not panel.controls.run.disabled


def test_the_form_has_a_labelled_row_for_every_setting(make):
    panel = make("resnet18")
    options = {"frozen", "dropout", "image_size"}
    assert {each.name for each in fields(TrainConfig)} | options == set(panel.form.rows)
    for name, row in panel.form.rows.items():
        assert row.control.description == row.setting.metadata["label"], name
        assert row.setting.metadata["help"].split(";")[0] in note(panel, name).replace(
            "&#x27;", "'"
        )


def test_settings_that_a_model_does_not_take_have_no_row(make):
    assert "image_size" not in make("deep-cnn").form.rows
    assert {"dropout", "depth", "width"} <= set(make("deep-cnn").form.rows)
    assert {"num_heads", "patch_size", "embed_dim"} <= set(make("deep-vit").form.rows)


@pytest.mark.parametrize("name", [each.name for each in fields(TrainConfig)])
def test_every_setting_that_is_changed_is_in_the_config(name, make):
    panel = make("resnet18")
    about = panel.form.rows[name].setting
    before = getattr(panel.config, name)
    if about.metadata["choices"]:
        text = value = next(each for each in about.metadata["choices"] if each != before)
    else:
        value = {int: before + 1, float: before / 2 + 0.001}[type(about.default)]
        text = str(value)
    type_in(panel, **{name: text})
    assert panel.config == replace(panel.config, **{name: value})
    assert getattr(panel.config, name) == value != before


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("depth", "2", 2), ("num_heads", " 8 ", 8), ("residual", True, True), ("positions", "learned", "learned")],
)  # fmt: skip
def test_every_kind_of_option_that_is_changed_is_in_the_options(name, text, value, make):
    panel = make("deep-vit")
    type_in(panel, **{name: text})
    assert panel.options == {name: value}
    assert f"options={ {name: value}!r}" in panel.code


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("learning_rate", "3", "learning_rate must be between 1e-05 and 1.0; got 3."),
        ("learning_rate", "fast", "learning_rate must be a finite number; got &#x27;fast&#x27;."),
        ("learning_rate", "", "must be a finite number"),
        ("learning_rate", "0.2", "learning_rate 0.2 is too large: Adam moves"),
        ("epochs", "2.5", "epochs must be a whole number; got 2.5."),
        ("epochs", "2,5", "epochs must be a whole number; got"),  # never 25
        ("train_size", "301", "train_size is 301, but Sketch-10 has only 300"),
        ("batch_size", "61", "batch_size 61 is more than the 60 training images"),
        ("num_heads", "3", "num_heads must divide embed_dim; got 3 heads"),
        ("embed_dim", "1025", "embed_dim must be between 8 and 1024; got 1025."),
        ("patch_size", "5", "patch_size must divide image_size; got 5"),
        ("patch_size", "16", "patch_size 16 leaves 4 tokens"),
        ("patch_size", "1", "patch_size 1 makes 1,024 tokens"),
        ("seed", "-1", "seed must be between 0 and"),
    ],
)
def test_what_cannot_be_or_is_a_waste_is_explained_beside_the_field(name, text, sentence, make):
    panel = make("deep-vit")
    type_in(panel, train_size="60", batch_size="20", evaluation_size="40")
    type_in(panel, **{name: text})
    shown = "".join(each.note.value for each in panel.form.rows.values() if "⚠" in each.note.value)
    assert sentence in shown
    assert panel.controls.run.disabled
    assert "Run is off" in said(panel)
    assert panel.form.rows[name].control.value == text  # as it was typed
    with pytest.raises(ValueError, match=r"\w"):
        panel.start()
    assert panel.state == "idle"
    panel.controls.reset.click()
    assert not panel.controls.run.disabled


def test_a_value_that_cannot_be_read_hides_no_other_problem(make):
    panel = make()
    type_in(panel, train_size="301", epochs="")
    assert "only 300" in note(panel, "train_size")
    assert "must be a whole number" in note(panel, "epochs")


def test_a_config_of_which_a_part_is_none_is_refused_and_not_guessed(make):
    panel = make()
    type_in(panel, epochs="many")
    with pytest.raises(ValueError, match="epochs must be a whole number; got 'many'"):
        _ = panel.config


def test_a_cuda_that_is_not_there_is_explained(make, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    panel = make()
    type_in(panel, device="cuda")
    assert "torch finds no CUDA GPU here" in note(panel, "device")


def test_a_one_cycle_of_two_steps_is_a_waste(make):
    panel = make()
    type_in(panel, epochs="1", train_size="60", batch_size="30", schedule="one-cycle")
    assert "this training has 2" in note(panel, "schedule")


def test_a_batch_of_one_image_is_explained_where_the_batch_is_normalised(make):
    panel = make("resnet18")
    type_in(panel, batch_size="1")
    assert "batch normalisation needs the mean and the spread" in note(panel, "batch_size")
    assert panel.controls.run.disabled
    type_in(panel, frozen=True)  # then it uses the statistics that it came with
    assert not panel.controls.run.disabled
    simple = make("simple-cnn")
    type_in(simple, batch_size="1")
    assert not simple.controls.run.disabled


def test_slider_and_text_follow_each_other_but_for_what_drawing_rounds(make):
    row = make().form.rows["learning_rate"]
    row.slider.value = 1e-2
    assert row.control.value == "0.01"
    row.control.value = "0.0001"
    assert row.slider.value == pytest.approx(1e-4)
    row.control.value = "0.0033"
    row.slider.value = row.slider.value * (1 + 1e-12)  # as a front end does when it is drawn
    assert row.control.value == "0.0033"


def test_no_slider_takes_the_value_off_what_any_preset_says(sketches):
    for key in EXPERIMENTS:
        panel = TrainingPanel(key, sketches, protocol="tuned", profile="class")
        before = panel.config
        for row in panel.form.rows.values():
            if row.slider is not None:
                at, low, high = row.slider.value, row.slider.min, row.slider.max
                if isinstance(row.slider, ipywidgets.FloatLogSlider):
                    at = math.log(at, row.slider.base)
                steps = (at - low) / row.slider.step
                assert abs(steps - round(steps)) < 1e-6 or at == pytest.approx(high)
        assert panel.config == before


def test_a_preset_keeps_what_the_learner_changed_and_reset_does_not(make, sketches):
    panel = make("deep-cnn")
    type_in(panel, epochs="7", width="8")
    panel.controls.protocol.value = "tuned"
    expected = config_for("deep-cnn", sketches, protocol="tuned", profile="smoke", epochs=7)
    assert (panel.config, panel.options) == (expected, {"width": 8, "dropout": 0.0})
    panel.controls.profile.value = "full"
    assert panel.config == config_for(
        "deep-cnn", sketches, protocol="tuned", profile="full", epochs=7
    )
    panel.controls.reset.click()
    assert panel.config == config_for("deep-cnn", sketches, protocol="tuned", profile="full")
    assert panel.options == {"dropout": 0.0}


def test_a_config_that_is_read_while_all_rows_change_is_of_one_protocol(make, monkeypatch):
    """A front end's messages can come in another thread than the cells, as in JupyterLab with subshells."""
    panel, read = make(), []
    reader = threading.Thread(target=lambda: read.append(panel.config))
    row = panel.form.rows["optimizer"]
    write = row.write

    def write_slowly(value):
        reader.start()
        reader.join(0.2)  # a reader that does not wait for the other rows is done by then
        write(value)

    monkeypatch.setattr(row, "write", write_slowly)
    panel.controls.protocol.value = "tuned"
    reader.join(20)
    assert [each.optimizer for each in read] == ["adamw"]
    assert read == [panel.config]


def test_the_call_counts_more_than_the_form_and_the_form_more_than_the_profile(make):
    panel = make("deep-cnn", epochs=5, options={"depth": 2})
    assert panel.form.rows["epochs"].control.disabled
    assert panel.form.rows["depth"].control.disabled
    assert "(set in the cell)" in note(panel, "epochs")
    type_in(panel, learning_rate="0.002")
    panel.controls.profile.value = "full"
    assert (panel.config.epochs, panel.config.learning_rate) == (5, 0.002)
    panel.controls.reset.click()
    assert (panel.config.epochs, panel.options) == (5, {"depth": 2})
    assert panel.config.learning_rate == TrainConfig().learning_rate


def test_a_number_with_many_digits_is_not_rounded(make):
    panel = make(learning_rate=0.0012345678)
    assert panel.config.learning_rate == 0.0012345678
    assert make(weight_decay=1e-5).form.rows["weight_decay"].control.value == "1e-05"


def test_copy_as_code_shows_code_that_runs_and_says_the_same(make, sketches, tmp_path):
    panel = make("deep-cnn")
    type_in(panel, **{name: str(value) for name, value in QUICK.items()}, depth="2")
    panel.controls.protocol.value = "tuned"
    assert panel.controls.code.layout.display == "none"
    panel.controls.as_code.value = True
    assert panel.controls.code.layout.display == "flex"
    code = panel.controls.code.value
    assert code == panel.code
    assert "precision" not in code and "seed" not in code  # only what is no default
    asked = {}
    names = {"data": sketches}
    code = code.replace("from dlvc.experiments import run_experiment", "")
    names["run_experiment"] = lambda *arguments, **more: asked.update(more, given=arguments)
    exec(code, names)
    assert asked == {
        "given": ("deep-cnn", sketches, panel.config),
        "protocol": "tuned",
        "profile": "smoke",
        "options": {"depth": 2},
    }


@pytest.mark.parametrize(
    ("weights", "written"), [(None, "weights=None"), (Path("own.safetensors"), "'own.safetensors'")]
)
def test_copied_code_starts_from_the_weights_of_the_panel(weights, written, make):
    assert written in make("resnet18", weights=weights).code
    assert "weights" not in make("resnet18").code


def test_a_training_from_the_panel_is_the_one_of_the_config(make, sketches):
    panel = make("deep-cnn", **QUICK)
    type_in(panel, learning_rate="0.002", width="8")
    config = TrainConfig(**QUICK, learning_rate=0.002)
    assert panel.config == config
    run_to_its_end(panel)
    assert panel.state == "finished", panel.error
    record, trained = panel.run.record, build_model("deep-cnn", config, options={"width": 8})
    epochs = train(trained, sketches, config, progress=False).epochs
    assert numbers(record.epochs) == numbers(epochs)
    assert not panel.model.training
    assert "Loss and accuracy after each epoch on Sketch-10" in panel.picture().description
    headless = run_experiment(
        "deep-cnn", sketches, config, options=panel.options, save=False, progress=False
    )
    assert headless.record.test == replace(record.test, seconds=headless.record.test.seconds)
    # The weights that the run left are those of the panel's model.
    path = panel.run.path.with_name(record.weights_file)
    load_weights(trained, path, sha256=record.weights_sha256)
    own = panel.model.state_dict()
    assert all(torch.equal(own[name], value) for name, value in trained.state_dict().items())


def test_run_returns_at_once_and_stop_leaves_a_model_and_a_state_to_go_on_from(make, sketches):
    panel = make(**{**QUICK, "epochs": 400, "train_size": 300})
    assert panel.controls.stop.disabled
    panel.controls.run.click()
    assert panel.state == "running"
    assert panel.controls.run.disabled and not panel.controls.stop.disabled
    while not panel._progress or panel._progress.finished_steps < 8:
        assert not panel.wait(0.01)
    panel.controls.run.click()  # a second press of a button that a slow page still shows
    assert "Training." in said(panel)  # which is what was asked for
    panel.controls.stop.click()
    assert panel.wait(60)
    record = panel.run.record
    assert (panel.state, record.interrupted, record.test) == ("stopped", True, None)
    assert not panel.model.training
    assert torch.isfinite(panel.model(torch.rand(2, 3, 32, 32))).all()
    assert [each.epoch for each in record.epochs] == list(range(1, len(record.epochs) + 1))
    assert panel.controls.run.description == "Go on"
    assert f"Stopped after {len(record.epochs)} of 400 epochs" in said(panel)
    live = panel.controls._live.value
    assert "not running" in live and "left" not in live

    before = panel._progress.finished_steps
    panel.controls.run.click()
    while panel.state == "running" and not panel._progress.steps:
        panel.wait(0.01)
    assert panel._progress.finished_steps > before - 1  # not from the start
    panel.stop()
    assert panel.wait(60)
    assert len(panel.run.record.epochs) >= len(record.epochs)
    type_in(panel, learning_rate="0.002")
    assert panel.controls.run.description == "Run"  # another run
    type_in(panel, learning_rate="0.001")
    assert panel.controls.run.description == "Go on"
    panel.controls.fresh.value = True
    assert panel.controls.run.description == "Run"


def test_what_is_typed_at_the_moment_of_a_stop_loses_no_run(make):
    panel = make(train_size=300, device="cpu")
    panel._first_seen()
    type_in(panel, epochs="400")
    control = panel.form.rows["epochs"].control
    control.unobserve_all("value")  # the training's thread comes before what the change calls

    run_until(panel, 1)
    control.value = "4x"
    panel.stop()
    assert panel.wait(60)
    assert list(panel.history.records) == [str(panel.run.path)]


def test_another_profile_is_another_run_even_with_equal_settings(make):
    panel = make(**{**QUICK, "epochs": 400})
    stop_after(panel)
    assert panel.controls.run.description == "Go on"
    panel.controls.profile.value = "class"
    assert panel.controls.run.description == "Run"
    assert "Go on" not in said(panel)
    panel.controls.profile.value = "smoke"
    assert panel.controls.run.description == "Go on"


def test_a_stopped_run_that_was_put_away_does_not_go_on(make):
    panel = make(**{**QUICK, "epochs": 400})
    stop_after(panel)
    panel.history.list.value = (str(panel.run.path),)
    panel.history.delete.click()
    assert panel.controls.run.description == "Go on"
    panel.history.yes.click()
    assert panel.controls.run.description == "Run"
    assert "Go on" not in said(panel)


def test_a_panel_beside_one_that_trains_measures_nothing_and_changes_no_run(make):
    first, second = make(epochs=400), make("deep-cnn")
    first.controls.run.click()
    try:
        second._first_seen()
        second._cost._thread.shutdown()  # when it has found out what it may
        assert "measured when no training is going on" in second.controls._cost.value
        assert second.history._refused()
        second.controls.run.click()
        assert "A training is going on in this notebook already." in said(second)
    finally:
        first.stop()
        assert first.wait(60)
    assert not second.history._refused()


def test_a_stopped_and_continued_run_is_the_same_as_one_without_a_stop(make, sketches, tmp_path):
    panel = make(**{**QUICK, "epochs": 6, "train_size": 300})
    stop_after(panel, 7)
    assert panel.run.record.interrupted
    run_to_its_end(panel)
    whole = run_experiment("simple-cnn", sketches, panel.config, save=False, progress=False)
    assert numbers(panel.run.record.epochs) == numbers(whole.record.epochs)
    assert "Continues at epoch" in said(panel)


def test_a_finished_run_is_given_back_unless_it_is_to_start_anew(make, tmp_path):
    panel = make(**QUICK)
    run_to_its_end(panel)
    first = panel.run.path
    assert first.parent == tmp_path  # which was given as text
    run_to_its_end(panel)
    assert panel.run.path == first
    assert "Finished before, nothing is trained" in said(panel)
    assert "2 of 2 epochs · no step done now" in panel.controls._live.value
    panel.controls.fresh.value = True
    run_to_its_end(panel)
    assert panel.run.path != first


@pytest.mark.parametrize(
    ("error", "sentences"),
    [
        (NonFiniteLoss("the loss is nan. Try a tenth."), "The training failed. the loss is nan. Try a tenth."),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "Memory does not suffice"),
    ],
)  # fmt: skip
def test_a_failure_is_told_in_words_and_run_is_on_again(error, sentences, make, monkeypatch):
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr("dlvc.widgets.panel.panel.run_experiment", fail)
    panel = make(**QUICK)
    run_to_its_end(panel)
    assert panel.state == "failed"
    assert panel.error is error
    assert sentences in said(panel)
    assert ("smaller batches" in said(panel)) == ("memory" in str(error))
    assert not panel.controls.run.disabled


def test_a_folder_that_cannot_be_used_is_told_in_words(sketches, tmp_path):
    (tmp_path / "runs").write_text("a file")
    panel = TrainingPanel(
        "simple-cnn", sketches, folder=tmp_path / "runs", profile="smoke", **QUICK
    )
    run_to_its_end(panel)
    assert panel.state == "failed"
    assert "could not be written" in said(panel)


def test_the_live_part_moves_and_keeps_its_height(make, monkeypatch):
    panel = make(**{**QUICK, "epochs": 3})
    monkeypatch.setattr("dlvc.widgets.panel.progress.UPDATE_SECONDS", 0.0)
    shown = []
    panel.controls._live.observe(lambda change: shown.append(change["new"]), "value")
    height = panel.controls._live.layout.height
    run_to_its_end(panel)
    assert len(set(shown)) > 5
    assert "epoch 2 of 3 · batch" in "".join(shown)
    assert all('viewBox="0 0 820 270"' in each for each in shown)
    assert panel.controls._live.layout.height == height
    assert "after epoch 3 training loss" in shown[-1]


def test_a_training_prints_nothing(make, capfd):
    panel = make(**QUICK)
    run_to_its_end(panel)
    run_to_its_end(panel)  # finished before: that is said in the panel
    assert capfd.readouterr() == ("", "")


def test_the_cost_is_told_before_a_run_and_draws_no_random_numbers(make):
    for key, numbers in (
        ("simple-cnn", "62,006 parameters, 651,720 multiply-adds per image; about"),
        ("shallow-vit", "140,298 parameters"),
    ):
        panel, before = make(key), torch.get_rng_state()
        panel._first_seen()
        panel._cost._thread.shutdown(wait=True)
        text = panel.controls._cost.value
        assert numbers in text and "on this device" in text
        assert torch.equal(before, torch.get_rng_state())


def test_the_model_and_the_figure_of_no_run_are_refused_in_words(make):
    panel = make()
    for read in (lambda: panel.model, panel.picture):
        with pytest.raises(ValueError, match="no run of this panel has ended yet"):
            read()


def test_a_run_that_was_stopped_in_its_test_says_so():
    record = replace(load_records()[0], test=None, interrupted=True)
    sentences = result_sentences(record, can_go_on=True)
    assert sentences[0] == "Stopped in its test, after 10 of 10 epochs."
    unfinished = replace(record, epochs=record.epochs[:1], best_epoch=1)
    assert result_sentences(unfinished, can_go_on=True)[0] == "Stopped after 1 of 10 epochs."


def memory() -> float:
    """Memory of this process in MB, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_many_starts_and_stops_leak_neither_threads_nor_memory(make):
    panel = make(**{**QUICK, "epochs": 1000})
    panel.controls.fresh.value = True

    for _ in range(3):  # what is loaded or allocated once
        stop_after(panel, 1)
    gc.collect()
    threads, before = threading.active_count(), memory()
    for _ in range(CYCLES):
        stop_after(panel, 1)
        assert panel.state == "stopped", panel.error
    gc.collect()
    assert threading.active_count() == threads
    assert memory() - before < 50
