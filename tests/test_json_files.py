"""Whatever is stored comes back as it was; whatever else a file holds is refused naming file and field."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dlvc.experiments.records import FORMAT_VERSION, REFERENCE_RECORDS, load_record
from dlvc.experiments.registry import EXPERIMENTS
from dlvc.files import load_json, load_json_rows, load_named_json, read_json, save_json
from dlvc.lessons.silent_bugs.traces import load_trace
from dlvc.studies.bench.results import load_benches
from dlvc.studies.maps import load_map_tests
from dlvc.studies.search import load_trials
from dlvc.studies.trainings import load_study
from dlvc.studies.transfer import load_runs


class Pair(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    count: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Whole:
    name: str
    parts: tuple[Part, ...]
    pairs: dict[str, Pair]
    settings: dict[str, Any]
    rows: list[list[int]] | None = None
    format_version: int = 2


WHOLE = Whole(
    name="a",
    parts=(Part(1, 0.5),),
    pairs={"p": Pair(1.0, 2.0)},
    settings={"epochs": 3, "lists": [1, "x", None]},
    rows=[[1, 2]],
)
FIELDS = json.loads(json.dumps(WHOLE, default=vars))


def read(fields: Any) -> Whole:
    text = fields if isinstance(fields, str) else json.dumps(fields)
    return read_json(text, Whole, "a.json", "whole", "Make it again.")


def test_a_dataclass_comes_back_as_it_was(tmp_path):
    path = save_json(WHOLE, tmp_path / "folder" / "a.json")
    assert load_json(path, Whole, "whole", "") == WHOLE
    save_json([WHOLE, WHOLE], path)
    assert load_json(path, list[Whole], "list", "") == [WHOLE, WHOLE]


def test_what_is_not_there_is_an_empty_list_or_answered_with_what_is(tmp_path):
    assert load_json_rows(tmp_path / "a.json", Whole, "wholes") == []
    path = save_json([WHOLE], tmp_path / "a.json")
    assert load_json_rows(path, Whole, "wholes") == [WHOLE]
    with pytest.raises(FileNotFoundError, match="no whole called 'b'; there is a"):
        load_named_json("b", tmp_path, Whole, "whole", "")
    path.write_text("[{}]")
    with pytest.raises(ValueError, match=r"^a\.json is not a list of wholes: .* - at `\$\[0\]`"):
        load_json_rows(path, Whole, "wholes")


def test_a_field_that_was_not_there_yet_has_its_default_and_whole_numbers_are_numbers():
    older = {name: value for name, value in FIELDS.items() if name != "rows"}
    assert read(older | {"format_version": 1}) == replace(WHOLE, rows=None, format_version=1)
    assert read(FIELDS | {"pairs": {"p": [1, 2]}}) == WHOLE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 3}, "Expected `str`, got `int` - at `$.name`"),
        ({"parts": [{"count": True, "share": 1}]}, "got `bool` - at `$.parts[0].count`"),
        ({"parts": [{"count": 1.5, "share": 1}]}, "got `float` - at `$.parts[0].count`"),
        ({"parts": [{"count": 1, "share": "1"}]}, "got `str` - at `$.parts[0].share`"),
        ({"parts": [{"count": 1}]}, "missing required field `share` - at `$.parts[0]`"),
        ({"parts": [{"count": 1, "share": 1, "x": 1}]}, "there is no field `$.parts[0].x`"),
        ({"parts": [{"count": 2**63, "share": 1}]}, "too large a number - at `$.parts[0].count`"),
        ({"surprise": 1}, "there is no field `$.surprise`"),
        ({"pairs": {"p": [1]}}, "length 2, got 1"),
        ({"rows": [[None]]}, "got `null` - at `$.rows[0][0]`"),
        ({"settings": {"epochs": math.nan}}, "NaN is no number"),
        ({"settings": {"epochs": 10**400}}, "too large a number - at `$.settings.epochs`"),
        ({"pairs": {"p": [1, 1e19]}}, "1e+19 is too large a number - at `$.pairs.p[1]`"),
    ],
)
def test_a_field_that_is_wrong_is_named(change, said):
    with pytest.raises(ValueError, match=r"^a\.json is not a whole: .* Make it again\.$") as error:
        read(FIELDS | change)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{", "[" * 100_000, '{"a":' * 100_000, '{"format_version": []}']
)
def test_another_file_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"^a\.json is not a whole: .* Make it again\.$"):
        read(text)


def test_infinity_written_as_a_number_is_refused():
    text = json.dumps(FIELDS).replace("0.5", "1e400")
    with pytest.raises(ValueError, match=re.escape("inf is too large a number")):
        read(text)


def test_a_newer_format_is_refused_before_its_fields_are_looked_at():
    with pytest.raises(ValueError, match="has format 3; this dlvc reads formats up to 2"):
        read({"format_version": 3})


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_could_not_be_read_back_is_not_written(number, tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        save_json(replace(WHOLE, settings={"a": number}), tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


STORES = {
    "bench": load_benches,
    "explanations": lambda path: load_map_tests(path.stem, path.parent),
    "search": lambda path: load_trials(path.stem, path.parent),
    "silent_bugs": lambda path: load_trace(path.stem, path.parent),
    "studies": lambda path: (
        load_runs(path) if path.stem == "transfer" else load_study(path.stem, path.parent)
    ),
}
COMMITTED = sorted(REFERENCE_RECORDS.rglob("*.json"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_committed_file_is_read_by_its_store_and_written_alike(path: Path, tmp_path: Path):
    """Also what older formats hold; what they had no field for is added, and nothing is lost or changed."""
    load = STORES.get(path.relative_to(REFERENCE_RECORDS).parts[0], load_record)
    value = load(path)
    value = value[0] if load is load_benches else value
    raw, written = (
        json.loads(place.read_text(encoding="utf-8"))
        for place in (path, save_json(value, tmp_path / "again.json"))
    )
    added = set(written) - set(raw) if isinstance(raw, dict) else set()
    defaults = {"run_digest": "", "micro_batch": 0, "machine": None}
    assert {name: written.pop(name) for name in added} == {name: defaults[name] for name in added}
    if load is load_record:  # two options of the model stood among the settings of every training
        options, own = written["model"]["options"], EXPERIMENTS[raw["key"]].option_fields
        for name in ("dropout", "image_size"):
            assert (name in options) == (name in own)
            value = raw["config"].pop(name, None)
            if name in own and value is not None:
                raw["model"]["options"][name] = value
        raw["format_version"] = FORMAT_VERSION
    assert written == raw
