"""An investigation of training runs that raise no error: the code, its faults, and what can be asked about a run.

Read `correct` first: a training in small methods. In `faults` each fault changes one of them. `evidence` says what can
be asked and how the answers are measured; `cases` is what a learner plays; `program` is for finding bugs by hand.
`python -m dlvc.lessons.silent_bugs` makes the records of figures/records/silent_bugs/.
"""
