"""Each model is told apart in colour, in grey and by colour-blind eyes; each figure has a caption."""

from __future__ import annotations

import io
import itertools
import struct

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from dlvc.experiments.registry import EXPERIMENTS
from dlvc.plots.style import (
    COLOR_ERROR,
    OTHER_STYLE,
    STYLE,
    model_style,
    new_picture,
    set_description,
    small_png,
    spread_apart,
    styled,
)

STYLES = [experiment.style for experiment in EXPERIMENTS.values()]

# Simulation of missing red and green cones at full strength, for linear RGB.
# Source: Machado, Oliveira and Fernandes 2009, table 1.
SEEN = {
    "all cones": np.eye(3),
    "without red cones": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "without green cones": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(color: str, seen: np.ndarray) -> np.ndarray:
    """The CIE L*a*b* of a colour as eyes with those cones see it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    relative = TO_XYZ @ (seen @ linear).clip(0, 1) / TO_XYZ.sum(axis=1)
    bent = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * bent[1] - 16, 500 * (bent[0] - bent[1]), 200 * (bent[1] - bent[2])])


def test_no_two_models_share_a_colour_or_a_marker():
    styles = [*STYLES, OTHER_STYLE]
    assert len({style.color for style in styles}) == len(styles)
    assert len({style.marker for style in styles}) == len(styles)


@pytest.mark.parametrize("cones", SEEN)
def test_any_two_models_differ_visibly_for_eyes(cones):
    # A difference of 2 can just be noticed; 10 is clear at a glance.
    for first, second in itertools.combinations(STYLES, 2):
        difference = lab(first.color, SEEN[cones]) - lab(second.color, SEEN[cones])
        assert np.linalg.norm(difference) > 10, (first, second)


def test_models_of_one_family_differ_in_lightness_and_line_style():
    for family in ("CNNs", "Vision transformers"):
        styles = [model.style for model in EXPERIMENTS.values() if model.family == family]
        lightness = [lab(style.color, SEEN["all cones"])[0] for style in styles]
        assert min(-np.diff(lightness)) > 12
        assert len({style.line for style in styles}) == 3


def test_an_experiment_of_ones_own_gets_the_other_look():
    assert model_style("my-own") == OTHER_STYLE


def test_a_description_is_kept_and_written_under_the_picture():
    picture = new_picture(4, 3)
    assert set_description(picture, "A line goes up.") is picture
    assert picture.description == "A line goes up."
    assert picture.get_supxlabel() == "A line goes up."


@pytest.mark.parametrize("text", ["", "  ", "no full stop"])
def test_a_description_that_is_no_sentence_is_refused(text):
    with pytest.raises(ValueError, match="must be a sentence with a full stop; got"):
        set_description(new_picture(4, 3), text)


def test_a_notebook_gets_the_shown_size_and_the_description_as_alternative_text():
    picture = set_description(new_picture(4, 3), "Nothing is drawn.")
    data, about = picture._repr_png_()
    assert about == {"width": 384, "height": 288, "alt": "Nothing is drawn."}
    width, height = struct.unpack(">II", data[16:24])  # the PNG header: half as many pixels again
    assert (width, height) == (576, 432)
    assert repr(picture) == "<Figure size 384x288 with 0 Axes: Nothing is drawn.>"


def test_a_stored_picture_has_few_colours_only_where_no_pixel_changes_visibly():
    grey = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (256, 256))
    lines = np.stack((grey, grey, np.roll(grey, 128, axis=0)), axis=-1)
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    for pixels, mode in ((lines, "P"), (noise, "RGB")):
        stored = Image.open(io.BytesIO(small_png(Image.fromarray(pixels))))
        error = np.abs(np.asarray(stored.convert("RGB"), dtype=int) - pixels).max()
        assert stored.mode == mode and error <= (COLOR_ERROR if mode == "P" else 0)


def test_settings_of_the_user_change_no_figure_and_stay_as_they_were():
    @styled
    def font_size():
        assert matplotlib.rcParams["axes.spines.top"] is False
        return matplotlib.rcParams["font.size"]

    with matplotlib.rc_context({"font.size": 31.0}):
        assert font_size() == STYLE["font.size"]
        assert matplotlib.rcParams["font.size"] == 31.0


def test_labels_far_apart_stay_where_they_are():
    assert spread_apart([5, 1, 3], 2) == [5, 1, 3]


def test_labels_that_meet_move_apart_evenly_and_keep_their_order():
    assert spread_apart([1, 1], 2) == [0, 2]
    assert spread_apart([10, 0, 0.5, 1], 1) == [10, -0.5, 0.5, 1.5]


def test_a_label_of_two_lines_gets_the_room_of_two():
    assert spread_apart([1, 1], [2, 4]) == [-0.5, 2.5]  # 1 and 2 from their common border
    assert spread_apart([1, 0.5, 9], [2, 4, 2]) == [2.25, -0.75, 9]


def test_any_labels_end_up_at_least_the_gap_apart_in_their_order():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.random(9).tolist()
        moved = spread_apart(values, 0.08)
        assert np.array_equal(np.argsort(moved), np.argsort(values))
        assert np.diff(sorted(moved)).min() > 0.08 - 1e-9
        assert np.mean(moved) == pytest.approx(np.mean(values))
