"""Figures: one function, one figure, drawn from records, arrays and the registry's models."""

from dlvc.plots.arrays import as_array, as_pictures
from dlvc.plots.attention_maps import (
    ATTENTION_COLORS,
    DIFFERENCE_COLORS,
    attention_overlay,
    position_similarity,
)
from dlvc.plots.attention_picture import Pane, attention_view
from dlvc.plots.classes import (
    confusion_grid,
    confusion_heatmap,
    per_class_bars,
)
from dlvc.plots.curves import learning_curves, report_figure
from dlvc.plots.diagrams import (
    attention_drawing,
    residual_drawing,
    split_drawing,
    transfer_drawing,
)
from dlvc.plots.drawings import BAR, LEFT_EDGE, convolution_step, image_patches
from dlvc.plots.explanations import deletion_curves, head_points, interval_rows, map_mosaic
from dlvc.plots.factors import marked_histogram, measured_lines
from dlvc.plots.images import (
    feature_maps,
    field_maps,
    filters_grid,
    show_images,
)
from dlvc.plots.networks import network_drawing
from dlvc.plots.receptive_fields import receptive_field_drawing
from dlvc.plots.results import accuracy_bars, comparison_pairs, cost_scatter
from dlvc.plots.style import (
    BLUE,
    FIGURE_DPI,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SCREEN_DPI,
    SKY,
    VERMILLION,
    Picture,
    hide_axes,
    model_style,
    new_picture,
    set_description,
    styled,
)
