"""What is watched in a training is what torch computes, changes nothing, and stands in table and figure as measured."""

import threading
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cosine_similarity, cross_entropy

from dlvc.experiments.registry import EXPERIMENTS
from dlvc.models.vit import VisionTransformer
from dlvc.studies import deep_vit_figure, deep_vit_table
from dlvc.studies.deep_vit import WatchedRun, WatchedStep, watched_step
from dlvc.studies.trainings import STUDIES, Study, Variant, run_study, run_variant
from dlvc.training import train

VIT = {"depth": 2, "embed_dim": 16, "num_heads": 2, "patch_size": 8}
SMALL = Study(
    "small",
    "Does it run?",
    {"epochs": 2, "train_size": 128, "batch_size": 32, "evaluation_size": 40},
    (
        Variant("plain", "deep-vit", {}, VIT),
        Variant("identity attention", "deep-vit", {}, VIT, changes={"identity_attention": 2.0}),
    ),
    watched=(0, 1, 6),
)


def test_a_watched_step_has_the_gradient_norms_of_backward_and_the_likeness_of_tokens(sketches):
    model = VisionTransformer(depth=2, residual=False, dropout=0.5).train()
    images = sketches.train.first(8)
    step = watched_step(model, images, 7)
    assert model.training and all(value.grad is None for value in model.parameters())
    model.eval()
    cross_entropy(model(images.images / 255), images.labels).backward()

    def norm(part):
        weights = [value for name, value in part.named_parameters() if name.endswith("weight")]
        squares = [value.grad.square().sum() for value in weights if value.ndim == 2]
        return torch.stack(squares).sum().sqrt().item()

    assert step.step == 7
    assert step.gradient == pytest.approx(norm(model), rel=1e-3)
    assert step.first_block == pytest.approx(norm(model.blocks[0]), rel=1e-3)
    assert step.last_block == pytest.approx(norm(model.blocks[1]), rel=1e-3)
    with torch.no_grad():
        tokens = model.patch_embedding(model.normalize(images.images / 255)) + model.positions
        tokens = model.blocks[0](tokens)
    alike = cosine_similarity(tokens[:, :, None], tokens[:, None], dim=3)  # (8, 64, 64)
    expected = (alike.sum(dim=(1, 2)) - 64) / (64 * 63)
    assert len(step.similarity) == 3
    assert step.similarity[1] == pytest.approx(expected.mean().item(), abs=1e-3)


def test_watching_a_training_changes_nothing_in_it(sketches):
    """Dropout draws random numbers: one number drawn by the watch would change all that follow."""
    watched, barely = (
        run_variant(replace(SMALL, watched=steps), SMALL.variants[0], sketches, 0)
        for steps in ((0, 1, 3, 6), (8,))
    )
    assert [step.step for step in watched.watched] == [0, 1, 3, 6]
    assert [step.step for step in barely.watched] == [8]
    assert watched.train_loss == barely.train_loss
    assert watched.validation_loss == barely.validation_loss


def test_a_changed_start_is_there_before_the_first_step(sketches):
    plain, apart = (run_variant(SMALL, each, sketches, 0) for each in SMALL.variants)
    assert apart.watched[0].similarity[0] == plain.watched[0].similarity[0]
    assert apart.watched[0].similarity[1] < plain.watched[0].similarity[1] - 0.1


def test_a_study_that_was_ended_goes_on_with_the_runs_that_are_missing(
    sketches, tmp_path, capsys, monkeypatch
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    first = run_study(replace(SMALL, variants=SMALL.variants[:1]), sketches, 1, tmp_path)
    with monkeypatch.context() as context:
        context.setattr("dlvc.studies.trainings.watched_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_study(SMALL, sketches, 1, tmp_path)
    both = run_study(SMALL, sketches, 1, tmp_path)
    assert both[0] == first[0]
    assert [run.label for run in both] == ["plain", "identity attention"]
    assert capsys.readouterr().out.count("1 runs are there, 1 are to be made, 8 steps") == 2


def test_a_training_that_was_stopped_is_no_run(sketches, monkeypatch):
    def stopped(*arguments, **options):
        event = threading.Event()
        event.set()
        return train(*arguments, **options, stop=event)

    monkeypatch.setattr("dlvc.studies.deep_vit.train", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_variant(SMALL, SMALL.variants[0], sketches, 0)


def test_the_recipes_are_those_of_the_registry():
    study = STUDIES["deep-vit"]
    by_label = {variant.label: variant for variant in study.variants}
    for label, protocol in (("report's recipe", "report"), ("tuned recipe", "tuned")):
        config, options = EXPERIMENTS["deep-vit"].recipe(protocol)
        variant = by_label[label]
        own = variant.config(study, config.seed)
        size = {"epochs": 10, "train_size": 40_000, "evaluation_size": 10_000}
        assert replace(own, **size, device="auto", precision="auto") == config
        assert variant.model(study, own).dropout.p == options["dropout"]


def run(label: str, seed: int, accuracy: float, *, gradient: float = 1e-4) -> WatchedRun:
    """A run with two watched steps, of which the second has `gradient` in the first block and tokens 0.8 alike."""
    steps = [
        WatchedStep(0, 2.0, 1.0, 1.0, [0.5, 1.0], 0.9),
        WatchedStep(500, 2.0, gradient, 1.5, [0.5, 0.8], 0.7),
    ]
    curve = [0.1, accuracy]
    return WatchedRun(label, seed, {}, "drawn", curve, curve, curve, curve, steps)


RUNS = [run("plain", 0, 0.1), run("plain", 1, 0.2, gradient=3e-4), run("warm-up", 0, 0.3)]


def test_the_table_counts_the_runs_that_learned_and_has_the_last_watched_step():
    table = deep_vit_table(RUNS)
    assert list(table.index) == ["plain", "warm-up"]
    assert table.loc["plain"].tolist() == [
        "0.150 ± 0.071",
        "1 of 2",
        "0.700 ± 0.000",
        "0.800 ± 0.000",
        "2e-04",
        "2e+00",
    ]
    assert table.index.name == "after 500 steps"


def test_the_figure_has_gradient_and_similarities_of_the_chosen_variants():
    gradient, images, tokens = deep_vit_figure(RUNS, ["plain"]).axes
    assert gradient.lines[0].get_xdata().tolist() == [0, 500]
    for axes, values in ((gradient, [1, 2e-4]), (images, [0.9, 0.7]), (tokens, [1, 0.8])):
        assert axes.lines[0].get_ydata() == pytest.approx(values)
    assert (gradient.get_yscale(), images.get_yscale()) == ("log", "linear")
    assert [line.get_label() for line in tokens.lines] == ["plain"]
