"""What a training leaves: the numbers of each epoch, and the epoch whose weights the model now has."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dlvc.training.evaluation import Evaluation


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One pass through the training images. Losses are means over images, accuracies shares in [0, 1]."""

    epoch: int  # from 1
    learning_rate: float  # of the epoch's last step
    train_loss: float  # while training: with augmentation and dropout
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_mean_per_class_accuracy: float
    seconds: float  # the training pass
    validation_seconds: float

    @classmethod
    def of(
        cls,
        epoch: int,
        learning_rate: float,
        loss: float,
        accuracy: float,
        seconds: float,
        score: Evaluation,
    ) -> EpochRecord:
        """An epoch that trained with this loss and accuracy, and had that `score` on the validation images."""
        return cls(
            epoch=epoch,
            learning_rate=learning_rate,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=score.loss,
            validation_accuracy=score.accuracy,
            validation_mean_per_class_accuracy=score.mean_per_class_accuracy,
            seconds=seconds,
            validation_seconds=score.seconds,
        )


@dataclass(frozen=True)
class TrainResult:
    """What a training leaves: one record an epoch, and which epoch's weights the model now has (0 = none finished)."""

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    best_validation: Evaluation | None
    interrupted: bool
    train_seconds: float
    device: torch.device
    precision: str
    micro_batch: int = 0  # how many images were computed at once in the end
