"""Learning curves as SVG text, for a page that is redrawn while a training goes on. Knows no widget.

Written by hand because it is redrawn four times a second in the training's own thread, in 0.2 ms for ten epochs and
10 ms for a thousand. `plots.learning_curves` as SVG took 145 to 165 ms, in which no control is answered, and halved the
speed of a training on two cores (48 steps a second became 22). Nor is matplotlib's style for two threads.

All curves of all times have one size, so the page does not jump. Colours come from the page's style, which knows light
and dark themes; each run also has a marker of its own, training is dotted and validation is not.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from dlvc.experiments import rounded
from dlvc.training import EpochRecord

WIDTH, HEIGHT = 820, 270  # of the picture, in its own units
TOP, BOTTOM, LEFT, RIGHT, GAP = 26, 42, 50, 12, 56
COLORS = 4  # --dlvc-run-0 to --dlvc-run-3, in the panel's style
# Circle, square, diamond and triangle, from the point that they mark.
MARKERS = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
    "m-3.5 -3.5h7v7h-7z",
    "m0 -5l5 5l-5 5l-5 -5z",
    "m0 -5l5 9h-10z",
)
TICKS = MaxNLocator(4, steps=[1, 2, 5, 10])


@dataclass(frozen=True)
class Curve:
    """The epochs of one run, and its name."""

    label: str
    epochs: Sequence[EpochRecord]


def curves_svg(curves: Sequence[Curve], *, epochs: int, position: float | None = None) -> str:
    """Loss (left) and accuracy (right) against epoch as SVG; `position` marks how far a training has come.

    epochs: how long the axis is, at least.
    """
    last = max([epochs, *(len(curve.epochs) for curve in curves)])
    loss = [[(e.epoch, e.train_loss, e.validation_loss) for e in c.epochs] for c in curves]
    accuracy = [
        [(e.epoch, 100 * e.train_accuracy, 100 * e.validation_accuracy) for e in c.epochs]
        for c in curves
    ]
    side = (WIDTH - LEFT - RIGHT - GAP) / 2
    parts = [
        *_plot("loss (nats per image)", loss, LEFT, side, last, position),
        *_plot("accuracy (%)", accuracy, LEFT + side + GAP, side, last, position),
    ]
    description = html.escape(curves_in_words(curves), quote=True)
    return (
        f'<svg class="dlvc-curves" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{description}">{"".join(parts)}</svg>'
    )


def legend(curves: Sequence[Curve]) -> str:
    """What the markers and lines mean, as HTML."""
    start = '<span class="dlvc-key"><svg width="26" height="12" aria-hidden="true">'
    items = [
        f'{start}<path class="dlvc-line" d="M0 6H26" style="{_stroke(number)}"/>{_marker(number, 13, 6)}</svg> '
        f"{html.escape(curve.label)}</span>"
        for number, curve in enumerate(curves)
    ]
    dotted = (
        f'{start}<path class="dlvc-line dlvc-dotted" d="M0 6H26" style="stroke:currentColor"/></svg> '
        "training (with dropout and augmentation)</span>"
    )
    return f'<div class="dlvc-legend">{"".join([*items, dotted])}</div>'


def curves_in_words(curves: Sequence[Curve]) -> str:
    """How far each run is, and its last numbers."""
    sentences = []
    for curve in curves:
        state = "no epoch finished yet"
        if curve.epochs:
            last = curve.epochs[-1]
            state = (
                f"after epoch {last.epoch} training loss {last.train_loss:.3f}, validation loss "
                f"{last.validation_loss:.3f}, validation accuracy {rounded(100 * last.validation_accuracy, 1)}%"
            )
        sentences.append(f"{curve.label}: {state}")
    return "Learning curves. " + ("; ".join(sentences) or "No run yet") + "."


def _plot(
    title: str,
    runs: Sequence[Sequence[tuple[float, float, float]]],
    left: float,
    width: float,
    epochs: int,
    position: float | None,
) -> list[str]:
    """One pair of axes with the lines of all `runs`, each with its epoch, training and validation value."""
    values = [value for run in runs for _, *pair in run for value in pair]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    ticks = TICKS.tick_values(low, high if high > low else low + 1)
    low, high = ticks[0], ticks[-1]
    right, bottom, height = left + width, HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP

    def x(epoch: float) -> float:
        return left + width * epoch / epochs

    def y(value: float) -> float:
        return bottom - height * (value - low) / (high - low)

    def text(words: str, x: float, y: float, anchor: str) -> str:
        return (
            f'<text class="dlvc-tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'
        )

    parts = [f'<text class="dlvc-title" x="{left}" y="14">{title}</text>']
    if not values:
        parts.append(text("no epoch finished yet", left + width / 2, TOP + height / 2, "middle"))
    for tick in ticks if values else ():
        parts.append(f'<path class="dlvc-grid" d="M{left} {y(tick):.1f}H{right}"/>')
        parts.append(text(f"{tick:g}", left - 6, y(tick) + 4, "end"))
    for epoch in range(0, epochs + 1, -(-epochs // 10)):
        parts.append(text(f"{epoch}", x(epoch), bottom + 16, "middle"))
    parts.append(f'<path class="dlvc-axis" d="M{left} {bottom}H{right}"/>')
    parts.append(text("epoch", right, bottom + 33, "end"))
    if position is not None:
        parts.append(f'<path class="dlvc-now" d="M{x(position):.1f} {TOP}V{bottom}"/>')
    for number, run in enumerate(runs):
        for place, style in ((1, " dlvc-dotted"), (2, "")):
            points = [(x(row[0]), y(row[place])) for row in run]
            if points:
                path = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
                parts.append(
                    f'<path class="dlvc-line{style}" d="M{path}" style="{_stroke(number)}"/>'
                )
            parts += [_marker(number, a, b, small=place == 1) for a, b in points]
    return parts


def _stroke(number: int) -> str:
    return f"stroke:var(--dlvc-run-{number % COLORS})"


def _marker(number: int, x: float, y: float, *, small: bool = False) -> str:
    """The marker of run `number`; beyond four runs hollow ones follow. A `small` one is a dot, as in training."""
    color = f"var(--dlvc-run-{number % COLORS})"
    if small:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" style="fill:{color}"/>'
    fill = "var(--dlvc-ground)" if number // len(MARKERS) % 2 else color
    path = f"M{x:.1f} {y:.1f}{MARKERS[number % len(MARKERS)]}"
    return f'<path class="dlvc-marker" d="{path}" style="{_stroke(number)};fill:{fill}"/>'
