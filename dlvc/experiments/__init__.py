"""The registry `EXPERIMENTS`, running one of them, and what a run leaves: records and tables."""

from dlvc.config import TrainConfig, current_profile, use_profile
from dlvc.experiments.folder import (
    DELETED,
    differing_settings,
    epochs_table,
    find_runs,
    put_away,
    rename_run,
)
from dlvc.experiments.grouping import Work, conditions, differing, group_by_experiment
from dlvc.experiments.provenance import describe_device, git_commit, versions
from dlvc.experiments.records import (
    REFERENCE_RECORDS,
    RunRecord,
    load_record,
    load_records,
    pack_bits,
    unpack_bits,
)
from dlvc.experiments.registry import (
    COMPARISONS,
    EXPERIMENTS,
    OTHER_STYLE,
    Budget,
    Comparison,
    Experiment,
    ModelStyle,
    build_model,
    config_for,
    data_for,
    get_experiment,
    options_of_all_models,
    outline_model,
    protocol_for,
)
from dlvc.experiments.running import Run, find_weights, load_run, run_experiment
from dlvc.experiments.sweeps import Job, jobs_of_shard, run_jobs
from dlvc.experiments.tables import (
    comparison_table,
    epoch_seconds,
    format_table,
    in_registry_order,
    is_as_registered,
    mean_and_spread,
    protocol_table,
    results_table,
    setting_table,
)
from dlvc.experiments.trained import TRAINED, load_trained, store_trained
from dlvc.files import runs_folder
from dlvc.metrics import rounded
from dlvc.training import EpochRecord
