"""A training's settings as text: code that runs it, and a table for pages without widgets. Knows no widget."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from dlvc.config import TrainConfig
from dlvc.experiments import RunRecord, rounded
from dlvc.widgets.panel.form import as_text, help_text


def as_code(
    key: str,
    config: TrainConfig,
    options: Mapping[str, Any],
    *,
    protocol: str,
    profile: str,
    weights: Any = "auto",
) -> str:
    """Python that trains the same, naming only what is not a default; `data` is a name that it expects."""
    default = TrainConfig()
    settings = [
        f"    {name}={value!r},\n"
        for name, value in config.as_dict().items()
        if value != getattr(default, name)
    ]
    arguments = [repr(key), "data", "config"]
    arguments += [f"protocol={protocol!r}"] if protocol != "report" else []
    arguments += [f"profile={profile!r}"]
    arguments += [f"options={dict(options)!r}"] if options else []
    file = None if weights is None else str(weights)
    arguments += [f"weights={file!r}"] if weights != "auto" else []
    return (
        "from dlvc.config import TrainConfig\nfrom dlvc.experiments import run_experiment\n\n"
        + (
            f"config = TrainConfig(\n{''.join(settings)})\n"
            if settings
            else "config = TrainConfig()\n"
        )
        + f"run = run_experiment({', '.join(arguments)})\n"
    )


def settings_table(
    title: str, settings: Mapping[str, Mapping[str, Field]], values: Mapping[str, Any], cost: str
) -> str:
    """The form as it stands, as an HTML table that needs no kernel."""
    rows = []
    for heading, group in settings.items():
        if group:
            rows.append(
                f'<tr><th colspan="3" style="text-align:left">{html.escape(heading)}</th></tr>'
            )
        for name, setting in group.items():
            texts = (setting.metadata["label"], as_text(values[name]), help_text(setting))
            cells = [f'<td style="text-align:left">{html.escape(text)}</td>' for text in texts]
            rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<table><caption style="text-align:left"><b>{html.escape(title)}</b>: the settings that this notebook was run '
        f"with. Run the cell to change them. {html.escape(cost)}</caption>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def result_sentences(record: RunRecord, *, can_go_on: bool) -> list[str]:
    """How a run ended, and what the panel's model is now."""
    epochs = f"{len(record.epochs)} of {record.config['epochs']} epochs"
    model = "No epoch was finished: panel.model has its latest weights."
    if record.best_epoch:
        model = (
            f"panel.model has the weights of epoch {record.best_epoch}, with validation accuracy "
            f"{rounded(100 * record.best.validation_accuracy, 1)}%."
        )
    if record.test is None:
        trained = len(record.epochs) == record.config["epochs"]
        stopped = f"Stopped {'in its test, ' if trained else ''}after {epochs}."
        return [stopped, model, "Go on takes it up there." if can_go_on else ""]
    score = f"test accuracy {rounded(100 * record.test.accuracy, 1)}%"
    return [f"Finished: {epochs}, {score}.", model]
