"""Crops and mirror images are what they are called, and depend on (seed, epoch, image) alone."""

from __future__ import annotations

import torch

from dlvc.data.augment import PADDING, Draws, crop_and_mirror, epoch_generator, random_draws

IMAGES = torch.randint(
    0, 256, (50, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def draws_of(rows: int, columns: int, mirrored: bool) -> Draws:
    count = len(IMAGES)
    return Draws(
        torch.full((count,), rows), torch.full((count,), columns), torch.full((count,), mirrored)
    )


def test_a_cut_at_the_centre_changes_nothing():
    assert torch.equal(crop_and_mirror(IMAGES, draws_of(PADDING, PADDING, False)), IMAGES)


def test_mirroring_equals_torch_flip():
    assert torch.equal(crop_and_mirror(IMAGES, draws_of(PADDING, PADDING, True)), IMAGES.flip(3))


def test_every_cut_equals_slicing_the_padded_image():
    draws = random_draws(len(IMAGES), epoch_generator(0, 1))
    padded = torch.nn.functional.pad(IMAGES, (PADDING,) * 4)
    for image, row, column, mirrored, result in zip(
        padded, *draws, crop_and_mirror(IMAGES, draws), strict=True
    ):
        expected = image[:, row : row + 32, column : column + 32]
        assert torch.equal(result, expected.flip(2) if mirrored else expected)


def test_float_images_and_other_shapes_are_cut_alike():
    images = IMAGES[:, :, :20, :28]
    draws = random_draws(len(images), epoch_generator(0, 1))
    assert torch.equal(
        crop_and_mirror(images.float(), draws), crop_and_mirror(images, draws).float()
    )


def test_an_image_gets_the_same_draw_whatever_batch_it_is_in():
    draws = random_draws(len(IMAGES), epoch_generator(3, 2))
    whole = crop_and_mirror(IMAGES, draws)
    index = torch.tensor([7, 31, 2])
    assert torch.equal(crop_and_mirror(IMAGES[index], draws.take(index)), whole[index])


def test_draws_repeat_with_seed_and_epoch_and_change_with_either():
    def draw(seed: int, epoch: int) -> torch.Tensor:
        return torch.cat(
            [numbers.long() for numbers in random_draws(100, epoch_generator(seed, epoch))]
        )

    assert torch.equal(draw(0, 1), draw(0, 1))
    assert not torch.equal(draw(0, 1), draw(0, 2))
    assert not torch.equal(draw(0, 1), draw(1, 1))


def test_all_cuts_are_equally_likely_and_half_are_mirrored():
    draws = random_draws(90_000, epoch_generator(0, 1))
    for cuts in (draws.rows, draws.columns):
        counts = torch.bincount(cuts, minlength=2 * PADDING + 1)
        assert len(counts) == 9
        # Binomial with n = 90,000 and p = 1/9: standard deviation 94; five of them almost never happen.
        assert (counts - 10_000).abs().max() < 5 * 94
    assert abs(draws.mirrored.sum().item() - 45_000) < 5 * 150
