"""The exercises of the notebooks: `EXERCISES[notebook]`, and `exercises_of(notebook)`, which a learner calls.

`exercise` says what an exercise is, `judges` and `answers` how an answer is judged, `checker` what a learner calls,
`editions` how the blank and the solved notebook are made. To add an exercise, add it to its module's `EXERCISES`.
"""

from functools import cache

from dlvc.checks import check_choice
from dlvc.lessons.exercises import cnns, comparison, data, silent_bugs, silent_cases, transfer, vits
from dlvc.lessons.exercises.checker import Check

EXERCISES = {
    module.EXERCISES[0].notebook: module.EXERCISES
    for module in (data, cnns, vits, transfer, comparison, silent_bugs)
}
# Exercises whose cells are written in the notebook by hand, beside what they ask about.
BESIDE_THE_TEXT = {"06_silent_bugs": silent_cases.CASE_EXERCISES}


@cache  # a list that is shown again knows what was right before
def exercises_of(notebook: str) -> Check:
    """The exercises of a notebook with their checks, hints and solutions. Raises ValueError for another name."""
    check_choice("notebook", notebook, tuple(EXERCISES))
    return Check((*BESIDE_THE_TEXT.get(notebook, ()), *EXERCISES[notebook]))
