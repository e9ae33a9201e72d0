"""ResNet18 starts from weights it is given, with a new head; nothing here touches a network."""

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from dlvc.models.resnet import ResNet18


@pytest.fixture(scope="module")
def source() -> torch.nn.Module:
    """A torchvision ResNet18 with 200 classes and batch statistics other than the initial ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = resnet18(num_classes=200)
    model.bn1.running_mean.fill_(0.25)
    return model


def test_it_is_torchvisions_network_with_a_head_of_ten():
    model = ResNet18()
    assert sum(each.numel() for each in model.parameters()) == 11_176_512 + 512 * 10 + 10


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_from_a_file_and_the_head_is_new(source, tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    save_file(source.state_dict(), path) if suffix == ".safetensors" else torch.save(
        source.state_dict(), path
    )
    model = ResNet18(weights=path)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    source.eval()
    model.eval()
    before_head = torch.nn.Sequential(*list(source.children())[:-1]).eval()
    expected = before_head(model.normalize(images)).flatten(1)
    torch.testing.assert_close(model.backbone(model.normalize(images)), expected)
    assert model.head[1].out_features == 10


def test_half_precision_weights_become_float32(source):
    half = {
        name: each.half() if each.is_floating_point() else each
        for name, each in source.state_dict().items()
    }
    assert {each.dtype for each in ResNet18(weights=half).parameters()} == {torch.float32}


def test_frozen_trains_the_head_alone_and_keeps_the_batch_statistics(source):
    model = ResNet18(weights=source.state_dict(), frozen=True).train()
    assert [name for name, each in model.named_parameters() if each.requires_grad] == [
        "head.1.weight",
        "head.1.bias",
    ]
    model(torch.rand(4, 3, 32, 32))
    assert torch.equal(model.backbone.bn1.running_mean, torch.full((64,), 0.25))


def test_images_are_resized_to_image_size():
    model = ResNet18(image_size=64).eval()
    seen = []
    model.backbone.register_forward_pre_hook(
        lambda module, arguments: seen.append(arguments[0].shape)
    )
    model(torch.rand(1, 3, 32, 32))
    assert seen == [(1, 3, 64, 64)]


def test_foreign_weights_are_refused_in_one_sentence():
    with pytest.raises(
        ValueError, match=r"not the weights of torchvision's resnet18: .*conv1.weight"
    ):
        ResNet18(weights={"something.else": torch.zeros(3)})


def test_a_pickle_with_code_is_not_run(tmp_path):
    marker = tmp_path / "marker"

    class Trap:
        def __reduce__(self):
            return (marker.touch, ())

    torch.save({"conv1.weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(ValueError, match=r"trap\.pth is not a readable file of weights"):
        ResNet18(weights=tmp_path / "trap.pth")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pth"])
def test_a_damaged_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK damaged")
    with pytest.raises(ValueError, match=f"{name} is not a readable file of weights"):
        ResNet18(weights=tmp_path / name)
