"""The learning rate of each step of a training, for two schedules, and the numbers that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import ipywidgets
import torch

from dlvc.config import TrainConfig
from dlvc.data import split_batches
from dlvc.plots import BLUE, VERMILLION, Picture, new_picture, set_description, styled
from dlvc.training import learning_rate_at
from dlvc.widgets.explorers.explorer import WIDE, Explorer, choice, slider, steps


@dataclass(frozen=True)
class RateCurve:
    """The learning rate of every step, from step 0."""

    rates: list[float]
    steps_per_epoch: int

    @property
    def peak_step(self) -> int:
        """The first step with the highest rate."""
        return max(range(len(self.rates)), key=self.rates.__getitem__)


def rate_curve(config: TrainConfig) -> RateCurve:
    """The rates that a training with these settings uses."""
    batches = len(split_batches(torch.arange(config.train_size), config.batch_size))
    count = config.epochs * batches
    return RateCurve([learning_rate_at(step, count, config) for step in range(count)], batches)


@styled
def draw_schedule(
    train_size: int, *, schedule: str, learning_rate: float, epochs: int, batch_size: int
) -> Picture:
    """The curve of the learning rate against the step, with its peak and its end."""
    config = TrainConfig(
        schedule=schedule,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=batch_size,
        train_size=train_size,
    )
    curve = rate_curve(config)
    rates, peak, count = curve.rates, curve.peak_step, len(curve.rates)
    picture = new_picture(8, 3.4, title=f"Learning rate: {schedule}")
    axes = picture.subplots()
    # The corners of the curve are all there is to it: 600,000 points would only take time.
    corners = sorted({*range(0, count, max(1, count // 200)), peak, count - 1})
    axes.plot(
        [step / curve.steps_per_epoch for step in corners],
        [rates[step] for step in corners],
        color=BLUE,
    )
    marks = {"peak": (peak, "^"), "last step": (count - 1, "s")}
    for name, (step, marker) in marks.items():
        at = step / curve.steps_per_epoch
        label = f"{name}: {rates[step]:.3g} at step {step + 1:,}"
        axes.plot(
            at, rates[step], marker, color=VERMILLION, markersize=8, label=label, clip_on=False
        )
    axes.set(xlabel="epoch", ylabel="learning rate", ylim=(0, 1.25 * rates[peak]))
    axes.set_xlim(0, epochs)
    axes.legend(loc="lower left" if schedule == "constant" else "upper right")
    return set_description(
        picture,
        f"{train_size:,} images in batches of {batch_size:,} make {curve.steps_per_epoch:,} steps an epoch and "
        f"{count:,} in all; the rate starts at {rates[0]:.3g}, is highest at step {peak + 1:,} ({rates[peak]:.3g}) "
        f"and ends at {rates[-1]:.3g}.",
    )


def schedule_explorer(*, train_size: int = 40_000) -> Explorer:
    """Schedule, peak rate, epochs and batch size, above the curve of the learning rate."""
    controls = {
        "schedule": choice("Schedule", ("constant", "one-cycle"), "one-cycle"),
        "learning_rate": ipywidgets.FloatLogSlider(
            value=1e-3, min=-5, max=0, step=0.1, description="Highest rate", layout=WIDE
        ),
        "epochs": slider("Epochs", 10, 1, 50),
        "batch_size": steps("Batch size", [2**power for power in range(3, 12)], 64),
    }
    return Explorer("Schedule explorer", controls, partial(draw_schedule, train_size))
