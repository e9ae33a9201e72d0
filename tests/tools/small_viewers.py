"""Two viewers of small untrained models. The tests run this file, and so does the notebook that they open."""

from __future__ import annotations

import torch

from dlvc.inspection.attention import record_attention
from dlvc.models.vit import VisionTransformer
from dlvc.widgets import AttentionViewer


def small_model(**settings: int | bool) -> VisionTransformer:
    """A model that is sure of where it looks, as a trained one is."""
    model = VisionTransformer(image_size=24, embed_dim=32, **settings).eval()
    with torch.no_grad():
        for block in model.blocks:
            block.attention.query_key_value.weight.mul_(3)
    return model


torch.manual_seed(0)
images = torch.randint(0, 256, (2, 3, 24, 24), dtype=torch.uint8)
model = small_model(depth=3, num_heads=4, class_token=True)
viewer = AttentionViewer(model, images, labels=[3, 5])
first, last, other = (small_model(depth=2, num_heads=2) for _ in range(3))
training = {0: record_attention(first, images), 1: record_attention(last, images)}
compared = AttentionViewer({"Training": training, "Other": other}, images, labels=[3, 5])
