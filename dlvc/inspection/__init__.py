"""What a model does inside, and whether model and data are sound before a training."""

from dlvc.inspection.attention import (
    AttentionRecording,
    attention_maps,
    class_relevance,
    patch_grid,
    readout_row,
    record_attention,
    relevance_shares,
)
from dlvc.inspection.attention_statistics import (
    attention_distance,
    attention_entropy,
    attention_rollout,
    sink_mass,
)
from dlvc.inspection.explanation import (
    ORDERS,
    DeletionCurve,
    deletion_curve,
    grad_cam,
    randomized,
    rank_correlation,
    share_on_object,
    to_patches,
)
from dlvc.inspection.forward import evaluation_mode
from dlvc.inspection.layers import (
    activation_by_layer,
    effective_rank,
    gradient_by_layer,
    token_similarity,
    tokens_by_block,
)
from dlvc.inspection.preflight_checks.findings import PreflightReport
from dlvc.inspection.preflight_checks.preflight import preflight
from dlvc.inspection.receptive_fields import effective_field, field_width, mean_distance
from dlvc.inspection.robustness import (
    accuracy_when,
    calibration,
    confident_errors,
    shift,
    shift_consistency,
)
