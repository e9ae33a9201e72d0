"""Small explorers: one idea, one or two controls, one picture. Read `explorer` first; the four others need only it.

`augmentation` (what training makes of its images), `kernel` (a convolution step by step), `layer_size` (the sizes of a
layer), `positions` (the fixed codes of a vision transformer).
"""
