"""The gradient of a stack is the one computed by hand, and over depth it follows the variance of the weights."""

import numpy as np
import pytest
import torch

from dlvc.inspection import gradient_by_layer
from dlvc.studies import initialisation_figure, initialisation_table, load_study
from dlvc.studies.initialisation import (
    DEPTHS,
    STACKS,
    ConvolutionStack,
    FirstGradients,
    first_gradients,
    main,
)


def test_the_gradient_of_two_convolutions_is_the_one_computed_by_hand():
    """One pixel and one filter each, so that each convolution is its middle weight and each sum can be written down."""
    stack = ConvolutionStack(1, width=1)
    image, label = torch.tensor([0.9, 0.2, 0.6]).view(1, 3, 1, 1), torch.tensor([3])
    (first, _), second = stack.stem.parameters(), stack.layers[0][0]
    with torch.no_grad():
        first[0, :, 1, 1] = torch.tensor([0.5, -0.4, 0.3])
        stack.stem.bias.fill_(0.1)
        second.weight[0, 0, 1, 1] = 0.7
        second.bias.fill_(0.2)
        stack.head.weight[:, 0] = torch.linspace(-1, 1, 10)
        stack.head.bias.zero_()
    pixel = np.array([0.8, -0.6, 0.2])  # 2 * image - 1
    value = pixel @ [0.5, -0.4, 0.3] + 0.1
    reached = 0.7 * value + 0.2
    assert reached > 0, "the ReLU lets it through"
    slopes = np.linspace(-1, 1, 10)
    probabilities = np.exp(slopes * reached) / np.exp(slopes * reached).sum()
    back = slopes @ (probabilities - np.eye(10)[3])  # d loss / d reached
    gradient = back * 0.7 * pixel
    expected = np.sqrt((gradient**2).sum() / 27)  # 24 of the 27 weights see only the padding
    assert gradient_by_layer(stack, image, label)[0].size == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("he", "kept"), [(False, 1 / 6), (True, 1)])
def test_a_layer_keeps_a_sixth_of_the_mean_square_or_with_he_all_of_it(he, kept):
    """n Var(w) / 2: torch draws with 1 / (3 n), He with 2 / n. Without biases and far from the rim."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stack = ConvolutionStack(8, width=128, he=he)
        values = torch.randn(1, 128, 24, 24).relu()
    squares = []
    for convolution, relu in stack.layers:
        convolution.bias.zero_()
        values = relu(convolution(values))
        squares.append(values[..., 8:-8, 8:-8].square().mean().item())
    assert (squares[-1] / squares[0]) ** (1 / 7) == pytest.approx(kept, rel=0.15)


def test_the_same_seed_gives_the_same_rows_and_a_row_for_each_stack(sketches):
    rows = first_gradients(sketches, seeds=2, depths=(2, 4))
    assert [(row.label, row.seed) for row in rows] == [
        (label, n) for label in STACKS for n in (0, 1)
    ]
    assert first_gradients(sketches, seeds=1, depths=(4,))[0].gradients == rows[0].gradients[1:]
    assert len({tuple(row.gradients) for row in rows}) == len(rows)


def row(label: str, seed: int, *gradients: float) -> FirstGradients:
    return FirstGradients(label, seed, "drawn", [2, 32], list(gradients))


ROWS = [row("plain", 0, 1e-3, 1e-16), row("plain", 1, 3e-3, 3e-16), row("residual", 0, 1e-2, 20)]


def test_the_table_has_means_over_seeds_and_the_range_of_the_deepest():
    table = initialisation_table(ROWS)
    assert table.loc["plain"].tolist() == ["2.0e-03", "2.0e-16", "1.0e-16 to 3.0e-16"]
    assert list(table.index) == ["plain", "residual"]


def test_the_figure_has_a_line_for_each_stack_with_a_band_over_seeds():
    axes = initialisation_figure(ROWS).axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [
        pytest.approx([2e-3, 2e-16]),
        pytest.approx([1e-2, 20]),
    ]
    assert len(axes.collections) == 1
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_the_command_writes_what_load_study_reads(sketches, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dlvc.studies.initialisation.load_data", lambda name: sketches)
    monkeypatch.setattr("dlvc.studies.initialisation.STORED", tmp_path / "initialisation.json")
    monkeypatch.setattr("dlvc.studies.initialisation.STACKS", {"plain": {}})
    main([])
    rows = load_study("initialisation", tmp_path)
    assert [row.seed for row in rows] == [0, 1, 2, 3, 4]
    assert rows[0].data == sketches.title
    assert f"{np.mean([row.gradients[0] for row in rows]):.1e}" in capsys.readouterr().out


def test_the_stored_gradients_vanish_in_a_plain_stack_and_not_with_he_initialisation():
    rows = load_study("initialisation")
    assert {(row.label, row.seed) for row in rows} == {
        (label, n) for label in STACKS for n in range(5)
    }
    assert all(row.depths == list(DEPTHS) for row in rows)
    change = {(row.label, row.seed): row.gradients[-1] / row.gradients[0] for row in rows}
    for seed in range(5):
        assert change["plain", seed] < 1e-9
        assert 1 / 100 < change["plain, He initialisation", seed] < 100
        assert change["residual", seed] > 100
        assert change["batch norm and residual", seed] < change["batch norm", seed]
