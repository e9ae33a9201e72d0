"""What the attention viewer can be told to show, from the words of its user to the numbers of its page.

A user counts from 1 and uses names; the page's state is a flat dict that counts from 0.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from dlvc.arguments import check_choice, check_kind, check_share
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
        new = {**state, **self._where(changes, state["model"])}
        if "patch" in changes:
            new["patch"] = self._patch(changes["patch"])
        if "class_name" in changes:
            new["class"] = self._index("class_name", changes["class_name"], self.classes)
            new["view"] = "relevance"
        for name, allowed in (("view", VIEWS), ("scale", SCALES)):
            if name in changes:
                check_choice(name, changes[name], allowed)
                new[name] = changes[name]
        if "opacity" in changes:
            hint = "0 is the image, 1 the map alone."
            check_share("opacity", changes["opacity"], hint=hint)
            new["opacity"] = float(changes["opacity"])
        if "table" in changes:
            check_kind("table", changes["table"], bool, "Give True or False.")
            new["table"] = changes["table"]
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
        start = {name: state[name] for name in ("image", "model", "epoch")}
        start |= {"layer": SAME, "head": SAME, **self._where(other, state["model"])}
        return {"compare": True, **{f"{name}2": value for name, value in start.items()}}

    def _where(self, named: Mapping[str, Any], model: int) -> dict[str, int]:
        """The image, model, epoch, layer and head that are `named`; an epoch alone is one of `model`."""
        place = {}
        if "model" in named:
            place["model"] = model = self._index("model", named["model"], self.models)
            place["epoch"] = len(self.epochs[model]) - 1
        if "epoch" in named:
            place["epoch"] = self._epoch(named["epoch"], model)
        counts = {"image": self.images, "layer": self.layers, "head": self.heads}
        for name, count in counts.items():
            if name in named:
                number = whole_number(named[name])
                if number is None or not 1 <= number <= count:
                    raise ValueError(
                        f"{name} must be a number from 1 to {count}; got {named[name]!r}."
                    )
                place[name] = number - 1
        return place

    def _index(self, name: str, value: Any, allowed: Sequence[str]) -> int:
        check_choice(name, value, tuple(allowed))
        return allowed.index(value)

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


def whole_number(value: Any) -> int | None:
    """`value` as an int if it is a whole number of any library, else None; a bool is none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def epoch_name(epoch: Any) -> str:
    """What an epoch is called in the viewer: by its number, or as it is given."""
    return f"epoch {epoch}" if whole_number(epoch) is not None else str(epoch)
