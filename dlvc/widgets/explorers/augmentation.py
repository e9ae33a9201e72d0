"""See the images of a batch as the training sees them: for any seed and epoch, with the library's own functions."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from dlvc.arguments import check_choice
from dlvc.data import PADDING, Draws, Split, crop_and_mirror, epoch_generator, random_draws
from dlvc.plots import Picture, show_images
from dlvc.widgets.explorers.explorer import Explorer, choice, slider

MIRRORED = "\N{RIGHTWARDS ARROW OVER LEFTWARDS ARROW}"
MIRRORS = ("half of the images", "no image", "every image")


def epoch_draws(
    count: int, index: Tensor, *, seed: int, epoch: int, shift: int = PADDING, mirror: str
) -> Draws:
    """The draws of the images at `index` out of `count`; with the defaults of training, those of training.

    Raises ValueError for a seed, epoch, shift or mirror that there is not.
    """
    check_choice("mirror", mirror, MIRRORS)
    draws = random_draws(count, epoch_generator(seed, epoch), padding=shift).take(index)
    if mirror == MIRRORS[0]:
        return draws
    return draws._replace(mirrored=torch.full_like(draws.mirrored, mirror == MIRRORS[2]))


def draw_in_signs(draws: Draws, number: int, shift: int) -> str:
    """What the draw does to image `number`: arrows with the pixels its content moves, and a double one if mirrored."""
    down, right = shift - int(draws.rows[number]), shift - int(draws.columns[number])
    if draws.mirrored[number]:
        right = -right  # it is cut first and mirrored then
    signs = [
        f"{arrows[steps > 0]}{abs(steps)}"
        for steps, arrows in (
            (down, "\N{UPWARDS ARROW}\N{DOWNWARDS ARROW}"),
            (right, "\N{LEFTWARDS ARROW}\N{RIGHTWARDS ARROW}"),
        )
        if steps
    ]
    return " ".join([*signs, *[MIRRORED] * int(draws.mirrored[number])]) or "unchanged"


def draw_batch(
    train: Split, index: Tensor, *, seed: int, epoch: int, shift: int, mirror: str
) -> Picture:
    """The images at `index` of the training split: above as they are stored, below as this epoch shows them."""
    draws = epoch_draws(len(train), index, seed=seed, epoch=epoch, shift=shift, mirror=mirror)
    originals = train.images[index]
    changed = crop_and_mirror(originals, draws, padding=shift)
    signs = [draw_in_signs(draws, number, shift) for number in range(len(index))]
    return show_images(
        torch.cat((originals, changed)),
        ["stored"] * len(index) + signs,
        columns=len(index),
        title=f"Epoch {epoch}, seed {seed}: up to {shift} pixels, mirrored: {mirror}",
        says=f"{len(index)} images as they are stored, and below them as epoch {epoch} with seed {seed} shows them; "
        f"arrows tell by how many pixels (up to {shift}) an image is moved, {MIRRORED} that it is mirrored: "
        f"{', '.join(signs)}.",
    )


def augmentation_explorer(train: Split, index: Tensor) -> Explorer:
    """Seed, epoch, largest shift and mirroring, above the images at `index` of the training split.

    index: (B,) numbers of images, eight or so. Raises ValueError for a number that there is not.
    """
    controls = {
        "seed": slider("Seed", 0, 0, 20),
        "epoch": slider("Epoch", 1, 1, 50),
        "shift": slider("Largest shift (pixels)", PADDING, 0, 12),
        "mirror": choice("Mirrored", MIRRORS, MIRRORS[0]),
    }
    return Explorer("Augmentation explorer", controls, partial(draw_batch, train, index))
