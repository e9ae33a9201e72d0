"""The hyperparameter panel: set up a training, run and stop it, watch its curves, compare runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import nn

from dlvc.config import TrainConfig, current_profile
from dlvc.data import ImageData
from dlvc.experiments import Run, get_experiment, run_experiment
from dlvc.files import runs_folder
from dlvc.plots import Picture, learning_curves
from dlvc.training import EpochRecord, told_to
from dlvc.widgets.display import picture_bundle, widget_view
from dlvc.widgets.panel.advice import failure_sentence, find_problems, why_off
from dlvc.widgets.panel.controls import PanelControls
from dlvc.widgets.panel.cost import CostEstimate, cost_text
from dlvc.widgets.panel.form import TrainingForm
from dlvc.widgets.panel.history import RunHistory
from dlvc.widgets.panel.progress import RunProgress
from dlvc.widgets.panel.settings import TrainingSettings
from dlvc.widgets.panel.text import as_code, result_sentences, settings_table
from dlvc.widgets.panel.worker import (
    FAILED,
    RUNNING,
    STOPPED,
    STOPPING,
    BusyError,
    TrainingWorker,
)

# Config, options, protocol and profile.
Asked = tuple[TrainConfig, dict[str, Any], dict[str, str]]
NO_RUN = "no run of this panel has ended yet. Press Run, then wait for its end or press Stop."


class TrainingPanel:
    """A form for the training of one experiment, with Run and Stop, live curves and the history of runs.

    As the value of a notebook cell it shows the panel; where there is no kernel, a table of the settings. A training
    runs in a thread of its own, so other cells go on. `config` and `options` are what the form says:

        run_experiment(key, data, panel.config, options=panel.options)

    trains the same with nobody clicking. What counts is, in this order: `settings` and `options` given in the call,
    which the form shows and does not let change; what the learner has changed; profile and protocol; the defaults.

    key: an experiment. data: from `load_data`. protocol, profile: what to start from. weights: as for `run_experiment`.
    folder: where runs are kept (default: runs/).

    A training in the background shares torch's random numbers with other cells: it can be repeated to the bit if no
    cell draws any meanwhile. Raises ValueError for what there is not.
    """

    def __init__(
        self,
        key: str,
        data: ImageData,
        *,
        protocol: str = "report",
        profile: str | None = None,
        options: Mapping[str, Any] | None = None,
        weights: Any = "auto",
        folder: Path | str | None = None,
        **settings: Any,
    ) -> None:
        profile = current_profile(profile).name
        self.experiment, self.data = get_experiment(key), data
        self.folder, self._weights = Path(folder or runs_folder()), weights
        self._settings = TrainingSettings(key, data, settings, options or {})
        preset = self._settings.preset(protocol, profile)
        self.run: Run | None = None  # the newest that has ended
        self._begun: Asked | None = None  # by the newest run
        self._wanted: Asked | None = None  # by the form, when it was last read
        self._problems: dict[str, str] = {}
        self._progress: RunProgress | None = None
        self._notices: list[str] = []
        self._seen = False
        self._loop: asyncio.AbstractEventLoop | None = None  # of the thread in which cells run
        self._figure: Any = None  # where the newest run's figure is displayed
        self._lock = threading.RLock()  # the form and a training both change what is shown
        self._worker = TrainingWorker(self._state_changed)

        title = f"Train: {self.experiment.title}, {data.title}"
        self.controls = PanelControls(title, protocol=protocol, profile=profile)
        groups, fixed = self._settings.groups, self._settings.fixed
        self.form = TrainingForm(groups, preset, self._changed, fixed=fixed)
        self.history = RunHistory(self.folder, self._show_state)
        self._cost = CostEstimate(key, data, self.controls.show_cost)
        self.widget = self.controls.put_together(self.form.widget, self.history.widget)
        for choice in (self.controls.profile, self.controls.protocol):
            choice.observe(lambda change: self._use_preset(), "value")
        self.controls.fresh.observe(lambda change: self._show_state(), "value")
        self.controls.reset.on_click(lambda button: self._use_preset(keep_edits=False))
        self.controls.run.on_click(lambda button: self._pressed_run())
        self.controls.stop.on_click(lambda button: self.stop())
        self.controls.when_seen(self._first_seen)
        self._changed()

    @property
    def config(self) -> TrainConfig:
        """The settings that the form says. Raises ValueError, in words, if one of them is none."""
        return self._read()[0]

    @property
    def options(self) -> dict[str, Any]:
        """The options of the model that differ from the report's. Raises ValueError as `config` does."""
        return self.experiment.changed_options("report", self._read()[1])

    @property
    def code(self) -> str:
        """Python that trains what the form says. Raises ValueError as `config` does."""
        config, options = self._read()
        names = {**self._preset_names(), "weights": self._weights}
        options = self.experiment.changed_options(names["protocol"], options)
        return as_code(self.experiment.key, config, options, **names)

    @property
    def state(self) -> str:
        """idle, running, stopping, stopped, finished or failed."""
        return self._worker.state

    @property
    def error(self) -> BaseException | None:
        """What the newest training failed with."""
        return self._worker.error

    @property
    def model(self) -> nn.Module:
        """The model of the newest run that has ended, in evaluation mode with the weights of its best epoch."""
        return self._ended_run().model

    def picture(self) -> Picture:
        """The newest run's learning curves as a figure. Raises ValueError if there is no finished epoch."""
        return learning_curves([self._ended_run().record])

    def start(self) -> None:
        """Train what the form says, in the background. Raises ValueError for what cannot be, BusyError for a second."""
        config, options = self._read()
        if self._problems:
            raise ValueError(" ".join(self._problems.values()))
        asked = (config, options, self._preset_names())
        fresh = self.controls.fresh.value
        self._worker.start(lambda stop: self._train(asked, fresh, stop))

    def stop(self) -> None:
        """Ask the training to stop at its next step; its model and what it has learned are kept."""
        self._worker.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the training has ended, after waiting for it so long at most."""
        return self._worker.wait(seconds)

    def __repr__(self) -> str:
        data = f"{self.data.title}, {len(self.data.train):,} training images"
        return f"TrainingPanel({self.experiment.title}: {data})"

    def _ipython_display_(self) -> None:
        """Show the panel, and below it the place for the figure of its newest run, which a saved notebook keeps."""
        from IPython.display import display

        with suppress(RuntimeError):  # outside a notebook
            self._loop = asyncio.get_running_loop()
        still = {"text/html": self._table(), "text/plain": repr(self)}
        display({**widget_view(self.widget), **still}, raw=True)
        waiting = "The curves of a run from this panel appear here when it has ended."
        self._figure = display({"text/plain": waiting}, raw=True, display_id=True)

    def _ended_run(self) -> Run:
        if self.run is None:
            raise ValueError(NO_RUN)
        return self.run

    def _preset_names(self) -> dict[str, str]:
        return {"protocol": self.controls.protocol.value, "profile": self.controls.profile.value}

    def _read(self) -> tuple[TrainConfig, dict[str, Any]]:
        """Settings and options that the form says. Raises ValueError if one is none."""
        with self._lock:  # a front end may be changing all rows, in a thread of its own
            values, problems = self.form.read()
            if problems:
                raise ValueError(" ".join(problems.values()))
            return self._settings.run(self.form.preset, values)

    def _changed(self) -> None:
        """Say what is wrong with what the form says now, or what it will cost."""
        with self._lock:
            values, unreadable = self.form.read()
            # What cannot be read counts as the preset here, so that the other rows go on being checked.
            config, options = self._settings.run(self.form.preset, values)
            self._wanted = (config, options, self._preset_names())
            problems = find_problems(self.experiment.key, self.data, config, options)
            self._problems = problems = {**problems, **unreadable}
            self.form.show_problems(problems)
            if problems:
                self._cost.forget()
                self.controls.show_cost("")
            elif self._seen:  # somebody waits for what takes time to find out
                self._cost.ask(config, options)
            with suppress(ValueError):  # then the form says what is wrong
                self.controls.code.value = self.code
            self._show_state()

    def _first_seen(self) -> None:
        self._seen = True
        self.history.load()
        self._changed()

    def _use_preset(self, *, keep_edits: bool = True) -> None:
        with self._lock:
            self.form.use_preset(
                self._settings.preset(**self._preset_names()), keep_edits=keep_edits
            )
            self._changed()

    def _pressed_run(self) -> None:
        if self._worker.busy:  # a double click: what it asks for is going on
            return
        try:
            self.start()
        except (ValueError, BusyError) as error:
            self.controls.say(str(error))

    def _show_state(self) -> None:
        """Buttons and sentences for the state that the training is in."""
        with self._lock:
            busy = self._worker.busy
            self.controls.run.disabled = busy or bool(self._problems)
            self.controls.stop.disabled = self.state != RUNNING
            self.controls.run.description = "Go on" if self._can_go_on() else "Run"
            self.controls.say(*self._sentences())

    def _can_go_on(self) -> bool:
        """Whether Run would go on with the run that was stopped."""
        possible = self.state == STOPPED and not self._problems and not self.controls.fresh.value
        if not possible or (self.run.path and not self.run.path.is_file()):  # put away meanwhile
            return False
        # Not the form itself: at this moment, the learner may be typing in another thread.
        return self._begun == self._wanted

    def _sentences(self) -> list[str]:
        """What there is to say of the newest run, and of the form."""
        if self.state == RUNNING:
            return ["Training.", *self._notices]
        if self.state == STOPPING:
            return ["Stopping at the next step."]
        form = why_off(self._problems)
        if self.state == FAILED:
            return ["The training failed.", failure_sentence(self.error), *form]
        if self.run is None:
            return form or ["Ready."]
        ended = result_sentences(self.run.record, can_go_on=self._can_go_on())
        return [*ended, *self._notices, *form]

    def _train(self, asked: Asked, fresh: bool, stop: threading.Event) -> bool:
        """Run the experiment, in the training's thread; whether it got to its end."""
        config, options, names = self._begun = asked
        progress = self._progress = RunProgress(config)
        self._notices = []
        self.controls.draw(progress)

        def draw_if_due() -> None:
            if progress.due():
                self.controls.draw(progress)

        def on_step(epoch: int, done: int, steps: int) -> None:
            progress.step(epoch, done, steps)
            draw_if_due()

        def on_epoch(record: EpochRecord) -> None:
            progress.records.append(record)
            draw_if_due()

        def listen(line: str) -> None:
            self._notices.append(f"{line[:1].upper()}{line[1:]}".rstrip(".") + ".")
            self._show_state()

        with told_to(listen):
            self.run = run_experiment(
                self.experiment.key,
                self.data,
                config,
                **names,
                options=options,
                weights=self._weights,
                folder=self.folder,
                fresh=fresh,
                stop=stop,
                on_step=on_step,
                on_epoch=on_epoch,
                progress=False,
            )
        return not self.run.record.interrupted

    def _state_changed(self) -> None:
        """The training has begun, is to stop, or has ended."""
        self._show_state()
        if self._worker.busy:
            return
        if self._progress is not None:
            self._progress.ended = True
        self.controls.draw(self._progress)
        if self._seen and not self._problems:
            self._cost.ask(*self._wanted[:2])
        if self.state != FAILED:
            self.history.add(self.run.record, self.run.path)
            with suppress(RuntimeError):  # the notebook is being shut down
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(self._show_picture)

    def _show_picture(self) -> None:
        """Show the run's figure below the panel, in the thread of cells: matplotlib's style is not for two threads."""
        if self._figure is not None and self.run.record.epochs:
            picture = self.picture()
            data, metadata = picture_bundle(picture, repr(picture))
            self._figure.update(data, raw=True, metadata=metadata)

    def _table(self) -> str:
        """The form as it stands, for pages without a kernel."""
        values = {name: row.control.value for name, row in self.form.rows.items()}
        cost = ""
        if not self._problems:
            cost = f"{cost_text(self.experiment.key, self.data, self._read()[1])}."
        title = f"Training of {self.experiment.title} on {self.data.title}"
        return settings_table(title, self._settings.groups, values, cost)
