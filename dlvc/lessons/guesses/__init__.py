"""A learner's guesses before a result is shown: asked for, kept, and drawn into the figure."""
