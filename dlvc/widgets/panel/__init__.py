"""The training panel. Read in this order:

`panel` (the object of a notebook cell, which joins all that follows), `settings` (what is offered for an experiment),
`form` (a row for each setting), `advice` (what is wrong with them, in words), `cost` and `time` (what a run will take),
`worker` (one training at a time, in a thread), `progress` and `live_curves` (how far it is), `history` (runs that have
ended), `text` (code, table and sentences), `controls` (the parts around the form).
"""
