"""Figures: one function, one figure, drawn from records and arrays; none sees a model."""

from dlvc.plots.arrays import as_array, as_pictures
from dlvc.plots.attention_maps import (
    ATTENTION_COLORS,
    DIFFERENCE_COLORS,
    attention_overlay,
    position_similarity,
)
from dlvc.plots.attention_picture import Pane, attention_view
from dlvc.plots.classes import (
    class_histogram,
    confusion_grid,
    confusion_heatmap,
    per_class_bars,
    pixel_statistics,
)
from dlvc.plots.curves import learning_curves, report_figure
from dlvc.plots.diagrams import receptive_field, residual_block
from dlvc.plots.drawings import BAR, LEFT_EDGE, convolution_step, image_patches, max_pooling
from dlvc.plots.explanations import deletion_curves, head_shares, interval_rows, map_mosaic
from dlvc.plots.factors import calibration_diagram, measured_lines
from dlvc.plots.images import (
    feature_maps,
    field_maps,
    filters_grid,
    show_augmentations,
    show_images,
)
from dlvc.plots.results import accuracy_bars, comparison_pairs, cost_scatter
from dlvc.plots.starts import label_efficiency
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
