"""The exercises of notebook 03 name the likely mistake behind a wrong answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from wrong_answers import NAMED, Table, both_tests

from dlvc.models.vit import PatchEmbedding


def cut(images: Tensor, size: int, *, by_columns: bool = False) -> Tensor:
    """The patches (B, N, C, size, size), one after the other."""
    height, width = images.shape[2:]
    corners = [(y, x) for y in range(0, height, size) for x in range(0, width, size)]
    if by_columns:
        corners.sort(key=lambda corner: corner[::-1])
    return torch.stack([images[:, :, y : y + size, x : x + size] for y, x in corners], dim=1)


def gradient_norms(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    clear: bool = True,
    border: int | None = None,
) -> list[tuple[float, float]]:
    if clear:
        model.zero_grad()
    cross_entropy(model(images), labels).backward()
    gradients = [block.attention.query_key_value.weight.grad for block in model.blocks]
    borders = [border or 2 * len(gradient) // 3 for gradient in gradients]
    return [
        (gradient[:rows].norm().item(), gradient[rows:].norm().item())
        for gradient, rows in zip(gradients, borders, strict=True)
    ]


def weights(query: Tensor, key: Tensor, *, axis: int = -1, divisor: float = 8**0.5) -> Tensor:
    return (query @ key.T / divisor).softmax(axis)


WRONG: Table = {
    "larger_patches": [
        ({"tokens": 64}, "patches of 4 x 4"),
        ({"tokens": 17}, "no class token"),
        ({"weights of a head": 16}, "a weight for each token"),
        ({"parameters more": 24_704}, "take away what the old one had"),
        ({"parameters more": 6_144}, "three colours"),
    ],
    "token_order": [
        ({"attention": "same"}, "takes its output along"),
        ({"attention, then the mean over tokens": "shuffled"}, "only one list of numbers"),
        (
            {"positions added after shuffling, then attention and mean": "same"},
            "another position code",
        ),
    ],
    "batch_trap": [
        ({"weight for a single image": 1 / 64}, "not what is attended over"),
        ({"weight for a single image": 0}, "add up to 1"),
        ({"test accuracy depends on": "nothing"}, "depend on the others"),
        ({"test accuracy depends on": "order"}, "how many neighbours"),
    ],
    "qkv_gradients": [
        (lambda m, x, y: gradient_norms(m, x, y, clear=False), "an earlier step"),
        (lambda m, x, y: [(v, qk) for qk, v in gradient_norms(m, x, y)], "exchanged"),
        (lambda m, x, y: gradient_norms(m, x, y, border=256), "the weight's own rows"),
        (lambda m, x, y: gradient_norms(m, x, y)[::-1], "the first block comes first"),
        (lambda m, x, y: [(a * a, b * b) for a, b in gradient_norms(m, x, y)], "squares"),
        (lambda m, x, y: gradient_norms(m, x, y)[:1], "it should return 2 values"),
        (lambda m, x, y: m.blocks[7], "your function stopped with IndexError"),
    ],
    "patchify": [
        (lambda x, p: cut(x, p, by_columns=True).flatten(2), "column by column"),
        (lambda x, p: cut(x, p).transpose(3, 4).flatten(2), "inside a patch are exchanged"),
        (lambda x, p: cut(x, p).permute(0, 1, 3, 4, 2).flatten(2), "colours of a pixel"),
        (lambda x, p: x.reshape(len(x), -1, x.shape[1] * p**2), "`reshape` alone"),
        (lambda x, p: cut(x, p).flatten(2).transpose(1, 2), "axes of patches and of numbers"),
        (cut, "should return the shape (2, 6, 48)"),
    ],
    "attend": [
        (lambda q, k, v: weights(q, k, axis=0) @ v, "wrong axis"),
        (lambda q, k, v: weights(q, k, divisor=1) @ v, "not divided by the root"),
        (lambda q, k, v: weights(q, k, divisor=8) @ v, "not by its root"),
        (lambda q, k, v: weights(q, k), "not the weights"),
        (lambda q, k, v: weights(q, k, divisor=1) / 8**0.5 @ v, "before the softmax"),
        (lambda q, k, v: q @ k.T / 8**0.5 @ v, "the softmax is missing"),
        (lambda q, k, v: weights(q, k).T @ v, "your function stopped with RuntimeError"),
    ],
    "faulty_line": [
        (1, "side by side in the last axis"),
        (3, "that is the formula"),
        (4, "as it should be"),
        ("2", "without quotes"),
    ],
}


test_a_typical_mistake_is_named, test_every_exercise_has_three_typical_mistakes = both_tests(
    "03_vits", WRONG
)


def test_the_patches_asked_for_are_those_that_the_library_embeds() -> None:
    embedding = PatchEmbedding(patch_size=4, embed_dim=5)

    def patchify(images: Tensor, size: int) -> Tensor:
        return cut(images, size).flatten(2)

    assert NAMED["patchify"].assess(patchify).heading == "right"
    images = torch.rand(2, 3, 8, 12)
    torch.testing.assert_close(embedding.projection(patchify(images, 4)), embedding(images))


def test_judging_gradients_leaves_the_global_random_numbers_as_they_were() -> None:
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    NAMED["qkv_gradients"].assess(gradient_norms)
    assert torch.equal(torch.rand(3), wanted)
