"""The vision transformer in short classes, in reading order: patches, stem, positions, attention, block, whole.

Letters in shapes: B batch, N tokens, D embedding, H heads.
Source: Dosovitskiy et al. 2021, section 3.1, with the report's choice of fixed positions (report, section 4.2).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from dlvc.arguments import check_whole
from dlvc.models.cnn import convolution_block
from dlvc.models.normalize import Normalize, check_images
from dlvc.models.options import DROPOUT, option, options


class PatchEmbedding(nn.Module):
    """Tokens (B, N, embed_dim) for images (B, 3, height, width), one token for each square patch, row by row."""

    def __init__(self, *, patch_size: int, embed_dim: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.projection = nn.Linear(3 * patch_size**2, embed_dim)

    def forward(self, images: Tensor) -> Tensor:
        batch, channels, height, width = images.shape
        size = self.patch_size
        patches = images.view(batch, channels, height // size, size, width // size, size)
        patches = patches.permute(0, 2, 4, 1, 3, 5)  # (B, rows, columns, 3, size, size)
        patches = patches.flatten(3).flatten(1, 2)  # (B, N, 3 * size * size)
        return self.projection(patches)  # (B, N, D)


class ConvolutionalStem(nn.Module):
    """Tokens (B, N, embed_dim) for images (B, 3, height, width), as `PatchEmbedding` gives, but out of convolutions.

    Each convolution with its pooling halves the side, so neighbouring tokens share pixels and edges need not be learned
    by attention. Source: Xiao et al. 2021, "Early convolutions help transformers see better", section 3.
    Raises ValueError if `patch_size` is no power of two.
    """

    def __init__(self, *, patch_size: int, embed_dim: int) -> None:
        super().__init__()
        halvings = patch_size.bit_length() - 1
        if patch_size != 2**halvings or not halvings:
            raise ValueError(
                f"a convolutional stem halves the image, so patch_size must be 2, 4, 8, ...; got {patch_size}. Try 4."
            )
        self.patch_size = patch_size
        # The last convolution has embed_dim filters, each one before it half as many.
        widths = [3, *(max(1, embed_dim >> left) for left in reversed(range(halvings)))]
        self.convolutions = nn.Sequential(
            *(
                convolution_block(before, after, kernel_size=3, batch_norm=True)
                for before, after in pairwise(widths)
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.convolutions(images).flatten(2).transpose(1, 2)  # (B, N, D)


def sinusoidal_positions(count: int, embed_dim: int, *, base: float = 10_000.0) -> Tensor:
    """Position codes (count, embed_dim): sines in even columns, cosines in odd ones, each pair slower than the last.

    The larger `base`, the slower the slowest pair.
    Source: Vaswani et al. 2017, section 3.5. Raises ValueError if `embed_dim` is odd.
    """
    if embed_dim % 2:
        raise ValueError(
            f"embed_dim must be even, for pairs of sine and cosine; got {embed_dim}. Try {embed_dim + 1}."
        )
    position = torch.arange(count, dtype=torch.float64)[:, None]  # (count, 1)
    frequency = float(base) ** (
        -torch.arange(0, embed_dim, 2, dtype=torch.float64) / embed_dim
    )  # (embed_dim / 2,)
    angles = position * frequency  # (count, embed_dim / 2)
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1).float()


class SelfAttention(nn.Module):
    """Tokens (B, N, D), each replaced by a weighted mean over all tokens of the same image, in `num_heads` ways.

    The first axis is the batch: images never see each other. Source: Vaswani et al. 2017, section 3.2.
    """

    def __init__(self, *, embed_dim: int, num_heads: int) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(
                f"num_heads must divide embed_dim; got {num_heads} heads for {embed_dim} numbers a token. "
                "Try 4 heads for 128 numbers."
            )
        self.num_heads = num_heads
        self.query_key_value = nn.Linear(embed_dim, 3 * embed_dim)
        self.projection = nn.Linear(embed_dim, embed_dim)

    def split_heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of `tokens` (B, N, D), each (B, H, N, D / H)."""
        batch, count, embed_dim = tokens.shape
        joint = self.query_key_value(tokens)  # (B, N, 3 * D)
        joint = joint.view(batch, count, 3, self.num_heads, embed_dim // self.num_heads)
        query, key, value = joint.permute(2, 0, 3, 1, 4)  # (3, B, H, N, D / H)
        return query, key, value

    def attention_weights(self, tokens: Tensor) -> Tensor:
        """Weights (B, H, N, N): row i says how much token i takes from each token; rows sum to 1.

        The written-out first half of what `forward` leaves to the fused function.
        """
        query, key, _ = self.split_heads(tokens)
        scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5  # (B, H, N, N)
        return scores.softmax(dim=-1)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.split_heads(tokens)
        # Equal to attention_weights(tokens) @ value, without keeping the (N, N) weights in memory.
        mixed = scaled_dot_product_attention(query, key, value)  # (B, H, N, D / H)
        return self.projection(mixed.transpose(1, 2).flatten(2))  # (B, N, D)


class EncoderBlock(nn.Module):
    """Tokens (B, N, D) after attention between tokens and a two-layer network on each token, normalised before each.

    With `residual` both parts add to their input instead of replacing it.
    Source: Dosovitskiy et al. 2021, equations 2 and 3.
    """

    def __init__(self, *, embed_dim: int, num_heads: int, mlp_ratio: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.attention_norm = nn.LayerNorm(embed_dim)
        self.attention = SelfAttention(embed_dim=embed_dim, num_heads=num_heads)
        self.mlp_norm = nn.LayerNorm(embed_dim)
        self.mlp = nn.Sequential(
            nn.Linear(embed_dim, mlp_ratio * embed_dim),
            nn.GELU(),
            nn.Linear(mlp_ratio * embed_dim, embed_dim),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        if not self.residual:
            tokens = self.attention(self.attention_norm(tokens))
            return self.mlp(self.mlp_norm(tokens))
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.mlp(self.mlp_norm(tokens))


class VisionTransformer(nn.Module):
    """Class scores (B, num_classes) for images (B, 3, image_size, image_size) in [0, 1].

    `stem`, which makes the tokens, is "patch" or "convolution"; `positions` is "sinusoidal" (fixed) or "learned". The
    scores are read from the mean of all tokens, or, with `class_token`, from one more learned token in front. Dropout
    acts on what is read, before the head.
    Source: Dosovitskiy et al. 2021, section 3.1.
    Raises ValueError if the patch size does not divide the image size or the images are of another size.
    """

    @options(
        depth=option("Depth", "encoder blocks, one after the other", 1, 24, unit="blocks"),
        embed_dim=option("Width", "how many numbers a token has", 8, 1024, unit="numbers"),
        num_heads=option("Heads", "attention heads of a block; they share the width", 1, 64),
        mlp_ratio=option("MLP ratio", "width of a block's hidden layer over that of a token", 1, 8),
        patch_size=option(
            "Patch size", "side of the square that is one token", 1, 32, unit="pixels"
        ),
        residual=option("Residuals", "each half of a block adds to its input, not replacing it"),
        stem=option(
            "Stem",
            "what makes the tokens: one layer on each patch, or convolutions over their borders",
            choices=("patch", "convolution"),
        ),
        positions=option(
            "Positions",
            "how a token knows its place: by fixed waves or by learned numbers",
            choices=("sinusoidal", "learned"),
        ),
        class_token=option(
            "Class token", "reads the scores from a token of its own, not from the mean"
        ),
        dropout=DROPOUT,
    )
    def __init__(
        self,
        *,
        num_classes: int = 10,
        image_size: int = 32,
        patch_size: int = 4,
        embed_dim: int = 128,
        depth: int = 6,
        num_heads: int = 4,
        mlp_ratio: int = 2,
        residual: bool = True,
        stem: str = "patch",
        positions: str = "sinusoidal",
        class_token: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_whole("num_classes", num_classes, low=1, hint="Try 10.")
        check_whole("image_size", image_size, low=1, hint="Try 32.")
        if image_size % patch_size:
            raise ValueError(
                f"patch_size must divide image_size; got {patch_size} and {image_size}. Try 4 for images of 32 pixels."
            )
        self.image_size = image_size
        self.normalize = Normalize()
        embedding = PatchEmbedding if stem == "patch" else ConvolutionalStem
        self.patch_embedding = embedding(patch_size=patch_size, embed_dim=embed_dim)
        count = (image_size // patch_size) ** 2
        if positions == "learned":
            self.positions = nn.Parameter(0.02 * torch.randn(count, embed_dim))
        else:
            self.register_buffer(
                "positions", sinusoidal_positions(count, embed_dim), persistent=False
            )
        self.class_token = (
            nn.Parameter(0.02 * torch.randn(1, 1, embed_dim)) if class_token else None
        )
        self.blocks = nn.ModuleList(
            EncoderBlock(
                embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=mlp_ratio, residual=residual
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embed_dim, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, multiple_of=self.patch_embedding.patch_size)
        if images.shape[2:] != (self.image_size, self.image_size):
            size = " x ".join(map(str, images.shape[2:]))
            raise ValueError(
                f"this ViT was built for image_size={self.image_size}; got images of {size} pixels."
            )
        tokens = self.patch_embedding(self.normalize(images)) + self.positions  # (B, N, D)
        if self.class_token is not None:
            tokens = torch.cat(
                (self.class_token.expand(len(tokens), -1, -1), tokens), dim=1
            )  # (B, 1 + N, D)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        readout = tokens.mean(dim=1) if self.class_token is None else tokens[:, 0]  # (B, D)
        return self.head(self.dropout(readout))
