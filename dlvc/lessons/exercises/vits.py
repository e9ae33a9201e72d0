"""How the answers to the exercises of notebook 03 are judged; each judge has the name of its exercise."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, scaled_dot_product_attention, unfold

from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.judges import random_numbers
from dlvc.models import VisionTransformer

larger_patches = judges.parts(
    {
        "tokens": judges.number(
            16,
            {
                64: "that is the number for patches of 4 x 4.",
                4: "that many patches stand side by side; there are as many rows of them.",
                17: "our ViT has no class token: the scores are read from the mean.",
            },
        ),
        "weights of a head": judges.number(
            256,
            {
                16: "each token has a weight for each token.",
                64 * 64: "that is the number for patches of 4 x 4.",
                1024: "that is all four heads.",
                12_288: "the weights of attention are meant, softmax's results, not parameters.",
            },
        ),
        "parameters more": judges.number(
            18_432,
            {
                24_704: "that is all of the new patch embedding: take away what the old one had.",
                24_576: "that is all of the new patch embedding: take away what the old one had.",
                6_144: "a patch has three colours.",
                18_432 + 128: "the embedding has 128 biases before and after.",
                0: "the patch embedding takes more numbers for each token.",
                4 * 6_272 - 6_272: "the biases do not grow with the patch.",
            },
        ),
    }
)
token_order = judges.parts(
    {
        "attention": judges.choice(
            "shuffled",
            same="each token takes its output along to its new place.",
            different="each token still sees the same set of tokens, in another order.",
        ),
        "attention, then the mean over tokens": judges.choice(
            "same",
            shuffled="after the mean there is only one list of numbers left to shuffle.",
            different="a mean does not depend on the order of its terms.",
        ),
        "positions added after shuffling, then attention and mean": judges.choice(
            "different",
            same="a patch that moves gets another position code, so the tokens are others.",
            shuffled="a patch that moves gets another position code, so the tokens are others.",
        ),
    }
)
batch_trap = judges.parts(
    {
        "weight for a single image": judges.number(
            1,
            {
                1 / 64: "the 64 tokens of the image are not what is attended over here.",
                0: "the weights of a softmax add up to 1, also if there is only one.",
            },
            within=1e-4,
        ),
        "test accuracy depends on": judges.choice(
            "both",
            **{
                "nothing": "the scores of an image depend on the others in its batch.",
                "batch size": "which images are neighbours matters as well, not only how many.",
                "order": "how many neighbours there are matters as well.",
            },
        ),
    }
)


def _gradient_pairs(
    model: VisionTransformer, images: Tensor, labels: Tensor
) -> list[tuple[float, float]]:
    """The norms of the gradient of queries and keys and of values, block by block."""
    model.zero_grad()
    cross_entropy(model(images), labels).backward()
    gradients = [block.attention.query_key_value.weight.grad for block in model.blocks]
    thirds = [gradient.chunk(3) for gradient in gradients]
    return [(torch.cat((q, k)).norm().item(), v.norm().item()) for q, k, v in thirds]


def qkv_gradients(answer: Any) -> str | None:
    """Judge the measurement on a small model that still holds the gradients of an earlier step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = VisionTransformer(image_size=8, embed_dim=16, depth=2, num_heads=2).eval()
    images, labels = random_numbers(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    right = _gradient_pairs(model, images, labels)
    known = {
        "the gradients of an earlier step are still in it: `zero_grad()` before you go back.": [
            (2 * first, 2 * second) for first, second in right
        ],
        "exchanged: queries and keys first, then values.": [pair[::-1] for pair in right],
        "cut at two thirds of the weight's own rows: this model has fewer numbers in a token.": [
            (math.hypot(first, second), 0.0) for first, second in right
        ],
        "these are the squares of the norms.": [(first**2, second**2) for first, second in right],
        "the order of the blocks: the first block comes first.": right[::-1],
    }
    mistakes = {reason: lambda *_, pairs=pairs: pairs for reason, pairs in known.items()}
    return judges.function(lambda *_: right, mistakes, [(model, images, labels)])(answer)


def _patches(images: Tensor, size: int) -> Tensor:
    return unfold(images, size, stride=size).transpose(1, 2)


def _six_axes(images: Tensor, size: int, *order: int) -> Tensor:
    batch, channels, height, width = images.shape
    cut = images.reshape(batch, channels, height // size, size, width // size, size)
    return cut.permute(0, *order).reshape(batch, -1, channels * size * size)


patchify = judges.function(
    _patches,
    {
        "the patches come column by column: they are wanted row by row.": lambda x, p: _six_axes(
            x, p, 4, 2, 1, 3, 5
        ),
        "rows and columns inside a patch are exchanged.": lambda x, p: _six_axes(
            x, p, 2, 4, 1, 5, 3
        ),
        "the colours of a pixel stand side by side: all red numbers come first.": lambda x, p: (
            _six_axes(x, p, 2, 4, 3, 5, 1)
        ),
        "`reshape` alone keeps the order of the numbers, so a patch holds pieces of rows: permute the axes.": (
            lambda x, p: x.reshape(len(x), -1, x.shape[1] * p * p)
        ),
        "the axes of patches and of numbers are exchanged.": lambda x, p: _patches(x, p).transpose(
            1, 2
        ),
    },
    [(random_numbers(2, 3, 8, 12, seed=1), 4), (random_numbers(1, 2, 6, 4, seed=2), 2)],
)


def _attention(query: Tensor, key: Tensor, value: Tensor, *, scale: float | None = None) -> Tensor:
    return scaled_dot_product_attention(query[None], key[None], value[None], scale=scale)[0]


attend = judges.function(
    _attention,
    {
        "the softmax goes over the wrong axis: the weights of each query, a row, must add up to 1.": (
            lambda q, k, v: (q @ k.T / q.shape[-1] ** 0.5).softmax(0) @ v
        ),
        "the scores are not divided by the root of d.": lambda q, k, v: _attention(
            q, k, v, scale=1.0
        ),
        "you divided by d, not by its root.": lambda q, k, v: _attention(
            q, k, v, scale=1 / q.shape[-1]
        ),
        "divide the scores before the softmax, not the weights after it.": lambda q, k, v: (
            _attention(q, k, v, scale=1.0) / q.shape[-1] ** 0.5
        ),
        "the softmax is missing: the scores themselves are no weights.": lambda q, k, v: (
            q @ k.T / q.shape[-1] ** 0.5 @ v
        ),
        "return the weighted mean of the values, not the weights.": lambda q, k, v: (
            q @ k.T / q.shape[-1] ** 0.5
        ).softmax(-1),
        "take the root of d, the length of a query, not of the number of keys.": lambda q, k, v: (
            _attention(q, k, v, scale=len(k) ** -0.5)
        ),
    },
    [
        (
            4 * random_numbers(rows, 8, seed=1),
            4 * random_numbers(7, 8, seed=2),
            random_numbers(7, 8, seed=3),
        )
        for rows in (7, 5)
    ],
)
faulty_line = judges.number(
    2,
    {
        1: "the linear layer puts queries, keys and values side by side in the last axis, and so they are cut.",
        3: "scores between tokens, divided by the root of d, with a softmax over the keys: that is the formula.",
        4: "(B, H, N, d) becomes (B, N, H, d), and the heads are put side by side: as it should be.",
    },
)
