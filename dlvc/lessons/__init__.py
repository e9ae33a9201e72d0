"""The course around the notebooks: exercises, silent bugs, guesses, and the notebooks themselves."""

from dlvc.lessons.exercises import exercises_of
from dlvc.lessons.exercises.editions import sync_notebooks
from dlvc.lessons.figures import FAMILIES, draw_figures, reported_accuracies
from dlvc.lessons.guesses.figure import calibration_figure, mark_guess
from dlvc.lessons.guesses.form import guess_first
from dlvc.lessons.guesses.store import load_predictions
from dlvc.lessons.notebooks import run_notebooks
from dlvc.lessons.silent_bugs.case_files import CASES, references
from dlvc.lessons.silent_bugs.cases import open_case, score_sheet
from dlvc.lessons.silent_bugs.correct import PlainTraining
from dlvc.lessons.silent_bugs.evidence import preflight_of, who_caught_it
from dlvc.lessons.silent_bugs.faults import SUSPECTS, suspect_table
from dlvc.lessons.silent_bugs.figure import line_up, training_log
from dlvc.lessons.silent_bugs.program import Program
from dlvc.lessons.silent_bugs.traces import describe_trace, load_trace
