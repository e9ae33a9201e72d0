"""Which training is the same training: what a checkpoint, or another process, must agree in with the one at work.

Everything that determines the result is part of it, so a changed setting, image, layer or line of the code is another
training, and nothing of the old one is used for it.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from dlvc.config import TrainConfig
from dlvc.data import Split, content_digest
from dlvc.training.checkpoint import CheckpointError

ANOTHER_FOLDER = "Give another folder, or empty this one to train from the start."
PACKAGE = Path(__file__).resolve().parents[1]
# What trains, and what is trained. What they import decides the result too.
ROOTS = ("dlvc.training", "dlvc.models")
# What every class has, and what says nothing of how its objects compute.
INHERENT = {"__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__parameters__"}
INHERENT |= {"__firstlineno__", "__static_attributes__", "__qualname__"}


def training_identity(
    model: nn.Module, config: TrainConfig, precision: str, *splits: Split
) -> dict[str, Any]:
    """What a checkpoint must agree in with the training that goes on from it; `splits` are all images that it sees."""
    # Where it runs may change, and "auto" may then mean another precision.
    settings = {**config.as_dict(), "precision": precision}
    del settings["device"]
    return {
        "config": settings,
        "data": content_digest(*splits),
        "model": model_digest(model),
        "code": code_digest(),
    }


def model_digest(model: nn.Module) -> str:
    """The SHA-256 of what a model is besides its weights: classes and options of its layers, and what is trained.

    Names and shapes of weights would not do: a ViT with and without residual connections has the same. Of a class from
    elsewhere, such as a notebook, the code counts; where it cannot be found, the digest is never reproduced.
    """
    layers = [
        (
            name,
            type(layer).__qualname__,
            {
                option: value
                for option, value in sorted(vars(layer).items())
                if option != "training" and not option.startswith("_") and is_plain(value)
            },
        )
        for name, layer in model.named_modules()
    ]
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    classes = {kind for layer in model.modules() for kind in type(layer).__mro__}
    sources = sorted(
        f"{kind.__module__}.{kind.__qualname__}\n{own_source(kind)}" for kind in classes
    )
    return hashlib.sha256(json.dumps([layers, trained, sources]).encode()).hexdigest()


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a text, or a tuple or list of such: an option of a layer, not a part of it."""
    if isinstance(value, (tuple, list)):
        return all(map(is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def own_source(kind: type) -> str:
    """The source of a class from elsewhere; "" for one of a package whose version or code is recorded anyway."""
    if kind.__module__.partition(".")[0] in ("builtins", "torch", "torchvision", "dlvc"):
        return ""
    with suppress(OSError, TypeError):
        return inspect.getsource(kind)
    # A notebook's class has no file. Its methods have a source, where IPython keeps it, and the rest must be plain.
    members = {name: value for name, value in vars(kind).items() if name not in INHERENT}
    if not any(map(inspect.isfunction, members.values())):
        return secrets.token_hex()
    with suppress(OSError, TypeError):
        return "".join(
            f"{name} = {value!r}\n" if is_plain(value) else inspect.getsource(code_of(value))
            for name, value in members.items()
        )
    return secrets.token_hex()


def code_of(member: Any) -> Any:
    """The function in a property, a class method or a static method; any other member as it is."""
    return getattr(member, "fget", None) or getattr(member, "__func__", member)


def code_digest(package: Path = PACKAGE) -> str:
    """The SHA-256 of all files of the package that decide what a training computes."""
    digest = hashlib.sha256()
    for path in training_code(package):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def training_code(package: Path = PACKAGE) -> list[Path]:
    """The files of the package at `ROOTS`, and those that they import, directly or through others."""
    paths: set[Path] = set()
    waiting = [path for root in ROOTS for path in files_of(root, package)]
    while waiting:
        path = waiting.pop()
        if path not in paths:
            paths.add(path)
            waiting += imported_files(path, package)
    return sorted(paths)


def imported_files(path: Path, package: Path) -> list[Path]:
    """The files of the package that the file at `path` imports, inside functions too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:  # `dlvc` has no relative imports
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [file for name in names for file in files_of(name, package)]


def files_of(name: str, package: Path) -> list[Path]:
    """The files that run when the module called `name` is imported, those of the folders above it among them."""
    top, *parts = name.split(".")
    if top != "dlvc":
        return []
    folders = [package.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
    paths = [folder / "__init__.py" for folder in folders]
    if parts:
        paths.append(folders[-1].with_suffix(".py"))
    return [path for path in paths if path.is_file()]


def check_same_training(here: dict[str, Any], there: dict[str, Any], name: str) -> None:
    """Raise CheckpointError naming what differs unless the identity `there`, in the file `name`, is the one `here`."""
    one, other = here["config"], there["config"]
    differing = [
        f"{setting} ({one.get(setting)!r} here, {other.get(setting)!r} there)"
        for setting in {**one, **other}
        if one.get(setting) != other.get(setting)
    ]
    parts = {
        "data": "the training and validation images",
        "model": "the model (options of its layers, their code, or what of it is trained)",
        "code": "the code of dlvc that trains",
    }
    differing += [words for part, words in parts.items() if here[part] != there[part]]
    if differing:
        raise CheckpointError(
            f"{name} belongs to another training: different are {', '.join(differing)}. {ANOTHER_FOLDER}"
        )
