"""The attention viewer without a browser: what is sent, what is said, what is refused, what a notebook stores."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from html_page import Page
from IPython.core.formatters import DisplayFormatter
from torch import Tensor

from dlvc.inspection.attention import AttentionRecording, record_attention
from dlvc.inspection.attention_statistics import attention_rollout
from dlvc.models.vit import VisionTransformer
from dlvc.widgets import AttentionViewer
from dlvc.widgets.page import json_for_script
from dlvc.widgets.viewer.payload import pack_rows, unpack_rows
from dlvc.widgets.viewer.reading import Spot, largest, percent, strongest
from dlvc.widgets.viewer.state import CHANGES, SCALES

ANIMALS = ("cat", "dog", "owl")
SPACE = "\N{NO-BREAK SPACE}"


# Recordings made by hand: four patches and perhaps a class token, two layers, two heads. All weights are 255ths of the
# largest in their row, so that they arrive as they are written here.


def hand_recording(*, class_token: bool = True, images: int = 1) -> AttentionRecording:
    tokens = 4 + class_token
    rows = torch.full((images, 2, 2, tokens, tokens), 1 / tokens)
    if class_token:
        rows[:, 0, 0, 0] = torch.tensor([0.0, 0.1, 0.3, 0.1, 0.5])  # the class token
        rows[:, 0, 0, 2] = torch.tensor([0.5, 0.2, 0.0, 0.2, 0.1])  # patch row 1, column 2
        rows[:, 0, 1, 2] = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
    else:
        rows[:, 0, 0, 1] = torch.tensor([0.5, 0.0, 0.3, 0.2])
    relevance = torch.tensor([[0.5, 0.0, 0.3, 0.2], [0.25] * 4, [0.0] * 4])
    silenced = torch.tensor([0.7, 0.2, 0.1]).expand(images, 2, 2, 3).clone()
    silenced[:, 0, 0] = torch.tensor([0.125, 0.625, 0.25])
    return AttentionRecording(
        weights=rows,
        rollout=attention_rollout(rows),
        relevance=relevance.expand(images, 3, 4).clone(),
        probabilities=torch.tensor([[0.75, 0.125, 0.125]]).expand(images, 3).clone(),
        silenced=silenced,
        patch_grid=(2, 2),
        patch_size=4,
        class_token=class_token,
    )


def grey_images(count: int = 1) -> Tensor:
    return torch.full((count, 3, 8, 8), 128, dtype=torch.uint8)


def hand_viewer(**shown: object) -> AttentionViewer:
    return AttentionViewer(hand_recording(), grey_images(), classes=ANIMALS, **shown)


# And two that a model made, at the size that the page is promised for.


@pytest.fixture(scope="module")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def model() -> VisionTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = VisionTransformer(depth=6, num_heads=8, class_token=True)
    for block in model.blocks:  # as if it had learned something: weights far from equal
        block.attention.query_key_value.weight.data *= 4
    return model


@pytest.fixture(scope="module")
def recording(model: VisionTransformer, images: Tensor) -> AttentionRecording:
    return record_attention(model, images)


@pytest.fixture
def viewer(recording: AttentionRecording, images: Tensor) -> AttentionViewer:
    return AttentionViewer(recording, images)


@pytest.fixture
def compared() -> AttentionViewer:
    """Two models made by hand, of which the first has three moments of its training."""
    one = hand_recording(images=2)
    series = {"Deep ViT": {0: one, 1: one, 5: one}, "Other": one}
    return AttentionViewer(series, grey_images(2), labels=[2, 0], classes=ANIMALS)


def shown_html(viewer: AttentionViewer) -> str:
    return viewer._repr_mimebundle_()[0]["text/html"]


# Numbers that are sent.


def arrived(packed: dict[str, object]) -> np.ndarray:
    """What the page makes of packed rows, (rows, length)."""
    steps = np.frombuffer(base64.b64decode(packed["bytes"]), np.uint8)
    scale = np.frombuffer(base64.b64decode(packed["largest"]), "<f4")
    return scale[:, None].astype(float) * steps.reshape(-1, packed["length"]) / 255


def test_every_number_arrives_within_a_510th_of_the_largest_in_its_row(
    viewer: AttentionViewer, recording: AttentionRecording
) -> None:
    (series,) = json.loads(viewer.payload_text)["series"]
    (frame,) = series["frames"]
    for name in ("weights", "rollout", "relevance"):
        sent = getattr(recording, name).flatten(0, -2).double().numpy()
        error = np.abs(arrived(frame[name]) - sent)
        assert error.shape == sent.shape
        assert error.max() > 0
        assert (error <= sent.max(axis=1, keepdims=True) / 510 * (1 + 1e-6)).all()
    silenced = np.frombuffer(base64.b64decode(frame["silenced"]), "<f4")
    assert (silenced == recording.silenced.flatten().numpy()).all()
    assert (np.float32(frame["probabilities"]) == recording.probabilities.numpy()).all()
    assert (frame["layers"], frame["heads"], frame["tokens"], frame["prefix"]) == (6, 8, 65, 1)


def test_rows_of_zeros_and_very_small_rows_arrive_too() -> None:
    rows = np.array([[0, 0, 0], [0, 1e-38, 1e-38], [1e-12, 2e-12, 0]], np.float32)
    error = np.abs(unpack_rows(*pack_rows(rows)) - rows)
    assert (error <= rows.max(axis=1, keepdims=True) / 510 * (1 + 1e-6)).all()


def test_two_images_of_six_layers_with_eight_heads_make_a_page_of_a_megabyte_at_most(
    viewer: AttentionViewer, tmp_path: Path
) -> None:
    assert viewer.save_html(tmp_path / "page.html").stat().st_size <= 1_000_000
    assert len(shown_html(viewer).encode()) <= 1_000_000


# The page.


def test_the_page_asks_for_nothing_outside_itself(viewer: AttentionViewer, tmp_path: Path) -> None:
    text = viewer.save_html(tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.all("script")) == 3
    readable = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)  # without packed numbers and pictures
    assert len(readable) < len(text) / 5
    outside = r"https?:|url\(|@import|\bimport\b|fetch|XMLHttp|WebSocket"
    assert re.findall(outside, readable) == []
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "poster")
    ]
    addresses += [image["source"] for image in viewer.payload["images"]]
    assert [address[:22] for address in addresses] == 3 * ["data:image/png;base64,"]


HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "\"quotes\" and 'quotes' onload=alert(1)",
    "two\nlines &amp; <!-- \\u003c",
    "a line\u2028separator and ${alert(1)} $\\frac$",
)


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")  # of the separator
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_text_whatever_it_holds(name: str, tmp_path: Path) -> None:
    def viewer_of(name: str) -> AttentionViewer:
        models = {name: {name + "0": hand_recording(), name + "1": hand_recording()}}
        classes = (name, "dog", name + "2")
        return AttentionViewer(models, grey_images(), labels=[0], classes=classes)

    viewer, harmless = viewer_of(name), viewer_of("harmless")
    assert name in viewer.describe()
    cell, expected = Page(shown_html(viewer)), Page(shown_html(harmless))
    assert structure(cell) == structure(expected)
    framed, expected = (Page(page.all("iframe")[0]["srcdoc"]) for page in (cell, expected))
    assert structure(framed) == structure(expected)
    saved, expected = (
        Page(each.save_html(tmp_path / "page.html").read_text(encoding="utf-8"))
        for each in (viewer, harmless)
    )
    assert structure(saved) == structure(expected)
    for page in (cell, saved):
        assert [picture["alt"] for picture in page.all("img")] == [viewer.describe()]
    for page in (framed, saved):
        check_scripts(page, name)


def structure(page: Page) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in page.elements]


def check_scripts(page: Page, name: str) -> None:
    payload, state, module = page.texts("script")
    received = json.loads(payload)
    assert received["classes"] == [name, "dog", name + "2"]
    assert received["series"][0]["name"] == name
    assert [frame["name"] for frame in received["series"][0]["frames"]] == [name + "0", name + "1"]
    assert received["images"][0]["name"] == f"image 1, {name}"
    assert json.loads(state)["image"] == 0
    assert "alert(1)" not in module
    for text in (payload, state):
        assert not set(text) & set("<>&\u2028")  # no browser can see an end of the script in it


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_for_script({"value": float("nan")})


# What `show` is told.

# For each key: what it is told, and what then differs from the start in the page's state.
SHOWN = {
    "image": (2, {"image": 1}),
    "layer": (2, {"layer": 1}),
    "head": (2, {"head": 1}),
    "patch": ((2, 1), {"patch": 2}),
    "model": ("Other", {"model": 1, "epoch": 0}),
    "epoch": (1, {"epoch": 1}),
    "view": ("rollout", {"view": "rollout"}),
    "class_name": ("owl", {"class": 2, "view": "relevance"}),
    "scale": ("all", {"scale": "all"}),
    "opacity": (0, {"opacity": 0.0}),
    "table": (True, {"table": True}),
    "other": (
        {"image": 2, "model": "Deep ViT", "epoch": 1, "layer": 2, "head": 1},
        {"compare": True, "image2": 1, "epoch2": 1, "layer2": 1, "head2": 0},
    ),
}


def state_of(viewer: AttentionViewer) -> dict[str, object]:
    """The state that is sent to a page."""
    return dict(viewer.live().state)


def test_the_page_of_a_cell_and_a_saved_page_start_with_what_is_shown(
    compared: AttentionViewer, tmp_path: Path
) -> None:
    compared.show(**{key: value for key, (value, _) in SHOWN.items() if key != "model"})
    frame = Page(shown_html(compared)).all("iframe")[0]["srcdoc"]
    saved = compared.save_html(tmp_path / "page.html").read_text(encoding="utf-8")
    for page in (Page(frame), Page(saved)):
        payload, state, _ = page.texts("script")
        assert json.loads(state) == state_of(compared)
        assert json.loads(payload) == compared.payload


@pytest.mark.parametrize("key", CHANGES)
def test_show_sets_what_it_is_told_and_nothing_else(key: str, compared: AttentionViewer) -> None:
    value, expected = SHOWN[key]
    compared.show(class_name="cat", view="head")
    start = state_of(compared)
    assert start["epoch"] == 2  # the last, where nothing is said
    assert {name: start[name] for name in expected} != expected
    assert compared.show(**{key: value}) is compared
    assert state_of(compared) == {**start, **expected}


def test_whole_numbers_of_other_libraries_are_numbers(compared: AttentionViewer) -> None:
    compared.show(layer=np.int64(2), head=torch.tensor(2), patch=[np.int8(1), 2], epoch=np.int64(1))
    state = state_of(compared)
    assert [state[name] for name in ("layer", "head", "patch", "epoch")] == [1, 1, 1, 1]


def test_patch_none_is_the_readout_and_other_none_ends_the_comparison(
    compared: AttentionViewer,
) -> None:
    before = state_of(compared.show(patch=(1, 1)))
    assert (before["patch"], before["compare"]) == (0, False)
    compared.show(patch=None, other={})
    during = state_of(compared)
    assert (during["patch"], during["compare"]) == (-1, True)
    assert (during["layer2"], during["head2"]) == (-1, -1)  # as in the first pane
    assert state_of(compared.show(other=None))["compare"] is False


BAD = [
    ({"image": 3}, r"image must be a number from 1 to 2; got 3"),
    ({"layer": True}, r"layer must be a number from 1 to 2; got True"),
    ({"layer": torch.tensor(2.5)}, r"layer must be a number from 1 to 2; got tensor\(2.5"),
    ({"head": 1.0}, r"head must be a number from 1 to 2; got 1\.0"),
    ({"head": "1"}, r"head must be a number from 1 to 2; got '1'"),
    ({"patch": (0, 1)}, r"patch must be a row from 1 to 2 and a column from 1 to 2; got \(0, 1\)"),
    ({"patch": 5}, r"patch must be \(row, column\), or None for the readout; got 5"),
    ({"patch": "11"}, r"patch must be \(row, column\), or None for the readout; got '11'"),
    ({"patch": (1, 2, 3)}, r"patch must be \(row, column\), or None .* got \(1, 2, 3\)"),
    ({"patch": (1.5, 2)}, r"patch must be \(row, column\), or None .* got \(1\.5, 2\)"),
    ({"model": "CNN"}, r"model must be one of Deep ViT, Other; got 'CNN'"),
    ({"model": 1}, r"model must be one of Deep ViT, Other; got 1"),
    ({"epoch": 2}, r"epoch must be one of epoch 0, epoch 1, epoch 5; got 2"),
    ({"model": "Other", "epoch": 0}, r"Other has one moment, so no epoch; got 0"),
    ({"class_name": "tiger"}, r"class_name must be one of cat, dog, owl; got 'tiger'"),
    ({"scale": "row"}, r"scale must be one of patch, head, layer, all; got 'row'"),
    ({"opacity": 1.1}, r"opacity must be a number from 0 to 1; got 1\.1\. 0 is the image"),
    ({"opacity": float("nan")}, r"opacity must be a number from 0 to 1; got nan"),
    ({"table": "no"}, r"table must be of type bool; got 'no'\. Give True or False"),
    ({"opacity": True}, r"opacity must be a number from 0 to 1; got True"),
    ({"other": 2}, r"other must be a dict of image, model, epoch, layer, head, or None; got 2"),
    ({"other": {"patch": 1}}, r"other must be a dict of image, .*; got \{'patch': 1\}"),
    ({"other": {"layer": 7}}, r"layer must be a number from 1 to 2; got 7"),
    ({"other": {"epoch": 9}}, r"epoch must be one of epoch 0, epoch 1, epoch 5; got 9"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[str(change) for change, _ in BAD])
def test_what_is_not_there_is_answered_with_what_came_and_what_is_allowed(
    change: dict[str, object], message: str, compared: AttentionViewer
) -> None:
    before = state_of(compared)
    with pytest.raises(ValueError, match=message):
        compared.show(opacity=0.5, **change) if "opacity" not in change else compared.show(**change)
    assert state_of(compared) == before


def test_a_model_that_is_chosen_comes_with_its_own_last_epoch(
    recording: AttentionRecording, images: Tensor
) -> None:
    series = {"first": recording, "second": {0: recording, 1: recording}}
    viewer = AttentionViewer(series, images)
    assert state_of(viewer.show(model="second"))["epoch"] == 1
    assert state_of(viewer.show(model="first"))["epoch"] == 0
    assert state_of(viewer.show(other={"model": "second"}))["epoch2"] == 1


# What does not fit together.


def test_what_does_not_fit_together_is_refused(model: VisionTransformer, images: Tensor) -> None:
    coarse = VisionTransformer(patch_size=8, depth=1)
    both = {"fine": model, "coarse": coarse}
    with pytest.raises(ValueError, match="same patches; got 8 x 8 and 4 x 4"):
        AttentionViewer(both, images)
    one, two = hand_recording(), hand_recording(images=2)
    with pytest.raises(ValueError, match="a recording is of 2 images; got 1"):
        AttentionViewer(two, grey_images(), classes=ANIMALS)
    with pytest.raises(ValueError, match="a recording is of 1 images; got 2"):
        AttentionViewer({"a": two, "b": one}, grey_images(2), classes=ANIMALS)
    with pytest.raises(ValueError, match="tell 3 classes apart; got 10 names"):
        AttentionViewer(one, grey_images())
    with pytest.raises(TypeError, match="got Linear"):
        AttentionViewer(torch.nn.Linear(2, 2), grey_images())


@pytest.mark.parametrize("part", ["blocks.0.attention.query_key_value", "head"])
def test_a_model_that_diverged_is_refused_in_words(part: str, images: Tensor) -> None:
    broken = VisionTransformer(depth=1)
    broken.get_submodule(part).weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="finite"):
        AttentionViewer(broken, images)


# What is said.


def test_the_sentences_about_a_patch_are_those_of_its_row_and_column() -> None:
    assert hand_viewer(patch=(1, 2)).describe() == (
        "ViT, image 1: layer 1 of 2, head 1 of 2. "
        # Row 2 of the weights; the first of two equal ones first.
        "Query patch row 1, column 2 attends most to: the class token (50.0 %); row 1, column 1 (20.0 %); "
        "row 2, column 1 (20.0 %); row 2, column 2 (10.0 %); row 1, column 2 (0.0 %). "
        # Column 2 of the weights: nothing from itself, a fifth from the other patches.
        "It is attended to most by: the class token (30.0 %); row 1, column 1 (20.0 %); "
        "row 2, column 1 (20.0 %); row 2, column 2 (20.0 %); row 1, column 2 (0.0 %). "
        "Equal attention would be 20.0 %. "
        "The model says cat (75.0 %); with this head silenced 12.5 %."
    ).replace(" %", f"{SPACE}%")


def test_the_readout_is_the_class_token_or_the_mean_of_all_patches() -> None:
    with_token = hand_viewer().describe().replace(SPACE, " ")
    assert (
        "Readout, the class token, attends most to: row 2, column 2 (50.0 %); row 1, column 2 "
        in with_token
    )
    assert (
        "It is attended to most by: row 1, column 2 (50.0 %); row 1, column 1 (20.0 %);"
        in with_token
    )
    without = AttentionViewer(
        hand_recording(class_token=False), grey_images(), classes=ANIMALS
    ).describe()
    # Three rows of a quarter each, and one of 50, 0, 30 and 20 %: their mean.
    assert (
        "Readout, the mean of all patches, attends most to: row 1, column 1 (31.3 %); row 2, column 1 (26.3 %); "
        "row 2, column 2 (23.8 %); row 1, column 2 (18.8 %). Equal attention would be 25.0 %."
    ) in without.replace(SPACE, " ")
    assert "attended to most by" not in without


def test_relevance_is_told_in_patches_and_without_a_head_to_silence() -> None:
    viewer = hand_viewer(class_name="cat", patch=(2, 2))
    assert viewer.describe() == (
        "ViT, image 1: relevance for class cat. Its largest shares: row 1, column 1 (50.0 %); "
        "row 2, column 1 (30.0 %); row 2, column 2 (20.0 %); row 1, column 2 (0.0 %). The model says cat (75.0 %)."
    ).replace(" %", f"{SPACE}%")
    ties = viewer.show(class_name="dog").describe().replace(SPACE, " ")
    assert "row 1, column 1 (25.0 %); row 1, column 2 (25.0 %); row 2, column 1 (25.0 %)" in ties
    assert "relevance for class owl. Its largest shares: row 1, column 1 (0.0" in (
        viewer.show(class_name="owl").describe()
    )


def test_the_mean_of_heads_and_the_rollout_say_which_they_are() -> None:
    mean = hand_viewer(patch=(1, 2), view="mean").describe().replace(SPACE, " ")
    # Half of the row above, half of a head that looks at itself only.
    assert "layer 1 of 2, mean of 2 heads. Query patch row 1, column 2 attends most to:" in mean
    assert "row 1, column 2 (50.0 %); the class token (25.0 %); row 1, column 1 (10.0 %)" in mean
    assert "silenced" not in mean
    rollout = hand_viewer(patch=(1, 2), view="rollout").describe().replace(SPACE, " ")
    # Half stays where it is, half goes as the mean says; 12.5 % arrives as 42 of the 255 steps of 75 %.
    assert "rollout up to layer 1 of 2. Query patch row 1, column 2 attends most to:" in rollout
    assert "row 1, column 2 (75.0 %); the class token (12.4 %); row 1, column 1 (5.0 %)" in rollout


def test_a_comparison_is_told_one_after_the_other() -> None:
    models = {"first": {0: hand_recording(), 1: hand_recording()}, "second": hand_recording()}
    viewer = AttentionViewer(models, grey_images(), labels=[2], classes=ANIMALS, patch=(1, 2))
    first, second = (
        viewer.show(other={"model": "second", "head": 2}).describe().split(" Compared with ")
    )
    assert first.startswith(
        "first, epoch 1, image 1, owl: layer 1 of 2, head 1 of 2. Query patch row 1, "
    )
    assert second.startswith(
        "second, image 1, owl: layer 1 of 2, head 2 of 2. Query patch row 1, column 2 "
    )
    assert f"row 1, column 2 (100.0{SPACE}%)" in second
    assert f"silenced 70.0{SPACE}%" in second


def test_a_smaller_model_shows_its_last_layer_where_it_has_no_other() -> None:
    whole = hand_recording()
    first = {name: getattr(whole, name)[:, :1] for name in ("weights", "rollout", "silenced")}
    viewer = AttentionViewer(
        {"two layers": whole, "one layer": replace(whole, **first)},
        grey_images(),
        classes=ANIMALS,
        layer=2,
    )
    assert "two layers, image 1: layer 2 of 2, head 1" in viewer.describe()
    assert "one layer, image 1: layer 1 of 1, head 1" in viewer.show(model="one layer").describe()


def test_percentages_are_rounded_as_in_the_page() -> None:
    shares = [0.0625, 0.3125, 0.00049, 0.0005, 1.0, np.float32(0.1)]
    said = [percent(share).replace(SPACE, " ") for share in shares]
    assert said == ["6.3 %", "31.3 %", "0.0 %", "0.1 %", "100.0 %", "10.0 %"]


def test_of_many_equal_weights_the_first_are_named() -> None:
    values = np.full(65, 0.015)
    assert strongest(values, 5) == [0, 1, 2, 3, 4]
    values[[7, 40, 50]] = 0.02
    assert strongest(values, 5) == [7, 40, 50, 0, 1]


# Maps and scales.


def drawn_maps(viewer: AttentionViewer, grid: tuple[int, int]) -> list[np.ndarray]:
    """The arrays of patches in the still picture, in shares of the scale: the large ones, then the small ones."""
    pictures = viewer.picture().axes[0].images
    return [np.asarray(each.get_array()) for each in pictures if each.get_array().shape == grid]


def test_maps_are_rows_and_columns_of_the_tensors(
    viewer: AttentionViewer, recording: AttentionRecording
) -> None:
    weights, rollout = recording.weights.double().numpy(), recording.rollout.double().numpy()
    token = 1 + 10  # patch row 2, column 3
    viewer.show(image=2, layer=3, head=5, patch=(2, 3), scale="head")
    for view, matrix, top in (
        ("head", weights[1, 2, 4], weights[1, 2, 4].max()),
        ("mean", weights[1, 2].mean(axis=0), weights[1, 2].mean(axis=0).max()),
        ("rollout", rollout[1, 2], rollout[1, 2].max()),
    ):
        given, taken = drawn_maps(viewer.show(view=view), (8, 8))[:2]
        # Each head's row is off by its own largest / 510 at most.
        error = (weights[1, 2].max() if view == "mean" else matrix.max()) / 510 * (1 + 1e-6)
        assert np.abs(given.ravel() * top - matrix[token, 1:]).max() <= error
        assert np.abs(taken.ravel() * top - matrix[1:, token]).max() <= error
        assert (
            np.abs(matrix[token, 1:] - matrix[1:, token]).max() > 10 * error
        )  # so they are told apart
    assert weights[1, 2].mean(axis=0) == pytest.approx(recording.weights[1, 2].mean(dim=0).numpy())


def test_the_small_maps_are_all_heads_then_mean_and_rollout(
    viewer: AttentionViewer, recording: AttentionRecording
) -> None:
    large = drawn_maps(viewer.show(patch=(2, 3), scale="patch"), (8, 8))
    small = np.array(large[2:]).reshape(6, 10, 64)
    rows = torch.cat(
        (recording.weights[0, :, :, 11], recording.weights[0, :, :, 11].mean(1, keepdim=True),
         recording.rollout[0, :, None, 11]), dim=1,
    ).numpy()  # fmt: skip
    assert small == pytest.approx(rows[..., 1:] / rows.max(axis=-1, keepdims=True), abs=0.01)


@pytest.mark.parametrize("view", ["head", "mean", "rollout", "relevance"])
@pytest.mark.parametrize("scale", ["head", "layer", "all"])
def test_a_scale_ends_at_the_largest_number_of_its_scope(
    view: str, scale: str, recording: AttentionRecording
) -> None:
    weights, relevance = recording.weights.numpy(), recording.relevance.numpy()
    layer = {  # image 2, layer 3, head 5, class 7
        "head": weights[1, 2],
        "mean": weights[1, 2].mean(axis=0),
        "rollout": recording.rollout.numpy()[1, 2],
        "relevance": relevance[1],
    }[view]
    head = {"head": weights[1, 2, 4], "relevance": relevance[1, 6]}.get(view, layer)
    whole = {
        "head": weights,
        "mean": weights.mean(axis=2),
        "rollout": recording.rollout.numpy(),
        "relevance": relevance,
    }[view]
    expected = {"head": head, "layer": layer, "all": whole}[scale].max()
    spot = Spot(view, image=1, layer=2, head=4, number=6)
    assert largest([recording], spot, scale) == pytest.approx(expected, rel=1e-6)


def bar_end(viewer: AttentionViewer) -> str:
    """The number at the end of the still picture's colour scale."""
    texts = [text.get_text() for text in viewer.picture().axes[0].texts]
    return texts[texts.index("share of attention (%)") - 1]


def test_the_numbers_at_the_scale_are_those_of_its_scope() -> None:
    viewer = hand_viewer(patch=(1, 1), scale="patch")  # which takes a fifth from each
    assert bar_end(viewer) == "20.0"
    assert bar_end(viewer.show(scale="head")) == "50.0"
    assert bar_end(viewer.show(scale="layer")) == "100.0"
    assert bar_end(viewer.show(layer=2)) == "20.0"
    assert bar_end(viewer.show(scale="all")) == "100.0"


def test_panes_and_epochs_share_a_scale() -> None:
    late, early = hand_recording(), hand_recording()
    early.weights[:] = 0.2
    viewer = AttentionViewer(
        {"ViT": {0: early, 1: late}}, grey_images(), classes=ANIMALS, patch=(1, 1), epoch=0
    )
    assert bar_end(viewer) == "100.0"
    assert bar_end(viewer.show(scale="patch")) == "20.0"
    assert bar_end(viewer.show(patch=(1, 2), other={"epoch": 1})) == "50.0"


@pytest.mark.parametrize("scale", SCALES)
def test_equal_attention_is_flat_and_not_stretched(scale: str) -> None:
    """Head 1 of layer 2 takes a fifth from each; beside a head that takes everything it must look faint."""
    viewer = hand_viewer(layer=2, patch=(2, 1), scale=scale)
    given, taken = drawn_maps(viewer, (2, 2))[:2]
    expected = 0.2 if scale == "all" else 1.0
    assert given == pytest.approx(np.full((2, 2), expected))
    assert taken == pytest.approx(np.full((2, 2), expected))
    peaked = drawn_maps(viewer.show(layer=1, head=2, patch=(1, 1)), (2, 2))[0]
    assert peaked == pytest.approx(np.full((2, 2), 1.0 if scale == "patch" else 0.2))


def test_a_map_of_nothing_is_drawn_as_nothing() -> None:
    nothing = drawn_maps(hand_viewer(class_name="owl", scale="head"), (2, 2))[0]
    assert (nothing == 0).all()


# The still picture, and what a notebook shows and stores.


def test_the_still_picture_is_the_same_twice_and_has_the_sentences_as_alternative_text(
    tmp_path: Path,
) -> None:
    one, two = (hand_viewer(patch=(1, 2), other={"head": 2}) for _ in range(2))
    png, look = one.picture()._repr_png_()
    assert look["alt"] == one.picture().description == one.describe()
    assert png == two.picture()._repr_png_()[0] == two.save_png(tmp_path / "a.png").read_bytes()
    assert png != one.show(head=2).picture()._repr_png_()[0]


def test_a_cell_shows_a_page_a_picture_and_a_line_of_text_but_no_widget() -> None:
    viewer = hand_viewer(patch=(1, 2))
    data, metadata = DisplayFormatter().format(viewer)
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert data["text/plain"] == "AttentionViewer(ViT: 1 images, 2 layers, 2 heads, 2 x 2 patches)"
    assert metadata["image/png"]["alt"] == viewer.describe()
    page = Page(data["text/html"])
    (picture,), (frame,) = page.all("img"), page.all("iframe")
    assert picture["alt"] == viewer.describe()
    assert base64.b64decode(picture["src"].partition(",")[2]) == viewer.picture()._repr_png_()[0]
    assert frame["title"] == "Attention viewer"
    assert page.all("script") == []  # where frames are removed, nothing is left that runs


def test_the_line_of_text_has_no_address_and_is_the_same_twice() -> None:
    assert repr(hand_viewer()) == repr(hand_viewer())
    assert (
        repr(hand_viewer().live()) == repr(hand_viewer().live()) == "LiveWidget(attention viewer)"
    )


# The widget of a running notebook.


def from_the_page(widget: object, state: object) -> None:
    """What a front end does when something was chosen in it."""
    widget.set_state({"state": state})


def test_a_live_viewer_shows_what_python_says_and_tells_python_what_is_chosen() -> None:
    viewer = hand_viewer()
    widget = viewer.live()
    assert viewer.live() is widget
    assert json.loads(widget.payload) == viewer.payload
    viewer.show(layer=2, patch=(1, 2))
    assert (widget.state["layer"], widget.state["patch"]) == (1, 1)
    from_the_page(widget, {**widget.state, "layer": 0, "head": 1, "patch": 3})
    assert "layer 1 of 2, head 2 of 2. Query patch row 2, column 2 " in viewer.describe()
    assert state_of(viewer) == widget.state
    sent = []
    widget.observe(lambda change: sent.append(change["new"]["head"]), "state")
    viewer.show(head=2)  # which it shows already
    viewer.show(head=1)
    assert sent == [0]


BAD_STATES = [
    {"layer": 2}, {"layer": -1}, {"head": True}, {"head": 0.5}, {"patch": 4}, {"patch": -2}, {"layer2": -2},
    {"class": 3}, {"image2": 1}, {"epoch": 1}, {"view": "none"}, {"view": []}, {"scale": None}, {"opacity": 2},
    {"opacity": "1"}, {"compare": 1}, {"unknown": 0},
]  # fmt: skip
NO_STATES = [None, [], "head"]


@pytest.mark.parametrize("bad", BAD_STATES + NO_STATES, ids=str)
def test_a_state_that_no_page_sends_is_refused_and_changes_nothing(bad: object) -> None:
    viewer = hand_viewer(layer=2)
    widget, before = viewer.live(), state_of(viewer)
    state, message = bad, "state"
    if isinstance(bad, dict):
        state, message = before | bad, f"no viewer of ours has the state {next(iter(bad))} = "
    for change in (from_the_page, lambda widget, state: setattr(widget, "state", state)):
        with pytest.raises(traitlets.TraitError, match=message):
            change(widget, state)
        assert state_of(viewer) == widget.state == before


def test_all_that_is_sent_is_text_and_plain_numbers(viewer: AttentionViewer) -> None:
    """Bytes do not reach every front end."""
    widget = viewer.live()
    traits = widget.traits(sync=True)
    assert {"payload", "state", "_esm", "_css"} <= set(traits)
    assert [name for name, trait in traits.items() if isinstance(trait, traitlets.Bytes)] == []
    assert json.loads(json.dumps(widget.get_state(["payload", "state"])))
