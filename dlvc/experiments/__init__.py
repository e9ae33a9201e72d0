"""The registry `EXPERIMENTS`, running one of them, and what a run leaves: records and tables."""

from dlvc.config import TrainConfig, current_profile
from dlvc.experiments.folder import (
    DELETED,
    differing_settings,
    epochs_table,
    find_runs,
    put_away,
    rename_run,
)
from dlvc.experiments.provenance import describe_device, describe_model, git_commit, versions
from dlvc.experiments.records import (
    REFERENCE_RECORDS,
    RUNS,
    RunRecord,
    check_records,
    check_same_experiment,
    format_table,
    group_by_experiment,
    load_record,
    load_records,
    mean_and_spread,
    results_table,
)
from dlvc.experiments.registry import (
    COMPARISONS,
    EXPERIMENTS,
    build_model,
    config_for,
    data_for,
    get_experiment,
    in_registry_order,
    outline_model,
)
from dlvc.experiments.running import Run, find_weights, load_run, run_experiment
from dlvc.experiments.sweeps import Job, jobs_of_shard, run_jobs
from dlvc.experiments.tables import (
    comparison_table,
    is_as_registered,
    protocol_table,
    setting_table,
)
