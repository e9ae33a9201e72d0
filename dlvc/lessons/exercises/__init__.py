"""The exercises of the notebooks: `EXERCISES[notebook]`, and in each module the `check` that its notebook imports.

`exercise` says what an exercise is, `judges` and `answers` how an answer is judged, `checker` what a learner calls,
`editions` how the blank and the solved notebook are made. To add an exercise, add it to its module's `EXERCISES`.
"""

from dlvc.lessons.exercises import cnns, comparison, data, silent_bugs, silent_cases, transfer, vits

EXERCISES = {
    each.EXERCISES[0].notebook: each.EXERCISES
    for each in (data, cnns, vits, transfer, comparison, silent_bugs)
}
# Exercises whose cells are written in the notebook by hand, beside what they ask about.
BESIDE_THE_TEXT = {"06_silent_bugs": silent_cases.CASES}
