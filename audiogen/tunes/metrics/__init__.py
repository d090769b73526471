"""Metrics of tunes: note statistics, histogram distance to the prompt, note copying and likelihood."""
