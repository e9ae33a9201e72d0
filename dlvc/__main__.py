"""The command line: `python -m dlvc COMMAND`. `train` takes the fields of `TrainConfig` and the models' options."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dlvc.config import PROFILES, TrainConfig, split_settings

if TYPE_CHECKING:
    from dlvc.experiments import RunRecord
    from dlvc.training import EpochRecord

REFUSED = (
    2  # the exit status where something is wrong with what was asked for, as for a wrong option
)
FAULTY = 1  # ... where something is wrong with dlvc
STOPPED = 130  # ... of a program stopped by Ctrl-C


class OneLineParser(argparse.ArgumentParser):
    """A parser that answers a wrong option in one sentence, as all of dlvc does."""

    def error(self, message: str) -> NoReturn:
        """End the program with that sentence."""
        self.exit(REFUSED, f"dlvc: {message}. See {self.prog} --help.\n")


def main(arguments: list[str] | None = None) -> int:
    """The exit status after running the command given by `arguments` (default: the program's own).

    What cannot be done is said in words on stderr. The place in the code would hide them; DLVC_DEBUG=1 shows it.
    """
    options = build_parser().parse_args(arguments)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return STOPPED
    except BrokenPipeError:  # who reads the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("DLVC_DEBUG"):
            raise
        if isinstance(error, (ValueError, RuntimeError, OSError, ImportError)):
            print(f"dlvc: {error}", file=sys.stderr)
            return REFUSED
        fault = f"this is a fault of dlvc itself ({type(error).__name__}: {error})"
        print(f"dlvc: {fault}. DLVC_DEBUG=1 shows where it is.", file=sys.stderr)
        return FAULTY


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = OneLineParser(
        prog="python -m dlvc", description="Train, compare and draw the workbook's models."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (run, purpose, options) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        command.set_defaults(run=run)
        alternatives = command.add_mutually_exclusive_group() if ONE_OF & options.keys() else None
        for option, look in options.items():
            (alternatives if option in ONE_OF else command).add_argument(option, **look)
    add_settings(commands.choices["train"])
    return parser


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add each field of TrainConfig and each option of a model; only those that were given change a run's settings."""
    from dlvc.experiments import options_of_all_models

    settings = {setting.name: [setting] for setting in fields(TrainConfig)}
    for title, about, parameters in (
        ("settings", "each overrides protocol and profile", settings),
        ("options of the model", "each overrides the protocol", options_of_all_models()),
    ):
        group = parser.add_argument_group(title, about)
        for name, declared in parameters.items():
            default = declared[0].default
            if isinstance(default, bool):
                look = {
                    "action": argparse.BooleanOptionalAction,
                    "help": declared[0].metadata["help"],
                }
            else:
                report = f"; report: {default}" if parameters is settings else ""
                # Models of several kinds may have an option of one name, such as depth.
                texts = [f"{one.metadata['help']} ({allowed(one)}{report})" for one in declared]
                look = value("X", "; or ".join(dict.fromkeys(texts)), type=type(default))
            group.add_argument(f"--{name.replace('_', '-')}", default=argparse.SUPPRESS, **look)


def allowed(setting: Field) -> str:
    """The values that a setting may have, in words."""
    meta = setting.metadata
    return " or ".join(meta["choices"]) or f"{meta['low']:g} to {meta['high']:g}"


def list_experiments(options: argparse.Namespace) -> None:
    """Print each experiment and the five comparisons."""
    from dlvc.experiments import COMPARISONS, EXPERIMENTS

    width = max(map(len, EXPERIMENTS))
    for key, experiment in EXPERIMENTS.items():
        print(f"{key:{width}}  {experiment.title} (notebook {experiment.notebook})")
    print("\ncompared in one factor:")
    for pair in COMPARISONS:
        print(f"  {pair.without} -> {pair.with_factor}: {pair.factor}")


def show_data(options: argparse.Namespace) -> None:
    """Print which data are there; fetch CIFAR-10 first if asked to."""
    from dlvc.data import describe_data, fetch_cifar10
    from dlvc.models import describe_weights

    if options.fetch:
        fetch_cifar10()
    print(describe_data(), describe_weights(), sep="\n")


def train_experiments(options: argparse.Namespace) -> int:
    """The exit status after training each experiment with each seed that was asked for, a line an epoch."""
    from dlvc import experiments
    from dlvc.data import load_data
    from dlvc.training import processes_of_torchrun, stopped_by_sigterm

    known = experiments.EXPERIMENTS
    # What is wrong is said before any data are loaded.
    if options.all == (options.key is not None):
        raise ValueError(
            f"train needs one experiment or --all; got {'both' if options.all else 'neither'}. Try simple-cnn."
        )
    keys = list(known) if options.all else [experiments.get_experiment(options.key).key]
    names = [*TrainConfig.__dataclass_fields__, *experiments.options_of_all_models()]
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    changes, model_options = split_settings(given)
    if options.seeds is not None and ("seed" in changes or options.seeds < 1):
        raise ValueError(
            f"give either --seed (one run) or --seeds N with N of at least 1 (seeds 0 to N-1); "
            f"got --seeds {options.seeds}{' and --seed' if 'seed' in changes else ''}. Leave one out, or try --seeds 3."
        )
    TrainConfig(**changes)

    def options_of(key: str) -> dict[str, Any]:
        """The options for one model: with --all those of the given ones that it has."""
        own = known[key].option_fields
        return {n: model_options[n] for n in model_options if n in own or not options.all}

    for key in keys:
        known[key].changed_options(options.protocol, options_of(key))
    if options.weights not in ("auto", "none") and not Path(options.weights).is_file():
        raise FileNotFoundError(
            f"no weights at {options.weights}. Give a .safetensors or .pth file, none, or auto."
        )
    seeds = range(options.seeds) if options.seeds else [changes.get("seed", 0)]
    jobs = experiments.jobs_of_shard(keys, seeds, options.shard)
    with (
        processes_of_torchrun(changes.get("device", "auto")) as processes,
        stopped_by_sigterm() as stop,
    ):
        data = load_data(options.data) if options.data else experiments.data_for(options.profile)

        def run_job(job: experiments.Job) -> int:
            recipe = {"protocol": options.protocol, "profile": options.profile}
            config = experiments.config_for(
                job.key, data, **recipe, **{**changes, "seed": job.seed}
            )
            print(f"{job.key}, {options.protocol} protocol, seed {job.seed}, {data.title}")
            run = experiments.run_experiment(
                job.key,
                data,
                config,
                **recipe,
                options=options_of(job.key),
                weights=None if options.weights == "none" else options.weights,
                fresh=options.fresh,
                processes=processes,
                stop=stop,
                on_epoch=print_epoch,
            )
            print(summarise(run.record, run.path))
            if run.record.interrupted:
                return STOPPED
            return 0 if run.path else REFUSED  # why was said

        if len(jobs) == 1:
            return run_job(jobs[0])
        return experiments.run_jobs(jobs, run_job, say_failed, stopped=STOPPED)


def print_epoch(epoch: EpochRecord) -> None:
    """Print one epoch as one line, above the progress bar."""
    from tqdm import tqdm

    tqdm.write(
        f"epoch {epoch.epoch:3}: training loss {epoch.train_loss:.3f}, accuracy {epoch.train_accuracy:.3f}; "
        f"validation loss {epoch.validation_loss:.3f}, accuracy {epoch.validation_accuracy:.3f}; {epoch.seconds:.1f} s"
    )


def summarise(record: RunRecord, path: Path | None) -> str:
    """What a run gave, in two lines."""
    where = f"record: {path.parent.name}/{path.name}" if path else "record: not saved"
    if record.test is None:
        epochs = len(record.epochs)
        finished = "no epoch" if not epochs else "1 epoch" if epochs == 1 else f"{epochs} epochs"
        return f"stopped with {finished} finished and no test; the same command goes on from there\n{where}"
    return (
        f"best epoch {record.best_epoch}: test accuracy {record.test.accuracy:.4f}, mean per-class accuracy "
        f"{record.test.mean_per_class_accuracy:.4f} on {sum(map(sum, record.test.confusion)):,} images; "
        f"trained in {record.train_seconds:.0f} s on {record.device['name']}\n{where}"
    )


def say_failed(key: str, seed: int, error: Exception) -> None:
    """Print in one line why a run of a list has failed; the others go on."""
    if os.environ.get("DLVC_DEBUG"):
        raise error
    print(f"dlvc: {key} with seed {seed} failed: {error}", file=sys.stderr, flush=True)


def print_table(options: argparse.Namespace) -> None:
    """Print the results of the committed records or of the learner's runs."""
    from dlvc import experiments

    folder = (
        experiments.runs_folder()
        if options.runs
        else options.folder or experiments.REFERENCE_RECORDS
    )
    records = experiments.in_registry_order(experiments.load_records(folder))
    if options.protocols and not options.runs:
        records += experiments.load_records(folder / "tuned")
    if not records:
        raise ValueError(
            f"there is no record in {folder.name}/. Train a model (python -m dlvc train simple-cnn), "
            "or name another folder with --folder."
        )
    if options.by:
        table = experiments.setting_table(records, options.by)
    elif options.comparisons:
        table = experiments.comparison_table(records)
    elif options.protocols:
        table = experiments.protocol_table(records)
    else:
        table = experiments.results_table(records)
    if options.short:
        left_out = [name for name in table if name.startswith(("val. ", "seconds ", "test loss"))]
        same = [name for name in ("protocol", "images x epochs") if name in table]
        left_out += [name for name in same if table[name].nunique() == 1]
        table = table.drop(columns=left_out)
    print(experiments.format_table(table, options.format))


def draw(options: argparse.Namespace) -> None:
    """Draw every committed figure."""
    from dlvc.lessons import draw_figures

    for path in draw_figures():
        print(f"figures/{path.name}")


def store_notebooks(options: argparse.Namespace) -> None:
    """Run the notebooks, with the exercise cells brought up to date, and store their outputs."""
    from dlvc.lessons import run_notebooks, sync_notebooks

    if options.solved:
        for path in sync_notebooks(options.names, solved_into=options.solved):
            print(path)
        return
    sync_notebooks(options.names)
    run_notebooks(options.names or None)


def bench_loops(options: argparse.Namespace) -> None:
    """Measure the loops, or show what was measured."""
    from dlvc.studies.bench import run_bench

    run_bench(options)


def switch(text: str) -> dict[str, Any]:
    """An option without a value, with its help."""
    return {"action": "store_true", "help": text}


def value(metavar: str | None, text: str | None, **look: Any) -> dict[str, Any]:
    """An option with a value: its name in the help, and the help."""
    return {"metavar": metavar, "help": text, **look}


# Of these options a command takes only one.
ONE_OF = {"--comparisons", "--protocols", "--by", "--steps", "--summary"}
# What it runs, what that is for, and its options; `train` has the settings besides.
COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], Any], str, dict[str, dict]]] = {
    "list": (list_experiments, "the experiments and what they compare", {}),
    "data": (
        show_data,
        "which data are there, where, verified or not; fetch CIFAR-10",
        {"--fetch": switch("download CIFAR-10 (170 MB) if it is not there")},
    ),
    "train": (
        train_experiments,
        "train one experiment, or all, and leave the records in runs/",
        {
            "key": value("KEY", "an experiment of `python -m dlvc list`", nargs="?"),
            "--all": switch("every experiment instead of one"),
            "--protocol": value(
                None,
                "the report's settings, or better ones",
                choices=("report", "tuned"),
                default="report",
            ),
            "--profile": value(
                None, "how much of it (default: DLVC_PROFILE or class)", choices=tuple(PROFILES)
            ),
            "--data": value(
                None, "default: the profile's", choices=("auto", "cifar10", "sketch10")
            ),
            "--seeds": value("N", "train with the seeds 0 to N-1, one after the other", type=int),
            "--shard": value(
                "I/N",
                "of all these runs only the I-th of N parts, for a cluster's job array",
                default="1/1",
            ),
            "--weights": value(
                "FILE", "start of ResNet18: a file, none, or auto (ImageNet)", default="auto"
            ),
            "--fresh": switch(
                "from the start, even if the same run is finished or can go on from a checkpoint"
            ),
        },
    ),
    "table": (
        print_table,
        "the results as a table",
        {
            "--format": value(None, None, choices=("markdown", "latex", "csv"), default="markdown"),
            "--comparisons": switch("the five comparisons in one factor instead of all models"),
            "--protocols": switch(
                "the report's number, its protocol and the tuned recipe, side by side"
            ),
            "--by": value("SETTING", "what a setting does, such as image_size"),
            "--short": switch(
                "without validation scores, loss, times and what all rows share, to fit a screen"
            ),
            "--runs": switch("your own runs in runs/"),
            "--folder": value("FOLDER", "records elsewhere (default: figures/records)", type=Path),
        },
    ),
    "figures": (draw, "draw every committed figure from the committed records", {}),
    "bench": (
        bench_loops,
        "how fast the training loop is, beside the machine's limit and other loops",
        {
            "--models": value(
                "KEY",
                "experiments that are measured (default: all that differ in their steps)",
                nargs="+",
            ),
            "--rounds": value(
                "N", "how often each loop is timed (default: 3)", type=int, default=3
            ),
            "--show": value(
                "PATH",
                "measure nothing, print the table of this record, or of all in a folder",
                type=Path,
            ),
            "--steps": switch("with --show: the table of layouts and precisions"),
            "--summary": switch("with --show: the start, and the targets missed"),
            "--output": value(
                "FILE", "the record", type=Path, default=Path("runs/bench/latest.json")
            ),
        },
    ),
    "notebooks": (
        store_notebooks,
        "bring their exercises up to date, run them in the smoke profile and store their outputs",
        {
            "names": value("NAME", "for example 02_cnns (default: all)", nargs="*"),
            "--solved": value(
                "FOLDER",
                "instead, write them with the solutions of their exercises into FOLDER",
                type=Path,
            ),
        },
    ),
}

if __name__ == "__main__":
    sys.exit(main())
