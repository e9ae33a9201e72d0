"""Faults that train without an error: the training code, its faults, and what tells them apart.

Read `plain` first: a training in small methods. In `faults` each fault changes one of them; `clues` reads traces.
`python -m dlvc.lessons.silent_bugs` records the traces of figures/records/silent_bugs/.
"""

from dlvc.lessons.silent_bugs.cases import CASES, load_case, preflight_of, who_caught_it
from dlvc.lessons.silent_bugs.correct import PlainTraining
from dlvc.lessons.silent_bugs.faults import UnscaledPixels
from dlvc.lessons.silent_bugs.figure import training_trace
from dlvc.lessons.silent_bugs.minimal_tests import try_smallest
from dlvc.lessons.silent_bugs.traces import describe, load_trace
