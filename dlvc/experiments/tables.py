"""Tables of runs: all of them as they are, and the report's numbers beside what was measured here."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from dlvc.arguments import brief, check_choice, check_kind
from dlvc.config import TrainConfig
from dlvc.experiments.grouping import Work, group_by_experiment
from dlvc.experiments.records import EvaluationRecord, RunRecord, check_records
from dlvc.experiments.registry import COMPARISONS, EXPERIMENTS, options_of_all_models
from dlvc.metrics import rounded

# The report's columns with the test loss: each with how to read it from a record.
SCORE_COLUMNS: dict[str, Callable[[RunRecord], float]] = {
    "val. ACC": lambda record: record.validation.accuracy,
    "val. PACC": lambda record: record.validation.mean_per_class_accuracy,
    "test ACC": lambda record: record.test.accuracy,
    "test PACC": lambda record: record.test.mean_per_class_accuracy,
    "test loss": lambda record: record.test.loss,
}


def epoch_seconds(runs: Iterable[RunRecord]) -> list[float]:
    """The seconds of each epoch's training pass in those of the runs that had the machine to themselves."""
    return [epoch.seconds for run in runs if run.is_undisturbed for epoch in run.epochs]


# Each with how to read it from runs.
TIME_COLUMNS: dict[str, Callable[[Iterable[RunRecord]], list[float]]] = {
    "seconds an epoch": epoch_seconds,
    "seconds for the test": lambda runs: [run.test.seconds for run in runs if run.is_undisturbed],
}


def row_of(runs: list[RunRecord]) -> dict[str, Any]:
    """What tables say of runs that differ in the seed, in the columns of `SCORE_COLUMNS` and `TIME_COLUMNS`."""
    run = runs[0]
    return {
        "Model": run.title,
        "protocol": run.protocol,
        "data": run.data["title"],
        "images x epochs": str(Work.of(run)),
        "runs": len(runs),
        "parameters": f"{run.model['parameters']:,}",
        **{name: mean_and_spread(list(map(read, runs))) for name, read in SCORE_COLUMNS.items()},
        **{name: median_and_range(read(runs)) for name, read in TIME_COLUMNS.items()},
    }


def cell(values: list[float]) -> str:
    """Mean and spread, "-" if there are no values."""
    return mean_and_spread(values) if values else "-"


def in_registry_order(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The records in the order of `EXPERIMENTS`, report before tuned, long runs before short ones, seeds rising."""
    records = list(records)
    check_records(records)
    ranks = {key: rank for rank, key in enumerate(EXPERIMENTS)}

    def order(record: RunRecord) -> tuple[int, str, int, int]:
        images = record.config["train_size"] * record.config["epochs"]
        return ranks.get(record.key, len(ranks)), record.protocol, -images, record.seed

    return sorted(records, key=order)


def results_table(records: Iterable[RunRecord]) -> pd.DataFrame:
    """One row for each experiment as it was run, in order of first appearance, as text.

    Columns are the number of runs and of parameters, how many images were trained on for how many epochs, the report's
    scores with the test loss, and seconds. `0.687 ± 0.004` is mean and sample standard deviation over seeds; a single
    run has no spread. `4.3 (4.1 to 4.6)` is the median with the fastest and the slowest; "-" stands for times of runs
    that are not known to have had the machine to themselves.
    PACC, the mean per-class accuracy, is left out where every class has equally many images: there it is ACC.
    Runs that differ in more than the seed get rows of their own; of two runs with one seed the newer counts. Unfinished
    runs are left out.
    """
    records = list(records)
    check_records(records)
    finished = list(filter(is_finished, records))
    left_out = [
        f"{name} PACC"
        for name, split in (("val.", "validation"), ("test", "test"))
        if all(has_equal_classes(getattr(record, split)) for record in finished)
    ]
    columns = ["Model", "protocol", "images x epochs", "runs", "parameters"]
    columns += [name for name in (*SCORE_COLUMNS, *TIME_COLUMNS) if name not in left_out]
    if len({record.data["title"] for record in finished}) > 1:
        columns.insert(2, "data")
    return pd.DataFrame(map(row_of, group_by_experiment(finished)), columns=columns)


def is_finished(record: RunRecord) -> bool:
    """Whether the run has both its scores."""
    return record.validation is not None and record.test is not None


def has_equal_classes(score: EvaluationRecord) -> bool:
    """Whether the score is of equally many images of each class."""
    return len({sum(row) for row in score.confusion}) == 1


def accuracies_by_work(records: list[RunRecord], protocol: str) -> dict[Work, list[float]]:
    """Test accuracies of the finished runs by `protocol`, apart for each amount of work, data and first weights."""
    accuracies: dict[Work, list[float]] = {}
    for record in records:
        if record.protocol == protocol and record.test:
            accuracies.setdefault(Work.of(record), []).append(record.test.accuracy)
    return accuracies


def reported_accuracy(key: str) -> list[float]:
    """The experiment's test accuracy in the report's Table 1; nothing if it is not there."""
    return [value for name, value in EXPERIMENTS[key].report_row.items() if name == "test ACC"]


def first_weights(key: str) -> str:
    """What a run of the experiment starts from by the registry, as records call it."""
    return EXPERIMENTS[key].weights or "random"


def is_as_registered(record: RunRecord) -> bool:
    """Whether the run has its experiment's own model. Options that its version did not know yet do not count."""
    _, own = EXPERIMENTS[record.key].recipe(record.protocol)
    return all(own.get(name) == value for name, value in record.model["options"].items())


def most_work(works: Iterable[Work]) -> Work | None:
    """That of `works` in which the most images were gone through, rather not from a random start; None if empty."""
    return max(works, key=lambda work: work.rank, default=None)


def comparison_table(records: list[RunRecord]) -> pd.DataFrame:
    """One row for each of the five comparisons: test accuracy without and with the factor, in the report and here.

    Here it is mean and spread over the seeds of report-protocol runs of both models on equally many images for equally
    many epochs from the same weights, the most that both were run with; "-" where there are no such runs. Runs with
    other options of the model, such as another stem, do not count. Other first weights than the registry's are named.
    """
    known = [
        record
        for record in in_registry_order(records)
        if record.key in EXPERIMENTS and is_as_registered(record)
    ]
    accuracies = {
        key: accuracies_by_work([record for record in known if record.key == key], "report")
        for key in EXPERIMENTS
    }
    rows = []
    for pair in COMPARISONS:
        keys = (pair.without, pair.with_factor)
        work = most_work(accuracies[keys[0]].keys() & accuracies[keys[1]].keys())
        shown = str(work) if work else "-"
        if work and work.weights != first_weights(keys[1]):
            shown += ", random start" if work.weights == "random" else f", {work.weights} weights"
        rows.append(
            {
                "one factor": pair.factor,
                "models": " → ".join(EXPERIMENTS[key].title for key in keys),
                "report": " → ".join(cell(reported_accuracy(key)) for key in keys),
                "here": " → ".join(cell(accuracies[key].get(work, [])) for key in keys),
                "images x epochs": shown,
            }
        )
    return pd.DataFrame(rows)


def protocol_table(records: list[RunRecord]) -> pd.DataFrame:
    """One row for each experiment: test accuracy in the report, by the report's protocol, and by the tuned recipe.

    Both are mean and spread over seeds of the runs that went through the most images; "-" where there is none. Runs
    with other weights or other options of the model have a row of their own, which their title names and which has no
    number of the report.
    """
    rows = []
    for key, experiment in EXPERIMENTS.items():
        by_title: dict[str, list[RunRecord]] = {}
        for record in in_registry_order(records):
            if record.key == key and record.test:
                by_title.setdefault(record.title, []).append(record)
        for title, runs in sorted(by_title.items()) or [(experiment.title, [])]:
            own = all(
                is_as_registered(run) and run.model["weights"] == first_weights(key) for run in runs
            )
            row = {"Model": title, "report": cell(reported_accuracy(key) if own else [])}
            for protocol, column in (("report", "report protocol"), ("tuned", "tuned")):
                accuracies = accuracies_by_work(runs, protocol)
                work = most_work(accuracies)
                values = accuracies.get(work, [])
                row[column] = cell(values)
                row[f"{column}: runs, images x epochs"] = (
                    f"{len(values)}, {work}" if values else "-"
                )
            rows.append(row)
    return pd.DataFrame(rows)


def setting_table(records: list[RunRecord], name: str) -> pd.DataFrame:
    """One row for each value of a setting or a model's option and each experiment: accuracy, work and time with it.

    Rows are in the order of the registry, then of the value; numbers are mean and spread over seeds. Runs of models
    without such an option are left out. Raises ValueError if there is no such setting.
    """
    known = {setting.name: setting for setting in fields(TrainConfig)}
    known |= {option: models[0] for option, models in options_of_all_models().items()}
    check_choice("the setting", name, tuple(known))
    defaults = {
        key: experiment.option_fields[name].default
        for key, experiment in EXPERIMENTS.items()
        if name in experiment.option_fields
    }

    def value(record: RunRecord) -> Any:
        settings = {**TrainConfig().as_dict(), **record.config, **record.model["options"]}
        return settings.get(name, defaults.get(record.key))

    finished = [
        record
        for record in in_registry_order(records)
        if is_finished(record) and value(record) is not None
    ]
    titles = list(dict.fromkeys(record.title for record in finished))
    groups = group_by_experiment(finished)
    groups.sort(
        # A record may hold anything: texts come behind numbers.
        key=lambda runs: (
            titles.index(runs[0].title),
            isinstance(value(runs[0]), str),
            value(runs[0]),
        )
    )
    label = known[name].metadata["label"]
    cost = "multiply-adds an image"
    columns = ["Model", "protocol", label, "images x epochs", "runs", cost]
    columns += ["val. ACC", "test ACC", "seconds an epoch"]
    rows = [
        {**row_of(runs), label: value(runs[0]), cost: f"{runs[0].model['multiply_adds']:,}"}
        for runs in groups
    ]
    return pd.DataFrame(rows, columns=columns)


def mean_and_spread(values: list[float]) -> str:
    """`mean ± sample standard deviation` with three digits, as text; the mean alone if there is a single value."""
    if not all(isinstance(value, (int, float)) for value in values) or len(values) == 0:
        raise ValueError(
            f"values must hold at least one number and nothing else; got {brief(values)}. "
            "Take them from records."
        )
    mean = f"{rounded(np.mean(values))}"
    return mean if len(values) == 1 else f"{mean} ± {rounded(np.std(values, ddof=1))}"


def median_and_range(values: list[float]) -> str:
    """`median (lowest to highest)` with one digit, as text; a single value alone, "-" if there are no values."""
    if not values:
        return "-"
    middle, low, high = (rounded(of(values), 1) for of in (np.median, min, max))
    return f"{middle}" if len(values) == 1 else f"{middle} ({low} to {high})"


def markdown_text(value: Any) -> str:
    """The value as Markdown that shows it as it is: nothing in it is a tag, a link, a formula or a table's border."""
    text = html.escape(" ".join(str(value).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|$~]|:(?=//))", r"\\\1", text)


def format_table(table: pd.DataFrame, style: str = "markdown") -> str:
    """The table as text in `style`: markdown, latex or csv. Raises ValueError for another one.

    Markdown is shown as HTML, and a title may hold the name of somebody's file: what it holds is shown as text.
    """
    check_kind("table", table, pd.DataFrame, "Make one with results_table(records).")
    styles = {
        "markdown": lambda: (
            table.rename(columns=markdown_text)
            .map(markdown_text)
            .to_markdown(index=False, disable_numparse=True)
        ),
        "latex": lambda: table.to_latex(index=False, escape=True),
        "csv": lambda: table.to_csv(index=False).rstrip("\n"),
    }
    check_choice("the format", style, tuple(styles))
    return styles[style]()
