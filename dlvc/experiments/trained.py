"""The trained networks that come with the project, to look into: records with weights of 16 bits beside them.

All were trained by the tuned recipes. `python -m dlvc.studies.trained` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from dlvc.arguments import check_kind
from dlvc.data import ImageData
from dlvc.experiments.records import (
    REFERENCE_RECORDS,
    EvaluationRecord,
    load_record,
    save_record,
)
from dlvc.experiments.registry import get_experiment
from dlvc.experiments.running import load_run
from dlvc.training import evaluate, save_weights

TRAINED = REFERENCE_RECORDS / "trained"


def load_trained(
    key: str,
    data: ImageData,
    *,
    options: Mapping[str, Any] | None = None,
    folder: Path = TRAINED,
) -> nn.Module:
    """A network trained on images like those of `data`, in evaluation mode on the CPU, its weights float32.

    It has seen no drawing of any `load_data("sketch10")`, and of CIFAR-10 the training split alone. `options` changes
    the model of the tuned recipe, such as {"class_token": True}.
    Raises ValueError naming the networks that there are, and for weights that are not those of the record.
    """
    experiment = get_experiment(key)
    check_kind("data", data, ImageData, "Get them with load_data().")
    wanted = experiment.model_options("tuned", options)
    there = []
    for path in sorted(folder.glob("*.json")):
        record = load_record(path)
        title = record.data["title"]
        same_data = title.partition(" (")[0] == data.name  # whichever copy of it
        if same_data and (record.key, record.model["options"]) == (key, wanted):
            return load_run(path)
        there.append(f"{record.key} ({record.title}) for {title}")
    changed = f" with options {dict(options)}" if options else ""
    raise ValueError(
        f"no trained {key}{changed} for {data.name}; there is {', '.join(there) or 'none'}. "
        "Take one of these, or train your own and read it with load_run()."
    )


def store_trained(run: Path | str, data: ImageData, folder: Path = TRAINED) -> Path:
    """The path of a new record in `folder`, after storing the network of the record at `run` there in 16 bits.

    The record is that of the run, but for its test score, which is measured anew with these weights.
    `data` are those of the run. Raises ValueError if it was stopped before its end.
    """
    record = load_record(run)
    if record.interrupted:
        raise ValueError(f"{Path(run).name} was stopped before its end. The same command goes on.")
    model = load_run(run).half().float()  # rounded to 16 bits
    split = data.test.first(record.config["evaluation_size"])
    test = evaluate(model, split, precision="float32", progress=False)
    changes = get_experiment(record.key).changed_options("tuned", record.model["options"])
    name = "-".join([record.key, *changes, data.name.lower().replace("-", "")])
    path = folder / f"{name}.json"
    weights = path.with_suffix(".safetensors")
    stored = {"weights_file": weights.name, "weights_sha256": save_weights(model.half(), weights)}
    return save_record(replace(record, test=EvaluationRecord.of(test), **stored), path)
