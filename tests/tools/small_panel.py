"""A training panel on a few drawn pictures. The tests run this file, and so does the notebook that they open."""

from dlvc.data import load_data
from dlvc.widgets import TrainingPanel

data = load_data("sketch10", sizes=(1_000, 200, 200), quiet=True)
# Batches of two make the run long enough to be looked at and stopped: 1,500 steps, on a fast machine too.
panel = TrainingPanel("deep-cnn-bn", data, profile="smoke", seed=3, batch_size=2)
