"""What was measured once and is stored in figures/records/: trainings, initial gradients, attention maps, loops."""

from dlvc.studies.attention import load_recordings
from dlvc.studies.bench import losses_on_record
from dlvc.studies.deep_vit import deep_vit_figure, deep_vit_table
from dlvc.studies.initialisation import (
    ConvolutionStack,
    first_gradients,
    initialisation_figure,
    initialisation_table,
)
from dlvc.studies.maps import cnn_map, contrast, load_map_tests, measure_maps, vit_maps
from dlvc.studies.speed import (
    TECHNIQUES,
    each_image_once,
    profile_parts,
    speed_config,
    time_techniques,
)
from dlvc.studies.speed_figure import speed_bars
from dlvc.studies.trainings import load_study
