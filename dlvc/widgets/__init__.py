"""What a learner clicks on. Each works with nobody clicking, and shows a picture where it cannot run."""

from dlvc.widgets.display import widget_view
from dlvc.widgets.explorers.augmentation import augmentation_explorer
from dlvc.widgets.explorers.kernel import kernel_explorer
from dlvc.widgets.explorers.layer_size import layer_explorer
from dlvc.widgets.explorers.positions import position_explorer
from dlvc.widgets.panel.panel import TrainingPanel
from dlvc.widgets.viewer.viewer import AttentionViewer
