"""What the bench's numbers should be, and what is said of those that are not."""

from __future__ import annotations

from dataclasses import dataclass

from dlvc.studies.bench.curves import fixed_and_per_image
from dlvc.studies.bench.loops import LOOPS
from dlvc.studies.bench.measure import LARGE_BATCH, ratio
from dlvc.studies.bench.results import SMALL, Bench, as_one, step_ratio

SAME_LOSS = 1e-4


@dataclass(frozen=True)
class Target:
    """One number of a run of the bench, and its limit."""

    name: str
    value: float
    limit: float
    at_least: bool = False  # else at most

    @property
    def met(self) -> bool:
        """Whether the number keeps to its limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def targets(bench: Bench) -> list[Target]:
    """What a loop may cost on this kind of device, and whom it must not fall behind, with what was measured."""
    on_gpu = bench["device"]["type"] == "cuda"
    aims = []
    for key, measured in bench["models"].items():
        seconds, small = measured["seconds_per_step"], key == SMALL
        loop = 1.10 if on_gpu else 1.15 if small else 1.08
        aims += [
            Target(f"{key}: difference of losses", measured["largest_loss_difference"], SAME_LOSS),
            Target(f"{key}: R_loop", ratio(seconds, "dlvc", "bare step"), loop),
            Target(f"{key}: data share", ratio(seconds, "data", "dlvc"), 0.15 if small else 0.10),
            Target(f"{key}: R_step", step_ratio(measured), 1.05),
        ]
        if measured["host_syncs"] is not None:
            aims.append(Target(f"{key}: waits for the GPU an epoch", measured["host_syncs"], 1))
        if measured["seconds_per_large_step"]:
            large = ratio(measured["seconds_per_large_step"], "dlvc", "bare step")
            aims.append(Target(f"{key}: R_loop with batches of {LARGE_BATCH}", large, 1.05))
        for name in LOOPS:
            if name == "dlvc" or name not in seconds:
                continue
            least = 1.0
            if small and name == "tutorial loop":
                least = 20.0 if on_gpu else 3.0
            elif small and name == "tutorial loop, tuned":
                least = 1.5
            faster = ratio(seconds, name, "dlvc")
            aims.append(Target(f"{key}: times as fast as {name}", faster, least, at_least=True))
    return aims


def summary(benches: list[Bench]) -> str:
    """The lines below the table: the start, the fixed cost and the cost of an image, and the targets missed.

    A target is met if the median over the rounds of all `benches` meets it: what a single round misses is chance.
    """
    bench = as_one(benches)
    start = bench["cold_start"]
    memory = start["peak memory (MB)"]
    lines = [
        f"{next(iter(bench['models']))} in a new process: {start['import']:.1f} s for imports, then "
        f"{start['first step']:.2f} s for a training of one step"
        f"{'' if memory is None else f'; {memory:.0f} MB of memory at most'} (medians)."
    ]
    curve = bench["curves"].get(SMALL, {}).get("data size")
    if curve:
        fixed, per_image = fixed_and_per_image(curve)
        lines.append(
            f"{SMALL}: a training of one epoch takes {1000 * fixed:.0f} ms and {1e6 * per_image:.0f} µs an image."
        )
    aims = targets(bench)
    missed = [aim for aim in aims if not aim.met]
    lines.append(
        f"Targets met: {len(aims) - len(missed)} of {len(aims)} (medians over the rounds, {bench['rounds']} in all)."
    )
    lines += [
        f"missed: {aim.name} {aim.value:.3g}; {'at least' if aim.at_least else 'at most'} {aim.limit:g}"
        for aim in missed
    ]
    return "\n".join(f"- {line}" for line in lines)
