"""Maps of any network by the gradient of a class's score: Grad-CAM, and gradient times input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlvc.inspection.forward import check_classes, evaluation_mode, to_input
from dlvc.models import DeepCNN, ResNet18, SimpleCNN
from dlvc.training import model_device


def grad_cam(model: nn.Module, images: Tensor, classes: Tensor, layer: str | None = None) -> Tensor:
    """Where a convolutional network finds what speaks for a class: (B, h, w), from 0 up, float32 on the CPU.

    The channels of `layer`, each weighted by the mean gradient of the class's score (before the softmax), added up, and
    negatives set to 0. images (B, 3, H, W), uint8 or float; classes (B,), one for each image. `layer` is a name as
    in `model.named_modules()`; None takes the last convolution after its ReLU (ResNet18: `backbone.layer4`).
    Where the map's cells lie on the image says `cell_span`: a layer without padding (SimpleCNN) has none at the border.
    The model's mode and gradients stay as they are.
    Source: Selvaraju et al. 2017, section 3, equations 1 and 2.
    Raises TypeError for a model without a default, ValueError for a layer that does not exist or has no places.
    """
    layer = layer or last_convolution(model)
    module = _layer_called(layer, model)
    classes = torch.as_tensor(classes)
    if tuple(classes.shape) != (len(images),):
        raise ValueError(
            f"classes must be ({len(images)},), one for each image; got {tuple(classes.shape)}. "
            "Try predict(model, images).argmax(dim=1)."
        )
    outputs: list[Tensor] = []

    def keep(_: nn.Module, __: tuple, output: Tensor) -> Tensor:
        # A frozen network has no graph yet. The clone keeps the output safe from an in-place ReLU behind it.
        outputs.append(output if output.requires_grad else output.detach().requires_grad_())
        return outputs[-1].clone()

    with (
        evaluation_mode(model),
        module.register_forward_hook(keep),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(model_device(model).type, enabled=False),
    ):
        scores = model(to_input(model, images).clone())
        channels = _with_places(outputs, layer)
        check_classes("classes", classes, scores)
        picked = scores.gather(1, classes.to(scores.device)[:, None]).sum()
        (gradients,) = torch.autograd.grad(picked, channels)
    weights = gradients.mean(dim=(2, 3), keepdim=True)  # (B, K, 1, 1)
    return (weights * channels.detach()).sum(dim=1).clamp(min=0).float().cpu()


def gradient_times_input(model: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """How much each pixel speaks for a class, for any network: (B, H, W), float32 on the CPU, negative if against it.

    The gradient of the class's score (before the softmax) times how far the pixel is from the image's mean colour,
    added up over the colours: to first order, what the score would lose if the pixel had the mean colour.
    images (B, 3, H, W), uint8 or float; classes (B,), one for each image. The model stays as it is.
    Source: Shrikumar et al. 2016, "Not just a black box", section 2, with the mean colour instead of black.
    """
    with (
        evaluation_mode(model),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(model_device(model).type, enabled=False),
    ):
        inputs = to_input(model, images).clone().requires_grad_()
        scores = model(inputs)
        check_classes("classes", classes, scores)
        picked = scores.gather(1, classes.to(scores.device)[:, None]).sum()
        (gradient,) = torch.autograd.grad(picked, inputs)
    inputs = inputs.detach()
    from_mean = inputs - inputs.mean(dim=(2, 3), keepdim=True)
    return (gradient * from_mean).sum(dim=1).float().cpu()


def last_convolution(model: nn.Module) -> str:
    """The name of the layer that Grad-CAM looks at: the last convolution with its ReLU, before any pooling.

    Raises TypeError for a model of another kind.
    """
    if isinstance(model, SimpleCNN):
        return "features.4"
    if isinstance(model, DeepCNN):
        return f"features.{len(model.features) - 1}.{len(model.features[-1]) - 2}"
    if isinstance(model, ResNet18):
        return "backbone.layer4"
    raise TypeError(
        f"Grad-CAM knows the last convolution of SimpleCNN, DeepCNN and ResNet18; got {type(model).__name__}. "
        "For another network give layer='...', for a vision transformer use dlvc.inspection.class_relevance."
    )


def _layer_called(name: str, model: nn.Module) -> nn.Module:
    modules = dict(model.named_modules())
    if name not in modules:
        raise ValueError(
            f"layer must be a name in model.named_modules(), such as {list(modules)[-1]!r}; got {name!r}."
        )
    return modules[name]


def _with_places(outputs: list[Tensor], layer: str) -> Tensor:
    """The layer's output (B, K, h, w) of one pass; ValueError if it has not more than one place."""
    shapes = [tuple(output.shape) for output in outputs]
    if len(outputs) != 1 or outputs[0].ndim != 4 or outputs[0].shape[2:].numel() < 2:
        raise ValueError(
            f"Grad-CAM needs a layer with one output (B, K, h, w) of more than one place; {layer} "
            f"gave {shapes}. Name an earlier layer: for ResNet18 and images of 32 pixels layer='backbone.layer2'."
        )
    return outputs[0]
