"""The loop trains, repeats itself exactly, keeps the best epoch, and ends cleanly however it ends."""

import math
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
import torch
from small_training import Breaks
from torch import nn
from torch.nn.functional import cross_entropy

from dlvc.config import TrainConfig
from dlvc.data import Split
from dlvc.data.augment import crop_and_mirror, epoch_generator, random_draws
from dlvc.data.batches import split_batches
from dlvc.models.cnn import DeepCNN, SimpleCNN
from dlvc.training import loop
from dlvc.training.device import pick_precision
from dlvc.training.evaluation import evaluate, predict
from dlvc.training.optimization import learning_rate_at, make_optimizer
from dlvc.training.session import NonFiniteLoss

QUICK = TrainConfig(epochs=2, train_size=300, evaluation_size=100, device="cpu")
ONCE = replace(QUICK, epochs=1)
train = partial(loop.train, progress=False)


def seeded(build, **options) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(**options)


def make_model(**options) -> nn.Module:
    return seeded(DeepCNN, batch_norm=True, **options)


def weights_of(model: nn.Module) -> torch.Tensor:
    return torch.cat([each.detach().flatten().double() for each in model.state_dict().values()])


class Recorder(nn.Module):
    """A linear model that keeps the images it was trained on."""

    def __init__(self):
        super().__init__()
        self.head = seeded(nn.Linear, in_features=3 * 32 * 32, out_features=10)
        self.seen = []

    def forward(self, images):
        if self.training:
            self.seen.append((images * 255).round().to(torch.uint8))
        return self.head(images.flatten(1))


class TinyWeights(nn.Module):
    """A network with weights of 1e-39; what it computed with them, each time that it was called."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 10)
        self.tiny = nn.Parameter(torch.full((10_000,), 1e-39))
        self.products = []

    def forward(self, images):
        self.products.append((self.tiny.detach() * 1).any().item())
        return self.head(images.mean(dim=(2, 3))) + (0 * self.tiny).sum()


def test_numbers_near_zero_that_slow_a_processor_are_zero_in_training_and_test_only(sketches):
    model = TinyWeights()
    assert (model.tiny * 1).any()
    train(model, sketches, ONCE)
    predict(model, sketches.test.images[:2])
    assert len(model.products) >= 3
    assert not any(model.products)
    assert (torch.full((1,), 1e-39) * 1).any()


def test_one_batch_can_be_learned_by_heart(sketches):
    config = replace(
        QUICK, epochs=20, train_size=16, evaluation_size=10, augmentation="none", learning_rate=3e-3
    )
    result = train(make_model(dropout=0.0), sketches, config)
    assert result.epochs[-1].train_accuracy == 1.0
    assert result.epochs[-1].train_loss < 0.1 < 2 < result.epochs[0].train_loss


def test_the_same_seed_gives_the_same_history_and_weights_whatever_was_drawn_before(sketches):
    first, second = make_model(), make_model()
    histories = []
    for model in (first, second):
        torch.rand(len(histories) + 5)  # stir the global random numbers
        epochs = train(model, sketches, QUICK).epochs
        histories.append([replace(each, seconds=0.0, validation_seconds=0.0) for each in epochs])
    assert histories[0] == histories[1]
    assert torch.equal(weights_of(first), weights_of(second))


def test_training_leaves_the_global_random_numbers_alone(sketches):
    before = torch.random.get_rng_state()
    train(make_model(), sketches, QUICK)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_loop_equals_the_same_steps_written_out(sketches):
    """Without dropout, augmentation and batch norm's batch statistics the loop is plain Adam over a known order."""
    config = replace(ONCE, augmentation="none", batch_size=128)
    ours, theirs = seeded(SimpleCNN, dropout=0.0), seeded(SimpleCNN, dropout=0.0)
    result = train(ours, sketches, config)

    generator = torch.Generator().manual_seed(config.seed * 100_003 + 1)
    order = torch.randperm(300, generator=generator)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=1e-3, weight_decay=1e-4)
    loss_sum = 0.0
    for index in order.split(128):
        logits = theirs(sketches.train.images[index].float() / 255)
        loss = cross_entropy(logits, sketches.train.labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(index)
    # Adam divides by the gradient's size, so where that is nearly zero, rounding decides the step's sign.
    differences = (weights_of(ours) - weights_of(theirs)).abs()
    assert differences.quantile(0.99) < 1e-6
    assert differences.max() < 3 * 2 * config.learning_rate  # three steps, each that far at most
    # A mean over images: the last batch has 44 of them and must not count like the others.
    assert result.epochs[0].train_loss == pytest.approx(loss_sum / 300, rel=1e-5)


def test_each_epochs_loss_and_hits_are_its_own(sketches):
    """At a rate of nearly nothing the epochs are alike."""
    config = replace(QUICK, epochs=3, learning_rate=1e-5, augmentation="none")
    epochs = train(seeded(SimpleCNN, dropout=0.0), sketches, config).epochs
    assert [each.train_loss for each in epochs] == pytest.approx([math.log(10)] * 3, abs=0.05)
    accuracies = [each.train_accuracy for each in epochs]
    assert max(accuracies) - min(accuracies) < 0.02


def test_the_model_ends_with_the_weights_of_the_epoch_that_validated_best(sketches):
    seen = {}
    model = make_model()
    result = train(
        model,
        sketches,
        replace(QUICK, epochs=4, learning_rate=0.01),
        on_epoch=lambda record: seen.update({record.epoch: weights_of(model)}),
    )
    scores = [each.validation_mean_per_class_accuracy for each in result.epochs]
    assert result.best_epoch == scores.index(max(scores)) + 1
    assert torch.equal(weights_of(model), seen[result.best_epoch])
    assert not model.training


def test_an_epoch_sees_every_training_image_once_and_the_test_split_never(sketches):
    model, poisoned = Recorder(), replace(sketches, test=None)
    train(model, poisoned, replace(ONCE, augmentation="none"))
    got = {image.numpy().tobytes() for image in torch.cat(model.seen)}
    assert sum(map(len, model.seen)) == 300
    assert got == {image.numpy().tobytes() for image in sketches.train.images}


def test_each_step_uses_its_own_learning_rate(sketches, monkeypatch):
    used = []

    class Spy(torch.optim.SGD):
        def step(self, *arguments):
            used.append(self.param_groups[0]["lr"])

    monkeypatch.setattr(
        "dlvc.training.session.make_optimizer",
        lambda model, config: Spy(model.parameters(), lr=1.0),
    )
    config = replace(QUICK, schedule="one-cycle", learning_rate=0.1)
    train(Recorder(), sketches, config)
    assert used == [learning_rate_at(step, 10, config) for step in range(10)]


def test_an_image_is_cropped_by_its_own_draw_wherever_the_order_puts_it(sketches):
    model = Recorder()
    train(model, sketches, ONCE)
    generator = epoch_generator(ONCE.seed, 1)
    order = torch.randperm(300, generator=generator)
    cropped = crop_and_mirror(sketches.train.images, random_draws(300, generator))
    assert torch.equal(torch.cat(model.seen), cropped[order])


def test_a_largest_shift_of_zero_leaves_only_the_mirroring(sketches):
    model = Recorder()
    train(model, sketches, replace(ONCE, largest_shift=0))
    generator = epoch_generator(ONCE.seed, 1)
    order = torch.randperm(300, generator=generator)
    mirrored = random_draws(300, generator, padding=0).mirrored[:, None, None, None]
    images = sketches.train.images
    assert torch.equal(torch.cat(model.seen), torch.where(mirrored, images.flip(3), images)[order])


def test_no_image_is_shifted_further_than_the_setting_says(sketches):
    def largest(shift: int) -> int:
        model = Recorder()
        pictures = torch.zeros_like(sketches.train.images)
        pictures[:, :, 16, 16] = 255  # one bright pixel
        marked = replace(sketches, train=replace(sketches.train, images=pictures))
        train(model, marked, replace(ONCE, largest_shift=shift))
        rows = torch.cat(model.seen).amax(dim=(1, 3)).argmax(dim=1)
        return int((rows - 16).abs().max())

    assert [largest(shift) for shift in (0, 2, 7)] == [0, 2, 7]


def test_another_seed_gives_another_order_and_other_crops(sketches):
    models = [Recorder(), Recorder()]
    for seed, model in enumerate(models):
        train(model, sketches, replace(ONCE, seed=seed, augmentation="none"))
    first, second = (torch.cat(model.seen) for model in models)
    assert not torch.equal(first, second)


def test_label_smoothing_is_part_of_the_training_loss(sketches):
    model = Recorder()
    with torch.no_grad():
        model.head.weight *= 10  # far from guessing, where smoothing would change nothing
        logits = model.eval()(sketches.train.images / 255)
    config = replace(ONCE, augmentation="none", batch_size=300, label_smoothing=0.5)
    epoch = train(model, sketches, config).epochs[0]
    expected = cross_entropy(logits, sketches.train.labels, label_smoothing=0.5).item()
    plain = cross_entropy(logits, sketches.train.labels).item()
    assert epoch.train_loss == pytest.approx(expected, rel=1e-4)
    assert abs(plain - expected) > 0.005 * expected


def test_evaluation_counts_each_image_once_and_takes_a_true_mean_of_losses(sketches):
    model = make_model().eval()
    score = evaluate(model, sketches.test, batch_size=33, progress=False)
    with torch.no_grad():
        logits = model(sketches.test.images.float() / 255)
    assert score.confusion.sum().item() == 100
    assert score.loss == pytest.approx(cross_entropy(logits, sketches.test.labels).item(), rel=1e-5)
    assert torch.equal(score.correct, logits.argmax(dim=1) == sketches.test.labels)
    assert score.accuracy == pytest.approx(score.correct.double().mean().item())


def test_predict_gives_the_models_scores_in_order(sketches):
    model = make_model().eval()
    with torch.no_grad():
        expected = model(sketches.test.images.float() / 255)
    torch.testing.assert_close(predict(model, sketches.test.images, batch_size=7), expected)


def test_a_loss_that_is_not_finite_names_epoch_step_and_learning_rate(sketches):
    with pytest.raises(
        NonFiniteLoss, match=r"loss is nan at epoch 1, step 3, with learning rate 0\.001"
    ):
        train(Breaks([3]), sketches, QUICK)


class BreaksInValidation(nn.Module):
    """Good for one epoch; in the second one's validation its scores are nan."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 10)
        self.validations = 0

    def forward(self, images):
        self.validations += not self.training
        return self.head(images.mean(dim=(2, 3))) * (math.nan if self.validations == 2 else 1.0)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Breaks([7]), "epoch 2, step 2"),  # an epoch has five steps
        (
            BreaksInValidation(),
            r"validation loss is not finite after epoch 2's last step, .* rate 0\.001",
        ),
    ],
)
def test_a_loss_that_breaks_later_leaves_the_best_weights(sketches, model, words):
    seen = []
    with pytest.raises(NonFiniteLoss, match=words):
        train(model, sketches, QUICK, on_epoch=lambda record: seen.append(weights_of(model)))
    assert torch.equal(weights_of(model), seen[0])


def test_a_last_batch_of_one_image_joins_the_one_before():
    order = torch.arange(9)
    assert [len(each) for each in split_batches(order, 4)] == [4, 5]
    assert [len(each) for each in split_batches(order, 5)] == [5, 4]
    assert [len(each) for each in split_batches(order, 1)] == [1] * 9
    assert torch.equal(torch.cat(split_batches(order, 4)), order)


def test_a_stop_request_ends_at_a_step_border_with_a_usable_model(sketches):
    stop = threading.Event()
    model = make_model()
    result = train(
        model,
        sketches,
        replace(QUICK, epochs=50),
        stop=stop,
        on_epoch=lambda record: stop.set() if record.epoch == 2 else None,
    )
    assert result.interrupted
    assert len(result.epochs) == 2
    assert result.best_epoch in (1, 2)
    assert not model.training
    assert torch.isfinite(predict(model, sketches.test.images)).all()


def test_ctrl_c_ends_the_training_and_not_the_program(sketches):
    def press_ctrl_c(record):
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    result = train(make_model(), sketches, replace(QUICK, epochs=50), on_epoch=press_ctrl_c)
    assert result.interrupted
    assert len(result.epochs) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_at_once_and_still_leaves_the_best_weights(sketches):
    seen = []

    def press_ctrl_c_twice(record):
        seen.append(weights_of(model))
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    model = make_model()
    with pytest.raises(KeyboardInterrupt):
        train(model, sketches, replace(QUICK, epochs=50), on_epoch=press_ctrl_c_twice)
    assert torch.equal(weights_of(model), seen[0])
    assert not model.training


def test_a_stop_before_the_first_epoch_ends_leaves_no_best_epoch(sketches):
    stop = threading.Event()
    stop.set()
    model = make_model()
    result = train(model, sketches, QUICK, stop=stop)
    assert (result.epochs, result.best_epoch, result.interrupted) == ((), 0, True)
    assert torch.equal(weights_of(model), weights_of(make_model()))


def test_training_works_outside_the_main_thread(sketches):
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(train, make_model(), sketches, ONCE).result()
    assert len(result.epochs) == 1


def test_one_cycle_rises_to_the_peak_after_a_quarter_and_falls_to_nearly_zero():
    config = TrainConfig(schedule="one-cycle", learning_rate=0.1)
    rates = [learning_rate_at(step, 100, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) == rates[25] == pytest.approx(0.1)
    assert rates[99] == pytest.approx(0.1 / 75)
    assert min(rates) > 0
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)


def test_a_constant_rate_stays_constant():
    assert {learning_rate_at(step, 100, TrainConfig()) for step in range(100)} == {1e-3}


def test_adamw_decays_filters_and_matrices_only():
    config = TrainConfig(optimizer="adamw", weight_decay=0.05)
    decayed, others = make_optimizer(make_model(), config).param_groups
    assert {each.ndim for each in decayed["params"]} == {2, 4}
    assert {each.ndim for each in others["params"]} == {1}
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.05, 0.0)


def test_a_model_without_trainable_parameters_is_refused():
    model = make_model().requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter to train"):
        make_optimizer(model, TrainConfig())


def test_a_cpu_trains_in_float32_unless_asked_otherwise():
    assert pick_precision("auto", torch.device("cpu")) == "float32"
    assert pick_precision("bfloat16", torch.device("cpu")) == "bfloat16"


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precisions_train_on_a_cpu_too(sketches, precision):
    config = replace(ONCE, train_size=64, precision=precision)
    result = train(make_model(), sketches, config)
    assert math.isfinite(result.epochs[0].train_loss)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_on_a_gpu_nothing_waits_between_the_first_and_the_last_step(sketches, precision):
    class Watch(nn.Module):
        """From its second training step on, every wait of the program for the GPU is an error."""

        def __init__(self):
            super().__init__()
            self.model, self.steps = make_model(), 0

        def forward(self, images):
            self.steps += self.training
            torch.cuda.set_sync_debug_mode(
                "error" if self.training and 2 <= self.steps < 5 else "default"
            )
            return self.model(images)

    config = replace(QUICK, device="cuda", precision=precision, epochs=1)
    try:
        result = train(Watch(), sketches, config)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert math.isfinite(result.epochs[0].train_loss)


@pytest.mark.parametrize("label", [-100, 10])
def test_a_label_that_was_changed_to_no_class_is_refused_before_the_first_step(sketches, label):
    """torch leaves out -100 without a word; on a GPU another wrong label ends the whole program."""
    train_split = Split(sketches.train.images, sketches.train.labels.clone())
    train_split.labels[7] = label
    with pytest.raises(ValueError, match="labels must lie between 0 and 9"):
        train(make_model(), replace(sketches, train=train_split), QUICK)
    with pytest.raises(ValueError, match="labels must lie between 0 and 9"):
        evaluate(make_model(), train_split, progress=False)


@pytest.mark.parametrize("outputs", [1, 9, 1000])
def test_a_model_with_another_number_of_scores_is_refused(sketches, outputs):
    """torch itself would take 1,000 scores for ten classes without an error."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, outputs))
    with pytest.raises(ValueError, match=rf"\(64, 10\); got .*\(64, {outputs}\)"):
        train(model, sketches, QUICK)
    with pytest.raises(ValueError, match=rf"\(100, 10\); got .*\(100, {outputs}\)"):
        evaluate(model, sketches.test, progress=False)


def test_a_training_without_images_is_refused_in_words(sketches):
    empty = replace(sketches, train=sketches.train.first(0))
    with pytest.raises(ValueError, match="only 0 train images here, and at least 10 are needed"):
        train(make_model(), empty, QUICK)


def test_a_batch_larger_than_the_data_is_one_step_of_all_images(sketches):
    config = replace(ONCE, train_size=20, batch_size=1000)
    result = train(make_model(), sketches, config)
    assert result.micro_batch == 20
    assert math.isfinite(result.epochs[0].train_loss)
