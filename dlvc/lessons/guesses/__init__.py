"""A learner's guesses before a result is shown: asked for, kept, and drawn into the figure."""

from dlvc.lessons.guesses.figure import calibration_figure, guess_and_result, mark_guess
from dlvc.lessons.guesses.form import guess_first
from dlvc.lessons.guesses.store import load_predictions
