"""Maps by gradients equal maps computed by hand, and a network's cells lie where its receptive fields are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from must_fail import must_fail
from torch import Tensor, nn
from torch.testing import assert_close

from dlvc.inspection.gradient_maps import grad_cam, gradient_times_input
from dlvc.models.cnn import DeepCNN, SimpleCNN
from dlvc.models.resnet import ResNet18
from dlvc.models.vit import VisionTransformer


def some_images(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


# Grad-CAM


def by_hand(images: Tensor, classes: Tensor) -> tuple[nn.Module, Tensor]:
    """A network of one convolution, ReLU and one linear layer, and its maps by loops over numbers."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(3, 4, 5, stride=3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 5))
    channels = model[0](images).detach()  # (B, 4, 10, 10)
    maps = torch.zeros(len(images), 10, 10)
    for image, number in enumerate(classes.tolist()):
        # The score is linear in what passes the ReLU, so its gradient is the weight there and 0 elsewhere.
        gradient = model[3].weight[number].detach().view(4, 10, 10) * (channels[image] > 0)
        for channel in range(4):
            maps[image] += gradient[channel].sum() / 100 * channels[image, channel]
    return model, maps.clamp(min=0)


def check_grad_cam(maps_of: Callable) -> None:
    images, classes = some_images(3), torch.tensor([4, 0, 4])
    model, expected = by_hand(images, classes)
    assert 0.1 < (expected > 0).float().mean() < 0.9
    assert_close(maps_of(model, images, classes, layer="0"), expected, atol=1e-6, rtol=1e-4)


def cam_by(weigh: Callable, *, target=lambda scores, classes: scores.gather(1, classes[:, None])):
    def maps_of(model, images, classes, layer):
        channels = model[0](images)
        (gradients,) = torch.autograd.grad(target(model[1:](channels), classes).sum(), channels)
        return weigh(channels, gradients).detach()

    return maps_of


def right_weights(channels: Tensor, gradients: Tensor) -> Tensor:
    return (channels * gradients.mean(dim=(2, 3), keepdim=True)).sum(dim=1).clamp(min=0)


def test_grad_cam_equals_maps_computed_by_hand():
    def without_mean(channels, gradients):
        return (channels * gradients).sum(dim=1).clamp(min=0)

    def negatives_kept(channels, gradients):
        return (channels * gradients.mean(dim=(2, 3), keepdim=True)).sum(dim=1)

    def mean_over_the_batch(channels, gradients):
        return (channels * gradients.mean(dim=(0, 2, 3), keepdim=True)).sum(dim=1).clamp(min=0)

    def probability(scores, classes):
        return scores.softmax(dim=1).gather(1, classes[:, None])

    check_grad_cam(grad_cam)
    check_grad_cam(cam_by(right_weights))
    for broken in (without_mean, negatives_kept, mean_over_the_batch):
        must_fail(check_grad_cam, cam_by(broken))
    must_fail(check_grad_cam, cam_by(right_weights, target=lambda scores, _: scores))
    must_fail(check_grad_cam, cam_by(right_weights, target=probability))


@pytest.mark.parametrize(
    ("build", "layer", "side"),
    [
        (SimpleCNN, "features.4", 10),
        (DeepCNN, "features.2.1", 8),
        (partial(DeepCNN, batch_norm=True), "features.2.2", 8),
        (partial(DeepCNN, depth=2), "features.1.1", 16),
        (partial(ResNet18, image_size=64), "backbone.layer4", 2),
        (partial(ResNet18, image_size=64, frozen=True), "backbone.layer4", 2),
    ],
)
def test_without_a_name_grad_cam_takes_the_rectified_last_convolution(build, layer, side):
    torch.manual_seed(0)
    model, classes = build().train(), torch.tensor([2, 7])
    modes = [each.training for each in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    maps = grad_cam(model, some_images(), classes)
    assert maps.shape == (2, side, side)
    assert maps.max() > 0
    assert torch.equal(maps, grad_cam(model, some_images(), classes, layer=layer))
    assert [each.training for each in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(each._forward_hooks for each in model.modules())
    assert last_convolution(model) == last_convolution_before(model, layer)


def last_convolution(model: nn.Module) -> str:
    return [name for name, each in model.named_modules() if isinstance(each, nn.Conv2d)][-1]


def last_convolution_before(model: nn.Module, layer: str) -> str:
    """The last convolution that runs before the output of `layer` is there."""
    ran: list[str] = []
    hooks = [
        each.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, each in model.named_modules()
        if isinstance(each, nn.Conv2d) or name == layer
    ]
    model.eval()(some_images())
    for hook in hooks:
        hook.remove()
    return ran[ran.index(layer) - 1]


def test_grad_cam_of_an_in_place_relu_inside_inference_mode_and_autocast_is_the_same():
    torch.manual_seed(0)
    model = ResNet18(image_size=32).eval()
    images, classes = some_images(), torch.tensor([2, 7])
    expected = grad_cam(model, images, classes, layer="backbone.layer1.1.bn1")
    for each in model.modules():
        if isinstance(each, nn.ReLU):
            each.inplace = False
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        maps = grad_cam(model.requires_grad_(False), images, classes, "backbone.layer1.1.bn1")
    assert maps.max() > 0
    assert_close(maps, expected)


@pytest.mark.parametrize(
    ("model", "changed", "message"),
    [
        (ResNet18, {}, "more than one place; backbone.layer4 gave .* 512, 1, 1"),
        (SimpleCNN, {"layer": "conv"}, "layer must be a name .* got 'conv'"),
        (SimpleCNN, {"layer": "classifier.1"}, r"classifier.1 gave \[\(2, 120\)\]"),
        (SimpleCNN, {"classes": torch.tensor([1])}, r"\(2,\), one for each image; got"),
        (
            SimpleCNN,
            {"classes": torch.tensor([1, -1])},
            "between 0 and 9.* got -1 to 1",
        ),
    ],
)
def test_impossible_grad_cams_are_named(model, changed, message):
    model = model()
    with pytest.raises(ValueError, match=message):
        grad_cam(model, **({"images": some_images(), "classes": torch.tensor([1, 2])} | changed))
    assert not any(each._forward_hooks for each in model.modules())


# Gradient times input


def check_gradient_times_input(maps_of: Callable) -> None:
    """A linear model loses exactly what the map says when a patch gets the mean colour."""
    torch.manual_seed(2)
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5)), some_images(3)
    classes = torch.tensor([4, 0, 2])
    maps = maps_of(model, images, classes)
    covered = images.clone()
    mean = images.mean(dim=(2, 3), keepdim=True)
    covered[:, :, 8:16, 4:8] = mean
    loss = (model(images) - model(covered)).gather(1, classes[:, None])[:, 0]
    assert_close(maps[:, 8:16, 4:8].sum(dim=(1, 2)), loss.detach(), atol=1e-5, rtol=1e-4)


def test_gradient_times_input_is_what_a_linear_model_loses_with_the_mean_colour():
    def from_black(model, images, classes):
        inputs = images.clone().requires_grad_()
        model(inputs).gather(1, classes[:, None]).sum().backward()
        return (inputs.grad * images).sum(dim=1)

    def of_another_class(model, images, classes):
        return gradient_times_input(model, images, (classes + 1) % 5)

    check_gradient_times_input(gradient_times_input)
    must_fail(check_gradient_times_input, from_black)
    must_fail(check_gradient_times_input, of_another_class)


@pytest.mark.parametrize("build", [partial(VisionTransformer, depth=1), SimpleCNN])
def test_gradient_times_input_takes_bytes_and_leaves_the_model_as_it_was(build):
    torch.manual_seed(0)
    model, classes = build().train(), torch.tensor([1, 2])
    with torch.no_grad():
        maps = gradient_times_input(model, (255 * some_images()).byte(), classes)
    assert maps.shape == (2, 32, 32) and maps.std() > 0
    assert all(layer.training for layer in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
