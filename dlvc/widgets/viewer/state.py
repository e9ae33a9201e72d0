"""What the attention viewer can be told to show, from the words of its user to the numbers of its page.

A user counts from 1 and uses names; the page's state is a flat dict that counts from 0.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from dlvc.checks import brief
from dlvc.inspection import AttentionRecording

VIEWS = ("head", "mean", "rollout", "relevance")
SCALES = ("patch", "head", "layer", "all")
CHANGES = (
    "image", "layer", "head", "patch", "model", "epoch", "view", "class_name", "scale", "opacity",
    "table", "other",
)  # fmt: skip
SWITCHES = ("compare", "hold", "table")
OTHER = ("image", "model", "epoch", "layer", "head")  # what a second pane chooses for itself
SAME = -1  # in layer2 and head2: as in the first pane
READOUT = -1  # as a patch

START = {
    "image": 0, "model": 0, "epoch": 0, "layer": 0, "head": 0, "patch": READOUT, "view": "head", "class": 0,
    "scale": "layer", "opacity": 0.8, "compare": False, "image2": 0, "model2": 0, "epoch2": 0, "layer2": SAME,
    "head2": SAME, "hold": False, "table": False,
}  # fmt: skip


class Choices:
    """What there is to choose from: recordings by model and epoch, images, classes."""

    def __init__(
        self,
        series: Mapping[str, Mapping[str, AttentionRecording]],
        images: Sequence[str],
        classes: Sequence[str],
    ) -> None:
        self.models = list(series)
        self.epochs = [list(frames) for frames in series.values()]
        recordings = [recording for frames in series.values() for recording in frames.values()]
        self.layers = max(recording.weights.shape[1] for recording in recordings)
        self.heads = max(recording.weights.shape[2] for recording in recordings)
        self.images, self.classes = len(images), list(classes)
        self.grid = recordings[0].patch_grid

    def change(self, state: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """`state` after `changes` in a user's words; see `AttentionViewer.show`."""
        for name in changes:
            if name not in CHANGES:
                raise TypeError(f"the viewer shows no {name!r}; it knows {', '.join(CHANGES)}.")
        new = dict(state)
        if "model" in changes:
            new["model"] = self._index("model", changes["model"], self.models)
            new["epoch"] = len(self.epochs[new["model"]]) - 1
        if "epoch" in changes:
            new["epoch"] = self._epoch(changes["epoch"], new["model"])
        new.update(self._numbers(changes))
        if "patch" in changes:
            new["patch"] = self._patch(changes["patch"])
        if "class_name" in changes:
            new["class"] = self._index("class_name", changes["class_name"], self.classes)
            new["view"] = "relevance"
        for name, allowed in (("view", VIEWS), ("scale", SCALES)):
            if name in changes:
                new[name] = allowed[self._index(name, changes[name], allowed)]
        if "opacity" in changes:
            new["opacity"] = self._opacity(changes["opacity"])
        if "table" in changes:
            new["table"] = self._switch("table", changes["table"])
        if "other" in changes:
            new.update(self._other(new, changes["other"]))
        return new

    def checked(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A page's state, if all in it exists; raises ValueError for one that no page of ours sends."""
        limits = {
            "image": self.images, "image2": self.images, "model": len(self.models), "model2": len(self.models),
            "epoch": max(map(len, self.epochs)), "epoch2": max(map(len, self.epochs)), "layer": self.layers,
            "layer2": self.layers, "head": self.heads, "head2": self.heads, "class": len(self.classes),
            "patch": self.grid[0] * self.grid[1],
        }  # fmt: skip
        for name, value in state.items():
            if name in limits:
                low = -1 if name in ("patch", "layer2", "head2") else 0
                right = type(value) is int and low <= value < limits[name]
            elif name in SWITCHES:
                right = type(value) is bool
            elif name == "opacity":
                right = type(value) in (int, float) and 0 <= value <= 1
            else:
                right = value in {"view": VIEWS, "scale": SCALES}.get(name, ())
            if not right:
                raise ValueError(f"no viewer of ours has the state {name} = {value!r}.")
        return {name: state[name] for name in START}

    def _other(self, state: Mapping[str, Any], other: Any) -> dict[str, Any]:
        if other is None:
            return {"compare": False}
        if not isinstance(other, Mapping) or not set(other) <= set(OTHER):
            raise ValueError(f"other must be a dict of {', '.join(OTHER)}, or None; got {other!r}.")
        new = {"compare": True, "layer2": SAME, "head2": SAME}
        new |= {f"{name}2": state[name] for name in ("image", "model", "epoch")}
        if "model" in other:
            new["model2"] = self._index("model", other["model"], self.models)
            new["epoch2"] = len(self.epochs[new["model2"]]) - 1
        if "epoch" in other:
            new["epoch2"] = self._epoch(other["epoch"], new["model2"])
        return new | {f"{name}2": value for name, value in self._numbers(other).items()}

    def _numbers(self, given: Mapping[str, Any]) -> dict[str, int]:
        counts = {"image": self.images, "layer": self.layers, "head": self.heads}
        return {
            name: self._number(name, given[name], count)
            for name, count in counts.items()
            if name in given
        }

    def _switch(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False; got {brief(value)}.")
        return value

    def _number(self, name: str, value: Any, count: int) -> int:
        number = whole_number(value)
        if number is None or not 1 <= number <= count:
            raise ValueError(f"{name} must be a number from 1 to {count}; got {value!r}.")
        return number - 1

    def _index(self, name: str, value: Any, allowed: Sequence[str]) -> int:
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}.")
        return list(allowed).index(value)

    def _epoch(self, value: Any, model: int) -> int:
        names = self.epochs[model]
        for name in (value, epoch_name(value)):
            if name in names:
                return names.index(name)
        if names == [""]:
            raise ValueError(f"{self.models[model]} has one moment, so no epoch; got {value!r}.")
        raise ValueError(f"epoch must be one of {', '.join(names)}; got {value!r}.")

    def _patch(self, value: Any) -> int:
        if value is None:
            return READOUT
        rows, columns = self.grid
        pair = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
        row, column = map(whole_number, value) if pair else (None, None)
        if row is None or column is None:
            raise ValueError(
                f"patch must be (row, column), or None for the readout; got {value!r}. Try (4, 5)."
            )
        if not (1 <= row <= rows and 1 <= column <= columns):
            raise ValueError(
                f"patch must be a row from 1 to {rows} and a column from 1 to {columns}; got {value!r}."
            )
        return (row - 1) * columns + column - 1

    def _opacity(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(
                f"opacity must be from 0, the image, to 1, the map alone; got {value!r}."
            )
        return float(value)


def whole_number(value: Any) -> int | None:
    """`value` as an int if it is a whole number of any library, else None; a bool is none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def epoch_name(epoch: Any) -> str:
    """What an epoch is called in the viewer: by its number, or as it is given."""
    return f"epoch {epoch}" if whole_number(epoch) is not None else str(epoch)
