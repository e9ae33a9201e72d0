"""How fast the training loop is, beside the machine's limit and beside the loops that others would write.

`python -m dlvc bench` runs it. In reading order: `loaders` (batches), `arms` (the loops), `measure` (one epoch of each,
by turns), `limits` (what else a step could be), `curves` (data size, batch size, threads, start), `results` (record and
table), `targets` (what the numbers should be).
"""
