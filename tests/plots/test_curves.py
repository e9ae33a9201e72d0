"""Learning curves show the mean over seeds and the range around it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlvc.plots import learning_curves, report_figure


def test_a_curve_is_the_mean_over_seeds_and_the_band_its_range(make_run):
    runs = [make_run("deep-cnn", seed, final=final) for seed, final in enumerate((0.4, 0.5, 0.9))]
    loss, accuracy = learning_curves(runs).axes
    training, validation = accuracy.lines
    assert validation.get_xdata().tolist() == [1, 2, 3]
    assert validation.get_ydata() == pytest.approx([20, 40, 60])  # 100 * 0.6 * epoch / 3
    assert training.get_ydata() == pytest.approx([15, 30, 45])
    band = accuracy.collections[1].get_paths()[0].vertices
    at_the_end = band[band[:, 0] == 3, 1]
    assert (at_the_end.min(), at_the_end.max()) == pytest.approx((40, 90))
    assert loss.lines[1].get_ydata() == pytest.approx([2.4 - epoch * 0.6 for epoch in (1, 2, 3)])


def test_the_legend_leaves_the_loss_of_a_model_that_learns_nothing_free(make_run):
    runs = [make_run("deep-vit", final=0.01), make_run("deep-vit-residual", final=0.5)]
    picture = learning_curves(runs)
    picture.draw_without_rendering()
    loss = picture.axes[0]
    flat = loss.lines[1]  # validation, near 2.4 in each epoch
    points = loss.transData.transform(flat.get_xydata())
    box = loss.get_legend().get_window_extent()
    assert (points[:, 0] > box.x0).any()
    assert (box.y0 > points[:, 1]).all() or (box.y1 < points[:, 1]).all()


def test_one_run_has_no_band(make_run):
    assert not learning_curves([make_run("deep-cnn")]).axes[1].collections


def test_a_run_stopped_early_shortens_the_mean(make_run):
    whole = make_run("deep-cnn", 0)
    stopped = make_run("deep-cnn", 1, epochs=whole.epochs[:2], test=None, interrupted=True)
    curve = learning_curves([whole, stopped]).axes[1].lines[1]
    assert curve.get_xdata().tolist() == [1, 2]


def test_groups_make_columns_with_their_own_models(all_runs):
    groups = {"CNNs": ["simple-cnn", "deep-cnn"], "ViTs": ["deep-vit"], "none": ["my-own"]}
    axes = learning_curves(all_runs, groups=groups).axes
    assert [each.get_title(loc="left") for each in axes[:2]] == ["CNNs", "ViTs"]
    labels = [[text.get_text() for text in each.texts] for each in axes[2:]]
    assert labels == [["Simple CNN", "Deep CNN"], ["Deep ViT"]]


def test_training_behaviour_has_a_plot_for_each_model_that_learns(all_runs):
    figure = report_figure([run for run in all_runs if run.key != "softmax-regression"])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == 8
    assert not {"Majority Model", "Nearest Neighbour"} & set(titles)
    last = figure.axes[0].texts[0].get_text()
    assert last == "46 %"  # the simple CNN: mean of 0.45, 0.46 and 0.47
    assert figure.axes[0].get_ylim() == (0, 100)


def test_places_without_a_model_are_empty(make_run):
    figure = report_figure(
        [make_run(key) for key in ("simple-cnn", "deep-cnn", "deep-vit")], columns=2
    )
    assert [axes.axison for axes in figure.axes] == [True, True, True, False]


@pytest.mark.parametrize("draw", [learning_curves, report_figure])
def test_captions_name_data_and_number_of_runs(draw, make_run):
    runs = [make_run("simple-cnn"), make_run("deep-cnn", 0), make_run("deep-cnn", 1)]
    assert "Sketch-10" in draw(runs).description
    assert "1 to 2 runs each" in draw(runs).description


def test_drawing_changes_no_record(make_run):
    run = make_run("deep-cnn")
    before = repr(run)
    learning_curves([run])
    assert repr(run) == before


def test_both_rows_name_their_models(all_runs):
    loss, accuracy = learning_curves(all_runs).axes
    names = [text.get_text() for text in loss.texts]
    assert names == [text.get_text() for text in accuracy.texts]
    assert "Deep CNN" in names


@pytest.mark.parametrize(("models", "empty"), [(3, 0), (6, 0), (8, 0), (7, 1)])
def test_few_places_are_left_empty(models, empty, all_runs):
    keys = list(dict.fromkeys(run.key for run in all_runs if run.model["parameters"]))[:models]
    figure = report_figure([run for run in all_runs if run.key in keys])
    assert [axes.axison for axes in figure.axes].count(False) == empty


def test_the_number_beside_a_curve_is_its_highest(make_run):
    run = make_run("deep-cnn", final=0.6)
    worse = replace(run.epochs[-1], validation_accuracy=0.2)
    (axes,) = report_figure([replace(run, epochs=(*run.epochs[:-1], worse))]).axes
    (number,) = axes.texts
    assert number.get_text() == "40 %"  # 0.6 * 2 / 3 in the second epoch
    assert number.xy == (2, pytest.approx(40))
