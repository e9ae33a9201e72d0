"""The runs of this session and of a folder as a list: compare curves and settings, rename, put away, export."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import ipywidgets

from dlvc.experiments import (
    DELETED,
    RunRecord,
    differing_settings,
    epochs_table,
    find_runs,
    put_away,
    rename_run,
    rounded,
)
from dlvc.files import CannotWriteError, write_whole
from dlvc.training import AlreadyRunningError
from dlvc.widgets.panel.live_curves import Curve, curves_svg, legend
from dlvc.widgets.panel.worker import training_goes_on

MOST_OVERLAID = 8
EXPORT = "epochs.csv"


def run_label(record: RunRecord) -> str:
    """A run in a line: when, what, how far, how good."""
    end = f"test {rounded(100 * record.test.accuracy, 1)}%" if record.test else "stopped"
    when = record.started[:16].replace("T", " ")
    epochs = f"{len(record.epochs)} epoch{'s' * (len(record.epochs) != 1)}"
    settings = f"{record.protocol}, {record.profile}, seed {record.seed}"
    return f"{when} · {record.title} · {settings} · {epochs} · {end}"


class RunHistory:
    """The runs in `folder` with those that `add` brings, as a list to choose from; a widget.

    `on_delete` is called after runs have been put away. While a training goes on, no run is renamed or put away.
    """

    def __init__(self, folder: Path, on_delete: Callable[[], None] = lambda: None) -> None:
        self.folder, self._on_delete = folder, on_delete
        self.records: dict[str, RunRecord] = {}  # by path, or by number for those without a file
        self._unsaved: dict[str, RunRecord] = {}
        narrow = {"description_width": "44px"}
        self.list = ipywidgets.SelectMultiple(description="Runs", rows=6, style=narrow)
        self.list.layout.width = "98%"
        hint = "new title of the chosen run"
        self.title = ipywidgets.Text(description="Title", placeholder=hint, style=narrow)
        self.rename = ipywidgets.Button(description="Rename")
        self.delete = ipywidgets.Button(description="Delete…")
        self.yes = ipywidgets.Button(description="Yes, put away", button_style="danger")
        self.no = ipywidgets.Button(description="No, keep")
        self.export = ipywidgets.Button(description="Export CSV")
        self.refresh = ipywidgets.Button(description="Look again")
        self.message = ipywidgets.HTML()
        self.view = ipywidgets.HTML()
        self._asking = ipywidgets.HBox([self.yes, self.no], layout={"display": "none"})
        for button, action in (
            (self.rename, self._rename), (self.delete, self._ask), (self.yes, self._delete), (self.no, self._keep),
            (self.export, self._export), (self.refresh, self.load),
        ):  # fmt: skip
            button.on_click(lambda _, action=action: action())
            button.layout.width = "auto"
        self.list.observe(lambda change: self._show(), "value")
        self.title.observe(lambda change: self._enable(), "value")
        buttons = [self.title, self.rename, self.delete, self.export, self.refresh]
        row = ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap"})
        self.widget = ipywidgets.VBox([self.list, row, self._asking, self.message, self.view])
        self._show()

    def load(self) -> None:
        """Look into the folder again."""
        runs, problems = find_runs(self.folder)
        selected = self.list.value
        self.records = {**self._unsaved, **{str(path): record for path, record in runs.items()}}
        self.list.options = [(run_label(record), name) for name, record in self.records.items()]
        self.list.value = tuple(name for name in selected if name in self.records)
        self._show()
        self._say(" ".join(problems))

    def add(self, record: RunRecord, path: Path | None) -> None:
        """Take up a run that has just ended, and look into the folder."""
        if path is None:
            self._unsaved[f"unsaved {len(self._unsaved) + 1}"] = record
        self.load()

    @property
    def selected(self) -> list[RunRecord]:
        """The records of the chosen runs, in the list's order."""
        return [self.records[name] for name in self.records if name in self.list.value]

    def _files(self) -> list[Path]:
        """The files of the chosen runs."""
        return [Path(name) for name in self.list.value if name not in self._unsaved]

    def _show(self) -> None:
        """Curves of what is chosen, and the settings in which they differ."""
        records = self.selected
        self._keep()
        if not records:
            how = "Choose a run to see its curves; with Ctrl or Shift several, to compare them."
            self.view.value = _help(how if self.records else "No run yet.")
            return
        shown = records[:MOST_OVERLAID]
        curves = [
            Curve(f"{number}: {run_label(record)}", record.epochs)
            for number, record in enumerate(shown, start=1)
        ]
        parts = [curves_svg(curves, epochs=1), legend(curves)]
        if len(records) > len(shown):
            parts.append(_help(f"The first {len(shown)} of {len(records)}."))
        if len(shown) > 1:
            parts.append(self._differences(shown))
        self.view.value = "".join(parts)

    @staticmethod
    def _differences(records: list[RunRecord]) -> str:
        table = differing_settings(records)
        if table.empty:
            return _help("Their settings are the same in everything.")
        head = "".join(f'<th scope="col">run {column}</th>' for column in table.columns)
        rows = "".join(
            f'<tr><th scope="row">{html.escape(str(name))}</th>'
            + "".join(f"<td>{html.escape(_short(value))}</td>" for value in row)
            + "</tr>"
            for name, row in zip(table.index, table.to_numpy(), strict=True)
        )
        return (
            '<table class="dlvc-table"><caption>Settings in which they differ</caption>'
            f'<thead><tr><th scope="col">setting</th>{head}</tr></thead><tbody>{rows}</tbody></table>'
        )

    def _enable(self) -> None:
        files = self._files()
        self.rename.disabled = len(files) != 1 or not self.title.value.strip()
        self.delete.disabled = not files
        self.export.disabled = not any(record.epochs for record in self.selected)

    def _refused(self) -> bool:
        busy = training_goes_on()
        if busy:
            self._say("Not while a training is going on: it may need these files. Stop it first.")
        return busy

    def _rename(self) -> None:
        if self._refused():
            return
        try:
            record = rename_run(self._files()[0], self.title.value)
        except (OSError, ValueError) as error:
            self._say(str(error))
            return
        self.title.value = ""
        self.load()
        later = " If it goes on, it gets back its own title." if record.interrupted else ""
        self._say(f"The run is now called {record.title}. Its files keep their names.{later}")

    def _ask(self) -> None:
        if not self._refused():
            count = len(self._files())
            runs = "this run" if count == 1 else f"these {_runs(count)}"
            self._asking.layout.display = "flex"
            self._say(f"Put {runs} away, with the weights, into {self.folder.name}/{DELETED}/?")

    def _keep(self) -> None:
        self._asking.layout.display = "none"
        self._say("")
        self._enable()

    def _delete(self) -> None:
        if self._refused():
            return
        files, failed = self._files(), []
        for path in files:
            try:
                put_away(path)
            except (OSError, ValueError, AlreadyRunningError) as error:
                failed.append(str(error))
        self.load()
        done = len(files) - len(failed)
        self._say(" ".join([f"{_runs(done)} put away in {self.folder.name}/{DELETED}/.", *failed]))
        self._on_delete()

    def _export(self) -> None:
        path = self.folder / EXPORT
        try:
            write_whole(path, epochs_table(self.selected).to_csv(index=False).encode())
        except CannotWriteError as error:
            self._say(str(error))
            return
        runs = _runs(len(self.selected))
        self._say(f"{runs} written to {self.folder.name}/{EXPORT}, a row for each epoch.")

    def _say(self, text: str) -> None:
        self.message.value = f'<span role="status">{html.escape(text)}</span>'


def _help(text: str) -> str:
    return f'<p class="dlvc-help">{text}</p>'


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
