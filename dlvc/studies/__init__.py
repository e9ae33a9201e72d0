"""What was measured once and is stored in figures/records/: trainings, initial gradients, attention maps, loops."""

from dlvc.studies.attention import load_recordings
from dlvc.studies.deep_vit import deep_vit_figure, deep_vit_table
from dlvc.studies.initialisation import (
    ConvolutionStack,
    first_gradients,
    initialisation_figure,
    initialisation_table,
)
from dlvc.studies.maps import contrast, head_maps, load_map_tests, measure_maps, network_maps
from dlvc.studies.trainings import load_study
