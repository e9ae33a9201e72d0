"""Record the traces of figures/records/silent_bugs/ (about ten minutes on a CPU).

    python -m dlvc.lessons.silent_bugs --weights RESNET18.safetensors

trains the four correct codes and every fault on 3,000 images of CIFAR-10 for 6 epochs, ResNet18 on 1,000 for 2.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

from dlvc.config import TrainConfig
from dlvc.data import load_data
from dlvc.files import save_json
from dlvc.lessons.silent_bugs.correct import (
    PlainTraining,
    PretrainedTraining,
    SimpleCNNTraining,
    SmallViTTraining,
)
from dlvc.lessons.silent_bugs.faults import FAULTS
from dlvc.lessons.silent_bugs.traces import FOLDER

# With this seed the best epoch is not the last one, so that keeping the best and keeping the last differ.
CONFIG = TrainConfig(epochs=6, train_size=3_000, evaluation_size=1_000, seed=1, device="cpu")
CORRECT = (PlainTraining, SimpleCNNTraining, SmallViTTraining, PretrainedTraining)
RESNET_CONFIG = replace(CONFIG, epochs=2, train_size=1_000, evaluation_size=500)


def main() -> None:
    """Train each code once and store its trace."""
    parser = argparse.ArgumentParser(
        prog="python -m dlvc.lessons.silent_bugs", description=main.__doc__
    )
    parser.add_argument("--weights", required=True, help="a file of weights of ResNet18")
    parser.add_argument("--only", nargs="*", help="names of classes; all without it")
    options = parser.parse_args()
    data = load_data("cifar10")
    for code in (*CORRECT, *FAULTS.values()):
        if options.only and code.__name__ not in options.only:
            continue
        pretrained = issubclass(code, PretrainedTraining)
        build = partial(code, weights=options.weights) if pretrained else code
        trace = build(data, RESNET_CONFIG if pretrained else CONFIG).run()
        print(save_json(trace, FOLDER / f"{code.__name__}.json").name, trace.test_accuracy)


if __name__ == "__main__":
    main()
