"""Baselines as Models of mel frames: the loop, grains, a walk and shaped noise that a trained Model has to beat."""
