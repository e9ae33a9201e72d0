"""What a learner clicks on. Each works with nobody clicking, and shows a picture where it cannot run."""

from dlvc.widgets.attention_viewer import AttentionViewer
from dlvc.widgets.training_panel import TrainingPanel

__all__ = ["AttentionViewer", "TrainingPanel"]
