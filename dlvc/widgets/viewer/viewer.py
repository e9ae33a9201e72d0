"""The attention viewer: point at a patch of an image and see what it attends to, in any layer and head of a ViT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from dlvc.data import CLASSES
from dlvc.files import write_whole
from dlvc.inspection import AttentionRecording, record_attention
from dlvc.models import VisionTransformer
from dlvc.plots import Pane, Picture, as_array, as_pictures, attention_view
from dlvc.widgets import page
from dlvc.widgets.viewer.payload import viewer_payload
from dlvc.widgets.viewer.reading import (
    Spot,
    describe_spot,
    largest,
    map_name,
    map_rows,
    small_spots,
)
from dlvc.widgets.viewer.state import START, Choices, epoch_name

Recordable = VisionTransformer | AttentionRecording
TITLE = "Attention viewer"
HEIGHT = 660  # pixels a frame starts with; its page then makes it fit


class Shown(NamedTuple):
    """What one pane shows: the name of a model and moment, all recordings of the model, the moment's, and the spot."""

    name: str
    frames: list[AttentionRecording]
    recording: AttentionRecording
    spot: Spot


class AttentionViewer:
    """Attention of vision transformers on a few images, to look at by pointing at patches.

    As the value of a notebook cell it shows a page that needs no kernel: it goes on working when the notebook is
    saved, opened without a kernel, or exported. `live()` is the same viewer tied to this object instead.

    models: one model or recording, or several by name; instead of one of them, several moments of a training, by epoch:
    `{"Deep ViT": {0: recording, 1: recording}}`, with recordings from `dlvc.inspection.record_attention`.
    images: (B, 3, H, W), uint8 or floats in [0, 1], the ones that were recorded; a handful.
    labels: their true classes, as numbers. shown: where to start, as for `show`.

    Raises TypeError for models without attention, ValueError for what does not fit together.
    """

    def __init__(
        self,
        models: Recordable | Mapping[str, Recordable | Mapping[int, Recordable]],
        images: Tensor,
        *,
        labels: Sequence[int] | Tensor | None = None,
        classes: Sequence[str] = CLASSES,
        **shown: Any,
    ) -> None:
        pictures = as_pictures(images)
        if pictures.dtype != np.uint8:
            pictures = (255 * pictures).round().astype(np.uint8)
        self.pictures = np.ascontiguousarray(pictures)
        self.series = _recordings(models, images)
        self.classes = tuple(map(str, classes))
        self.labels = None if labels is None else as_array(labels).tolist()
        _check(self.series, len(self.pictures), self.labels, self.classes)
        self.names = [f"image {number + 1}" for number in range(len(self.pictures))]
        if self.labels is not None:
            pairs = zip(self.names, self.labels, strict=True)
            self.names = [f"{name}, {self.classes[label]}" for name, label in pairs]
        self._choices = Choices(self.series, self.names, self.classes)
        self._live: Any = None
        frames = list(next(iter(self.series.values())).values())
        predicted = int(frames[-1].probabilities[0].argmax())
        self._state = {**START, "epoch": len(frames) - 1, "class": predicted}
        self.show(**shown)

    def show(self, **changes: Any) -> AttentionViewer:
        """Change what is shown, and return the viewer. All numbers count from 1, as they are written in the viewer.

        image, layer, head: numbers. patch: (row, column), or None for the readout. model: its name. epoch: its number.
        view: "head", "mean" (of the heads), "rollout" or "relevance", then for the class `class_name`.
        scale: whose largest weight is brightest: "patch", "head", "layer" (in all images and epochs) or "all".
        opacity: 0 shows the image, 1 the map alone. table: whether the numbers are listed.
        other: with what to compare, a dict of image, model, epoch, layer and head; None for nothing.

        Raises ValueError for what is not there, TypeError for another name.
        """
        self._state = self._choices.change(self._state, changes)
        if self._live is not None and self._live.state != self._state:
            self._live.state = dict(self._state)
        return self

    def describe(self) -> str:
        """What is shown, in sentences: where, the five strongest weights both ways, the prediction."""
        return " Compared with ".join(
            describe_spot(
                shown.recording,
                shown.spot,
                self._state["patch"],
                title=f"{shown.name}, {self.names[shown.spot.image]}",
                classes=self.classes,
            )
            for shown in self._shown()
        )

    def live(self) -> Any:
        """The viewer as a widget of the running notebook: what is chosen in it is what this object shows.

        `describe()`, `picture()` and `save_png()` then tell of what the reader has clicked on. It needs a kernel.
        """
        from dlvc.widgets.viewer.live import LiveWidget  # only here: ipywidgets is slow to import

        if self._live is None:
            self._live = LiveWidget(self.payload_text, self._state, self.take)
        return self._live

    def take(self, state: Mapping[str, Any]) -> None:
        """Show what a front end says is shown. Raises ValueError for a state that no front end of ours has."""
        self._state = self._choices.checked({**self._state, **state})

    def save_html(self, path: Path | str) -> Path:
        """Write a page that needs nothing else, no kernel and no network, and return its path."""
        path = Path(path)
        png, look = self.picture()._repr_png_()
        still = page.figure(png, self.describe(), width=look["width"])
        write_whole(path, self._page(still).encode())
        return path

    def save_png(self, path: Path | str) -> Path:
        """Write the still picture of what is shown, and return its path."""
        path = Path(path)
        write_whole(path, self.picture()._repr_png_()[0])
        return path

    def picture(self) -> Picture:
        """What is shown as a figure, with the sentences of `describe` as its caption and alternative text."""
        all_shown, patch = self._shown(), self._state["patch"]
        panes, values = [], []
        for name, _, recording, spot in all_shown:
            given, taken = map_rows(recording, spot, patch)
            values.append(given)
            title = "Attends to"
            if spot.view == "relevance":
                title = f"Relevance for {self.classes[spot.number]}"
            if taken is not None:
                values.append(taken)
                taken = self._on_patches(taken)
            image, image_name = self.pictures[spot.image], self.names[spot.image]
            place = f"{name}, {map_name(recording, spot, self.classes)}"
            panes.append(Pane(image, image_name, place, self._on_patches(given), taken, title))
        thumbs, tops = self._thumbs(all_shown[0])
        spot, heads = all_shown[0].spot, thumbs.shape[1] - 2
        column = {"head": spot.head, "mean": heads, "rollout": heads + 1}.get(spot.view)
        return attention_view(
            panes,
            self._top(all_shown, values),
            patch=None if patch < 0 else divmod(patch, self._choices.grid[1]),
            thumbs=thumbs,
            thumb_tops=tops,
            chosen=None if column is None else (spot.layer, column),
            columns=[*(str(head) for head in range(1, heads + 1)), "mean", "roll"],
            opacity=self._state["opacity"],
            description=self.describe(),
        )

    @cached_property
    def payload(self) -> dict[str, Any]:
        """All numbers and pictures that the page is sent."""
        return viewer_payload(self.series, self.pictures, self.names, self.labels, self.classes)

    @cached_property
    def payload_text(self) -> str:
        """The payload as JSON."""
        return page.json_for_script(self.payload)

    def __repr__(self) -> str:
        recording = next(iter(next(iter(self.series.values())).values()))
        layers, heads = recording.weights.shape[1:3]
        rows, columns = recording.patch_grid
        return (
            f"AttentionViewer({', '.join(self.series)}: {len(self.names)} images, "
            f"{layers} layers, {heads} heads, {rows} x {columns} patches)"
        )

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The page in a frame, and a still picture for pages that may not run it."""
        (png, look), text = self.picture()._repr_png_(), self.describe()
        still = page.figure(png, text, width=look["width"])
        shown = page.frame(self._page(), still, title=TITLE, height=HEIGHT)
        data = {"text/html": shown, "image/png": png, "text/plain": repr(self)}
        return data, {"image/png": {"width": look["width"], "alt": text}}

    def _page(self, picture: str = "") -> str:
        """The page as it starts with what is shown; `picture` is for readers without scripts."""
        module = "attention_viewer"
        return page.page(module, self.payload, self._state, title=TITLE, picture=picture)

    def _shown(self) -> list[Shown]:
        """What each pane shows."""
        state, panes = self._state, []
        for suffix in ("", "2") if state["compare"] else ("",):
            name, moments = list(self.series.items())[state[f"model{suffix}"]]
            frames = list(moments.values())
            epoch = min(state[f"epoch{suffix}"], len(frames) - 1)
            if len(frames) > 1:
                name = f"{name}, {list(moments)[epoch]}"
            layers, heads = frames[epoch].weights.shape[1:3]
            layer, head = (
                state[name] if not suffix or state[f"{name}2"] < 0 else state[f"{name}2"]
                for name in ("layer", "head")
            )
            layer, head = min(layer, layers - 1), min(head, heads - 1)
            spot = Spot(state["view"], state[f"image{suffix}"], layer, head, state["class"])
            panes.append(Shown(name, frames, frames[epoch], spot))
        return panes

    def _top(self, panes: list[Shown], values: list[np.ndarray]) -> float:
        """The end of the colour scale: the panes share it."""
        scale = self._state["scale"]
        if scale == "patch":
            return max(float(value.max()) for value in values) or 1.0
        scopes = [(shown.frames, shown.spot) for shown in panes]
        if scale == "all":
            scopes = [(frames.values(), panes[0].spot) for frames in self.series.values()]
        return max(largest(frames, spot, scale) for frames, spot in scopes) or 1.0

    def _thumbs(self, shown: Shown) -> tuple[np.ndarray, np.ndarray]:
        """The small maps (layers, heads + 2, rows, columns) and the ends of their scales (layers, heads + 2)."""
        maps, tops = [], []
        for row in small_spots(shown.recording, shown.spot):
            values = [map_rows(shown.recording, spot, self._state["patch"])[0] for spot in row]
            maps.append([self._on_patches(value) for value in values])
            pairs = zip(row, values, strict=True)
            tops.append([self._top([shown._replace(spot=spot)], [value]) for spot, value in pairs])
        return np.array(maps), np.array(tops)

    def _on_patches(self, values: np.ndarray) -> np.ndarray:
        """Numbers of the tokens as a grid of patches, without the class token's."""
        rows, columns = self._choices.grid
        return values[len(values) - rows * columns :].reshape(rows, columns)


def _recordings(
    models: Recordable | Mapping[str, Recordable | Mapping[int, Recordable]], images: Tensor
) -> dict[str, dict[str, AttentionRecording]]:
    """What is given in any of its forms, as recordings by the names of model and epoch."""
    if not isinstance(models, Mapping):
        models = {"ViT": models}
    if not models:
        raise ValueError("the viewer needs at least one model; got an empty dict.")

    def recorded(model: Recordable) -> AttentionRecording:
        return model if isinstance(model, AttentionRecording) else record_attention(model, images)

    series = {}
    for name, moments in models.items():
        if not isinstance(moments, Mapping):
            moments = {"": moments}
        if not moments:
            raise ValueError(f"{name} has no epoch; give at least one recording.")
        series[str(name)] = {epoch_name(epoch): recorded(model) for epoch, model in moments.items()}
        if len(series[str(name)]) < len(moments):
            raise ValueError(f"two epochs of {name} have the same name; got {list(moments)}.")
    if len(series) < len(models):
        raise ValueError(f"two models have the same name; got {list(models)}.")
    return series


def _check(
    series: Mapping[str, Mapping[str, AttentionRecording]],
    images: int,
    labels: list[int] | None,
    classes: Sequence[str],
) -> None:
    """Raise ValueError unless all recordings are of these images and cut them into the same patches."""
    recordings = [recording for frames in series.values() for recording in frames.values()]
    for recording in recordings:
        if len(recording.weights) != images:
            raise ValueError(
                f"a recording is of {len(recording.weights)} images; got {images}. Pass those that were recorded."
            )
        if not recording.probabilities.isfinite().all():
            raise ValueError(
                "a model's probabilities must be finite; got NaN: its training has diverged. Leave it out."
            )
        first, grid = recordings[0].patch_grid, recording.patch_grid
        if grid != first:
            raise ValueError(
                "models in one viewer must cut images into the same patches; "
                f"got {first[0]} x {first[1]} and {grid[0]} x {grid[1]}. Use two viewers."
            )
        count = recording.probabilities.shape[1]
        if count != len(classes):
            raise ValueError(
                f"the models tell {count} classes apart; got {len(classes)} names of classes."
            )
    if labels is None:
        return
    if len(labels) != images:
        raise ValueError(f"labels must be one for each of {images} images; got {len(labels)}.")
    if not all(isinstance(label, int) and 0 <= label < len(classes) for label in labels):
        raise ValueError(f"labels must be numbers from 0 to {len(classes) - 1}; got {labels}.")
