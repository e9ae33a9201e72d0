"""The runs in a folder: find them, compare their settings, rename one, put some away, write their epochs as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dlvc.arguments import check_kind
from dlvc.experiments.grouping import conditions, differing
from dlvc.experiments.records import RunRecord, check_records, load_record, save_record
from dlvc.experiments.run_identity import FOLDER
from dlvc.files import explained_write
from dlvc.training import CheckpointFolder

DELETED = "deleted"  # in runs/: what was put away; it may be emptied at any time
TITLE_LENGTH = 80


def find_runs(folder: Path) -> tuple[dict[Path, RunRecord], list[str]]:
    """The runs in `folder` by path, newest first, and a sentence for each file that is no record."""
    records, problems = {}, []
    for path in sorted(folder.glob("*.json")):
        try:
            records[path] = load_record(path)
        except (OSError, ValueError) as error:
            problems.append(str(error))
    newest = sorted(records.items(), key=lambda item: item[1].started, reverse=True)
    return dict(newest), problems


def settings_of(record: RunRecord) -> dict[str, Any]:
    """All that decided the run's result, by name."""
    return {**conditions(record), "seed": record.seed}


def differing_settings(records: Sequence[RunRecord]) -> pd.DataFrame:
    """The settings in which the runs differ: a row each, a column for each run, in its order, from 1.

    "-" stands for an option that the run leaves at the default of its model's class. The title is left out:
    it is a name, made from the settings or given by the learner, and decided nothing.
    """
    check_records(records)
    settings = [settings_of(record) for record in records]
    rows = {
        name: [run.get(name, "-") for run in settings]
        for name in differing(settings)
        if name != "title"
    }
    columns = [str(number) for number in range(1, len(records) + 1)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=object)


def epochs_table(records: Iterable[RunRecord]) -> pd.DataFrame:
    """A row for each epoch of each run, with all its numbers and all settings of its run."""
    rows = [
        {"run": number, "started": record.started, **settings_of(record), **asdict(epoch)}
        for number, record in enumerate(records, start=1)
        for epoch in record.epochs
    ]
    return pd.DataFrame(rows)


def rename_run(path: Path, title: str) -> RunRecord:
    """The record at `path` after giving it another title, under which tables and figures show it.

    Nothing else changes: file names, weights and key stay. Raises ValueError for an empty or a long title.
    """
    check_kind("title", title, str, "Give a text.")
    title = " ".join(title.split())
    if not 0 < len(title) <= TITLE_LENGTH:
        raise ValueError(
            f"a title must have 1 to {TITLE_LENGTH} characters; got {len(title) or 'none'}. "
            f"Give {'a shorter one' if title else 'one'}."
        )
    record = replace(load_record(path), title=title)
    save_record(record, path)
    return record


def put_away(path: Path) -> list[Path]:
    """Where the record at `path` and its weights are now: in the folder `deleted` beside it.

    The checkpoints of a run that was stopped are deleted, so that the same run starts anew. Raises CannotWriteError,
    AlreadyRunningError if the run is going on again, here or in another notebook: then nothing is moved.
    """
    record = load_record(path)
    target = path.parent / DELETED
    moved = []
    with explained_write(path):
        unfinished = path.parent / FOLDER
        if record.interrupted and len(record.run_digest) == 64 and unfinished.is_dir():
            for folder in list(unfinished.iterdir()):
                if folder.name.endswith(f"_{record.run_digest[:12]}"):
                    with CheckpointFolder(folder) as checkpoints:
                        checkpoints.remove()
        target.mkdir(exist_ok=True)
        for file in (path, path.with_suffix(".safetensors")):
            if file.is_file():
                moved.append(file.replace(target / file.name))
    return moved
