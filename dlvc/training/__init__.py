"""Training, evaluation and prediction: `train`, `evaluate`, `predict`, and what keeps a training safe."""

from dlvc.training.baselines import fit_majority, fit_nearest_neighbour
from dlvc.training.checkpoint import (
    AlreadyRunningError,
    CheckpointFolder,
    load_weights,
    on_cpu,
    save_weights,
)
from dlvc.training.device import (
    autocast,
    input_layout,
    keep_freed_memory,
    memory_layout,
    model_device,
    pick_device,
    pick_precision,
)
from dlvc.training.evaluation import Evaluation, evaluate, predict
from dlvc.training.identity import training_identity
from dlvc.training.interruption import end_at_step_border, stopped_by_sigterm
from dlvc.training.loop import train
from dlvc.training.messages import say, told_to
from dlvc.training.one_step import bare_step
from dlvc.training.optimization import learning_rate_at, make_optimizer
from dlvc.training.processes import ALONE, LostProcessError, OneProcess, processes_of_torchrun
from dlvc.training.randomness import own_random_numbers
from dlvc.training.result import EpochRecord, TrainResult
from dlvc.training.session import NonFiniteLoss, check_sizes
