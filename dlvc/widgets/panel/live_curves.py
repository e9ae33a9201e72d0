"""Learning curves as SVG text, for a page that is redrawn while a training goes on. Knows no widget.

All curves of all times have one size, so the page does not jump. Colours come from the page's style, which knows light
and dark themes; each run also has a marker of its own, training is dotted and validation is not.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dlvc.training import EpochRecord

WIDTH, HEIGHT = 820, 270  # of the picture, in its own units
TOP, BOTTOM, LEFT, RIGHT, GAP = 26, 42, 50, 12, 56
MARKERS = ("circle", "square", "diamond", "triangle")
COLORS = 4  # --dlvc-run-0 to --dlvc-run-3, in the panel's style


@dataclass(frozen=True)
class Curve:
    """The epochs of one run, and its name."""

    label: str
    epochs: Sequence[EpochRecord]


def curves_svg(curves: Sequence[Curve], *, epochs: int, position: float | None = None) -> str:
    """Loss (left) and accuracy (right) against epoch as SVG; `position` marks how far a training has come.

    epochs: how long the axis is, at least.
    """
    last = max([epochs, *(len(each.epochs) for each in curves)])
    side = (WIDTH - LEFT - RIGHT - GAP) / 2
    plots = [
        _Plot(LEFT, side, "loss (nats per image)", last, lambda e: e.train_loss, lambda e: e.validation_loss),
        _Plot(
            LEFT + side + GAP,
            side,
            "accuracy (%)",
            last,
            lambda e: 100 * e.train_accuracy,
            lambda e: 100 * e.validation_accuracy,
        ),
    ]  # fmt: skip
    parts = [plot.draw(curves, position) for plot in plots]
    return (
        f'<svg class="dlvc-curves" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{html.escape(describe(curves), quote=True)}">{"".join(parts)}</svg>'
    )


def legend(curves: Sequence[Curve]) -> str:
    """What the markers and lines mean, as HTML."""
    items = [
        f'<span class="dlvc-key"><svg width="26" height="12" aria-hidden="true">'
        f'<path class="dlvc-line" d="M0 6H26" style="{_stroke(number)}"/>{_marker(number, 13, 6)}</svg> '
        f"{html.escape(each.label)}</span>"
        for number, each in enumerate(curves)
    ]
    dotted = (
        '<span class="dlvc-key"><svg width="26" height="12" aria-hidden="true">'
        '<path class="dlvc-line dlvc-dotted" d="M0 6H26" style="stroke:currentColor"/></svg> '
        "training (with dropout and augmentation)</span>"
    )
    return f'<div class="dlvc-legend">{"".join([*items, dotted])}</div>'


def describe(curves: Sequence[Curve]) -> str:
    """The curves in words: how far each run is, and its last numbers."""
    said = []
    for each in curves:
        if not each.epochs:
            said.append(f"{each.label}: no epoch finished yet")
            continue
        last = each.epochs[-1]
        said.append(
            f"{each.label}: after epoch {last.epoch} training loss {last.train_loss:.3f}, validation loss "
            f"{last.validation_loss:.3f}, validation accuracy {last.validation_accuracy:.1%}"
        )
    return "Learning curves. " + ("; ".join(said) or "No run yet") + "."


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from `low` to `high` or just beyond: steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / max(1, count - 1) or 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= raw * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(each * step, 10) for each in range(first, last + 1)]


@dataclass(frozen=True)
class _Plot:
    """One pair of axes."""

    left: float
    width: float
    title: str
    epochs: int
    train: Callable[[EpochRecord], float]
    validation: Callable[[EpochRecord], float]

    def draw(self, curves: Sequence[Curve], position: float | None) -> str:
        values = [
            read(e) for c in curves for e in c.epochs for read in (self.train, self.validation)
        ]
        marks = ticks(min(values), max(values)) if values else [0.0, 1.0]
        if len(marks) == 1:
            marks.append(marks[0] + 1)
        low, high = marks[0], marks[-1]
        bottom, height = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP

        def x(epoch: float) -> float:
            return self.left + self.width * epoch / self.epochs

        def y(value: float) -> float:
            return bottom - height * (value - low) / (high - low)

        right = self.left + self.width
        parts = [f'<text class="dlvc-title" x="{self.left}" y="14">{self.title}</text>']
        if not values:
            middle = f'x="{self.left + self.width / 2}" y="{TOP + height / 2}" text-anchor="middle"'
            parts.append(f'<text class="dlvc-tick" {middle}>no epoch finished yet</text>')
        for mark in marks if values else []:
            parts.append(f'<path class="dlvc-grid" d="M{self.left} {y(mark):.1f}H{right}"/>')
            parts.append(
                f'<text class="dlvc-tick" x="{self.left - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>'
            )
        stride = max(1, -(-self.epochs // 10))
        for epoch in range(0, self.epochs + 1, stride):
            parts.append(
                f'<text class="dlvc-tick" x="{x(epoch):.1f}" y="{bottom + 16}" text-anchor="middle">{epoch}</text>'
            )
        parts.append(f'<path class="dlvc-axis" d="M{self.left} {bottom}H{right}"/>')
        parts.append(
            f'<text class="dlvc-tick" x="{right}" y="{bottom + 33}" text-anchor="end">epoch</text>'
        )
        if position is not None:
            parts.append(f'<path class="dlvc-now" d="M{x(position):.1f} {TOP}V{bottom}"/>')
        for number, curve in enumerate(curves):
            for read, dotted in ((self.train, " dlvc-dotted"), (self.validation, "")):
                points = [(x(each.epoch), y(read(each))) for each in curve.epochs]
                path = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
                if path:
                    parts.append(
                        f'<path class="dlvc-line{dotted}" d="M{path}" style="{_stroke(number)}"/>'
                    )
                parts += [_marker(number, a, b, small=bool(dotted)) for a, b in points]
        return "".join(parts)


def _stroke(number: int) -> str:
    return f"stroke:var(--dlvc-run-{number % COLORS})"


def _marker(number: int, x: float, y: float, *, small: bool = False) -> str:
    """The marker of run `number`; beyond four runs hollow ones follow. A `small` one is a dot, as in training."""
    if small:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" style="fill:var(--dlvc-run-{number % COLORS})"/>'
    shapes = {
        "circle": f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
        "square": f"M{x - 3.5:.1f} {y - 3.5:.1f}h7v7h-7z",
        "diamond": f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z",
        "triangle": f"M{x:.1f} {y - 5:.1f}l5 9h-10z",
    }
    shape = shapes[MARKERS[number % len(MARKERS)]]
    hollow = number // len(MARKERS) % 2
    fill = "var(--dlvc-ground)" if hollow else f"var(--dlvc-run-{number % COLORS})"
    return f'<path class="dlvc-marker" d="{shape}" style="{_stroke(number)};fill:{fill}"/>'
