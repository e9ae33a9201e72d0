"""Tables over the registry: the report's numbers beside what was measured here.

`records.results_table` is the table of all runs as they are; it needs no registry.
"""

from __future__ import annotations

from dataclasses import fields

import pandas as pd

from dlvc.checks import check_choice
from dlvc.config import TrainConfig
from dlvc.experiments import COMPARISONS, EXPERIMENTS, in_registry_order
from dlvc.records import RunRecord, group_by_experiment, mean_and_spread

Work = tuple[int, int, str]  # training images, epochs, digest of the data


def accuracies_by_work(
    records: list[RunRecord], protocol: str
) -> dict[str, dict[Work, list[float]]]:
    """Test accuracies of each experiment's finished runs by `protocol`, apart for each amount of work and each data."""
    accuracies: dict[str, dict[Work, list[float]]] = {key: {} for key in EXPERIMENTS}
    for each in in_registry_order(records):
        if each.protocol == protocol and each.test and each.key in accuracies:
            work = (each.config["train_size"], each.config["epochs"], each.data["digest"])
            accuracies[each.key].setdefault(work, []).append(each.test.accuracy)
    return accuracies


def most_work(works: set[Work]) -> Work | None:
    """That of `works` in which the most images were gone through; None if there is none."""
    return max(works, key=lambda each: (each[0] * each[1], each), default=None)


def comparison_table(records: list[RunRecord]) -> pd.DataFrame:
    """One row for each of the five comparisons: test accuracy without and with the factor, in the report and here.

    Here it is mean and spread over the seeds of report-protocol runs of both models on equally many images for equally
    many epochs, the most that both were run with; "-" where there are no such runs.
    """
    accuracies = accuracies_by_work(records, "report")
    rows = []
    for pair in COMPARISONS:
        keys = (pair.without, pair.with_factor)
        reported = [EXPERIMENTS[key].report_row.get("test ACC") for key in keys]
        work = most_work(set(accuracies[keys[0]]) & set(accuracies[keys[1]]))
        measured = [mean_and_spread(accuracies[key][work]) if work else "-" for key in keys]
        rows.append(
            {
                "one factor": pair.factor,
                "models": " → ".join(EXPERIMENTS[key].title for key in keys),
                "report": " → ".join(
                    "-" if value is None else f"{value:.3f}" for value in reported
                ),
                "here": " → ".join(measured),
                "images x epochs": f"{work[0]:,} x {work[1]}" if work else "-",
            }
        )
    return pd.DataFrame(rows)


def protocol_table(records: list[RunRecord]) -> pd.DataFrame:
    """One row for each experiment: test accuracy in the report, by the report's protocol, and by the tuned recipe.

    Both are mean and spread over seeds of the runs that went through the most images; "-" where there is none.
    """
    protocols = {name: accuracies_by_work(records, name) for name in ("report", "tuned")}
    rows = []
    for key, experiment in EXPERIMENTS.items():
        reported = experiment.report_row.get("test ACC")
        row = {"Model": experiment.title, "report": "-" if reported is None else f"{reported:.3f}"}
        for name, accuracies in protocols.items():
            work = most_work(set(accuracies[key]))
            values = accuracies[key].get(work, [])
            column = "report protocol" if name == "report" else "tuned"
            row[column] = mean_and_spread(values) if values else "-"
            row[f"{column}: runs, images x epochs"] = (
                f"{len(values)}, {work[0]:,} x {work[1]}" if work else "-"
            )
        rows.append(row)
    return pd.DataFrame(rows)


def setting_table(records: list[RunRecord], name: str) -> pd.DataFrame:
    """One row for each value of the setting `name` and each experiment: what it does to accuracy, work and time.

    Rows are in the order of the registry, then of the value; numbers are mean and spread over seeds.
    Raises ValueError if there is no such setting.
    """
    check_choice("the setting", name, tuple(each.name for each in fields(TrainConfig)))
    finished = [each for each in in_registry_order(records) if each.test]
    rank = {
        title: place for place, title in enumerate(dict.fromkeys(each.title for each in finished))
    }
    groups = group_by_experiment(finished)
    groups.sort(key=lambda runs: (rank[runs[0].title], runs[0].config[name]))
    return pd.DataFrame(
        {
            "Model": runs[0].title,
            "protocol": runs[0].protocol,
            TrainConfig.__dataclass_fields__[name].metadata["label"]: runs[0].config[name],
            "images x epochs": f"{runs[0].config['train_size']:,} x {runs[0].config['epochs']}",
            "runs": len(runs),
            "multiply-adds an image": f"{runs[0].model['multiply_adds']:,}",
            "val. ACC": mean_and_spread([each.best.validation_accuracy for each in runs]),
            "test ACC": mean_and_spread([each.test.accuracy for each in runs]),
            "train time (s)": mean_and_spread([each.train_seconds for each in runs], digits=1),
        }
        for runs in groups
    )
