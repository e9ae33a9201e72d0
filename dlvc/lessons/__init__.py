"""The course around the notebooks: exercises, silent bugs, guesses, and the notebooks themselves."""
