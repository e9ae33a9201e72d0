"""Sketch-10: ten classes of drawings, made from a seed, each with the mask of its object."""
