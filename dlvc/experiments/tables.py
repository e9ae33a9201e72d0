"""Tables over the registry: the report's numbers beside what was measured here.

`records.results_table` is the table of all runs as they are; it needs no registry.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

import pandas as pd

from dlvc.checks import check_choice
from dlvc.config import TrainConfig
from dlvc.experiments.records import RunRecord, group_by_experiment, mean_and_spread
from dlvc.experiments.registry import (
    COMPARISONS,
    EXPERIMENTS,
    in_registry_order,
    options_of_all_models,
)
from dlvc.models import option_fields


class Work(NamedTuple):
    """What runs must have in common for their accuracies to be compared."""

    train_size: int
    epochs: int
    digest: str  # of the data
    weights: str  # the first ones, as records call them

    def __str__(self) -> str:
        return f"{self.train_size:,} x {self.epochs}"


def accuracies_by_work(records: list[RunRecord], protocol: str) -> dict[Work, list[float]]:
    """Test accuracies of the finished runs by `protocol`, apart for each amount of work, data and first weights."""
    accuracies: dict[Work, list[float]] = {}
    for each in records:
        if each.protocol == protocol and each.test:
            config, weights = each.config, each.model["weights"]
            work = Work(config["train_size"], config["epochs"], each.data["digest"], weights)
            accuracies.setdefault(work, []).append(each.test.accuracy)
    return accuracies


def first_weights(key: str) -> str:
    """What a run of the experiment starts from by the registry, as records call it."""
    return EXPERIMENTS[key].weights or "random"


def is_as_registered(record: RunRecord) -> bool:
    """Whether the run has its experiment's own model. Options that its version did not know yet do not count."""
    _, own = EXPERIMENTS[record.key].recipe(record.protocol)
    return all(own.get(name) == value for name, value in record.model["options"].items())


def most_work(works: set[Work]) -> Work | None:
    """That of `works` in which the most images were gone through, rather not from a random start; None if empty."""

    def rank(work: Work) -> tuple[int, bool, Work]:
        return work.train_size * work.epochs, work.weights != "random", work

    return max(works, key=rank, default=None)


def comparison_table(records: list[RunRecord]) -> pd.DataFrame:
    """One row for each of the five comparisons: test accuracy without and with the factor, in the report and here.

    Here it is mean and spread over the seeds of report-protocol runs of both models on equally many images for equally
    many epochs from the same weights, the most that both were run with; "-" where there are no such runs. Runs with
    other options of the model, such as another stem, do not count. Other first weights than the registry's are named.
    """
    known = [
        each
        for each in in_registry_order(records)
        if each.key in EXPERIMENTS and is_as_registered(each)
    ]
    accuracies = {
        key: accuracies_by_work([each for each in known if each.key == key], "report")
        for key in EXPERIMENTS
    }
    rows = []
    for pair in COMPARISONS:
        keys = (pair.without, pair.with_factor)
        reported = [EXPERIMENTS[key].report_row.get("test ACC") for key in keys]
        work = most_work(set(accuracies[keys[0]]) & set(accuracies[keys[1]]))
        shown = str(work) if work else "-"
        if work and work.weights != first_weights(keys[1]):
            shown += ", random start" if work.weights == "random" else f", {work.weights} weights"
        measured = [mean_and_spread(accuracies[key][work]) if work else "-" for key in keys]
        rows.append(
            {
                "one factor": pair.factor,
                "models": " → ".join(EXPERIMENTS[key].title for key in keys),
                "report": " → ".join(
                    "-" if value is None else f"{value:.3f}" for value in reported
                ),
                "here": " → ".join(measured),
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
        for each in in_registry_order(records):
            if each.key == key and each.test:
                by_title.setdefault(each.title, []).append(each)
        for title, runs in sorted(by_title.items()) or [(experiment.title, [])]:
            reported = experiment.report_row.get("test ACC")
            own = (
                is_as_registered(each) and each.model["weights"] == first_weights(key)
                for each in runs
            )
            if reported is None or not all(own):
                rows.append({"Model": title, "report": "-"})
            else:
                rows.append({"Model": title, "report": f"{reported:.3f}"})
            for protocol, column in (("report", "report protocol"), ("tuned", "tuned")):
                accuracies = accuracies_by_work(runs, protocol)
                work = most_work(set(accuracies))
                values = accuracies.get(work, [])
                rows[-1][column] = mean_and_spread(values) if values else "-"
                rows[-1][f"{column}: runs, images x epochs"] = (
                    f"{len(values)}, {work}" if work else "-"
                )
    return pd.DataFrame(rows)


def setting_table(records: list[RunRecord], name: str) -> pd.DataFrame:
    """One row for each value of a setting or a model's option and each experiment: accuracy, work and time with it.

    Rows are in the order of the registry, then of the value; numbers are mean and spread over seeds. Runs of models
    without such an option are left out. Raises ValueError if there is no such setting.
    """
    known = {setting.name: setting for setting in fields(TrainConfig)}
    known |= {name: options[0] for name, options in options_of_all_models().items()}
    check_choice("the setting", name, tuple(known))

    defaults = {
        key: option_fields(experiment.model)[name].default
        for key, experiment in EXPERIMENTS.items()
        if name in option_fields(experiment.model)
    }

    def value(record: RunRecord) -> Any:
        settings = {**record.config, **record.model["options"]}
        return settings.get(name, defaults.get(record.key))

    finished = [
        record for record in in_registry_order(records) if record.test and value(record) is not None
    ]
    rank = {
        title: place for place, title in enumerate(dict.fromkeys(each.title for each in finished))
    }
    groups = group_by_experiment(finished)
    groups.sort(key=lambda runs: (rank[runs[0].title], value(runs[0])))
    return pd.DataFrame(
        {
            "Model": runs[0].title,
            "protocol": runs[0].protocol,
            known[name].metadata["label"]: value(runs[0]),
            "images x epochs": f"{runs[0].config['train_size']:,} x {runs[0].config['epochs']}",
            "runs": len(runs),
            "multiply-adds an image": f"{runs[0].model['multiply_adds']:,}",
            "val. ACC": mean_and_spread([each.best.validation_accuracy for each in runs]),
            "test ACC": mean_and_spread([each.test.accuracy for each in runs]),
            "train time (s)": mean_and_spread([each.train_seconds for each in runs], digits=1),
        }
        for runs in groups
    )
