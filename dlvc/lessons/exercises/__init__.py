"""The exercises of the notebooks: `EXERCISES[notebook]`, and `exercises_of(notebook)`, which a learner calls.

Task, starter, solution and hints stand in a Markdown file for each notebook, which `texts` reads; beside it stands how
its answers are judged. `exercise` says what an exercise is, `judges` and `answers` how an answer is judged, `checker`
what a learner calls, `editions` how the blank and the solved notebook are made.
"""

from functools import cache
from pathlib import Path

from dlvc.arguments import check_choice
from dlvc.lessons.exercises import (
    cnns,
    comparison,
    data,
    inside_cnns,
    silent_bugs,
    transfer,
    vits,
)
from dlvc.lessons.exercises.checker import Check
from dlvc.lessons.exercises.texts import read_exercises

TEXTS = Path(__file__).parent
EXERCISES = {
    notebook: read_exercises(TEXTS / f"{notebook}.md", vars(judges), notebook=notebook)
    for notebook, judges in (
        ("01_data", data),
        ("02_cnns", cnns),
        ("02b_inside_cnns", inside_cnns),
        ("03_vits", vits),
        ("04_resnet18_transfer", transfer),
        ("05_comparison", comparison),
        ("06_silent_bugs", silent_bugs),
    )
}


@cache  # a list that is shown again knows what was right before
def exercises_of(notebook: str) -> Check:
    """The exercises of a notebook with their checks, hints and solutions. Raises ValueError for another name."""
    check_choice("notebook", notebook, tuple(EXERCISES))
    return Check(EXERCISES[notebook])
