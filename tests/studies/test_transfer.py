"""Three starts are compared fairly: same labels, same steps, each its best rate; and the table's numbers are right."""

from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from small_run import make_run
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from dlvc.config import TrainConfig
from dlvc.data import ImageData, Split
from dlvc.experiments import EXPERIMENTS, build_model, pack_bits
from dlvc.statistics import compare
from dlvc.studies import transfer
from dlvc.studies.transfer import (
    FINE_TUNED,
    FROZEN,
    RANDOM,
    RATES,
    WAYS,
    Starts,
    TransferRun,
    compare_starts,
    labelled_images,
    load_runs,
    load_transfer,
    main,
    train_head,
    transfer_table,
)
from dlvc.training import NonFiniteLoss, predict, train

QUICK = {20: (3, 10)}  # 20 labels, 3 steps of 10 images
SMALL = {"image_size": 32, "weights_name": "made up"}


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Weights of a ResNet18 whose running statistics are not those of a new one."""
    model = build_model("resnet18", TrainConfig(seed=7))
    with torch.no_grad():
        model.train()(torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    return model.backbone.state_dict()


@pytest.fixture(scope="module")
def few(sketches: ImageData) -> ImageData:
    """Drawings of which 40 are for validation, and 40 for the test."""
    splits = {name: getattr(sketches, name).first(40) for name in ("validation", "test")}
    return replace(sketches, **splits)


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[TransferRun]:
    """The runs that are made, none of them trained: the middle one of the rates is best on validation images."""
    made = []

    def run(self: Starts, plan: TransferRun) -> TransferRun:
        accuracy = dict(zip(RATES, (0.2, 0.5, 0.4), strict=True))[plan.learning_rate]
        made.append(replace(plan, validation_accuracy=accuracy))
        return made[-1]

    monkeypatch.setattr(Starts, "run", run)
    return made


def test_each_class_has_as_many_labels_and_few_are_the_first_of_many(sketches):
    many = labelled_images(sketches.train, 40, seed=1)
    assert many.class_counts().tolist() == [4] * 10
    few = labelled_images(sketches.train, 20, seed=1)
    assert torch.equal(few.images, many.images[:20])
    other = labelled_images(sketches.train, 40, seed=2)
    assert not torch.equal(other.images, many.images)
    originals = {image.numpy().tobytes() for image in sketches.train.images}
    assert len({image.numpy().tobytes() for image in many.images} & originals) == 40


@pytest.mark.parametrize(("labels", "said"), [(15, "got 15"), (310, "to 30; got 31"), (0, "got 0")])
def test_labels_that_there_are_not_are_refused(sketches, labels, said):
    with pytest.raises(ValueError, match=said):
        labelled_images(sketches.train, labels, seed=1)


@pytest.mark.slow
def test_a_head_on_stored_features_is_the_one_that_is_trained_inside_the_frozen_network(
    few, weights
):
    recipe = EXPERIMENTS["resnet18"].tuned
    sizes = {"epochs": 1, "train_size": 50, "batch_size": 10, "evaluation_size": 40}
    config = replace(recipe, **sizes, learning_rate=0.01, largest_shift=0, seed=3, device="cpu")
    starts = Starts(few, weights, 32)
    labelled = labelled_images(few.train, 20, seed=3)
    mirrored = labelled.images.flip(3)
    features = starts.features("both", torch.cat([labelled.images, mirrored])).view(2, 20, 512)
    model = starts.build(FROZEN, config)
    first = model.head[1].weight.clone()
    train_head(model, features, labelled.labels, config)

    whole = starts.build(FROZEN, config)
    again = torch.arange(50) % 20
    repeated = Split(labelled.images[again], labelled.labels[again])
    train(whole, replace(few, train=repeated), config, progress=False)
    torch.testing.assert_close(model.head[1].weight, whole.head[1].weight)
    torch.testing.assert_close(model.head[1].bias, whole.head[1].bias)
    assert not torch.allclose(model.head[1].weight, first, atol=0.01)
    with torch.no_grad():
        logits = model.head(starts.features("test", few.test.images))
    torch.testing.assert_close(logits, predict(whole, few.test.images))
    for network in (model, whole, starts.backbone):  # no weight and no running statistic moved
        state = network.backbone.state_dict()
        assert all(torch.equal(state[name], weights[name]) for name in weights)


@pytest.mark.slow
def test_all_starts_take_equally_many_steps_and_the_same_call_gives_the_same_bits(few, weights):
    steps, counts = [], []
    hook = register_optimizer_step_post_hook(lambda *_: steps.append(1))

    def count(run: TransferRun) -> None:
        counts.append(len(steps))
        steps.clear()

    options = {**SMALL, "seeds": 1, "rates": (1e-3, 3e-3)}
    try:
        runs = compare_starts(few, weights, QUICK, **options, on_run=count)
    finally:
        hook.remove()
    assert counts == [3] * 9
    assert [(run.way, run.seed) for run in runs] == [
        (way, seed) for way in WAYS for seed in (0, 0, 1)
    ]
    assert [run.weights for run in runs[::3]] == ["random", "made up", "made up"]
    assert [run.test_images for run in runs] == [0, 0, 40] * 3
    results = [replace(run, seconds=0) for run in runs]
    again = compare_starts(few, weights, QUICK, **options)
    assert [astuple(run) for run in results] == [astuple(replace(run, seconds=0)) for run in again]


@pytest.mark.slow
def test_a_run_counts_the_images_that_its_network_gets_right(few, weights, monkeypatch):
    networks = []

    def kept(model: nn.Module, *arguments, **options):
        networks.append(model)
        return train(model, *arguments, **options)

    monkeypatch.setattr(transfer, "train", kept)
    run = Starts(few, weights, 32).run(
        TransferRun(FINE_TUNED, 20, 1, 1e-3, 3, 10, 32, few.title, "made up")
    )
    for split, accuracy in (
        (few.test, run.test_accuracy),
        (few.validation, run.validation_accuracy),
    ):
        right = predict(networks[0], split.images).argmax(dim=1) == split.labels
        assert accuracy == pytest.approx(right.float().mean().item())


def test_the_best_rate_on_validation_images_is_compared(few, weights, scored):
    runs = compare_starts(few, weights, QUICK, **SMALL, seeds=2)
    for way in WAYS:
        own = [(run.seed, run.learning_rate) for run in runs if run.way == way]
        assert own == [*((0, rate) for rate in RATES), (1, RATES[1]), (2, RATES[1])]


def test_a_rate_is_chosen_without_a_test_image(few, weights):
    unseen = replace(few, test=None)
    runs = compare_starts(unseen, weights, {20: (1, 10)}, **SMALL, seeds=0, rates=[1e-3])
    assert [run.way for run in runs] == list(WAYS)
    assert all(run.test_images == 0 for run in runs)


def test_a_rate_at_which_the_loss_is_not_finite_does_not_end_the_study(few, weights, monkeypatch):
    def diverges(model: nn.Module, *_, **options):
        model.head[1].weight.data.fill_(torch.nan)
        raise NonFiniteLoss("the loss is nan")

    monkeypatch.setattr(transfer, "train", diverges)
    plan = TransferRun(RANDOM, 20, 0, 1.0, 3, 10, 32, few.title, "random")
    guessed = few.validation.class_counts()[0].item() / 40
    assert Starts(few, weights, 32).run(plan).validation_accuracy == pytest.approx(guessed)


def test_what_is_known_is_not_made_again(few, weights, scored):
    first = compare_starts(few, weights, QUICK, **SMALL, seeds=1)
    scored.clear()
    more = compare_starts(few, weights, {**QUICK, 30: (3, 10)}, **SMALL, seeds=2, known=first)
    assert [(run.labels, run.seed) for run in scored] == (
        [(20, 2)] * 3 + [(30, seed) for way in WAYS for seed in (0, 0, 0, 1, 2)]
    )
    assert set(first) < set(more)
    with pytest.raises(ValueError, match=r"from made up weights; got .* and other weights\. Use"):
        compare_starts(few, weights, QUICK, weights_name="other", known=first)


def test_without_weights_there_is_nothing_to_transfer(few):
    with pytest.raises(ValueError, match=r"needs weights; got None\. Give a file"):
        compare_starts(few, None)


def test_the_command_writes_each_run_and_goes_on_where_it_was(
    few, scored, weights, tmp_path, monkeypatch, capsys
):
    path, file = tmp_path / "transfer.json", tmp_path / "weights.pth"
    torch.save(weights, file)
    monkeypatch.setattr(transfer, "load_data", lambda name: few)
    for seeds, made in (("1", 36), ("1", 0), ("2", 9)):
        scored.clear()
        main(["--weights", str(file), "--seeds", seeds, "--output", str(path)])
        assert len(scored) == made
    runs = load_runs(path)
    assert len(runs) == len(set(runs)) == 45
    assert {run.weights for run in runs} == {
        "random",
        transfer.find_weights(EXPERIMENTS["resnet18"], file, "", "full")[1],
    }
    assert "10,000 labels, fine-tuned, seed 2, learning rate 0.003" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["--weights", str(tmp_path / "none.pth"), "--output", str(path)])
    assert "Use another file" in capsys.readouterr().err


# The table


def made_up(way: str, seed: int, right: int, **changes) -> TransferRun:
    """A run with `right` of 1,000 test images."""
    run = TransferRun(way, 100, seed, 1e-3, 100, 32, 64, "CIFAR-10", "ImageNet")
    correct = pack_bits(np.arange(1000) < right)
    return replace(run, **{"test_images": 1000, "correct": correct, **changes})


def test_the_tables_numbers_by_hand():
    runs = [made_up(RANDOM, seed, 200 + 10 * seed) for seed in (1, 2, 3)]
    runs += [made_up(FINE_TUNED, seed, 500 + 20 * seed) for seed in (3, 2, 1)]
    runs += [made_up(FROZEN, 1, 450), made_up(FROZEN, 0, 0, test_images=0, correct="")]
    (row,) = transfer_table(runs).to_dict("records")
    assert row["steps x batch"] == "100 x 32"
    assert row[RANDOM] == "0.220 ± 0.010"
    assert row[FINE_TUNED] == "0.540 ± 0.020"
    assert row[FROZEN] == "0.450"
    assert row[f"{FROZEN} - {RANDOM}"] == "+23.0"  # one run says nothing of seeds: no interval
    assert row[f"{FINE_TUNED} - {FROZEN}"] == "+9.0"
    right = [
        [np.arange(1000) < count for count in counts]
        for counts in ((210, 220, 230), (520, 540, 560))
    ]
    _, low, high = compare(*right).difference
    assert 0.25 < low < 0.32 < high < 0.39
    assert row[f"{FINE_TUNED} - {RANDOM}"] == f"+32.0 ({100 * low:+.1f} to {100 * high:+.1f})"


def test_rows_rise_with_the_labels_and_another_recipe_has_its_own():
    tuned = made_up(FINE_TUNED, 0, 870, labels=40_000, steps=3130, recipe="tuned")
    table = transfer_table([tuned, made_up(FROZEN, 1, 600, labels=1_000), made_up(RANDOM, 1, 200)])
    assert list(table.index) == ["100", "1,000", "40,000 (tuned recipe)"]
    assert table[FINE_TUNED].tolist() == ["-", "-", "0.870"]
    assert table[f"{FINE_TUNED} - {RANDOM}"].tolist() == ["-"] * 3
    assert list(transfer_table([]).columns) == list(table.columns)


def test_the_registrys_runs_on_all_labels_are_added_if_data_and_weights_are_the_same(
    tmp_path, monkeypatch
):
    options = {"dropout": 0.0, "image_size": 64}
    config = {"learning_rate": 1e-3, "batch_size": 128, "train_size": 40_000}

    def record(title: str = "CIFAR-10", **model):
        parts = {"options": options, "weights": "ImageNet", **model}
        data = {"title": title, "digest": "d"}
        run = make_run("resnet18", 1, final=0.87, protocol="tuned", config=config)
        return replace(run, model={**run.model, **parts}, data=data)

    records = [
        record(),
        record(weights="random"),
        record(weights="another"),
        record("Sketch-10"),
        record(options={**options, "image_size": 32}),
        make_run("deep-cnn", protocol="tuned"),
    ]
    monkeypatch.setattr(transfer, "load_records", lambda folder: records)
    assert load_transfer(tmp_path / "none.json") == []
    stored = [made_up(RANDOM, 1, 200, weights="random"), made_up(FINE_TUNED, 1, 500)]
    transfer.save_json(stored, tmp_path / "transfer.json")
    first, second, fine, plain = load_transfer(tmp_path / "transfer.json")
    assert [first, second] == stored
    assert (fine.way, fine.labels, fine.seed, fine.steps) == (FINE_TUNED, 40_000, 1, 3 * 313)
    assert (fine.test_accuracy, fine.recipe) == (0.87, "tuned")
    assert (plain.way, plain.weights) == (RANDOM, "random")
