"""A training that goes on from a checkpoint ends with the same bits as one that was never interrupted."""

import dataclasses
import hashlib
import io
import pickle
import re
import signal
import zipfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from small_training import CONFIG, STEPS, Breaks, make_model, outcome, run
from torch import nn

from dlvc.files import CannotWriteError
from dlvc.models.vit import VisionTransformer
from dlvc.training import checkpoint as checkpoint_module
from dlvc.training.checkpoint import (
    AlreadyRunningError,
    CheckpointError,
    CheckpointFolder,
    DamagedError,
    read_checkpoint,
)
from dlvc.training.session import NonFiniteLoss


@pytest.fixture(scope="module")
def uninterrupted(sketches):
    return outcome(*run(sketches))


@pytest.fixture
def stopped(sketches, tmp_path):
    """A folder with two checkpoints: of the first epoch's end, and of two steps later."""
    run(sketches, tmp_path, stop_after=STEPS + 2)
    return tmp_path


ALL_STEPS = [(epoch, step, STEPS) for epoch in (1, 2, 3) for step in range(1, STEPS + 1)]


def test_each_step_is_told_once_with_its_epoch_and_number_and_the_rest_after_a_stop(
    sketches, tmp_path
):
    told = []
    run(sketches, on_step=lambda *step: told.append(step))
    assert told == ALL_STEPS and len(told) == CONFIG.epochs * STEPS
    told.clear()
    for stop_after in (7, None):
        run(sketches, tmp_path, stop_after=stop_after, on_step=lambda *step: told.append(step))
    assert told == ALL_STEPS


@pytest.mark.parametrize(
    "step", [0, 1, STEPS - 1, STEPS, STEPS + 2, 2 * STEPS + 3, 3 * STEPS - 1, 3 * STEPS]
)
def test_a_training_stopped_at_any_step_goes_on_to_the_same_bits(
    step, sketches, tmp_path, uninterrupted, capsys
):
    first = run(sketches, tmp_path, stop_after=step)[1]
    assert first.interrupted
    torch.rand(3)  # stir the global random numbers
    second = run(sketches, tmp_path, model=make_model(seed=1))  # its weights are not used
    assert outcome(*second) == uninterrupted
    # The last step of an epoch is done, its validation is not.
    epoch, in_epoch = (1, 0) if step == 0 else ((step - 1) // STEPS + 1, (step - 1) % STEPS + 1)
    line = rf"continues at epoch {epoch}, step {in_epoch} of {STEPS}; checkpoint of \d\d:\d\d\n"
    assert re.fullmatch(line, capsys.readouterr().out)


def test_checkpoints_change_nothing(sketches, tmp_path, uninterrupted):
    assert outcome(*run(sketches, tmp_path, checkpoint_seconds=0)) == uninterrupted


def test_a_training_stopped_at_every_second_step_goes_on_to_the_same_bits(
    sketches, tmp_path, uninterrupted
):
    calls = 0
    while (done := run(sketches, tmp_path, stop_after=2))[1].interrupted:
        calls += 1
    assert calls == 3 * STEPS // 2
    assert outcome(*done) == uninterrupted


@pytest.mark.parametrize("settings", [{"optimizer": "adam"}, {"precision": "bfloat16"}])
def test_other_settings_go_on_to_the_same_bits_too(settings, sketches, tmp_path):
    config = replace(CONFIG, epochs=2, **settings)
    run(sketches, tmp_path, config=config, stop_after=STEPS + 2)
    resumed = run(sketches, tmp_path, config=config)
    assert outcome(*resumed) == outcome(*run(sketches, config=config))


FORGET = {
    "the random numbers of dropout": lambda content: content["random"]["cpu"][0].copy_(
        torch.Generator().manual_seed(1).get_state()
    ),
    "a weight": lambda content: content["model"]["0.weight"].zero_(),
    "batch norm's mean": lambda content: content["model"]["1.running_mean"].zero_(),
    "Adam's mean": lambda content: content["optimizer"]["state"][0]["exp_avg"].zero_(),
    "Adam's counter": lambda content: content["optimizer"]["state"][1]["step"].zero_(),
    "the best weights": lambda content: content["best_weights"]["0.weight"].zero_(),
    "the best score": lambda content: content["best_validation"]["confusion"].fill_(1),
    "the losses so far": lambda content: content["losses"].zero_(),
    "the hits so far": lambda content: content["correct"].zero_(),
    "the step": lambda content: content.update(step=0),
    "the epoch": lambda content: content.update(epoch=2),
    "the epochs' records": lambda content: content["epochs"].pop(0),
    "the best epoch": lambda content: content.update(best_epoch=1),
}


@pytest.mark.parametrize("part", FORGET)
def test_a_checkpoint_without_one_of_its_parts_gives_other_bits(
    part, sketches, tmp_path, uninterrupted, monkeypatch
):
    """Shows that the comparisons above would notice each part that was not saved."""
    run(sketches, tmp_path, stop_after=2 * STEPS + 3)
    read = checkpoint_module.read_checkpoint

    def forget(path):
        content = read(path)
        FORGET[part](content)
        return content

    monkeypatch.setattr(checkpoint_module, "read_checkpoint", forget)
    assert outcome(*run(sketches, tmp_path)) != uninterrupted


def test_the_seconds_of_all_parts_add_up(sketches, stopped, monkeypatch):
    read = checkpoint_module.read_checkpoint

    def later(path):
        return {**read(path), "seconds": 1000.0, "epoch_seconds": 500.0}

    monkeypatch.setattr(checkpoint_module, "read_checkpoint", later)
    result = run(sketches, stopped)[1]
    assert result.train_seconds > 1000
    assert [each.seconds > 500 for each in result.epochs] == [False, True, False]


def test_finished_epochs_are_told_again(sketches, stopped):
    told = []
    run(sketches, stopped, on_epoch=lambda record: told.append(record.epoch))
    assert told == [1, 2, 3]


def test_a_finished_training_is_not_trained_again(sketches, tmp_path, uninterrupted, capsys):
    run(sketches, tmp_path)
    model = make_model(seed=1)
    model.register_forward_pre_hook(lambda *_: pytest.fail("it was trained"))
    assert outcome(*run(sketches, tmp_path, model=model)) == uninterrupted
    assert "continues after the last of 3 epochs" in capsys.readouterr().out


def test_a_checkpoint_is_written_after_each_epoch_and_by_time(sketches, tmp_path, monkeypatch):
    written = []
    write = CheckpointFolder.write

    def note(folder, content):
        written.append((content["epoch"], content["step"]))
        return write(folder, content)

    monkeypatch.setattr(CheckpointFolder, "write", note)
    run(sketches, tmp_path / "epochs")
    assert written == [(2, 0), (3, 0), (4, 0)]
    written.clear()
    run(sketches, tmp_path / "steps", checkpoint_seconds=0)
    in_epochs = [(epoch, step) for epoch in (1, 2, 3) for step in range(1, STEPS + 1)]
    assert written == sorted([*in_epochs, (2, 0), (3, 0), (4, 0)])


def test_the_last_two_checkpoints_are_kept_each_with_its_digest(sketches, tmp_path):
    run(sketches, tmp_path)
    files = CheckpointFolder(tmp_path).files()
    assert [each.stem for each in files] == ["checkpoint-000000002", "checkpoint-000000003"]
    for each in files:
        line = each.with_suffix(".sha256").read_text(encoding="utf-8")
        assert line == f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n"


class Trap:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


# In 22 bytes an array of 100,000,000, or of any other length, as torch's reader would make it.
LONG_ARRAY = b"\x80\x02cbuiltins\nbytearray\nJ\x00\xe1\xf5\x05\x85R."
DAMAGES = {
    "a flipped bit": lambda path: path.write_bytes(
        path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])
    ),
    "a cut file": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "an empty file": lambda path: path.write_bytes(b""),
    "a digest that is missing": lambda path: path.with_suffix(".sha256").unlink(),
    "an empty digest": lambda path: path.with_suffix(".sha256").write_bytes(b""),
    "a foreign file": lambda path: with_digest(path, b"PK\x03\x04 something else"),
    "a pickle": lambda path: with_digest(path, pickle.dumps(Trap(path.parent / "code was run"))),
    "weights alone": lambda path: with_digest(path, saved({"a": torch.zeros(1)})),
    "a pickle in torch's format": lambda path: with_digest(
        path, saved({"a": Trap(path.parent / "code was run")})
    ),
    "an older format": lambda path: with_digest(path, saved({"format_version": 1})),
    "packed parts": lambda path: with_digest(
        path, repacked(path.read_bytes(), zipfile.ZIP_DEFLATED)
    ),
}


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def repacked(content, compression=zipfile.ZIP_STORED, pickled=None):
    """The same archive, with that compression, and with another pickle if one is given."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(buffer, "w", compression) as target,
    ):
        for name in source.namelist():
            changed = pickled and name.endswith("data.pkl")
            target.writestr(name, pickled if changed else source.read(name))
    return buffer.getvalue()


def with_digest(path, content):
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    path.with_suffix(".sha256").write_text(f"{digest}  {path.name}\n", encoding="utf-8")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_older_one_used(
    damage, sketches, stopped, uninterrupted, capsys
):
    newest = CheckpointFolder(stopped).files()[-1]
    DAMAGES[damage](newest)
    assert outcome(*run(sketches, stopped)) == uninterrupted
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{newest.name} is passed over: it")
    assert said[1].startswith(f"continues at epoch 2, step 0 of {STEPS}")
    assert not (stopped / "code was run").exists()


def test_without_any_whole_checkpoint_the_training_starts_anew(
    sketches, stopped, uninterrupted, capsys
):
    for each in CheckpointFolder(stopped).files():
        each.write_bytes(b"")
    assert outcome(*run(sketches, stopped)) == uninterrupted
    assert capsys.readouterr().out.count("is passed over") == 2


def test_another_architecture_is_refused_with_the_differences_and_the_model_untouched(
    sketches, stopped
):
    model = make_model(6)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    words = r"belong to another model: 7 tensors differ, first 0\.weight \(6x3x3x3 here, 4x3x3x3 there\), 0\.bias"
    with pytest.raises(CheckpointError, match=words):
        run(sketches, stopped, model=model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"learning_rate": 0.01},
            r"different are learning_rate \(0\.01 here, 0\.02 there\)\. Give",
        ),
        ({"epochs": 4, "seed": 5}, r"epochs \(4 here, 3 there\), seed \(5 here, 4 there\)"),
    ],
)
def test_another_config_is_refused_naming_each_setting(change, words, sketches, stopped):
    with pytest.raises(CheckpointError, match=words):
        run(sketches, stopped, config=replace(CONFIG, **change))


def test_other_images_are_refused(sketches, stopped):
    labels = sketches.train.labels.roll(1)
    data = replace(sketches, train=replace(sketches.train, labels=labels))
    with pytest.raises(CheckpointError, match="different are the training and validation images"):
        run(data, stopped)


@pytest.mark.parametrize("change", ["residual connections", "a frozen layer"])
def test_a_model_with_equal_tensors_that_is_another_one_is_refused(change, sketches, tmp_path):
    options = {"depth": 1, "embed_dim": 16, "num_heads": 2, "patch_size": 8}
    run(sketches, tmp_path, model=VisionTransformer(**options), stop_after=2)
    other = VisionTransformer(**options, residual=change != "residual connections")
    other.patch_embedding.requires_grad_(change != "a frozen layer")
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(CheckpointError, match="different are the model"):
        run(sketches, tmp_path, model=other)
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


def test_a_wrong_tensor_of_the_optimizer_is_refused_before_anything_is_written(sketches, stopped):
    """The optimizer's fused step takes every shape, and then writes beside the tensor's memory."""
    newest = CheckpointFolder(stopped).files()[-1]
    content = torch.load(newest, weights_only=True)
    content["optimizer"]["state"][2]["exp_avg"] = torch.zeros(1)
    with_digest(newest, saved(content))
    with pytest.raises(CheckpointError, match="exp_avg of parameter 2"):
        run(sketches, stopped)


def test_a_mistake_in_a_models_code_is_not_called_a_loss_that_is_not_finite(sketches):
    class Mistaken(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = make_model()

        def forward(self, images):
            if not self.training:
                raise ValueError("a mistake of mine")
            return self.inner(images)

    with pytest.raises(ValueError, match="a mistake of mine"):
        run(sketches, model=Mistaken())


def test_another_torch_is_said(sketches, stopped, monkeypatch, capsys):
    monkeypatch.setattr(torch, "__version__", "99.0")
    run(sketches, stopped)
    assert (
        "(made with another torch version: the last digits may differ)" in capsys.readouterr().out
    )


def test_checkpoints_of_the_first_format_are_passed_over_in_a_line(sketches, tmp_path, capsys):
    (tmp_path / "checkpoint-000000001.safetensors").touch()
    run(sketches, tmp_path, stop_after=1)
    assert "of an older format are passed over" in capsys.readouterr().out


def test_a_checkpoint_that_would_make_more_than_tensors_is_refused_before_it_is_read(stopped):
    newest = CheckpointFolder(stopped).files()[-1]
    with_digest(newest, repacked(newest.read_bytes(), pickled=LONG_ARRAY))
    with pytest.raises(DamagedError, match="it would make builtins bytearray"):
        read_checkpoint(newest)


def test_a_newer_format_is_refused_and_left_alone(sketches, stopped):
    newest = CheckpointFolder(stopped).files()[-1]
    with_digest(newest, saved({"format_version": 3}))
    with pytest.raises(CheckpointError, match="has format 3; this dlvc reads formats up to 2"):
        run(sketches, stopped)
    assert newest.is_file()


def test_a_second_training_in_one_folder_is_refused_in_words(sketches, tmp_path):
    with (
        CheckpointFolder(tmp_path),
        pytest.raises(
            AlreadyRunningError, match=r"going on already \(process \d+ on .*Wait for it"
        ),
    ):
        run(sketches, tmp_path)
    assert not run(sketches, tmp_path)[1].interrupted  # the lock ended with its owner


def test_a_disk_that_fills_up_ends_no_training_and_is_said_once(
    sketches, stopped, uninterrupted, monkeypatch, capsys
):
    before = {each: each.read_bytes() for each in CheckpointFolder(stopped).files()}
    monkeypatch.setattr("os.fsync", Mock(side_effect=OSError(28, "No space left on device")))
    assert outcome(*run(sketches, stopped)) == uninterrupted
    assert capsys.readouterr().out.count("goes on without a new checkpoint: checkpoint-0") == 1
    assert {each: each.read_bytes() for each in CheckpointFolder(stopped).files()} == before


def test_a_folder_that_cannot_be_used_is_refused_before_the_training(sketches, tmp_path):
    (tmp_path / "a file").touch()
    model = make_model()
    model.register_forward_pre_hook(lambda *_: pytest.fail("it was trained"))
    with pytest.raises(CannotWriteError, match=r"checkpoints could not be written in .*a file"):
        run(sketches, tmp_path / "a file" / "checkpoints", model=model)


def test_ctrl_c_twice_during_a_save_leaves_the_older_checkpoints(
    sketches, stopped, uninterrupted, monkeypatch
):
    before = CheckpointFolder(stopped).files()

    def press_twice(*arguments):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", press_twice)
        with pytest.raises(KeyboardInterrupt):
            run(sketches, stopped)
    assert CheckpointFolder(stopped).files() == before
    assert list(stopped.glob("*.part")) == []
    assert outcome(*run(sketches, stopped)) == uninterrupted


def test_ctrl_c_once_during_a_save_lets_it_finish(sketches, tmp_path, uninterrupted, monkeypatch):
    replace_file, pressed = checkpoint_module.os.replace, []

    def press(*arguments):
        if not pressed:
            pressed.append(signal.raise_signal(signal.SIGINT))
        replace_file(*arguments)

    monkeypatch.setattr("os.replace", press)
    first = run(sketches, tmp_path, checkpoint_seconds=0)[1]
    assert first.interrupted
    assert outcome(*run(sketches, tmp_path)) == uninterrupted


def test_a_loss_that_is_not_finite_is_in_no_checkpoint(sketches, tmp_path):
    model = Breaks(range(STEPS + 3, 3 * STEPS))
    with pytest.raises(NonFiniteLoss, match="epoch 2, step 3"):
        run(sketches, tmp_path, model=model, checkpoint_seconds=0)
    content, _ = CheckpointFolder(tmp_path).newest()
    assert (content["epoch"], content["step"]) == (2, 2)
    assert content["losses"].isfinite().all()
    assert all(value.isfinite().all() for value in content["model"].values())
    assert all(
        torch.equal(content["best_weights"][name], value)
        for name, value in model.state_dict().items()
    )


def test_a_checkpoint_names_its_settings(stopped):
    content = read_checkpoint(CheckpointFolder(stopped).files()[-1])
    assert content["identity"]["config"] == {
        name: value for name, value in dataclasses.asdict(CONFIG).items() if name != "device"
    } | {"precision": "float32"}
