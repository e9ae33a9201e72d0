"""Faults that train without an error: the training code, its faults, and what tells them apart.

Read `correct` first: a training in small methods. In `faults` each fault changes one of them; `clues` reads traces.
`python -m dlvc.lessons.silent_bugs` records the traces of figures/records/silent_bugs/.
"""
