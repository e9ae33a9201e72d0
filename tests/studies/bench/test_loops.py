"""All loops of the bench do the same work, so that their times may be compared."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dlvc.data import ImageData
from dlvc.studies.bench import loops, measure
from dlvc.studies.bench.loaders import OurBatches, SingleImages, SinglePictures
from dlvc.studies.bench.loops import LOOPS, Loop, losses_on_record, run_loop, timed_passes
from dlvc.studies.bench.measure import bench_config, bench_model, best_workers, equal_work

AVAILABLE = [name for name, loop in LOOPS.items() if loop.available]


def config():
    """Two passes over two batches."""
    return replace(bench_config(), train_size=128, epochs=2)


def each_image_once(loop: Loop, data: ImageData, count: int) -> bool:
    """Whether a pass of the loop takes each of the first `count` training images exactly once."""
    plain = replace(bench_config(), train_size=count, augmentation="none", epochs=1)
    model, seen = bench_model("simple-cnn", plain), []

    def keep(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if module.training:  # images (B, 3, H, W) in [0, 1]
            seen.append((255 * inputs[0].detach()).round().to(torch.uint8).cpu())

    with model.register_forward_pre_hook(keep):
        run_loop(loop, model, data, plain)
    seen_images, expected = (
        sorted(image.numpy().tobytes() for image in images)
        for images in (torch.cat(seen), data.train.first(count).images)
    )
    return seen_images == expected


def test_an_image_taken_twice_is_noticed(sketches):
    def forgetful(model, batches, config):
        first, *others = list(batches)
        model.train()
        return timed_passes(
            lambda: [model(images) for images, _ in (first, first, *others[1:])],
            config,
            torch.device("cpu"),
        )

    assert not each_image_once(Loop("forgetful", forgetful, OurBatches), sketches, 192)


@pytest.mark.parametrize("name", AVAILABLE)
def test_a_loop_has_the_losses_of_dlvc_on_the_same_batches(name, sketches):
    ours, theirs = (
        losses_on_record(LOOPS[loop], bench_model("simple-cnn", config()), sketches, config())
        for loop in ("dlvc", name)
    )
    assert len(ours) == 2
    assert theirs == pytest.approx(ours, rel=1e-4)


def test_the_proof_of_equal_work_notices_another_optimizer(sketches, monkeypatch):
    assert equal_work("simple-cnn", sketches, 3) < 1e-4

    def wrong(model, config):
        return torch.optim.SGD(model.parameters(), 0.1)

    monkeypatch.setattr(loops, "make_optimizer", wrong)
    assert equal_work("simple-cnn", sketches, 4) > 5e-4


@pytest.mark.parametrize("name", AVAILABLE)
def test_a_loop_goes_through_each_image_once_a_pass_and_says_how_long_each_pass_took(
    name, sketches
):
    assert each_image_once(LOOPS[name], sketches, 128)
    seconds = run_loop(LOOPS[name], bench_model("simple-cnn", config()), sketches, config())
    assert len(seconds) == 2
    assert min(seconds) > 0


def test_our_batches_are_those_that_dlvc_trains_on_to_the_bit(sketches):
    """Each step's images of two augmented epochs, in the order in which `train` gives them to the model."""
    augmented = replace(config(), augmentation="crop-and-mirror", largest_shift=4, seed=3)
    model, seen = bench_model("simple-cnn", augmented), []
    model.register_forward_pre_hook(
        lambda module, images: seen.append(images[0].clone()) if module.training else None
    )
    run_loop(LOOPS["dlvc"], model, sketches, augmented)
    batches = OurBatches(sketches.train.first(128), augmented)
    ours = [images for _ in range(2) for images, _ in batches]
    assert len(batches) == 2
    assert [torch.equal(one, other) for one, other in zip(seen, ours, strict=True)] == [True] * 4
    assert not torch.equal(ours[0], ours[2])


@pytest.mark.parametrize("kind", [SingleImages, SinglePictures])
def test_single_images_are_the_same_as_whole_batches_make_them(kind, sketches):
    plain = replace(config(), augmentation="none")
    for number in (0, 7):
        image, label = kind(sketches.train, plain)[number]
        assert image.dtype == torch.float32
        assert torch.equal((255 * image).round().to(torch.uint8), sketches.train.images[number])
        assert label == sketches.train.labels[number]


@pytest.mark.parametrize("kind", [SingleImages, SinglePictures])
def test_single_images_are_cut_and_mirrored_as_often_as_ours(kind, sketches):
    """Shifted by up to a pixel: nine places and two mirrorings, so one of 18 images is as it was."""
    single = kind(sketches.train, replace(config(), largest_shift=1))
    torch.manual_seed(0)
    seen = [single[0][0] for _ in range(400)]
    assert len({image.numpy().tobytes() for image in seen}) == 18
    assert bench_config().augmentation == "crop-and-mirror"


def test_a_loop_whose_losses_are_not_numbers_is_named(sketches, monkeypatch):
    def losses(loop, *_):
        return [1.0, float("nan") if loop.name == "tutorial loop" else 1.0]

    monkeypatch.setattr(measure, "losses_on_record", losses)
    with pytest.raises(RuntimeError, match="tutorial loop has losses of simple-cnn that are not"):
        equal_work("simple-cnn", sketches, 2)


def test_loops_take_turns_in_both_directions_and_each_round_has_its_floor(sketches, monkeypatch):
    order = []

    def run(loop, model, data, config):
        order.append(loop.name)
        return [9.0, 2.0]

    def bare(key, data, step, count):
        order.append(f"{count} bare")
        return [0.5] * count

    monkeypatch.setattr(measure, "run_loop", run)
    monkeypatch.setattr(measure, "bare_steps", bare)
    loops = {name: LOOPS[name] for name in ("dlvc", "tutorial loop")}
    seconds = measure.seconds_of_rounds("simple-cnn", sketches, config(), loops, 2)
    ours = ["1 bare", "dlvc", "1 bare"]
    assert order == [*ours, "tutorial loop", "tutorial loop", *ours]
    assert seconds["dlvc"] == seconds["tutorial loop"] == [1.0, 1.0]  # the second pass, by step
    assert seconds["bare step"] == [0.5, 0.5]
    assert min(seconds["data"]) > 0


def test_the_number_of_workers_is_the_one_with_which_the_tuned_loop_is_fastest(
    sketches, monkeypatch
):
    asked = []

    def loop(model, batches, config):
        asked.append(batches)
        return [9.0, {0: 3.0, 1: 1.0}.get(batches, 2.0)]

    monkeypatch.setattr(measure, "tuned_loop", loop)
    monkeypatch.setattr(measure, "worker_batches", lambda split, config, workers: workers)
    monkeypatch.setattr(measure, "usable_cores", lambda: 6)
    assert best_workers("simple-cnn", sketches, config()) == 1
    assert asked == [0, 1, 2, 4, 6, 6, 4, 2, 1, 0]
