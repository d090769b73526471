"""Comparison of configurations, audio and symbolic, on the same pieces: trainings, tails, measures and the report."""
