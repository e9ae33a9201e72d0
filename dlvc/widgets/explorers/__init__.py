"""Small explorers: one idea, one or two controls, one picture."""
