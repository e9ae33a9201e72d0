"""Would the tests notice? Plant each fault in a copy of the repository and run its tests there, one copy a core.

    python tests/tools/mutation_check.py            # all faults, a few minutes
    python tests/tools/mutation_check.py softmax    # those whose names hold this text

Prints for each fault the first test that fails, and the share that was caught. A fault goes first through the tests
that should know it, then through all of tests/, and only then through the notebooks (`pytest --nbval`).
`whole/test_mutation_check.py` holds that each fault still applies to the sources.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Fault:
    """A text that stands exactly once in a file of dlvc/, what takes its place, and who should notice."""

    name: str
    file: str
    before: str
    after: str
    tests: str = ""  # files under tests/; by default the one that mirrors the file

    def likely(self) -> list[str]:
        """The tests that should know the fault."""
        names = self.tests or re.sub(r"(\w+\.py)$", r"test_\1", self.file)
        return [f"tests/{name}" for name in names.split()]


FAULTS = (
    # The twelve classics.
    Fault(
        "class order",
        "data/splits.py",
        '("airplane", "automobile", ',
        '("automobile", "airplane", ',
        "data/test_sketch10.py data/test_data.py",
    ),
    Fault(
        "softmax over the wrong axis",
        "models/vit.py",
        "return scores.softmax(dim=-1)",
        "return scores.softmax(dim=-2)",
        "models/test_vit.py inspection/test_attention.py",
    ),
    Fault(
        "positions dropped",
        "models/vit.py",
        "tokens = self.patch_embedding(self.normalize(images)) + self.positions",
        "tokens = self.patch_embedding(self.normalize(images))",
    ),
    Fault(
        "wrong mean",
        "models/normalize.py",
        "IMAGENET_MEAN = (0.485, 0.456, 0.406)",
        "IMAGENET_MEAN = (0.406, 0.456, 0.485)",  # blue and red exchanged
    ),
    Fault(
        "confusion transposed",
        "metrics.py",
        "cells = labels.long() * confusion.shape[1] + predictions.long()",
        "cells = predictions.long() * confusion.shape[1] + labels.long()",
    ),
    Fault(
        "wrong layers frozen",
        "models/resnet.py",
        "self.backbone.requires_grad_(False)",
        "self.head.requires_grad_(False)",
    ),
    Fault(
        "eval() forgotten",
        "training/evaluation.py",
        "    model.eval()\n    images, labels = split.images",
        "    images, labels = split.images",
        "training/test_loop.py",
    ),
    Fault(
        "patch count",
        "models/vit.py",
        "count = (image_size // patch_size) ** 2",
        "count = (image_size // patch_size) ** 2 + 1",
    ),
    Fault(
        "scheduler not stepped",
        "training/session.py",
        'group["lr"] = self.rates[state.step]',
        'group["lr"] = self.rates[0]',
        "training/test_loop.py",
    ),
    Fault(
        "seed ignored",
        "data/augment.py",
        "manual_seed(seed * 100_003 + epoch)",
        "manual_seed(epoch)",
    ),
    Fault(
        "loss averaged over batches of one size",
        "training/session.py",
        "self.state.losses[step].add_(loss.detach(), alpha=len(labels))",
        "self.state.losses[step].add_(loss.detach(), alpha=self.config.batch_size)",
        "training/test_loop.py",
    ),
    Fault(
        "splits overlap",
        "data/loading.py",
        "part[start:end] for part",
        "part[start // 2 : end] for part",
        "data/test_data.py",
    ),
    # A few more.
    Fault(
        "another split of CIFAR-10",
        "data/loading.py",
        "(0, 40_000, 50_000, 60_000)",
        "(0, 30_000, 50_000, 60_000)",
        "data/test_data.py",
    ),
    Fault(
        "initial weights ignore the seed",
        "experiments/registry.py",
        "torch.manual_seed(config.seed)",
        "torch.manual_seed(0)",
    ),
    Fault(
        "patches column by column",
        "models/vit.py",
        "patches.permute(0, 2, 4, 1, 3, 5)",
        "patches.permute(0, 4, 2, 1, 3, 5)",
    ),
    Fault(
        "scores not divided by the root of their length",
        "models/vit.py",
        "scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5",
        "scores = query @ key.transpose(-2, -1)",
    ),
    Fault(
        "residual around the network dropped",
        "models/vit.py",
        "return tokens + self.mlp(self.mlp_norm(tokens))",
        "return self.mlp(self.mlp_norm(tokens))",
    ),
    Fault(
        "crops by place in the batch, not by image",
        "data/batches.py",
        "draws.take(index), padding=config.largest_shift",
        "draws.take(torch.arange(len(index))), padding=config.largest_shift",
        "training/test_loop.py",
    ),
    Fault(
        "slices weigh alike",
        "training/session.py",
        "self.processes.size * len(labels) / self.batch_size",
        "1.0",
        "training/test_processes.py",
    ),
    Fault(
        "losses of one process only",
        "training/state.py",
        "self.processes.add_up(self.losses[new], self.correct[new])",
        "self.processes.add_up(self.losses[new])",
        "training/test_processes.py",
    ),
    Fault(
        "a slice twice",
        "training/processes.py",
        "(slices[self.rank], True)",
        "(slices[0], True)",
    ),
    Fault(
        "gradients pile up",
        "training/loop.py",
        "    session.optimizer.zero_grad(set_to_none=True)\n",
        "",
    ),
    Fault(
        "code that is imported is no part of a run's identity",
        "training/identity.py",
        "waiting += imported_files(path, package)",
        "waiting += []",
    ),
    Fault(
        "worst epoch kept",
        "training/state.py",
        "score.mean_per_class_accuracy > best.mean_per_class_accuracy",
        "score.mean_per_class_accuracy < best.mean_per_class_accuracy",
        "training/test_loop.py",
    ),
    Fault(
        "label smoothing ignored",
        "training/loop.py",
        "label_smoothing=session.config.label_smoothing",
        "label_smoothing=0.0",
    ),
    Fault(
        "tested on the validation images",
        "experiments/running.py",
        "data.test.first(config.evaluation_size)",
        "data.validation.first(config.evaluation_size)",
    ),
    Fault(
        "absent classes count as zero",
        "metrics.py",
        "Fraction(right, images) for right, images in classes if images",
        "Fraction(right, images or 1) for right, images in classes",
    ),
    Fault(
        "spread of the population, not of the sample",
        "experiments/tables.py",
        "np.std(values, ddof=1)",
        "np.std(values)",
    ),
    Fault(
        "runs from other weights are one row",
        "experiments/grouping.py",
        '        "weights": record.model["weights"],\n',
        "",
        "experiments/test_tables.py",
    ),
    Fault(
        "archive not verified",
        "data/cifar10.py",
        "if digest.hexdigest() != sha256:",
        "if not digest.hexdigest():",
    ),
    Fault(
        "weights file may run code",
        "models/resnet.py",
        'map_location="cpu", weights_only=True',
        'map_location="cpu", weights_only=False',
    ),
    Fault(
        "names not escaped",
        "experiments/tables.py",
        'html.escape(" ".join(str(value).split()), quote=False)',
        '" ".join(str(value).split())',
        "whole/test_escaping.py",
    ),
    # What is said about results, data and answers.
    Fault(
        "seeds forgotten in the interval",
        "statistics.py",
        "    drawn += seed_errors(per_run, draw)\n",
        "",
    ),
    Fault(
        "no degrees of freedom for seeds",
        "statistics.py",
        "draw.standard_t(freedom, size=RESAMPLES)",
        "draw.standard_normal(size=RESAMPLES)",
    ),
    Fault(
        "corrected p-values may fall",
        "statistics.py",
        "np.maximum.accumulate(values[order] * factors)",
        "values[order] * factors",
    ),
    Fault(
        "pre-flight overlooks gradients that are missing",
        "inspection/preflight_checks/model_checks.py",
        "if value.grad is None or not value.grad.any()]",
        "if value.grad is None]",
        "inspection/test_preflight.py",
    ),
    Fault(
        "pre-flight asks the same neighbours",
        "inspection/preflight_checks/model_checks.py",
        "change = (together - scores(learner, batch.images[:half]))",
        "change = (together - scores(learner, batch.images)[:half])",
        "inspection/test_preflight.py",
    ),
    Fault(
        "answers judged on the learner's copy",
        "lessons/exercises/answers.py",
        "data = (Tensor, np.ndarray, list, dict)",
        "data = (Tensor, np.ndarray)",
        "lessons/exercises/test_exercise.py",
    ),
    Fault(
        "the first case of an exercise is enough",
        "lessons/exercises/judges.py",
        "pairs = list(zip(cases, results, strict=True))",
        "pairs = list(zip(cases, results, strict=True))[:1]",
        "lessons/exercises/test_silent_bugs.py lessons/exercises/test_comparison.py",
    ),
)


def copy_project(folder: Path) -> None:
    """Copy what git knows or would know; neither data nor runs."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)


def first_failure(folder: Path, *arguments: str) -> str:
    """The first test that fails under `pytest ARGUMENTS` in the copy; empty if all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode == 0:
        return ""
    summary = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if summary is None:
        raise RuntimeError(f"pytest failed without a failed test:\n{done.stdout}\n{done.stderr}")
    return summary[1]


def plant(fault: Fault, source: str) -> str:
    """The source with the fault in it. Raises ValueError unless it applies exactly once."""
    if source.count(fault.before) != 1:
        raise ValueError(
            f"{fault.name}: {fault.before!r} stands {source.count(fault.before)} times in dlvc/{fault.file}, "
            "not once. Write the fault anew for the changed source."
        )
    return source.replace(fault.before, fault.after)


def check(fault: Fault) -> str:
    """The first test that notices the fault in a copy of the project; empty if none does."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "dlvc-copy"
        copy_project(folder)
        path = folder / "dlvc" / fault.file
        path.write_text(plant(fault, path.read_text(encoding="utf-8")), encoding="utf-8")
        for arguments in (["-n=0", *fault.likely()], ["tests"], ["--nbval", "notebooks"]):
            if failed := first_failure(folder, *arguments):
                return failed
    return ""


def main(names: list[str]) -> int:
    """The exit status: 0 if every fault was caught."""
    faults = [fault for fault in FAULTS if not names or any(name in fault.name for name in names)]
    likely = sorted({path for fault in faults for path in fault.likely()})
    if failed := first_failure(PROJECT, *likely):
        raise RuntimeError(f"{failed} fails without a fault: mend that first")
    caught = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each thread waits for a pytest of its own
        for fault, failed in zip(faults, pool.map(check, faults), strict=True):
            caught += bool(failed)
            print(f"{fault.name}: {failed or 'NOT CAUGHT'}", flush=True)
    print(f"{caught} of {len(faults)} planted faults were caught")
    return 0 if caught == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
