"""The small widgets of notebooks 01 to 03: their numbers against torch and formulas, and each of their controls."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dlvc.data import load_data
from dlvc.data.augment import crop_and_mirror, epoch_generator, random_draws
from dlvc.models.vit import sinusoidal_positions
from dlvc.widgets.explorers.augmentation import (
    MIRRORED,
    MIRRORS,
    augmentation_explorer,
    draw_in_signs,
    epoch_draws,
)
from dlvc.widgets.explorers.explorer import Explorer
from dlvc.widgets.explorers.kernel import IMAGES, KERNELS, OWN, kernel_explorer
from dlvc.widgets.explorers.layer_size import KINDS, Layer, layer_explorer
from dlvc.widgets.explorers.positions import code_similarity, position_explorer

TRAIN = load_data("sketch10", sizes=(40, 10, 10)).train
EXPLORERS = {
    "augmentation": lambda: augmentation_explorer(TRAIN, torch.tensor([3, 8])),
    "kernel": kernel_explorer,
    "layer": layer_explorer,
    "positions": position_explorer,
}
# For each control another value than its first.
MOVES = {
    "augmentation": {"seed": 1, "epoch": 2, "shift": 7, "mirror": MIRRORS[1]},
    "kernel": {"image": "slanted edge", "kernel": "sharpen", "position": 2, "w11": 4.0},
    "layer": {"kind": KINDS[1], "size": 31, "channels": 4, "filters": 7, "kernel": 4, "stride": 2, "padding": 1},
    "positions": {"side": 5, "embed_dim": 64, "base": 100, "position": 9},
}  # fmt: skip


def texts(explorer: Explorer) -> list[str]:
    """The texts of the drawing that is shown."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", explorer.drawing.value)


@pytest.mark.parametrize(
    ("name", "control"),
    [(name, control) for name, moves in MOVES.items() for control in moves],
)
def test_each_control_changes_the_drawing_and_its_description(name: str, control: str) -> None:
    explorer = EXPLORERS[name]()
    drawn, said = explorer.drawing.value, repr(explorer)
    explorer.controls[control].value = MOVES[name][control]
    assert explorer.drawing.value != drawn
    assert repr(explorer) != said


@pytest.mark.parametrize("name", MOVES)
def test_every_control_has_a_label_and_is_moved_above(name: str) -> None:
    controls = EXPLORERS[name]().controls
    assert all(control.description for control in controls.values())
    others = {f"w{place // 3}{place % 3}" for place in range(9)} - {"w11"}
    assert set(controls) - set(MOVES[name]) == (others if name == "kernel" else set())


@pytest.mark.parametrize("name", MOVES)
def test_a_drawing_keeps_its_size_whatever_is_chosen(name: str) -> None:
    explorer = EXPLORERS[name]()
    sizes = set()
    for control, value in MOVES[name].items():
        explorer.controls[control].value = value
        sizes.add(tuple(re.findall(r'<svg[^>]* (height|width)="([^"]*)"', explorer.drawing.value)))
    assert len(sizes) == 1


@pytest.mark.parametrize("name", MOVES)
def test_the_still_picture_says_what_the_widget_shows(name: str) -> None:
    explorer = EXPLORERS[name]()
    explorer.set(**MOVES[name])
    data, metadata = explorer._repr_mimebundle_()
    assert data["text/plain"] == repr(explorer)
    assert f'aria-label="{metadata["image/png"]["alt"]}"' in explorer.drawing.value


def test_what_cannot_be_is_said_in_words_and_no_control_is_moved() -> None:
    explorer = layer_explorer()
    explorer.set(size=3)
    assert "window of 5 x 5 is larger than the padded image of 3 x 3" in explorer.drawing.value
    assert (explorer.controls["size"].value, explorer.controls["kernel"].value) == (3, 5)
    explorer.set(padding=1)
    assert "into 6 x 1 x 1" in explorer.drawing.value
    odd = position_explorer().set(embed_dim=7)
    assert "embed_dim must be even" in odd.drawing.value
    far = position_explorer().set(side=4)
    assert "position must be a whole number from 0 to 15; got 27" in far.drawing.value
    assert far.controls["position"].value == 27


@pytest.mark.parametrize(
    ("values", "said"),
    [({"sise": 3}, "it has kind, size"), ({"kind": "dense"}, "cannot be 'dense'")],
)  # fmt: skip
def test_a_value_that_no_control_has_is_refused(values: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        layer_explorer().set(**values)


# Each in its own terms.

SETTINGS = list(itertools.product(KINDS, (1, 6, 7, 12), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2)))


def torch_layer(kind: str, size: int, kernel: int, stride: int, padding: int) -> nn.Module:
    if kind == KINDS[0]:
        return nn.Conv2d(2, 4, kernel, stride=stride, padding=padding)
    return nn.MaxPool2d(kernel, stride=stride, padding=padding)


def test_layer_sizes_parameters_and_work_are_torchs_and_torch_refuses_the_same() -> None:
    refused = 0
    for numbers in SETTINGS:
        settings = dict(zip(("kind", "size", "kernel", "stride", "padding"), numbers, strict=True))
        size = settings["size"]
        layer, images = torch_layer(**settings), torch.zeros(1, 2, size, size)
        try:
            with FlopCounterMode(display=False) as counter:
                shape = tuple(layer(images).shape[1:])
        except RuntimeError:
            refused += 1
            with pytest.raises(ValueError, match=r"larger than the padded|more than half"):
                Layer(**settings, channels=2, filters=4)
            continue
        made = Layer(**settings, channels=2, filters=4)
        assert (made.output_channels, made.output, made.output) == shape, settings
        assert made.parameters == sum(each.numel() for each in layer.parameters())
        assert made.multiply_adds == counter.get_total_flops() // 2
    assert 20 < refused < len(SETTINGS) / 2


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"), [(32, 5, 4, 0), (7, 2, 2, 0), (9, 3, 3, 1)]
)
def test_the_unused_rows_are_those_without_a_gradient(size, kernel, stride, padding) -> None:
    padded = torch.zeros(1, 1, size + 2 * padding, size + 2 * padding, requires_grad=True)
    nn.functional.conv2d(padded, torch.ones(1, 1, kernel, kernel), stride=stride).sum().backward()
    used = padded.grad[0, 0].any(dim=1).nonzero().max() + 1
    settings = {"size": size, "kernel": kernel, "stride": stride, "padding": padding}
    made = Layer(kind=KINDS[0], channels=1, filters=1, **settings)
    assert made.unused == len(padded[0, 0]) - used


def test_the_calculator_writes_the_formula_with_its_numbers() -> None:
    said = " ".join(texts(layer_explorer().set(size=32, stride=4)))
    for part in (
        "floor((32 + 2 · 0 − 5) / 4) + 1 = 7",
        "= 456",
        "0, 4, 8, ..., 24",
        "last 3 of 32",
    ):
        assert part in said


def test_the_images_are_those_that_training_sees() -> None:
    index = torch.tensor([3, 8, 21])
    of_the_epoch = random_draws(40, epoch_generator(5, 2))
    draws = epoch_draws(40, index, seed=5, epoch=2, mirror=MIRRORS[0])
    for got, all_draws in zip(draws, of_the_epoch, strict=True):
        assert torch.equal(got, all_draws[index])
    for mirror, share in ((MIRRORS[1], 0), (MIRRORS[2], 1)):
        changed = epoch_draws(40, index, seed=5, epoch=2, mirror=mirror)
        assert torch.equal(changed.rows, draws.rows)
        assert changed.mirrored.float().mean() == share


def moved(sign: re.Match[str] | None) -> int:
    """How many pixels an arrow with its number says, downwards or to the right."""
    return int(sign[2]) * (1 if sign[1] in "↓→" else -1) if sign else 0


def test_the_signs_say_where_a_pixel_went() -> None:
    index = torch.arange(40)
    draws = epoch_draws(40, index, seed=0, epoch=1, shift=3, mirror=MIRRORS[0])
    images = torch.zeros(40, 3, 11, 11)
    images[:, :, 5, 5] = 1  # in the middle, so that mirroring alone leaves it where it is
    seen = crop_and_mirror(images, draws, padding=3)[:, 0].nonzero()
    for number, row, column in seen.tolist():
        signs = draw_in_signs(draws, number, 3)
        vertical = re.search("([↑↓])([0-9])", signs)
        horizontal = re.search("([←→])([0-9])", signs)
        assert row == 5 + moved(vertical)
        assert column == 5 + moved(horizontal)
        assert (MIRRORED in signs) == bool(draws.mirrored[number])


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("image", IMAGES)
def test_a_step_adds_up_to_torchs_output(kernel: str, image: str) -> None:
    explorer = kernel_explorer().set(image=image, kernel=kernel)
    pixels, weights = (torch.tensor(each).float() for each in (IMAGES[image], KERNELS[kernel]))
    output = nn.functional.conv2d(pixels[None, None], weights[None, None]).flatten()
    for position in (1, 7, 16):
        explorer.set(position=position)
        said = float(repr(explorer).split()[-1].rstrip("."))
        assert said == pytest.approx(output[position - 1].item(), rel=0.005, abs=1e-6)


def test_another_filter_with_its_nine_numbers_is_drawn_once() -> None:
    explorer, drawn = kernel_explorer(), []
    explorer.drawing.observe(lambda change: drawn.append(change["new"]), "value")
    explorer.controls["kernel"].value = "sharpen"
    assert len(drawn) == 1


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 1e308])
@pytest.mark.filterwarnings("error")
def test_a_number_that_no_drawing_can_hold_is_refused_in_words(number: float) -> None:
    explorer = kernel_explorer()
    explorer.set(kernel=OWN)
    explorer.controls["w11"].value = number
    assert explorer.picture().description == (
        f"The filter's numbers must be between -1000 and 1000; got {number:g}. Type a smaller one."
    )


def test_a_filter_of_ones_own_starts_from_the_named_one_and_is_used() -> None:
    explorer = kernel_explorer().set(kernel="sharpen")
    boxes = [explorer.controls[f"w{row}{column}"] for row in range(3) for column in range(3)]
    assert [box.value for box in boxes] == np.ravel(KERNELS["sharpen"]).tolist()
    assert all(box.disabled for box in boxes)
    explorer.set(kernel=OWN, image="one bright pixel")
    assert not any(box.disabled for box in boxes)
    explorer.set(
        w22=0.5, position=1
    )  # the bright pixel, of 9, is at the window's lower right corner
    assert repr(explorer).endswith("adds up to 4.5.")


def test_similar_codes_are_those_of_the_formula() -> None:
    codes = sinusoidal_positions(16, 6, base=50)
    waves = [50 ** (-2 * k / 6) for k in range(3)]  # sin a sin b + cos a cos b = cos(a - b)
    by_hand = [sum(math.cos((3 - other) * wave) for wave in waves) / 3 for other in range(16)]
    assert code_similarity(codes, 3).tolist() == pytest.approx(by_hand, abs=1e-5)
