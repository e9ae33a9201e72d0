"""The layout in which images enter a model changes how long a step takes, and nothing that it computes."""

import pytest
import torch

from dlvc.config import TrainConfig
from dlvc.experiments.registry import build_model
from dlvc.training.device import input_layout, memory_layout

CPU = torch.device("cpu")


@pytest.mark.parametrize("key", ["simple-cnn", "deep-cnn", "deep-cnn-bn"])
def test_a_cnn_on_a_cpu_scores_images_of_both_layouts_alike(key):
    model = build_model(key, TrainConfig())
    layout = memory_layout(model, CPU)
    assert layout == torch.channels_last
    assert input_layout(model, CPU) == torch.contiguous_format
    model = model.to(memory_format=layout).eval()
    images = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        contiguous, rearranged = model(images), model(images.to(memory_format=layout))
    torch.testing.assert_close(contiguous, rearranged, rtol=0, atol=1e-6)


def test_many_filters_stay_contiguous_on_a_cpu():
    assert memory_layout(build_model("resnet18", TrainConfig()), CPU) == torch.contiguous_format
